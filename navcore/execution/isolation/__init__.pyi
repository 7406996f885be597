from .child_register import (
    kill_children as kill_children,
    reap_orphans as reap_orphans,
    runs_in as runs_in,
)
from .child_setup import (
    PARENT_VARIABLE as PARENT_VARIABLE,
    die_with as die_with,
    enter_child as enter_child,
)
from .fork import (
    import_before_forks as import_before_forks,
    run_forked as run_forked,
)
from .nursery import warm_children as warm_children
from .output_capture import captured_output as captured_output
from .result_file import (
    read_request as read_request,
    read_result as read_result,
    write_result as write_result,
)
from .spawn import run_module as run_module
from .supervisor import (
    FAULTS as FAULTS,
    ChildReport as ChildReport,
    Limits as Limits,
)
