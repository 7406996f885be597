"""What ``diverges`` found: each layer's error, the first that leaves the bound, and the table of those before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from nav_onnx.value_graph import Value

SOURCE = "the source"
"""What a live source is called as the measure."""
_BEFORE, _AFTER = 8, 3
_WIDEST = 40
_HEADS = ("layer", "module", "operator", "error", "max abs", "sample")
_NUMBERS = 3


@attrs.frozen
class LayerError:
    """How far one layer's output is off.

    ``layer`` is the node of the model that is the measure, or the module of a live source; ``value`` is the tensor,
    ``module`` the module of the source that it is from, where the exporter said so. ``op_type`` makes it there, and
    ``becomes`` in the row: another operator where something was fused or replaced. ``error`` is the relative L2
    distance, or the share of elements that differ where they are no floats; infinite where shapes differ, or where one
    side has NaN or infinity and the other has not. ``max_abs`` is the largest difference of finite numbers. ``sample``
    is the number of the sample with that error, from 0. ``bound`` is what ``error`` is held to.
    """

    layer: str
    op_type: str
    value: str
    error: float
    max_abs: float
    sample: int
    bound: float
    becomes: str = ""
    module: str = ""

    @property
    def within(self) -> bool:
        """Whether the error keeps the bound."""
        return self.error <= self.bound


@attrs.frozen
class Divergence:
    """Where the model ``row`` goes wrong against ``against``, over ``samples`` samples. ``print`` shows a table.

    ``first`` is the layer to look at: the first, in graph order, whose output leaves the bound and from which the error
    reaches an output of the model. Where no output is beyond the bound it is the first inner one that is, and
    ``outputs_within`` is true; where nothing is, it is ``None``. ``came_back`` are layers before it that left the bound
    too, and from which everything came back within it, such as a mask of very large numbers in float16. ``layers`` are
    all that were compared, in graph order. ``not_compared`` counts the values of the measure that the row does not
    have, because they were fused or removed, or that are no tensors. ``bodies`` are nodes with a body (If, Loop, Scan),
    which is not looked into. The bound of floats is ``bound``.
    """

    row: str
    against: str
    bound: float
    samples: int
    layers: tuple[LayerError, ...]
    first: LayerError | None
    came_back: tuple[LayerError, ...]
    outputs_within: bool
    not_compared: int
    bodies: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether some layer leaves the bound."""
        return self.first is not None

    @property
    def preceding(self) -> tuple[LayerError, ...]:
        """The layers before the first one that diverges; all where none does."""
        return self.layers if self.first is None else self.layers[: self.layers.index(self.first)]

    def __str__(self) -> str:
        shown, start = self._shown()
        lines = [self._sentence(), ""]
        if shown:
            if start:
                lines.append(f"  … {start} layers before, {_count_within(self.layers[:start])}")
            lines += _table(shown, self.first)
            rest = len(self.layers) - start - len(shown)
            if rest and self.first is None:
                lines.append(f"  … and {rest} more")
            elif rest:
                lines.append(f"  … {rest} layers after, {_count_within(self.layers[start + len(shown) :])}")
            lines.append("")
        return "\n".join([*lines, *self._remarks()]).rstrip()

    def _shown(self) -> tuple[Sequence[LayerError], int]:
        """The layers in the table, and the number of the first of them: those around the one that diverges."""
        if not any(layer.error for layer in self.layers):
            return (), 0
        if self.first is None:
            worst = sorted(self.layers, key=lambda layer: -layer.error)[:_BEFORE]
            return [layer for layer in self.layers if layer in worst][:_BEFORE], 0
        at = self.layers.index(self.first)
        start = max(0, at - _BEFORE)
        return self.layers[start : at + 1 + _AFTER], start

    def _sentence(self) -> str:
        told = f"{self.row} against {self.against}, {len(self.layers)} layers on {self.samples} samples:"
        if not self.layers:
            return f"{told} they have no layer in common, so nothing could be compared."
        if not any(layer.error for layer in self.layers):
            return f"{told} nothing diverges, every number is the same."
        if self.first is None:
            return f"{told} nothing diverges. No layer is off by more than {self.bound:g}; these are off most:"
        one = self.first
        place = f"{one.op_type} {one.layer}" + (f" in {one.module}" if one.module else "")
        how = f"{one.error:.2g} on sample {one.sample}, where {one.bound:g} is allowed"
        end = "The outputs come back within the bound." if self.outputs_within else "It reaches the outputs."
        return f"{told} the first to diverge is {place} ({how}). {end}"

    def _remarks(self) -> Iterable[str]:
        if self.came_back:
            names = ", ".join(f"{layer.layer} ({layer.error:.2g})" for layer in self.came_back[:_BEFORE])
            more = ", …" if len(self.came_back) > _BEFORE else ""
            yield f"Before it these left the bound too, and what they lead to came back: {names}{more}."
        if self.not_compared:
            what = "module" if self.against == SOURCE else "value"
            many = "" if self.not_compared == 1 else "s"
            yield f"Not compared: {self.not_compared} {what}{many} of {self.against}, not in {self.row} or no tensors."
        if self.bodies:
            yield f"Not looked into are the bodies of {', '.join(self.bodies)}."


