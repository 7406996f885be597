"""All arguments of a run as type checkers and editors see them: names in order, and what a caller may write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from navcore.contract import Format, ProfilerConfig
from navcore.workspace.argument import Argument, arguments_of
from navcore.workspace.settings import Settings
from navcore.workspace.surroundings import Surroundings

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path

    from navcore.workspace.metrics import Metric
    from navcore.workspace.progress import Observer

Names = Format | str | Iterable[Format | str] | None


class Device(Protocol):
    """A framework's own object for a device, which prints as its name: ``torch.device``."""

    @property
    def type(self) -> str: ...


class RunArguments(TypedDict, total=False):
    """What a caller may write, in the order in which it is shown; see :class:`Argument` for all else."""

    targets: Names
    effort: str
    options: Mapping[str, Mapping[str, Any]] | None
    model_name: str
    workdir: Path | str | None
    override_workdir: bool
    sample_count: int | None
    atol: float | None
    rtol: float | None
    input_names: list[str] | tuple[str, ...] | None
    output_names: list[str] | tuple[str, ...] | None
    dynamic_axes: Mapping[str, Any] | None
    axis_ranges: Mapping[str, Any] | None
    batch_dim: int | None
    device: str | Device | None
    runtimes: Mapping[str, Names] | None
    run_profiling: bool
    profiler_config: ProfilerConfig | None
    batch_sizes: Iterable[int] | str | None
    ranking: bool
    budget: float
    threads: int | str
    callers: int | None
    profiler: str | None
    prefer: Mapping[str, str] | None
    executor: Executor | None
    timeout: float | None
    memory_limit: int | None
    git_info: bool
    metrics: Mapping[str, Metric] | Metric | None
    metrics_data: Any
    verified_when: Mapping[str, float] | None
    progress: Observer | None


@cache
def run_arguments() -> Mapping[str, Argument]:
    """Every argument of a run by its name, in the order in which it is shown."""
    found = {**arguments_of(Settings), **arguments_of(Surroundings)}
    return {name: found[name] for name in RunArguments.__annotations__}
