"""ONNX in int8: a format of its own, made by quantising what the user's samples allow, and told layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from nav_onnx.availability import why_no_cpu
from nav_onnx.cast_rules import refuse_bad_rules
from nav_onnx.int8_layers import Layer, has_convolutions, inner_convolutions, is_quantised, layers, walked
from nav_onnx.int8_rules import Method, QuantiseRules
from nav_onnx.int8_search import Found, search
from nav_onnx.low_precision import low_variant
from nav_onnx.model_file import ONNX, copy_model, load_model
from nav_onnx.scratch import scratch_folder
from navcore import ConvertJob, Made, StepError, converter

if TYPE_CHECKING:
    from onnx import ModelProto

    from nav_onnx.sample_runs import Outputs, Reach, Samples
    from navcore import Feeds

ONNX_INT8 = low_variant("int8", "int8, where the outputs on the samples allow it,")
_USEFUL = 0.1  # share of the weights; with less in int8 a file is neither smaller nor faster by what could be noticed
_CUT = 1e-4  # share of a sample's numbers that the second way to set ranges leaves out at either end
_SHOWN = 4
_TURNS = 3  # searches at most


@converter(ONNX, ONNX_INT8, options=QuantiseRules, cost=2.0, effort="thorough", seconds=25.0, available=why_no_cpu)
def onnx_int8_from_onnx(job: ConvertJob[QuantiseRules]) -> Made:
    """Quantise to int8, calibrated on the user's samples, and keep the layers that hurt the outputs in float32."""
    from nav_onnx.external_data import tensors_and_nodes
    from nav_onnx.sample_runs import samples_of

    model = load_model(job.source.file)
    if is_quantised(model):
        copy_model(job.source.file, job.output)
        return Made(calling=job.source.calling, notes=("The model is quantised already: it is used as it is.",))
    refuse_bad_rules(job.options.kept, model, tensors_and_nodes(model)[1])
    samples = samples_of(job)
    with scratch_folder(job.output) as folder:
        bench = _bench(job, samples, folder)
        made, gaps = _held_to_all(bench, job)
    return Made(calling=job.source.calling, notes=_told(made, gaps, bench), facts=_facts(made, max(gaps)))


def _held_to_all(bench: _Bench, job: ConvertJob[QuantiseRules]) -> tuple[_Quantised, Sequence[float]]:
    """Write the best that is found, and how far it is off on each sample. The worst samples join those of the search.

    Raises :class:`StepError` where too little is left in int8.
    """
    from nav_onnx.sample_runs import SEARCHED, distances, expected

    seen = set(bench.samples.few())
    for turn in range(_TURNS):
        bench = attrs.evolve(bench, truth=expected(bench.samples, job.source.file, seen))
        made = _chosen(bench)
        bench.write_to(made, job.output)
        gaps = distances(bench.samples, job.source.file, job.output)
        worst = sorted(range(len(gaps)), key=lambda number: -gaps[number])[:SEARCHED]
        unseen = [number for number in worst if gaps[number] > job.options.max_error and number not in seen]
        if not unseen or turn == _TURNS - 1:
            break
        seen.update(unseen)
    return made, gaps


def _chosen(bench: _Bench) -> _Quantised:
    first, *others = _methods(bench.rules, bench.model)
    made = _quantised(bench, first)
    if not _is_useful(made):
        made = _better([made, *(_quantised(bench, method) for method in others)])
    if not _is_useful(made):
        raise _nothing_useful(made, bench)
    return made


def _methods(rules: QuantiseRules, model: ModelProto) -> tuple[Method, ...]:
    if rules.method is not None:
        return (rules.method,)
    return ("static",) if has_convolutions(model) else ("dynamic", "static")


@attrs.frozen
class _Bench:
    """The prepared model, and what every attempt is made with and held against."""

    model: ModelProto
    rules: QuantiseRules
    samples: Samples
    folder: Path
    truth: Sequence[tuple[Feeds, Outputs]] = ()

    def error(self, chosen: Collection[Layer], ranges: Mapping[str, Reach]) -> float:
        from nav_onnx.int8_writing import write_int8
        from nav_onnx.sample_runs import farthest

        path = write_int8(self.model, chosen, ranges, self.rules, self.folder / "attempt.onnx")
        return farthest(self.samples.model(path), self.truth)

    def ranges(self, chosen: Collection[Layer], cut: float) -> Mapping[str, Reach]:
        from nav_onnx.int8_writing import measured_values
        from nav_onnx.model_writing import store_model
        from nav_onnx.sample_runs import reaches

        def write(model: ModelProto) -> Path:
            return store_model(model, self.folder / "watched.onnx")

        return reaches(self.samples, self.model, measured_values(self.model, chosen, self.rules), write, cut)

    def write_to(self, made: _Quantised, output: Path) -> None:
        from nav_onnx.int8_writing import write_int8
        from nav_onnx.model_writing import store_model

        chosen = [layer for layer in made.layers if layer.name in set(made.found.chosen)]
        path = write_int8(self.model, chosen, made.ranges, self.rules, self.folder / "chosen.onnx")
        store_model(load_model(path), output)


