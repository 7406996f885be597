"""What one child process is to do, as frozen values: which route with which model, where, and how far it may go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from navcore.contract import Artifact, RunnerJob, Signature

if TYPE_CHECKING:  # a child loads them when it checks
    from navcore.evaluation import MeasureSettings, VerifySettings
    from navcore.registry import Registry


@attrs.frozen
class RouteCall:
    """A route, by its id, with the model that it takes and what every route is told beside that.

    ``options`` is the value of the route's own options. ``threads`` are compute threads.
    ``framework`` is the module that a process may import before it is forked for this step, or ``""``, and ``imports``
    are further ones of the framework that the route wants. ``cache_dir`` is where compilers keep what they can make
    again.
    """

    route: str
    artifact: Artifact
    options: Any
    device: str | None
    threads: int
    log_dir: Path
    framework: str = ""
    cache_dir: Path | None = None
    imports: tuple[str, ...] = ()


@attrs.frozen
class ConvertStep:
    """Convert the call's artifact to ``output``, by samples of ``workspace`` read under the signature ``reference``."""

    call: RouteCall
    reference: Signature
    workspace: Path
    output: Path


@attrs.frozen
class CheckStep:
    """Verify, then measure, the call's artifact; ``None`` leaves one out. ``reference`` is the source's signature.

    Of ``thread_counts`` the fastest is taken before anything is measured; without any it is the call's.
    """

    call: RouteCall
    reference: Signature
    workspace: Path
    verifying: VerifySettings | None
    measuring: MeasureSettings | None
    thread_counts: tuple[int, ...] = ()


@attrs.frozen
class ServeStep:
    """Keep the call's artifact loaded, and answer calls over the socket ``address`` under the hexadecimal ``key``."""

    call: RouteCall
    address: str
    key: str


@attrs.frozen
class MeasureStep:
    """Keep the call's artifact loaded and measure blocks of calls by the route ``profiler``, as often as it is asked.

    ``thread_counts`` are the numbers of compute threads to choose from. By ``comparing`` larger batches are held
    against the smallest, where that is asked.

    Questions come over the socket ``address`` under the hexadecimal ``key``; ``reference`` is the source's signature.
    """

    call: RouteCall
    reference: Signature
    workspace: Path
    profiler: str
    thread_counts: tuple[int, ...]
    address: str
    key: str
    comparing: VerifySettings | None = None


ChildStep: TypeAlias = ConvertStep | CheckStep | ServeStep | MeasureStep


@attrs.frozen
class StepLimits:
    """How far a step may go: seconds of wall time, bytes of resident memory; ``None`` means no limit."""

    timeout: float | None = None
    memory_limit: int | None = None


@attrs.frozen
class StepPlace:
    """Where a step runs: ``folder`` is private to it, ``who`` is named when it fails."""

    folder: Path
    log: Path
    who: str
    limits: StepLimits


def runner_job(call: RouteCall, registry: Registry) -> RunnerJob[Any]:
    """The job by which the call's artifact is loaded."""
    runtime = registry.route(call.route).runtime
    return RunnerJob(call.artifact, runtime, call.options, call.device, call.threads, call.log_dir, call.cache_dir)
