"""Two identical runners under two names: by how much does a way of measuring say that they differ?

One ONNX Runtime session (a small convolutional network, one thread) stands for both. Beside it a process computes in
bursts on the same processors. The ranking's own way (`navcore.evaluation.interleaving`) is measured live; every call
of it is kept as one trace, and on this trace the other ways are replayed, the first runner from a start point and the
second right behind it:

- one after the other, for the same seconds: medians, and means;
- the stopping rules of others: three windows of 25 calls within 10 %, ten calls and then twenty, three windows of 5 s
  within 10 %.

Printed is the absolute false difference in percent: median, 95th percentile and largest of the repetitions. Then the
time to a ranking of eight models at two batch sizes, in one process.

    python benchmarks/ranking.py [--repetitions 50] [--seconds 6]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from navcore.evaluation.interleaving import BLOCK_SECONDS, interleave
from navcore.evaluation.windows import Window, take_window

Call = Callable[[], object]


def session(batch: int = 1, width: int = 32) -> Call:
    """A call of a small network in ONNX Runtime, one thread."""
    import onnxruntime
    import torch

    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, width, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(width, width, 3, padding=1)]
    model = torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1)).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        torch.onnx.export(model, (torch.zeros(batch, 3, 48, 48),), path, dynamo=True, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        found = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feeds = {found.get_inputs()[0].name: np.zeros((batch, 3, 48, 48), np.float32)}
    return lambda: found.run(None, feeds)


def bursts(seed: int) -> None:
    """What a neighbour does: computing for a while, then nothing for a while."""
    drawn = random.Random(seed)
    while True:
        end = time.perf_counter() + drawn.uniform(0.2, 3)
        while time.perf_counter() < end:
            sum(range(10_000))
        time.sleep(drawn.uniform(0.2, 3))


class Trace:
    """Every call so far, in milliseconds, and when it began; a way of measuring is replayed from a start point on."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self.began: list[float] = []
        self.at = 0

    def take(self, *, seconds: float = 0.0, calls: int = 0) -> np.ndarray:
        """The latencies of the next calls, for so long or so many. Raises IndexError where the trace ends."""
        first, end = self.at, self.began[self.at] + seconds
        while self.at - first < max(1, calls) or self.began[self.at] < end:
            self.at += 1
        return np.asarray(self.taken[first : self.at])

    def live(self, call: Call, seconds: float) -> np.ndarray:
        """The latencies of calls that are made now, for so long."""
        first, end = len(self.taken), time.perf_counter() + seconds
        while len(self.taken) == first or time.perf_counter() < end:
            start = time.perf_counter()
            call()
            self.began.append(start)
            self.taken.append(1000 * (time.perf_counter() - start))
        return np.asarray(self.taken[first:])


Rule = Callable[[Trace], float]


def interleaved(call: Call, trace: Trace, seconds: float, seed: int) -> float:
    """The ratio that blocks in turn come to when it is known to 3 %, or after so many seconds."""

    def block() -> Window:
        return take_window(lambda: trace.live(call, BLOCK_SECONDS))

    found = interleave({"a": block, "b": block}, "a", seed=seed, until=time.perf_counter() + seconds)
    return found.ratios["b"].value


def three_agree(count: int, seconds: float) -> Rule:
    """The mean of three windows in a row within 10 %, of so many calls or seconds each; at most ten windows."""

    def measure(trace: Trace) -> float:
        means: list[float] = []
        while len(means) < 10:
            means.append(float(trace.take(seconds=seconds, calls=count).mean()))
            last = means[-3:]
            if len(last) == 3 and max(last) <= 1.1 * min(last):
                break
        return float(np.mean(means[-3:]))

    return measure


def fixed(trace: Trace) -> float:
    """The mean of twenty calls after ten."""
    trace.take(calls=10)
    return float(trace.take(calls=20).mean())


def replayed(rule: Rule, trace: Trace, repetitions: int) -> list[float]:
    """The ratios of two runners that the rule measures one after the other, from start points all over the trace."""
    ratios = []
    for start in np.linspace(0, len(trace.taken) - 1, repetitions, endpoint=False).astype(int):
        trace.at = int(start)
        try:
            ratios.append(rule(trace) / rule(trace))
        except IndexError:
            break  # the trace ended before the rule did
    return ratios


def told(name: str, ratios: Sequence[float]) -> str:
    if not ratios:
        return f"{name:<36} the trace is too short for it"
    false = 100 * np.abs(np.asarray(ratios) - 1)
    return f"{name:<36} {np.median(false):6.1f} {np.percentile(false, 95):6.1f} {false.max():6.1f} {len(ratios):6d}"


def time_to_a_ranking() -> tuple[float, bool]:
    """Seconds to a ranking of eight models at two batch sizes, and whether every ratio became narrow."""
    began, settled = time.perf_counter(), True
    for batch, until in ((1, 45.0), (8, 90.0)):
        calls = {str(width): session(batch, width) for width in (8, 12, 16, 20, 24, 32, 40, 48)}

        def block(call: Call) -> Callable[[], Window]:
            return lambda: take_window(lambda: Trace().live(call, BLOCK_SECONDS))

        blocks = {name: block(call) for name, call in calls.items()}
        found = interleave(blocks, "8", seed=1, until=began + until)
        settled = settled and found.settled
    return time.perf_counter() - began, settled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=6)
    asked = parser.parse_args()
    python, processors = platform.python_version(), os.cpu_count()
    print(f"{platform.machine()}, {processors} processors, Python {python}, numpy {np.__version__}")
    call, trace = session(), Trace()
    Trace().live(call, 1)
    neighbour = multiprocessing.Process(target=bursts, args=(7,), daemon=True)
    neighbour.start()
    try:
        print(f"{'false difference in %':<36} median    p95    max  pairs")
        ratios = [interleaved(call, trace, asked.seconds, seed) for seed in range(asked.repetitions)]
        print(told("interleaved blocks, paired ratios", ratios), flush=True)
    finally:
        neighbour.terminate()
    half = asked.seconds / 2
    rules: dict[str, Rule] = {
        f"one after the other, {half:g} s, medians": lambda trace: float(np.median(trace.take(seconds=half))),
        f"one after the other, {half:g} s, means": lambda trace: float(np.mean(trace.take(seconds=half))),
        "three windows of 25 calls": three_agree(25, 0),
        "10 and 20 calls": fixed,
        "three windows of 5 s": three_agree(1, 5),
    }
    for name, rule in rules.items():
        print(told(name, replayed(rule, trace, asked.repetitions)))
    seconds, settled = time_to_a_ranking()
    print(f"eight models at two batch sizes: {seconds:.0f} s, {'all' if settled else 'not all'} known to 3 %")


if __name__ == "__main__":
    main()
