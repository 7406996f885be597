"""ONNX in float16 and in bfloat16: formats of their own, made from an ONNX file by casting what may be cast."""

from __future__ import annotations

from collections import Counter

import attrs

from nav_onnx.casting import Cast, CastRules, Low, write_cast
from nav_onnx.model_file import ONNX
from navcore.formats import Format
from navcore.jobs import ConvertJob, Made
from navcore.routes import converter

_KINDS = 4  # reasons, and operators for each, that a note lists


def _variant(precision: str, title: str) -> Format:
    return attrs.evolve(
        ONNX,
        name=f"onnx-{precision}",
        family=f"onnx-{precision}",  # another promise than ONNX: nobody who asks for "onnx" means this file
        precision=precision,
        suffixes=(),
        summary=f"ONNX that computes in {title} between float32 inputs and outputs",
    )


ONNX_FP16 = _variant("fp16", "float16")
ONNX_BF16 = _variant("bf16", "bfloat16")


@converter(ONNX, ONNX_FP16, options=CastRules, default=False)
def onnx_fp16_from_onnx(job: ConvertJob[CastRules]) -> Made:
    """Cast to float16."""
    return _made(job, "float16")


@converter(ONNX, ONNX_BF16, options=CastRules, default=False)
def onnx_bf16_from_onnx(job: ConvertJob[CastRules]) -> Made:
    """Cast to bfloat16."""
    return _made(job, "bfloat16")


def _made(job: ConvertJob[CastRules], low: Low) -> Made:
    cast = write_cast(job.source.file, job.output, low, job.options)
    facts = {"lowered": str(len(cast.lowered)), "kept": str(len(cast.kept))}
    return Made(calling=job.source.calling, notes=(*_told(cast), *cast.notes), facts=facts)


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
