"""ONNX in float16 and in bfloat16: formats of their own, made from an ONNX file by casting what may be cast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from nav_onnx.availability import why_no_cpu
from nav_onnx.cast_rules import BITS, TYPED_BY_HAND, CastRules, Low
from nav_onnx.model_file import ONNX, copy_model, load_model
from navcore import ConvertJob, Format, Made, StepError, converter
from navcore.errors import first_line

if TYPE_CHECKING:
    from nav_onnx.casting import Cast

_KINDS = 4  # reasons, and operators for each, that a note lists


def low_variant(precision: str, title: str) -> Format:
    """A format for ONNX files that compute in less than float32."""
    return attrs.evolve(
        ONNX,
        name=f"onnx-{precision}",
        family=f"onnx-{precision}",  # another promise than ONNX: nobody who asks for "onnx" means this file
        precision=precision,
        suffixes=(),
        summary=f"ONNX that computes in {title} between float32 inputs and outputs",
    )


ONNX_FP16 = low_variant("fp16", "float16")
ONNX_BF16 = low_variant("bf16", "bfloat16")


@converter(ONNX, ONNX_FP16, options=CastRules, effort="thorough")
def onnx_fp16_from_onnx(job: ConvertJob[CastRules]) -> Made:
    """Cast to float16."""
    return _made(job, "float16")


@converter(ONNX, ONNX_BF16, options=CastRules, default=False)
def onnx_bf16_from_onnx(job: ConvertJob[CastRules]) -> Made:
    """Cast to bfloat16."""
    return _made(job, "bfloat16")


def _made(job: ConvertJob[CastRules], low: Low) -> Made:
    from nav_onnx.casting import write_cast

    reached, unseen = _reached(job, low)
    try:
        cast = write_cast(job.source.file, job.output, low, job.options, reached)
    except StepError:
        if not computes_already(job.source.file, low):
            raise
        copy_model(job.source.file, job.output)
        return Made(calling=job.source.calling, notes=(f"The model computes in {low} already: it is used as it is.",))
    facts = {"lowered": str(len(cast.lowered)), "kept": str(len(cast.kept))}
    return Made(calling=job.source.calling, notes=(*_told(cast), *cast.notes, *unseen), facts=facts)


def _reached(job: ConvertJob[CastRules], low: Low) -> tuple[Mapping[str, float], tuple[str, ...]]:
    """The largest absolute value of each float32 value of the main graph on the samples; or a note why it is unknown.

    Nothing is run where bfloat16, whose range is that of float32, has no other limit.
    """
    limited = low == "float16" or job.options.max_magnitude is not None
    if not limited or next(iter(job.samples), None) is None:
        return {}, ()
    reason = why_no_cpu()
    if reason is None:
        try:
            return _magnitudes(job), ()
        except Exception as error:  # a model that does not run here may still be cast for where it does
            reason = first_line(error)
    return {}, (f"How large its numbers become on the samples is unknown, and only weights were looked at: {reason}",)


def _magnitudes(job: ConvertJob[CastRules]) -> Mapping[str, float]:
    from onnx import TensorProto

    from nav_onnx.cast_source import element_types, set_aside
    from nav_onnx.model_writing import store_model
    from nav_onnx.sample_runs import reaches, samples_of
    from nav_onnx.scratch import scratch_folder

    model = load_model(job.source.file)
    types = element_types(set_aside(model)[0])
    made = dict.fromkeys(name for node in model.graph.node for name in node.output)
    names = [name for name in made if types.get(name) == TensorProto.FLOAT]
    names += [value.name for value in model.graph.input if types.get(value.name) == TensorProto.FLOAT]
    with scratch_folder(job.output) as folder:
        watched = folder / "watched.onnx"
        found = reaches(samples_of(job), model, names, lambda watching: store_model(watching, watched))
    return {name: reach.magnitude for name, reach in found.items()}


def computes_already(path: Path, low: Low) -> bool:
    """Whether the ONNX file has computations in ``low``, and none in float32 or float64.

    Casts and constants are not computations. Raises as :func:`nav_onnx.casting.cast_floats` does for a file that
    cannot be understood.
    """
    from onnx import TensorProto

    from nav_onnx.cast_source import element_types, inlined, set_aside

    light, _ = inlined(set_aside(load_model(path))[0], CastRules())
    types = element_types(light)
    nodes = [node for node in light.graph.node if node.op_type not in TYPED_BY_HAND]
    computed = {types.get(name) for node in nodes for name in (*node.input, *node.output)}
    code = TensorProto.DataType.Value(BITS[low])
    return code in computed and not computed & {TensorProto.FLOAT, TensorProto.DOUBLE}


def _told(cast: Cast) -> tuple[str, ...]:
    """A sentence that counts what computes in which type, with the commonest reasons for staying in float32."""
    total = len(cast.lowered) + len(cast.kept)
    sentence = f"{len(cast.lowered)} of {total} floating-point nodes compute in {cast.low}"
    if not cast.kept:
        return (f"{sentence}.",)
    reasons = Counter(f"{kept.op_type}: {kept.reason}" for kept in cast.kept).most_common()
    listed = "; ".join(f"{count} {reason}" for reason, count in reasons[:_KINDS])
    more = "; …" if len(reasons) > _KINDS else ""
    return (f"{sentence}; in float32 stay {listed}{more}.",)
