"""Everything a run was asked for, except the model and the data: one frozen value, stored whole and read whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from navcore.contract import ProfilerConfig
from navcore.errors import OptionError


@attrs.frozen
class Settings:
    """The arguments of :func:`navcore.run` in their settled form; see there for what each means."""

    model_name: str = "navigator_model"
    targets: tuple[str, ...] | None = None
    options: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    sample_count: int = 100
    atol: float | None = None
    rtol: float | None = None
    input_names: tuple[str, ...] | None = None
    output_names: tuple[str, ...] | None = None
    dynamic_axes: Mapping[str, Any] | None = None
    axis_ranges: Mapping[str, Any] | None = None
    batch_dim: int | None = 0
    device: str | None = None
    runtimes: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    run_profiling: bool = True
    profiler_config: ProfilerConfig = attrs.field(factory=ProfilerConfig)
    profiler: str = "navcore"
    prefer: Mapping[str, str] = attrs.field(factory=dict)
    timeout: float | None = None
    memory_limit: int | None = None
    git_info: bool = True


_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}")


def valid_model_name(name: str) -> str:
    """The name, if it can be a folder's. Raises :class:`OptionError`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name:
        raise OptionError(
            f"model_name={name!r} cannot name a folder.", hint="Use letters, digits, '_', '-', '+' and '.'."
        )
    return name
