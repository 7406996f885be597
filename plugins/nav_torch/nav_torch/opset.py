"""Choose the ONNX opset to write."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

import attrs

from navcore import Unavailable
from navcore.contract import harmless


@attrs.frozen
class OnnxOptions:
    """``opset`` is the ONNX opset to write; ``None`` takes the newest that exporter and ONNX Runtime both support."""

    opset: int | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(attrs.validators.instance_of(int)),
        metadata=harmless(7, 30),
    )


@attrs.frozen
class OpsetRange:
    """The opsets that an exporter writes exactly, and the newest one that its makers call supported."""

    exporter: str
    oldest: int
    newest: int
    supported: int


# Measured with torch 2.13 by reading back what was written. The dynamo exporter answers a request below 18 with 18 or
# an unreliable conversion; the TorchScript exporter adds all weights to the inputs below 9 and stops at 23.
DYNAMO = OpsetRange("The dynamo exporter", oldest=18, newest=25, supported=23)
TORCHSCRIPT = OpsetRange("The TorchScript-based exporter", oldest=9, newest=23, supported=20)

_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")
# The newest opset of each ONNX Runtime release, from its compatibility page; the last row holds for all that follow.
# A table, because asking the library means to load it, and this runs in forks of the user's process.
_SUPPORTED_BY_RUNTIME = (
    ((1, 12), 15),
    ((1, 13), 17),
    ((1, 14), 18),
    ((1, 15), 19),
    ((1, 17), 20),
    ((1, 18), 21),
    ((1, 21), 22),
    ((1, 23), 23),
)


def chosen_opset(options: OnnxOptions, exporter: OpsetRange) -> int:
    """The opset to write.

    Raises :class:`Unavailable` for one that the exporter would not write exactly, so that another route is taken.
    """
    if options.opset is not None:
        if not exporter.oldest <= options.opset <= exporter.newest:
            reach = (
                f"opset {exporter.oldest} and newer"
                if options.opset < exporter.oldest
                else f"opset {exporter.newest} and older"
            )
            raise Unavailable(f"{exporter.exporter} writes {reach}; {options.opset} was asked for.")
        return options.opset
    runtime = runtime_opset()
    newest = exporter.supported if runtime is None else min(exporter.supported, runtime)
    if newest < exporter.oldest:
        raise Unavailable(
            f"{exporter.exporter} writes opset {exporter.oldest} and newer; the installed ONNX Runtime reads up to"
            f" {runtime}.",
            hint="Update onnxruntime, or ask for an opset.",
        )
    return newest


def runtime_opset() -> int | None:
    """The newest opset that the installed ONNX Runtime supports; ``None`` where there is none."""
    for name in _RUNTIMES:
        try:
            return opset_of_release(version(name))
        except PackageNotFoundError:
            continue
    return None


def opset_of_release(release: str) -> int:
    """The newest opset that a release of ONNX Runtime supports (``"1.22.0"`` → 22)."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
    return max((opset for since, opset in _SUPPORTED_BY_RUNTIME if numbers >= since), default=14)
