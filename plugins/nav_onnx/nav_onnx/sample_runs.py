"""Runs stored models on the user's samples: what they give, how far apart they are, which numbers they reach."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from nav_onnx.calling import Call, bind, make_call
from nav_onnx.session import RuntimeOptions, open_session
from navcore import Artifact, ConvertJob, Feeds, RuntimeProvider, StepError

if TYPE_CHECKING:
    from onnx import ModelProto

Outputs = Mapping[str, np.ndarray[Any, Any]]
SEARCHED = 8
"""So many samples, spread over all, are what alternatives are compared on; what was chosen is judged on all."""
_AT_ONCE = 64  # values that one run hands out: all values of a large network at once would fill the memory


@attrs.frozen
class Samples:
    """The user's samples, and how stored forms of one model are called with them."""

    origin: Artifact
    feeds: Iterable[Feeds]
    threads: int | None = None

    def model(self, path: Path, names: Sequence[str] | None = None) -> Call:
        """The model at ``path`` on the CPU; with ``names`` it gives these values, under these names."""
        session = open_session(
            path, RuntimeProvider.CPU, RuntimeOptions(), threads=self.threads, device=None, quiet=True
        )
        binding = bind(session, attrs.evolve(self.origin, path=path))
        if names is None:
            return make_call(session, binding)

        def values(feeds: Feeds) -> Outputs:
            given = {name: feeds[source] for name, source in binding.fed_from.items()}
            return dict(zip(names, session.run(list(names), given), strict=True))

        return values

    def few(self) -> tuple[int, ...]:
        """The numbers of at most :data:`SEARCHED` samples, the first and the last among them."""
        count = sum(1 for _ in self.feeds)
        steps = max(min(count, SEARCHED) - 1, 1)
        return tuple(sorted({round(step * (count - 1) / steps) for step in range(min(count, SEARCHED))}))


def samples_of(job: ConvertJob[Any]) -> Samples:
    """The samples of a job, or its example where a caller gave no samples.

    Raises :class:`StepError` when there is neither.
    """
    feeds: Iterable[Feeds] = job.samples if next(iter(job.samples), None) is not None else (job.example,)
    if not next(iter(feeds)) and job.signature.inputs:
        raise StepError("There are no samples to run the model on.", hint="Give the run a dataloader.")
    return Samples(job.source, feeds, job.threads)


def expected(samples: Samples, path: Path, numbers: Collection[int]) -> Sequence[tuple[Feeds, Outputs]]:
    """The samples of these numbers, each with what the model at ``path`` gives for it."""
    call = samples.model(path)
    return tuple((feeds, call(feeds)) for number, feeds in enumerate(samples.feeds) if number in numbers)


def farthest(call: Call, pairs: Iterable[tuple[Feeds, Outputs]]) -> float:
    """How far a model is from known outputs: the largest distance of all samples and outputs."""
    return max((distance(outputs, call(feeds)) for feeds, outputs in pairs), default=0.0)


def distances(samples: Samples, path: Path, other: Path) -> tuple[float, ...]:
    """How far the model at ``other`` is from that at ``path``, sample by sample."""
    first, second = samples.model(path), samples.model(other)
    return tuple(distance(first(feeds), second(feeds)) for feeds in samples.feeds)


def distance(wanted: Outputs, found: Outputs) -> float:
    """The largest distance of one output: relative L2, or the share of elements that differ where there are no floats.

    Infinite where the other model has NaN or infinity and this one has not, and where shapes differ.
    """
    return max((array_distance(wanted[name], found[name]) for name in wanted), default=0.0)


