"""The reference evaluator of the onnx package: it proves numbers of bfloat16 graphs, which ONNX Runtime's CPU lacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nav_onnx.low_precision import ONNX_BF16
from nav_onnx.model_file import ONNX, load_model
from navcore import Feeds, Runner, RunnerJob, SpotCheck, StepError, runner
from navcore.errors import first_line

if TYPE_CHECKING:
    import numpy as np

EVALUATOR = "OnnxReferenceEvaluator"


@runner(ONNX, runtime=EVALUATOR, cost=10.0, default=False, spot_check=SpotCheck(comparisons=1, seconds=60.0))
@runner(ONNX_BF16, runtime=EVALUATOR, cost=10.0, spot_check=SpotCheck(comparisons=1, seconds=60.0))
def run_by_reference(job: RunnerJob[None]) -> Runner:
    """Interpret the graph operator by operator in numpy: slow, exact about types, and on every machine."""
    from onnx.reference import ReferenceEvaluator

    try:
        evaluator = ReferenceEvaluator(load_model(job.artifact.file))
    except Exception as error:
        raise StepError(f"onnx's reference evaluator does not take this model: {first_line(error)}.") from error
    known = job.signature.input_names
    names = tuple(name for name in evaluator.input_names if name)
    by_name = all(name in known for name in names)
    positional = not by_name and job.artifact.calling == "positional" and len(names) == len(known)
    fed_from = dict(zip(names, known if positional else names, strict=True))
    outputs = tuple(evaluator.output_names)
    declared = job.signature.output_names
    returned = declared if len(declared) == len(outputs) and not set(outputs) & set(declared) else outputs
    return Runner(_call(evaluator.run, fed_from, outputs, returned), provider=EVALUATOR, inputs=names)


def _call(
    run: Callable[..., Any], fed_from: Mapping[str, str], outputs: tuple[str, ...], names: tuple[str, ...]
) -> Callable[[Feeds], Mapping[str, np.ndarray]]:
    def call(feeds: Feeds) -> Mapping[str, np.ndarray]:
        results = run(list(outputs), {name: feeds[source] for name, source in fed_from.items()})
        return dict(zip(names, results, strict=True))

    return call
