"""Tells from recorded runs which axes of the outputs follow which axes of the inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from navcore.contract import Signature, TensorSpec
from navcore.errors import OptionError, SourceError
from navcore.sampling.settings import SamplingSettings

Shape = tuple[int, ...]
Column = tuple[int, ...]


@attrs.frozen
class Run:
    """One run of the source: the size of every input symbol, and the shapes that came out."""

    label: str
    sizes: Mapping[str, int]
    shapes: Mapping[str, Shape]


def infer_outputs(
    signature: Signature, dtypes: Mapping[str, str], runs: Sequence[Run], settings: SamplingSettings
) -> tuple[tuple[TensorSpec, ...], tuple[str, ...]]:
    """The output specs, and notes on axes that follow no input.

    An axis follows an input's symbol when it has that symbol's size in all runs, and the symbol took several sizes
    there. An axis that varies and follows none gets a symbol of its own, ``<output>_dim<axis>``, for which the
    signature has no :class:`Axis`, since no input decides its range; such axes whose sizes always agree share it. All
    other axes are fixed. A name that the user gave to an output's axis is taken, unless it is the batch axis.

    Raises :class:`SourceError` when the rank of an output depends on the inputs, and :class:`OptionError` when
    ``dynamic_axes`` names a tensor that does not exist or contradicts the sizes that came out.
    """
    strangers = [name for name in settings.dynamic_axes or {} if name not in {*signature.input_names, *dtypes}]
    if strangers:
        raise OptionError(
            f"dynamic_axes speaks of {', '.join(map(repr, strangers))}, which is neither an input "
            f"({', '.join(signature.input_names)}) nor an output ({', '.join(dtypes)}).",
            hint="Name inputs and outputs as input_names and output_names do.",
        )
    specs = []
    own: dict[Column, str] = {}
    notes: list[str] = []
    for name, dtype in dtypes.items():
        rank = _rank(name, runs)
        asked = settings.axis_names(name, rank) or {}
        shape: list[int | str] = []
        for axis in range(rank):
            column = tuple(run.shapes[name][axis] for run in runs)
            followed = _followed(signature, runs, column)
            is_batch = followed == signature.batch_symbol and _is_batch_axis(signature, axis, rank)
            if axis in asked and asked[axis] and not is_batch:
                shape.append(_asked(str(asked[axis]), name, axis, column, runs))
            elif followed is not None:
                shape.append(followed)
            elif len(set(column)) > 1:
                shape.append(own.setdefault(column, f"{name}_dim{axis}"))
                notes.append(f"Axis {axis} of output {name} varies and follows no axis of an input.")
            else:
                shape.append(f"{name}_dim{axis}" if axis in asked else column[0])
        specs.append(TensorSpec(name, dtype, tuple(shape)))
    return tuple(specs), tuple(notes)


def _rank(name: str, runs: Sequence[Run]) -> int:
    first = runs[0]
    for run in runs:
        if len(run.shapes[name]) != len(first.shapes[name]):
            raise SourceError(
                f"Output {name!r} of the source model has shape {list(first.shapes[name])} for {first.label} and "
                f"{list(run.shapes[name])} for {run.label}: its number of axes depends on the inputs.",
                hint="A squeeze() may drop the batch axis of a single sample: name the axis that it shall drop, or "
                "pass batch_dim=None for a model that does not batch.",
            )
    return len(first.shapes[name])


def _followed(signature: Signature, runs: Sequence[Run], column: Column) -> str | None:
    for axis in signature.axes:
        sizes = tuple(run.sizes[axis.symbol] for run in runs)
        if sizes == column and len(set(sizes)) > 1:
            return axis.symbol
    return None


def _is_batch_axis(signature: Signature, axis: int, rank: int) -> bool:
    batch_dim = signature.batch_dim
    return batch_dim is not None and -rank <= batch_dim < rank and axis == batch_dim % rank


def _asked(symbol: str, name: str, axis: int, column: Column, runs: Sequence[Run]) -> str:
    """The user's name for an output's axis, which has to agree with the inputs' axis of that name."""
    for run, size in zip(runs, column, strict=True):
        if run.sizes.get(symbol, size) != size:
            raise OptionError(
                f"dynamic_axes calls axis {axis} of output {name!r} {symbol!r}, but it is {size} where that axis of "
                f"the inputs is {run.sizes[symbol]} ({run.label}).",
                hint="Equal names mean equal sizes; give it a name of its own.",
            )
    return symbol