def _bench(job: ConvertJob[QuantiseRules], samples: Samples, folder: Path) -> _Bench:
    from nav_onnx.int8_writing import prepared

    return _Bench(load_model(prepared(job.source.file, folder)), job.options, samples, folder)


@attrs.frozen
class _Quantised:
    """What one method came to. ``cut`` is ``None`` where no range was set beforehand."""

    method: Method
    layers: tuple[Layer, ...]
    found: Found
    ranges: Mapping[str, Reach]
    cut: float | None

    @property
    def share(self) -> float:
        """The share of the weights that compute in int8."""
        total = sum(layer.weights for layer in self.layers)
        chosen = set(self.found.chosen)
        return sum(layer.weights for layer in self.layers if layer.name in chosen) / total if total else 0.0


def _quantised(bench: _Bench, method: Method) -> _Quantised:
    known = layers(bench.model, method, bench.rules)
    if not known:
        return _Quantised(method, (), Found((), 0.0, {}, 0), {}, None)
    ranges, cut = bench.ranges(known, 0.0), 0.0 if method == "static" else None
    limit, error = bench.rules.max_error, bench.error(known, ranges)
    if method == "static" and error > limit / 2:
        second = bench.ranges(known, _CUT)
        clipped = bench.error(known, second)
        if clipped < error:
            ranges, cut, error = second, _CUT, clipped
    by_name = {layer.name: layer for layer in known}

    def attempt(names: Collection[str]) -> float:
        return bench.error([by_name[name] for name in names], ranges)

    found = search(list(by_name), attempt, limit, error)
    return _Quantised(method, known, found, ranges, cut)


def _better(found: Sequence[_Quantised]) -> _Quantised:
    """The one with more of its weights in int8; of two alike, the one with the smaller error."""
    return max(found, key=lambda one: (one.share, -one.found.error))


def _is_useful(made: _Quantised) -> bool:
    return bool(made.found.chosen) and made.share >= _USEFUL


def _nothing_useful(made: _Quantised, bench: _Bench) -> StepError:
    if not made.layers:
        kinds = Counter(node.op_type for _, node, _ in walked(bench.model.graph)).most_common(_SHOWN)
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds)
        return StepError(
            f"Nothing in this model can compute in int8: no convolution, matrix product or LSTM with float32 weights "
            f"in the file ({listed}).",
            hint="Use it in float32." if not (bench.rules.keep_nodes or bench.rules.keep_ops) else "Relax the rules.",
        )
    least = min(made.found.alone.values(), default=made.found.error)
    return StepError(
        f"Int8 moves the outputs by more than {bench.rules.max_error:g} on the samples: of {len(made.layers)} layers "
        f"{len(made.found.chosen)} could stay in int8, and the least harmful alone moves them by {least:.2g}.",
        hint="Allow more with max_error, or use the model in float32 or float16.",
    )


def _facts(made: _Quantised, error: float) -> Mapping[str, str]:
    return {
        "method": made.method,
        "int8": str(len(made.found.chosen)),
        "float": str(len(made.layers) - len(made.found.chosen)),
        "error": f"{error:.3g}",
        "tries": str(made.found.tries),
    }


def _told(made: _Quantised, gaps: Sequence[float], bench: _Bench) -> tuple[str, ...]:
    """What computes in int8, by which ranges, at what price, and what stayed in float32 because of that."""
    error, count = max(gaps), len(gaps)
    way = {0.0: "the extremes of", _CUT: f"all but {2 * _CUT:.2%} of the numbers in"}
    ranges = "ranges found at each call" if made.cut is None else f"ranges from {way[made.cut]} {count} samples"
    notes = [
        f"{len(made.found.chosen)} of {len(made.layers)} layers with weights are in int8 ({made.method}, {ranges}); "
        f"on the samples the outputs are within {error:.2g} of the float32 model's."
    ]
    left = {layer.name: layer for layer in made.layers if layer.name not in set(made.found.chosen)}
    if left:
        worst = sorted(left, key=lambda name: -made.found.alone.get(name, 0.0))
        shown = ", ".join(
            f"{left[name].op_type} {name!r} ({made.found.alone.get(name, 0.0):.2g})" for name in worst[:_SHOWN]
        )
        notes.append(
            "In float32 stay the layers that move the outputs most (in brackets: by how much, with nothing but their "
            f"part of the graph in int8): {shown}{', …' if len(worst) > _SHOWN else ''}."
        )
    inner = sum(layer.inner for layer in made.layers)
    if inner and made.method == "static":
        notes.append(f"In bodies of If, Loop and Scan ranges are found at each call: {inner} of the layers.")
    unseen = inner_convolutions(bench.model)
    if unseen:
        notes.append(
            f"In bodies of If, Loop and Scan no ranges can be set: {unseen} convolutions there stay in float32."
        )
    if error > bench.rules.max_error:
        beyond = sum(gap > bench.rules.max_error for gap in gaps)
        notes.append(
            f"On {beyond} of {count} samples the outputs are farther off than max_error={bench.rules.max_error:g}."
        )
    return tuple(notes)
