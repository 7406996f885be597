"""Choose the ONNX opset to write."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

import attrs

from navcore import OptionError
from navcore.contract import harmless

OLDEST = 9
"""The first opset in which weights need not be among the inputs, and in which Erf exists."""
CONVERTED = 18
"""The newest opset that tf2onnx writes; what goes beyond is made of that one by ONNX's version converter."""
NEWEST = 23

_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")
# The newest opset of each release of ONNX Runtime that reads less than tf2onnx writes, from its compatibility page.
_SUPPORTED_BY_RUNTIME = (((1, 12), 15), ((1, 13), 17), ((1, 14), 18))


@attrs.frozen
class OnnxOptions:
    """``opset`` is the ONNX opset to write, 9 to 23; ``None`` takes 18, or what the installed ONNX Runtime supports.

    ``signature`` is the one of a SavedModel's signatures that is converted; ``None``: ``serving_default``, or the only
    one.
    """

    opset: int | None = attrs.field(default=None, metadata=harmless(OLDEST, NEWEST))
    signature: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.opset is not None and not OLDEST <= self.opset <= NEWEST:
            raise OptionError(
                f"opset is {self.opset}.", hint=f"From TensorFlow, opsets {OLDEST} to {NEWEST} can be written."
            )


def chosen_opset(options: OnnxOptions) -> int:
    """The opset to write."""
    if options.opset is not None:
        return options.opset
    for name in _RUNTIMES:
        try:
            return min(CONVERTED, opset_of_release(version(name)))
        except PackageNotFoundError:
            continue
    return CONVERTED


def opset_of_release(release: str) -> int:
    """The newest opset up to 18 that a release of ONNX Runtime supports (``"1.13.1"`` → 17)."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", release)[:2])
    return max((opset for since, opset in _SUPPORTED_BY_RUNTIME if numbers >= since), default=14)
