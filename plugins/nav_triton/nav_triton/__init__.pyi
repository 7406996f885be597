from .backends import Backend as Backend
from .loops import (
    Measured as Measured,
    closed_loop as closed_loop,
    open_loop as open_loop,
)
from .measuring import (
    ServingCost as ServingCost,
    measure as measure,
)
from .repository import (
    ServedModel as ServedModel,
    save_repository as save_repository,
)
from .snippets import (
    Snippet as Snippet,
    snippet as snippet,
)
from .tensors import Served as Served

__version__: str
__all__: list[str]
