"""The toy framework: a live "model", four formats and their runners, of which three fail on demand.

A toy model multiplies and adds. Stored, it is a small JSON file. Whatever can go wrong with a real framework goes
wrong here when the model (or an option) says so: ``mischief={"alpha": "segfault"}`` makes the export to ``toy-alpha``
end in a real SIGSEGV. It is a complete plugin, and an example of one: every hook has an implementation here, and routes
are declared in both ways, by decorators and as data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import attrs

from navcore.contract import (
    ConvertJob,
    ExportJob,
    Format,
    Live,
    Made,
    Precision,
    ProfileJob,
    Route,
    Runner,
    RunnerJob,
    SpotCheck,
    converter,
    exporter,
    harmless,
    hookimpl,
    profiler,
    runner,
)
from navcore.errors import Unavailable
from navcore.testing.toy_mischief import ACTS, MISCHIEFS as MISCHIEFS, Together

if TYPE_CHECKING:
    import numpy as np

    from navcore.contract import Feeds
    from navcore.evaluation import Choice
    from navcore.package import PackageDescriptor

LARGE = 32


@attrs.define(eq=False)
class ToyModel:
    """Returns ``{"y": factor · x + offset}``; the "framework tensor" of the toy is :class:`ToyTensor`.

    ``mischief`` maps a route's short name (``alpha``, ``beta``, ``gamma``, ``detour``) to one of :data:`MISCHIEFS`.
    ``run toy-alpha`` goes wrong when that format is loaded or run, ``large toy-alpha`` when it is called with a batch
    larger than 32.
    ``calls`` counts how often it was run, ``training`` is a state that an export has to leave alone.
    """

    factor: float = 2.0
    offset: float = 0.0
    mischief: Mapping[str, str] = attrs.field(factory=dict)
    training: bool = True
    calls: int = 0

    def __call__(self, x: ToyTensor) -> dict[str, ToyTensor]:
        """Scale and shift ``x``, float32 of any shape. Raises :class:`TypeError` for what is no toy tensor."""
        if not isinstance(x, ToyTensor):
            raise TypeError(f"a toy model takes a ToyTensor, not a {type(x).__name__}")
        self.calls += 1
        return {"y": ToyTensor(x.array * self.factor + self.offset)}


@attrs.frozen(eq=False)
class ToyTensor:
    """The toy's own kind of tensor: a host array in a wrapper, so that conversion cannot be forgotten."""

    array: np.ndarray


def _to_array(value: Any) -> np.ndarray | None:
    return value.array if isinstance(value, ToyTensor) else None


def _from_array(array: np.ndarray, _device: str | None) -> ToyTensor:
    return ToyTensor(array)


def _state(model: ToyModel) -> Iterator[tuple[str, np.ndarray]]:
    import numpy as np

    yield "factor", np.asarray([model.factor], dtype=np.float64)
    yield "offset", np.asarray([model.offset], dtype=np.float64)
    yield "mischief", np.frombuffer(json.dumps(dict(model.mischief), sort_keys=True).encode(), dtype=np.uint8)


_FAMILY = "toy"
TOY = Format(
    "toy-live",
    live=Live(("navcore.testing.toy.ToyModel",), _to_array, _from_array, _state),
    summary="a live toy model",
)
ALPHA = Format(
    "toy-alpha", family=_FAMILY, filename="model.toy", data_only=True, suffixes=(".toy",), summary="toy file"
)
BETA = Format("toy-beta", family=_FAMILY, filename="model.beta", data_only=True, summary="toy file, converted")
GAMMA = Format("toy-gamma", family=_FAMILY, filename="model.gamma", summary="toy file that needs trust")
COMPILING = 7.0
"""Seconds that ``toy-compiled`` says it spent before it could be called."""
COARSE = Precision("toy-levels", relative_l2=0.1, differing=0.1, quantised=True)
LEVELS = Format(
    "toy-levels", family=_FAMILY, filename="model.levels", precision=COARSE, data_only=True, summary="toy file, rounded"
)


@attrs.frozen
class Options:
    """What a toy route may be asked for.

    ``mischief`` goes wrong on purpose; ``scale`` shows that an option arrives (it must stay 1 to be right); a stranger
    may set it within bounds.
    """

    mischief: str = ""
    scale: float = attrs.field(
        default=1.0, validator=attrs.validators.instance_of((int, float)), metadata=harmless(0.1, 10)
    )


def _write(job: ExportJob[Options] | ConvertJob[Options], content: Mapping[str, Any], mischief: str) -> Made:
    """Write the toy file, unless the mischief of this step comes before or instead."""
    if mischief in ACTS:
        ACTS[mischief]()
    if mischief == "nothing":
        return Made()
    if mischief == "empty":
        job.output.write_bytes(b"")
        return Made()
    batch = len(job.example["x"])
    shown = {
        **content,
        "factor": content["factor"] * job.options.scale,
        "fixed": batch if mischief == "fixed" else None,
        "right_at": batch if mischief == "sizes" else None,
    }
    if mischief == "numbers":
        shown["factor"] *= 2
    if mischief == "names":
        shown["output"] = "somebody_else"
    job.output.write_text(json.dumps(shown))
    return Made(notes=(f"mischief: {mischief}",) if mischief else (), facts={"scale": str(job.options.scale)})


