"""What serving costs: the same model in this process and behind the server, in turn, and the server under load."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import attrs
import numpy as np

from nav_triton.client import Address, Client
from nav_triton.loops import Caller, Measured, closed_loop, open_loop
from nav_triton.repository import LayoutArguments, ServedModel, save_repository
from nav_triton.server import HOST, running
from navcore import Feeds, OptionError, PackageDescriptor, PackageIncomplete

_ROUNDS = 5
_WARM_UP = 20


@attrs.frozen(eq=False)
class ServingCost:
    """What was measured of ``model``, one sample per call.

    ``in_process`` is the package's own runner called here, ``served`` the same model asked over HTTP by one caller, in
    blocks in turn; ``ratio`` is how many times longer the latter takes, the median over the pairs of blocks, and
    ``ratios`` are those of the pairs. ``closed`` has the throughput by number of callers, ``open`` the latencies by
    arrivals per second. All of it on one machine, so that callers and server share its processors. ``load`` is how many
    processes wanted one of its ``processors`` in the minute before.
    """

    model: ServedModel
    in_process: Measured
    served: Measured
    ratios: tuple[float, ...]
    closed: Mapping[int, Measured]
    open: Mapping[float, Measured]
    load: float = 0.0
    processors: int = 1

    @property
    def ratio(self) -> float:
        """How many times longer a served call takes."""
        return float(np.median(self.ratios))

    def __str__(self) -> str:
        rows = [
            ("in this process, one caller", self.in_process),
            ("served, one caller", self.served),
            *((f"served, {callers} callers", one) for callers, one in self.closed.items()),
            *((f"served, {rate:.0f} arrivals per second", one) for rate, one in self.open.items()),
        ]
        width = max(len(name) for name, _ in rows)
        lines = [f"{'':{width}}  {'p50 ms':>9}  {'p99 ms':>9}  {'calls/s':>9}"]
        for name, one in rows:
            p99 = "–" if one.p99 is None else f"{one.p99:.3f}"
            lines.append(f"{name:{width}}  {one.p50:9.3f}  {p99:>9}  {one.rate:9.1f}")
        low, high = min(self.ratios), max(self.ratios)
        more = self.served.p50 - self.in_process.p50
        lines.append(
            f"A served call takes {self.ratio:.2f} times as long as one in this process ({low:.2f} to {high:.2f} in "
            f"{len(self.ratios)} pairs of blocks): {more:+.3f} ms."
        )
        if self.load > self.processors:
            lines.append(
                f"The machine was busy before (load {self.load:.1f} on {self.processors} processors): the numbers are "
                "also those of its neighbours."
            )
        return "\n".join(lines)


def measure(
    package: PackageDescriptor,
    *,
    seconds: float = 5.0,
    callers: Sequence[int] = (2, 8),
    loads: Sequence[float] = (0.5, 0.8),
    seed: int = 0,
    **layout: Unpack[LayoutArguments],
) -> ServingCost:
    """Serve a row of ``package`` on this machine and measure it, beside the same runner in this process.

    Args:
        package: with its samples, which are the requests, one sample each.
        seconds: how long each part takes: the two in turn together, every number of callers, every load.
        callers: of the closed loop, in which each asks again as soon as it has its answer.
        loads: of the open loop, as shares of the best throughput of the closed one.
        seed: of the arrivals, a Poisson process.
        layout: what :func:`save_repository` takes of the row and of how it is asked. The back end is the Python one,
            which the server of the wheel has.

    Raises what :func:`save_repository` raises, :class:`Unavailable` where there is no server, and :class:`OptionError`.
    """
    if not seconds > 0 or any(not load > 0 for load in loads) or any(number < 1 for number in callers):
        raise OptionError("seconds, callers and loads have to be above 0.")
    load, processors = os.getloadavg()[0], len(os.sched_getaffinity(0))
    feeds = [one.feeds for one in package.comparisons()]
    if not feeds:
        raise PackageIncomplete("The package holds no samples to ask the server with.")
    with contextlib.ExitStack() as stack:
        repository = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nav-triton-")), "repository")
        model = save_repository(package, repository, **layout, backend="python")
        job = package.runner_job(model.format, runtime=model.runtime)
        server = stack.enter_context(running(repository))
        runner = stack.enter_context(package.open_runner(model.format, runtime=model.runtime, threads=job.threads))
        address = Address(HOST, server.http_port, model.name)

        def connect() -> Client:
            return Client(address, model.inputs, model.outputs)

        @contextlib.contextmanager
        def here() -> Iterator[Caller]:
            yield runner

        _warm(connect, here, feeds)
        pairs = [
            (
                closed_loop(here, feeds, seconds=seconds / 2 / _ROUNDS),
                closed_loop(connect, feeds, seconds=seconds / 2 / _ROUNDS),
            )
            for _ in range(_ROUNDS)
        ]
        closed = {number: closed_loop(connect, feeds, seconds=seconds, callers=number) for number in callers}
        best = max(one.rate for one in (pairs[-1][1], *closed.values()))
        opened = {
            best * load: open_loop(connect, feeds, rate=best * load, seconds=seconds, seed=seed) for load in loads
        }
    ratios = tuple(served.p50 / own.p50 for own, served in pairs)
    own, served = (_pooled([pair[side] for pair in pairs]) for side in (0, 1))
    return ServingCost(model, own, served, ratios, closed, opened, load, processors)


def _warm(connect: Any, here: Any, feeds: Sequence[Feeds]) -> None:
    for way in (connect, here):
        with way() as call:
            for number in range(_WARM_UP):
                call(feeds[number % len(feeds)])


def _pooled(blocks: Sequence[Measured]) -> Measured:
    return Measured(np.concatenate([one.latencies for one in blocks]), sum(one.seconds for one in blocks))
