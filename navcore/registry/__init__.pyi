from .discovery import (
    CORE_TARGET as CORE_TARGET,
    DISABLE as DISABLE,
    EXTRA as EXTRA,
    Candidate as Candidate,
    candidates as candidates,
    command_candidates as command_candidates,
)
from .known_plugins import bringer_of as bringer_of
from .latencies import latencies_of as latencies_of
from .loading import load_registry as load_registry
from .own_code import code_of as code_of
from .registry import (
    OFFER as OFFER,
    OFFERS as OFFERS,
    Plugin as Plugin,
    Registry as Registry,
)
from .reserved_names import (
    RESERVED as RESERVED,
    is_reserved as is_reserved,
)
from .route_options import (
    option_names as option_names,
    resolve_options as resolve_options,
)
from .standard_streams import (
    are_streams_ours as are_streams_ours,
    foreign_code as foreign_code,
    own_streams as own_streams,
)
