from .artifacts import (
    artifact_of as artifact_of,
    assets_of as assets_of,
)
from .batch_memory import (
    refuse_batch_beyond_memory as refuse_batch_beyond_memory,
)
from .build_format import (
    BuildResult as BuildResult,
    blame_crash as blame_crash,
    built_artifact as built_artifact,
    make as make,
)
from .check_format import (
    check_runtime as check_runtime,
    measure_runtime as measure_runtime,
)
from .in_process import (
    Tried as Tried,
    first_that_works as first_that_works,
    open_artifact as open_artifact,
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
from .run import (
    run_model as run_model,
)
from .run_context import (
    RunContext as RunContext,
    StartingPoint as StartingPoint,
    new_context as new_context,
)
from .scheduler import (
    execute as execute,
)
from .step import (
    runner_job as runner_job,
)
from .step_data import (
    announced_in as announced_in,
    call_from_data as call_from_data,
    call_to_data as call_to_data,
)
