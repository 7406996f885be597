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
from .recorded import (
    NOT_USED as NOT_USED,
    Limits as Limits,
    Obeyed as Obeyed,
    bounded_batch as bounded_batch,
    harmless_part as harmless_part,
    obeyed as obeyed,
)
from .source import (
    Source as Source,
    identify as identify,
    key_of as key_of,
    own_data as own_data,
)
