"""Which precision's bound an output is held to, and how the source's own noise widens it."""

from __future__ import annotations

from collections.abc import Iterable

from navcore.contract import bound_of, precision_of

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
