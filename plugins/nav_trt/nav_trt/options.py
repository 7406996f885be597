"""What can be set for building an engine, and for running one."""

from __future__ import annotations

import attrs

from navcore import OptionError
from navcore.contract import harmless


@attrs.frozen
class EngineOptions:
    """What a builder of engines may be asked for.

    ``max_workspace_size`` is the memory in bytes that a layer may use while it is chosen and while it runs, by
    default all of the device's. ``optimization_level`` is how long the builder may search, from 0 (fast to build) to 5
    (fast to run), by default the builder's own choice (3).
    """

    max_workspace_size: int | None = attrs.field(default=None, metadata=harmless(1, 64 * 2**30))
    optimization_level: int | None = attrs.field(default=None, metadata=harmless(0, 5))

    def __attrs_post_init__(self) -> None:
        if self.max_workspace_size is not None and self.max_workspace_size < 1:
            raise OptionError(f"max_workspace_size is {self.max_workspace_size}.", hint="Give bytes, 1 or more.")
        if self.optimization_level is not None and self.optimization_level not in range(6):
            raise OptionError(f"optimization_level is {self.optimization_level}.", hint="Give a number from 0 to 5.")


@attrs.frozen
class TorchTrtOptions:
    """What Torch-TensorRT may be asked for.

    ``max_workspace_size`` is the memory in bytes that a layer may use, by default all of the device's;
    ``min_block_size`` the smallest number of connected operators worth an engine. ``precision_mode`` is ``"single"``
    (the format's type only) or ``"hierarchy"`` (wider ones too): only ``torch-trt-script-fp16`` can tell them apart.
    """

    max_workspace_size: int | None = attrs.field(default=None, metadata=harmless(1, 64 * 2**30))
    min_block_size: int = attrs.field(default=5, metadata=harmless(1, 1000))
    precision_mode: str = "single"

    def __attrs_post_init__(self) -> None:
        if self.max_workspace_size is not None and self.max_workspace_size < 1:
            raise OptionError(f"max_workspace_size is {self.max_workspace_size}.", hint="Give bytes, 1 or more.")
        if self.min_block_size < 1:
            raise OptionError(f"min_block_size is {self.min_block_size}.", hint="Give 1 or more.")
        if self.precision_mode == "mixed":
            raise OptionError("Torch-TensorRT has no precision_mode 'mixed'.", hint="Choose 'single' or 'hierarchy'.")
        if self.precision_mode not in ("single", "hierarchy"):
            raise OptionError(f"precision_mode is {self.precision_mode!r}.", hint="Choose 'single' or 'hierarchy'.")