@exporter(TOY, ALPHA, options=Options, isolation="fork")
def alpha_from_toy(job: ExportJob[Options]) -> Made:
    """Export a live toy to ``toy-alpha``."""
    model: ToyModel = job.source.model
    content = {"factor": model.factor, "offset": model.offset, "output": "y", "mischief": dict(model.mischief)}
    return _write(job, content, job.options.mischief or model.mischief.get("alpha", ""))


@converter(ALPHA, BETA, options=Options)
def beta_from_alpha(job: ConvertJob[Options]) -> Made:
    """Convert ``toy-alpha`` to ``toy-beta``."""
    content = json.loads(job.source.file.read_text())
    return _write(job, content, job.options.mischief or content["mischief"].get("beta", ""))


@converter(ALPHA, BETA, options=Options, cost=5.0)
def beta_from_alpha_detour(job: ConvertJob[Options]) -> Made:
    """The same by a longer way, taken when the short one fails."""
    content = json.loads(job.source.file.read_text())
    return _write(job, content, content["mischief"].get("detour", ""))


routes = (Route(hook="convert", name="gamma_from_beta", source=BETA, target=GAMMA, options=Options),)


@hookimpl
def convert(job: ConvertJob[Options], route: Route) -> Made:
    """Convert ``toy-beta`` to ``toy-gamma``: called for the routes above, when the plan chose one of them."""
    content = json.loads(job.source.file.read_text())
    short_name = route.goal.name.removeprefix("toy-")
    return _write(job, content, job.options.mischief or content["mischief"].get(short_name, ""))


@converter(ALPHA, LEVELS, effort="thorough")
def levels_from_alpha(job: ConvertJob[None]) -> Made:
    """Round ``toy-alpha`` to levels of a table beside it: shows an asset, and a precision of the plugin's own."""
    content = json.loads(job.source.file.read_text())
    largest = max(abs(content["factor"]), abs(content["offset"]), 1e-9)
    levels = [largest * number / 16 for number in range(-16, 17)]
    job.asset("levels.json").write_text(json.dumps(levels))
    rounded = {name: 16 + round(content[name] * 16 / largest) for name in ("factor", "offset")}
    job.output.write_text(json.dumps(rounded))
    return Made(assets=("levels.json",))


@runner(LEVELS, runtime="toy-levels")
def run_levels(job: RunnerJob[None]) -> Runner:
    """Run a rounded toy: the file holds positions in the table that its maker declared as an asset."""
    positions = json.loads(job.artifact.file.read_text())
    levels = json.loads(job.artifact.assets["levels.json"].read_text())
    factor, offset = (levels[positions[name]] for name in ("factor", "offset"))

    def call(feeds: Feeds) -> Mapping[str, np.ndarray]:
        x = feeds["x"]
        return {"y": (x * factor + offset).astype(x.dtype)}

    return Runner(call, provider="toy-levels", precision=COARSE, threads=job.threads, inputs=("x",))


@runner(TOY, runtime="toy-eager")
def run_toy(job: RunnerJob[None]) -> Runner:
    """Run the live toy."""
    model: ToyModel = job.artifact.model
    before = model.training
    model.training = False

    def call(feeds: Feeds) -> Mapping[str, np.ndarray]:
        args, kwargs = job.signature.bind(feeds, ToyTensor)
        return job.signature.name_outputs(model(*args, **kwargs), _to_array)

    def close() -> None:
        model.training = before

    return Runner(call, close=close, provider="toy-eager", threads=job.threads)


@runner(TOY, runtime="toy-compiled", cost=2.0, default=False)
def run_toy_compiled(job: RunnerJob[None]) -> Runner:
    """The live toy as a compiler makes it: a candidate beside the source, which was at work before it can be called."""
    model: ToyModel = job.artifact.model
    mischief = model.mischief.get("run toy-compiled", "")
    if mischief in ACTS:
        ACTS[mischief]()
    source = run_toy(job)
    assert isinstance(source, Runner)

    def call(feeds: Feeds) -> Mapping[str, np.ndarray]:
        return {name: array + (mischief == "numbers") for name, array in source(feeds).items()}

    return Runner(
        call,
        close=lambda: source.__exit__(None, None, None),
        provider="toy-compiled",
        threads=job.threads,
        preparation=COMPILING,
    )