def divergence(
    values: Sequence[Value],
    gaps: Mapping[str, Mapping[str, object]],
    *,
    row: str,
    against: str,
    bounds: tuple[float, float],
    samples: int,
    not_compared: int,
    bodies: Sequence[str],
) -> Divergence:
    """What follows from the gap of each value; ``bounds`` are those of floats and of all else.

    The values are in graph order. One without a gap was not compared, and is looked through.
    """
    layers = {value.name: _layer(value, gaps[value.name], bounds) for value in values if value.name in gaps}
    staying: dict[str, bool] = {}  # whether the error reaches an output from here on
    last: dict[str, bool] = {}  # whether nothing that was compared stands between it and an output
    for value in reversed(values):
        name, unseen = value.name, [other for other in value.following if other not in layers]
        last[name] = value.ends or any(last.get(other, False) for other in unseen)
        goes_on = value.ends or any(staying.get(other, False) for other in value.following)
        staying[name] = goes_on and not (name in layers and layers[name].within)
    out = [name for name, layer in layers.items() if not layer.within]
    outputs_within = all(layer.within for name, layer in layers.items() if last[name])
    first = next((name for name in out if staying[name]), out[0] if out else None)
    return Divergence(
        row=row,
        against=against,
        bound=bounds[0],
        samples=samples,
        layers=tuple(layers.values()),
        first=None if first is None else layers[first],
        came_back=tuple(layers[name] for name in out[: out.index(first)]) if first is not None else (),
        outputs_within=outputs_within,
        not_compared=not_compared,
        bodies=tuple(bodies),
    )


def _layer(value: Value, gap: Mapping[str, object], bounds: tuple[float, float]) -> LayerError:
    error, max_abs, sample = gap["error"], gap["max_abs"], gap["sample"]
    assert isinstance(error, float | int)
    assert isinstance(max_abs, float | int)
    assert isinstance(sample, int)
    return LayerError(
        layer=value.node or value.name,
        op_type=value.op,
        value=value.name,
        error=float(error),
        max_abs=float(max_abs),
        sample=sample,
        bound=bounds[0] if gap["is_float"] else bounds[1],
        becomes=value.becomes,
        module=value.module,
    )


def _table(layers: Sequence[LayerError], first: LayerError | None) -> list[str]:
    rows = [_HEADS, *(_cells(layer) for layer in layers)]
    if not any(layer.module for layer in layers):  # the layers are modules themselves, or nobody said
        rows = [(row[0], *row[2:]) for row in rows]
    words = len(rows[0]) - _NUMBERS
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    marks = ["  ", *("→ " if layer is first else ("! " if not layer.within else "  ") for layer in layers)]
    lines = []
    for mark, cells in zip(marks, rows, strict=True):
        texts = [
            cell.ljust(width) if column < words else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        lines.append((mark + "  ".join(texts)).rstrip())
    lines.insert(1, "  " + "─" * (sum(widths) + 2 * (len(widths) - 1)))
    return lines


def _cells(layer: LayerError) -> tuple[str, ...]:
    names = (name if len(name) <= _WIDEST else f"…{name[-_WIDEST + 1 :]}" for name in (layer.layer, layer.module))
    operator = layer.op_type if layer.becomes in ("", layer.op_type) else f"{layer.op_type} → {layer.becomes}"
    return *names, operator, f"{layer.error:.1e}", f"{layer.max_abs:.1e}", str(layer.sample)


def _count_within(layers: Sequence[LayerError]) -> str:
    beyond = sum(not layer.within for layer in layers)
    return f"{beyond} of them beyond the bound" if beyond else "all within the bound"