def array_distance(wanted: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> float:
    """The distance of one array, as :func:`distance` says."""
    if wanted.shape != found.shape:
        return float("inf")
    if wanted.size == 0:
        return 0.0
    if wanted.dtype.kind not in "fc":
        return float(np.mean(wanted != found))
    finite = np.isfinite(wanted)
    if not np.array_equal(finite, np.isfinite(found)):
        return float("inf")
    left, right = wanted[finite].astype(np.float64), found[finite].astype(np.float64)
    gap, size = float(np.linalg.norm(left - right)), float(np.linalg.norm(left))
    return gap / size if size else (0.0 if gap == 0 else float("inf"))


@attrs.frozen
class Reach:
    """The smallest and the largest finite number that a value takes on the samples."""

    low: float
    high: float

    @property
    def magnitude(self) -> float:
        return max(abs(self.low), abs(self.high))

    def widened(self, other: Reach) -> Reach:
        return Reach(min(self.low, other.low), max(self.high, other.high))


def reaches(
    samples: Samples, model: ModelProto, names: Sequence[str], write: Callable[[ModelProto], Path], cut: float = 0.0
) -> Mapping[str, Reach]:
    """How far the float values ``names`` of the main graph reach on the samples.

    ``write`` stores a model where it may be loaded from. ``cut`` is the share of each sample's numbers that is left
    out at either end. A value that is always empty, or never finite, is not in the result.
    """
    found: dict[str, Reach] = {}
    rest = list(names)
    if names and not cut:
        found, rest = _extremes(samples, model, names, write)
    for start in range(0, len(rest), _AT_ONCE):
        part = rest[start : start + _AT_ONCE]
        call = samples.model(write(giving(model, part)), part)
        for feeds in samples.feeds:
            for name, array in call(feeds).items():
                reach = _reach(array, cut)
                if reach is not None:
                    found[name] = found[name].widened(reach) if name in found else reach
    return found


def _extremes(
    samples: Samples, model: ModelProto, names: Sequence[str], write: Callable[[ModelProto], Path]
) -> tuple[dict[str, Reach], list[str]]:
    """The reaches that the graph itself can find, and the values that have to be looked at number by number.

    Those are the ones with NaN or infinity. A graph in which a value is empty cannot find any.
    """
    from onnx import helper

    watched = giving(model, ())
    for number, name in enumerate(names):
        for kind in ("Min", "Max"):
            node = helper.make_node(f"Reduce{kind}", [name], [_extreme(kind, number)], keepdims=0)
            watched.graph.node.append(node)
    asked = [_extreme(kind, number) for number in range(len(names)) for kind in ("Min", "Max")]
    found: dict[str, Reach] = {}
    odd: set[str] = set()
    try:
        call = samples.model(write(giving(watched, asked)), asked)
        for feeds in samples.feeds:
            values = call(feeds)
            for number, name in enumerate(names):
                reach = Reach(*(float(values[_extreme(kind, number)]) for kind in ("Min", "Max")))
                if not np.isfinite([reach.low, reach.high]).all():
                    odd.add(name)
                else:
                    found[name] = found[name].widened(reach) if name in found else reach
    except Exception:  # whatever is wrong is raised again by whoever looks at the values themselves
        return {}, list(names)
    return {name: reach for name, reach in found.items() if name not in odd}, [name for name in names if name in odd]


def _extreme(kind: str, number: int) -> str:
    return f"navcore {kind} {number}"


def giving(model: ModelProto, names: Iterable[str]) -> ModelProto:
    """The model with further values of its main graph among its outputs."""
    from nav_onnx.cast_graph import copy_without

    result: ModelProto = copy_without(model, "graph")
    result.graph.CopyFrom(model.graph)
    there = {value.name for value in result.graph.output}
    for name in names:
        if name not in there:
            result.graph.output.add().name = name
    return result


def _reach(array: np.ndarray[Any, Any], cut: float) -> Reach | None:
    numbers = array.reshape(-1)
    if not np.isfinite(numbers).all():
        numbers = numbers[np.isfinite(numbers)]
    if numbers.size == 0:
        return None
    if not cut:
        return Reach(float(numbers.min()), float(numbers.max()))
    low, high = np.quantile(numbers.astype(np.float32), [cut, 1 - cut])
    return Reach(float(low), float(high))