@runner(ALPHA, BETA, GAMMA, runtime="toy-runtime", options=Options)
def run_toy_file(job: RunnerJob[Options]) -> Runner:
    """Run a stored toy."""
    content = json.loads(job.artifact.file.read_text())
    mischief = job.options.mischief or content["mischief"].get(f"run {job.artifact.format.name}", "")
    large = content["mischief"].get(f"large {job.artifact.format.name}", "")
    if mischief in ACTS:
        ACTS[mischief]()
    # A file that is a source has no known outputs while samples are taken of it.
    wrong = mischief == "numbers" or (mischief == "moody" and job.signature.outputs)
    factor = content["factor"] * (2 if wrong else 1)
    output = "somebody_else" if mischief == "names" else content["output"]
    calls, together = count(), Together(mischief)

    def added(x: np.ndarray) -> Any:
        import numpy as np

        return {"counting": next(calls), "drawing": np.random.standard_normal(x.shape)}.get(mischief, 0)

    def call(feeds: Feeds) -> Mapping[str, np.ndarray]:
        x = together.asked(feeds["x"])
        if len(x) > LARGE and large in ACTS:
            ACTS[large]()
        if mischief == "nothing":
            return {}
        fixed, right_at = content["fixed"], content["right_at"]
        if (fixed is not None and len(x) != fixed) or (mischief == "fixed" and len(x) != 2):
            raise ValueError(f"this toy takes a batch of {fixed or 2}, not {len(x)}")
        off = (right_at is not None and len(x) != right_at) or (mischief == "sizes" and len(x) != 2)
        off = off or (large == "numbers" and len(x) > LARGE)
        y = (x * factor * (2 if off else 1) + content["offset"] + added(x)).astype(x.dtype)
        return {output: y[:0] if mischief == "empty" else y}

    shapes = {"x": (content["fixed"], None)} if content["fixed"] else {}
    return Runner(call, provider="toy-runtime", precision=None, threads=job.threads, inputs=("x",), shapes=shapes)


@runner(ALPHA, runtime="toy-accelerator", cost=2.0, available=lambda: "there is no toy accelerator in this machine")
def run_toy_accelerated(job: RunnerJob[None]) -> Runner:
    """Never available: shows how a missing device becomes a row with a reason."""
    raise Unavailable("there is no toy accelerator in this machine", who=job.runtime)


@runner(
    ALPHA,
    runtime="toy-oracle",
    options=Options,
    cost=3.0,
    default=False,
    spot_check=SpotCheck(comparisons=2, seconds=5.0),
)
def run_toy_by_the_book(job: RunnerJob[Options]) -> Callable[[Feeds], Mapping[str, np.ndarray]]:
    """Too slow to be measured, and asked for two comparisons only: shows how a reference interpreter proves."""
    return run_toy_file(job)


@profiler()
def toy_clock(job: ProfileJob) -> np.ndarray:
    """A profiler whose clock never varies: every call takes one millisecond."""
    import numpy as np

    calls = job.calls or 25
    for _ in range(min(calls, 3)):
        job.runner(job.feeds)
    return np.ones(calls)


def dataloader(sizes: Sequence[int] = (4, 4, 6, 5), batch: int = 2) -> list[dict[str, ToyTensor]]:
    """Items ``{"x": ToyTensor}`` of shape ``(batch, size)`` and dtype float32, all different."""
    import numpy as np

    numbers = np.random.RandomState(7)
    return [{"x": ToyTensor(numbers.randn(batch, size).astype(np.float32))} for size in sizes]


def conformance_model() -> tuple[ToyModel, list[dict[str, ToyTensor]]]:
    """A small model and its data, on which the conformance kit tries this plugin's routes, and others that need it."""
    return ToyModel(factor=3.0, offset=1.0), dataloader(batch=3)


def conformance_models() -> Mapping[str, Callable[[], tuple[ToyModel, list[dict[str, ToyTensor]]]]]:
    """More of them, by name: data of one size, so that only the batch moves, and items of a single row."""
    return {
        "one-size": lambda: (ToyModel(factor=-2.0), dataloader(sizes=(5, 5, 5))),
        "single-rows": lambda: (ToyModel(factor=0.5, offset=-1.0), dataloader(batch=1)),
    }


def describe(package: PackageDescriptor) -> str:
    """A verb of the plugin, ``navcore.toy.describe(package)``: which toy formats are ok, in one line."""
    names = [format.name for format, ok in package.get_formats_status().items() if ok and format.name.startswith("toy")]
    return f"{package.model_name}: {', '.join(names) or 'nothing'}"


@attrs.frozen
class FewestLetters:
    """A strategy of the plugin's own: the format whose name is shortest."""

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        """See :class:`navcore.Strategy`."""
        return min(candidates, key=lambda choice: len(choice.format.name), default=None)


def largest_output(outputs: Mapping[str, np.ndarray], item: Any) -> float:
    """A metric of the plugin's own: the largest number of output ``y``; what the dataloader gave does not matter."""
    return float(outputs["y"].max())
