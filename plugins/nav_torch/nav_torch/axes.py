"""Compare the axes that an export was asked to keep moving with those that it did."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from navcore import Axis, ExportError, Signature, TensorSpec


@attrs.frozen
class Reach:
    """The sizes that an exported axis takes, inclusive; ``high=None`` is without bound."""

    low: int
    high: int | None

    @property
    def size(self) -> int | None:
        """The only size there is, of an axis that no longer moves."""
        return self.low if self.low == self.high else None

    def covers(self, axis: Axis) -> bool:
        return self.low <= axis.minimum and (self.high is None or axis.maximum <= self.high)

    def meet(self, other: Reach) -> Reach:
        """What both allow."""
        highs = [reach.high for reach in (self, other) if reach.high is not None]
        return Reach(max(self.low, other.low), min(highs, default=None))


class FrozenAxes(ExportError):
    """An export fixed axes that have to move; ``symbols`` are theirs."""

    symbols: tuple[str, ...] = ()


@attrs.frozen
class Settled:
    """The signature that an export really has, and what to tell the user about the difference."""

    signature: Signature
    notes: tuple[str, ...] = ()


def settled(signature: Signature, reached: Mapping[str, Reach], by: str, *, strict: bool) -> Settled:
    """The signature with the axes as ``reached``; symbols that are not listed move freely.

    Raises :class:`FrozenAxes` naming every axis that falls short and that the user declared; with ``strict`` also
    those that the data were seen to vary, which the source therefore follows.
    """
    short = {
        axis.symbol: reached[axis.symbol]
        for axis in signature.axes
        if axis.symbol in reached and not reached[axis.symbol].covers(axis)
    }
    broken = [axis for axis in signature.axes if axis.symbol in short and (axis.declared or strict)]
    if broken:
        told = ", ".join(f"{_told(axis, short[axis.symbol])}" for axis in broken)
        error = FrozenAxes(
            f"{by} does not keep what moves in the source: {told}.",
            hint="Look for Python code that reads this size as a number (a loop, int(), .item()).",
        )
        error.symbols = tuple(axis.symbol for axis in broken)
        raise error
    notes = tuple(f"{by}: {_told(axis, short[axis.symbol])}." for axis in signature.axes if axis.symbol in short)
    return Settled(narrowed(signature, short), notes)


def _told(axis: Axis, reach: Reach) -> str:
    wanted = f"axis {axis.symbol!r} (wanted {axis.minimum} to {axis.maximum})"
    if reach.size is not None:
        return f"{wanted} is fixed at {reach.size}"
    if reach.high is None:
        return f"{wanted} starts at {reach.low}"
    return f"{wanted} moves from {reach.low} to {reach.high} only"


def narrowed(signature: Signature, reached: Mapping[str, Reach]) -> Signature:
    """The signature with a number for every fixed axis, and the range of every other inside its reach."""
    sizes = {symbol: reach.size for symbol, reach in reached.items() if reach.size is not None}

    def fixed(spec: TensorSpec) -> TensorSpec:
        shape = tuple(sizes.get(size, size) if isinstance(size, str) else size for size in spec.shape)
        return attrs.evolve(spec, shape=shape)

    return attrs.evolve(
        signature,
        inputs=tuple(fixed(spec) for spec in signature.inputs),
        outputs=tuple(fixed(spec) for spec in signature.outputs),
        axes=tuple(_clipped(axis, reached.get(axis.symbol)) for axis in signature.axes if axis.symbol not in sizes),
    )


def _clipped(axis: Axis, reach: Reach | None) -> Axis:
    if reach is None:
        return axis
    high = axis.maximum if reach.high is None else min(axis.maximum, reach.high)
    low = min(max(axis.minimum, reach.low), high)
    return attrs.evolve(axis, minimum=low, typical=min(max(axis.typical, low), high), maximum=high)
