"""How far an export may be from its source, per numeric precision: the one table, with its reasons.

A bound is what the rounding of that precision can explain in a sound export of a deep model, not what one operation
does. Unit round-off u is half the distance between neighbouring numbers near one; errors of n roundings that do not
conspire grow like √n·u, and layers amplify them by a small factor.

=========  ============  =========  =============================================================================
precision  relative L2   differing  reason
=========  ============  =========  =============================================================================
fp64       1e-9          0          u = 1.1e-16. Nothing but another order of summation: seven digits to spare, yet
                                    far below fp32, so that a float32 detour inside a float64 model is seen.
fp32       1e-4          1e-3       u = 6e-8. Another order of summation and fused operations give 1e-7 to 1e-5 in
                                    deep networks. A near formula is just above: GELU by tanh for erf was measured
                                    at 2e-4 alone and at 1.7e-4 after six transformer layers.
tf32       5e-3          5e-3       u = 4.9e-4: products of numbers of 10 bits, sums in float32.
fp16       1e-2          1e-2       u = 4.9e-4: as tf32, and every intermediate result is rounded too.
bf16       5e-2          5e-2       u = 3.9e-3: 7 bits. Measured on networks of usual depth: 0.4 to 2.8 %.
int8       1e-1          1e-1       256 levels per tensor or channel. A coarser result is a matter of accuracy on the
                                    task, which the user has to judge: ``atol``/``rtol`` accept it.
fp8        1e-1          1e-1       u = 6 % (e4m3) or 12 % (e5m2) per number; errors average out in sums.
=========  ============  =========  =============================================================================

``relative L2`` holds for floating-point outputs; ``differing``, the share of elements that are not equal, for
integer and boolean outputs, where a rounding moves an argmax or a threshold now and then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from navcore.contract import Precision

BOUNDS: Mapping[str, Precision] = MappingProxyType(
    {
        "fp64": Precision("fp64", 1e-9, 0.0),
        "fp32": Precision("fp32", 1e-4, 1e-3),
        "tf32": Precision("tf32", 5e-3, 5e-3),
        "fp16": Precision("fp16", 1e-2, 1e-2),
        "bf16": Precision("bf16", 5e-2, 5e-2),
        "int8": Precision("int8", 1e-1, 1e-1),
        "fp8": Precision("fp8", 1e-1, 1e-1),
    }
)
NOISE_FACTOR = 10.0
"""An export may differ by this many times what the source differs from itself; one rerun underestimates the noise."""
MEANS_FACTOR = 5.0
"""The same for means of several runs: their noise is known better, and is smaller by the root of their number."""
MEAN_RUNS = 16
"""How many runs of a noisy source, and of its export, one mean is of."""
HOPELESS_BOUND = 0.1
"""A bound that was widened beyond a tenth of the output could no longer tell a wrong export."""
NO_SIGNAL = 1e-6
"""An output that is below this everywhere, on every sample, is no more than the rounding of numbers near one."""

_BY_DTYPE = MappingProxyType(
    {
        "float128": "fp64",
        "float64": "fp64",
        "float32": "fp32",
        "float16": "fp16",
        "bfloat16": "bf16",
        "complex256": "fp64",
        "complex128": "fp64",
        "complex64": "fp32",
    }
)


def bound_of(name: str) -> Precision:
    """The bounds of a precision: its own where a plugin declared them, else the table's."""
    return name if isinstance(name, Precision) else BOUNDS[name]


def known_precision(name: str | None) -> str | None:
    """The name in the table for ``name`` (``float32`` is ``fp32``), or ``None`` when the table has no such row.

    A :class:`Precision` of a plugin's own brings its row with it.
    """
    if name is None or isinstance(name, Precision):
        return name
    lowered = name.lower()
    return lowered if lowered in BOUNDS else precision_of(lowered)


def precision_of(dtype: str) -> str | None:
    """The precision that an array of this dtype can carry; ``None`` for integers, booleans and text."""
    if dtype.startswith(("float8_", "float6_", "float4_")):
        return "fp8"
    return _BY_DTYPE.get(dtype)


def is_noisy(dtype: str, noise: float) -> bool:
    """Whether a source that differs from itself by ``noise`` widens the bound of an output of that dtype."""
    precision = precision_of(dtype)
    return precision is not None and NOISE_FACTOR * noise > bound_of(precision).relative_l2


def coarsest(precisions: Iterable[str | None]) -> str | None:
    """The precision with the widest bound; ``None`` when there is none among them."""
    return max(
        (name for name in precisions if name is not None), key=lambda name: bound_of(name).relative_l2, default=None
    )


def precision_for(dtype: str, declared: str | None, visible: str | None) -> str:
    """The precision whose bound an output of ``dtype`` is held to.

    A floating-point output: the declared precision or its dtype's own, whichever is coarser, since an output stored
    in float16 cannot be closer than float16 whatever computed it. Any other output: the declared precision, else the
    coarsest floating-point dtype ``visible`` among the model's inputs and outputs, else fp32, in which a model whose
    inputs and outputs are all integers (tokens in, classes out) most likely computes.
    """
    own = precision_of(dtype)
    if own is None:
        return declared or visible or "fp32"
    return coarsest((own, declared)) or own
