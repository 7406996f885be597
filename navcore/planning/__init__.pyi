from .arguments import (
    settings_here as settings_here,
    settled as settled,
    takes_run_arguments as takes_run_arguments,
)
from .asked import (
    Asked as Asked,
    Limits as Limits,
    Measuring as Measuring,
    named_formats as named_formats,
    refuse_unknown as refuse_unknown,
    replaced_by as replaced_by,
    unknown_here as unknown_here,
    with_asked as with_asked,
    without_unused as without_unused,
)
from .duration import (
    estimate as estimate,
)
from .frameworks import Framework as Framework
from .package_arguments import (
    for_package as for_package,
    is_package as is_package,
    settled_for_package as settled_for_package,
)
from .plan import (
    Check as Check,
    Estimate as Estimate,
    Later as Later,
    Missing as Missing,
    Plan as Plan,
    PlanSettings as PlanSettings,
    Step as Step,
)
from .planner import (
    cheapest_paths as cheapest_paths,
    make_plan as make_plan,
    unknown_target as unknown_target,
)
from .recorded import (
    NOT_USED as NOT_USED,
    Obeyed as Obeyed,
    bounded_batch as bounded_batch,
    effort_here as effort_here,
    harmless_part as harmless_part,
    obeyed as obeyed,
)
from .reference_api import (
    SizedDataLoader as SizedDataLoader,
    reference_arguments as reference_arguments,
    takes_reference_arguments as takes_reference_arguments,
)
from .source import (
    Source as Source,
    identify as identify,
    key_of as key_of,
    own_data as own_data,
)
