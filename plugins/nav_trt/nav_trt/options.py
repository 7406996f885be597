"""What can be set for building an engine, and for running one."""

from __future__ import annotations

import attrs

from navcore import harmless
from navcore.errors import OptionError


@attrs.frozen
class EngineOptions:
    """``max_workspace_size`` is the memory in bytes that a layer may use while it is chosen and while it runs, by
    default all of the device's. ``optimization_level`` is how long the builder may search, from 0 (fast to build) to 5
    (fast to run), by default the builder's own choice (3)."""

    max_workspace_size: int | None = attrs.field(default=None, metadata=harmless(1, 64 * 2**30))
    optimization_level: int | None = attrs.field(default=None, metadata=harmless(0, 5))

    def __attrs_post_init__(self) -> None:
        if self.max_workspace_size is not None and self.max_workspace_size < 1:
            raise OptionError(f"max_workspace_size is {self.max_workspace_size}.", hint="Give bytes, 1 or more.")
        if self.optimization_level is not None and self.optimization_level not in range(6):
            raise OptionError(f"optimization_level is {self.optimization_level}.", hint="Give a number from 0 to 5.")
