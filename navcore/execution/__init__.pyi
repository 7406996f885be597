from .build_format import (
    BuildResult as BuildResult,
    blame_crash as blame_crash,
    make as make,
)
from .check_format import (
    check_runtime as check_runtime,
    measure_runtime as measure_runtime,
)
from .isolation import (
    ChildReport as ChildReport,
    Limits as Limits,
    die_with as die_with,
    enter_child as enter_child,
    read_request as read_request,
    run_module as run_module,
    write_result as write_result,
)
from .resources import (
    available_memory as available_memory,
    processors as processors,
)
from .run import run_model as run_model
from .run_context import (
    RunContext as RunContext,
    StartingPoint as StartingPoint,
)
from .scheduler import execute as execute
from .worker import (
    announced_in as announced_in,
    runner_job as runner_job,
)
