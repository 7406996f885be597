from .after_checks import (
    measured_rows as measured_rows,
)
from .artifacts import (
    artifact_of as artifact_of,
    assets_of as assets_of,
)
from .batch_memory import (
    refuse_batch_beyond_memory as refuse_batch_beyond_memory,
)
from .build_format import (
    blame_crash as blame_crash,
)
from .check_format import (
    measure_runtime as measure_runtime,
)
from .function_child import (
    ChildCalls as ChildCalls,
)
from .in_process import (
    Tried as Tried,
    first_that_works as first_that_works,
    open_artifact as open_artifact,
)
from .isolation import (
    FAULTS as FAULTS,
    PARENT_VARIABLE as PARENT_VARIABLE,
    ChildReport as ChildReport,
    Limits as Limits,
    die_with as die_with,
    enter_child as enter_child,
    read_request as read_request,
    run_module as run_module,
    warm_children as warm_children,
    write_result as write_result,
)
from .leftovers import (
    tidied as tidied,
)
from .metric_pass import (
    NO_METRICS as NO_METRICS,
    OTHER_DATA as OTHER_DATA,
    MetricsAsked as MetricsAsked,
    rows_with_metrics as rows_with_metrics,
    source_metrics as source_metrics,
)
from .metric_verdict import (
    judged_rows as judged_rows,
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
    Executed as Executed,
    execute as execute,
)
from .step import (
    StepLimits as StepLimits,
)
from .step_children import (
    IMPORTED_BY_STEPS as IMPORTED_BY_STEPS,
)
from .workbench import (
    Workbench as Workbench,
    opening_in as opening_in,
    workbench_of as workbench_of,
)
