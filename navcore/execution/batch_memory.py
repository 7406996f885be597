"""Whether the largest batch that is to be measured fits into the memory of this machine at all."""

from __future__ import annotations

import math

from navcore.contract import ProfilerConfig, Signature, dtype_named
from navcore.errors import OptionError


def refuse_batch_beyond_memory(config: ProfilerConfig, signature: Signature, memory: int | None) -> None:
    """Raise :class:`OptionError` where the inputs alone of the largest batch asked for take more than ``memory`` bytes.

    A live model is measured in the caller's process, which an attempt would take down. ``None`` stands for a machine
    that does not tell.
    """
    largest = max(config.batch_sizes or (1,))
    needed = batch_bytes(signature, largest)
    if memory is not None and needed > memory:
        raise OptionError(
            f"batch_sizes has {largest}, and the inputs of such a batch take {_gibibytes(needed)}; "
            f"{_gibibytes(memory)} are free here.",
            hint=f"At most {max(1, largest * memory // needed)} would fit, without the model.",
        )


def batch_bytes(signature: Signature, size: int) -> int:
    """How many bytes the inputs of a batch of ``size`` samples take, at the typical sizes of the other axes."""
    sizes = {axis.symbol: axis.typical for axis in signature.axes} | {signature.batch_symbol: size}
    return sum(
        math.prod(one if isinstance(one, int) else sizes.get(one, 1) for one in spec.shape)
        * dtype_named(spec.dtype).itemsize
        for spec in signature.inputs
    )


def _gibibytes(count: int) -> str:
    return f"{count / 2**30:.3g} GiB"
