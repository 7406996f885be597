from .arguments import (
    Names as Names,
    refuse_unusable_partners as refuse_unusable_partners,
    settings_from as settings_from,
    settings_here as settings_here,
)
from .plan import (
    Check as Check,
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
from .reference_api import reference_arguments as reference_arguments
from .source import (
    Source as Source,
    identify as identify,
    key_of as key_of,
    own_data as own_data,
)
