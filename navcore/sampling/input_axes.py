"""Tells from the observed sizes which axes of the inputs move, which move together, and within which range."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from navcore.contract import Axis, Signature, TensorSpec
from navcore.errors import DataloaderError, OptionError

if TYPE_CHECKING:
    from navcore.sampling.first_pass import Array, Observation
    from navcore.sampling.settings import Range, SamplingSettings

BATCH = "batch"
Place = tuple[str, int]
"""An input's name and one of its axes, counted from the front."""


@attrs.frozen
class InputAxes:
    """The inputs' part of a signature, the dataloader's largest and usual batch, and what the user should know."""

    signature: Signature
    batch_size: int
    notes: tuple[str, ...] = ()
    usual_batch: int | None = None


@attrs.frozen
class _Wish:
    """A dynamic axis before it has a symbol: the name that the user gave it, and whether the user asked for it."""

    name: str | None = None
    declared: bool = False


def infer_inputs(observation: Observation, settings: SamplingSettings) -> InputAxes:
    """The signature of the inputs, with ``outputs`` still empty.

    An input has a batch axis when its size along ``batch_dim`` is, in every item, that of the first input which has
    such an axis; one whose samples are stacked along another axis has it where ``dynamic_axes`` calls an axis of it
    by the batch axis' name. Any other axis is dynamic when its size varies over the items, or when the user says so;
    axes whose sizes vary and always agree share one symbol. Its range is (minimum, median, maximum) of the sizes; an
    axis that is declared but does not vary in the data gets half its size as minimum, so that it can be tested at
    another size. The range of the batch axis is (1, median, maximum), the maximum being at least 2 and
    the largest of ``batch_sizes``.

    Raises :class:`OptionError` when ``batch_dim``, ``dynamic_axes`` or ``axis_ranges`` contradict the data.
    """
    batches = _batch_places(observation, settings)
    wishes = _wishes(observation, settings, batches)
    batch_symbol, notes = _batch_symbol(batches, wishes)
    places = {place: wish for place, wish in wishes.items() if place not in batches}
    symbols, linked = _symbols(observation, places)
    for name, axis in places:
        if settings.batch_dim is not None and symbols[name, axis] == batch_symbol:
            raise OptionError(
                f"Axis {axis} of {name!r} is called {batch_symbol!r}, which is the name of the batch axis.",
                hint="Give it another name in dynamic_axes.",
            )
    axes, widened = _ranges(observation, settings, symbols, places)
    batch_size = 1
    if batches:
        batch_axis, batch_size, more = _batch_axis(observation, settings, batches, wishes, batch_symbol)
        axes, widened = (batch_axis, *axes), (*more, *widened)
    _refuse_ranges(observation, settings, {axis.symbol for axis in axes})
    names = {**symbols, **dict.fromkeys(batches, batch_symbol)}
    specs = tuple(
        TensorSpec(name, dtype, _shape(observation, name, names))
        for name, dtype in zip(observation.names, observation.dtypes, strict=True)
    )
    signature = Signature(
        inputs=specs, axes=axes, call=observation.call, batch_dim=settings.batch_dim, batch_symbol=batch_symbol
    )
    return InputAxes(signature, batch_size, (*notes, *linked, *widened), _usual_batch(observation, batches))


def _usual_batch(observation: Observation, batches: Sequence[Place]) -> int | None:
    """The batch that most items have, of several the smallest; ``None`` for a model that does not batch."""
    if not batches:
        return None
    counts = Counter(observation.sizes(*batches[0]))
    return min(counts, key=lambda size: (-counts[size], size))


def _shape(observation: Observation, name: str, symbols: Mapping[Place, str]) -> tuple[int | str, ...]:
    return tuple(symbols.get((name, axis), observation.sizes(name, axis)[0]) for axis in range(observation.rank(name)))


def symbol_sizes(signature: Signature, feeds: Mapping[str, Array]) -> dict[str, int]:
    """The size of every symbol in ``feeds``, whose arrays have their batch axis in place."""
    return {
        size: feeds[spec.name].shape[axis]
        for spec in signature.inputs
        for axis, size in enumerate(spec.shape)
        if isinstance(size, str)
    }


def moving_symbols(signature: Signature) -> tuple[str, ...]:
    """The symbols of the dynamic axes other than the batch axis."""
    batched = signature.batch_dim is not None
    return tuple(axis.symbol for axis in signature.axes if not (batched and axis.symbol == signature.batch_symbol))


def _batch_places(observation: Observation, settings: SamplingSettings) -> tuple[Place, ...]:
    batch_dim = settings.batch_dim
    if batch_dim is None:
        return ()
    ranks = {name: observation.rank(name) for name in observation.names}
    usual = {name: batch_dim % rank for name, rank in ranks.items() if -rank <= batch_dim < rank}
    declared = _declared_batches(ranks, usual, settings)
    able = [(name, axis) for name in ranks if (axis := declared.get(name, usual.get(name))) is not None]
    if not able:
        told = ", ".join(f"{name!r} has {rank} axes" for name, rank in ranks.items())
        raise OptionError(
            f"batch_dim is {batch_dim}, an axis that no input has ({told}).",
            hint="Name the axis along which samples are stacked, or pass batch_dim=None for a model that does not "
            "batch.",
        )
    sizes = observation.sizes(*able[0])
    if 0 in sizes:
        raise DataloaderError(
            f"Item {sizes.index(0)} of the dataloader is an empty batch: {able[0][0]!r} has size 0 along axis "
            f"{able[0][1]}.",
            hint="Leave empty batches out, or pass another batch_dim.",
        )
    for name, axis in declared.items():
        if observation.sizes(name, axis) != sizes:
            raise OptionError(
                f"dynamic_axes calls axis {axis} of {name!r} the batch axis, and it has sizes "
                f"{_told(observation.sizes(name, axis))} where axis {able[0][1]} of {able[0][0]!r} has {_told(sizes)}.",
                hint="Equal names mean equal sizes; give them different names.",
            )
    return tuple(place for place in able if observation.sizes(*place) == sizes)


def _told(sizes: Sequence[int]) -> str:
    shown = ", ".join(map(str, sizes[:4]))
    return shown if len(sizes) <= 4 else f"{shown} …"


def _declared_batches(ranks: Mapping[str, int], usual: Mapping[str, int], settings: SamplingSettings) -> dict[str, int]:
    """The axes other than ``batch_dim`` that the user calls by the batch axis' name, one of an input at most.

    An input of which ``batch_dim`` is so called itself has its batch there.
    """
    asked = {name: settings.axis_names(name, rank) or {} for name, rank in ranks.items()}
    symbol = next((names[usual[name]] for name, names in asked.items() if names.get(usual.get(name, -1))), BATCH)
    found: dict[str, int] = {}
    for name, names in asked.items():
        if names.get(usual.get(name, -1)) is None:
            axes = [axis for axis, called in names.items() if called == symbol]
            found.update({name: axes[0]} if axes else {})
    return found


def _wishes(observation: Observation, settings: SamplingSettings, batches: Sequence[Place]) -> dict[Place, _Wish]:
    """The axes that shall be dynamic, in the order of the inputs; the batch axis only where the user names it."""
    wishes: dict[Place, _Wish] = {}
    for name in observation.names:
        rank = observation.rank(name)
        asked = settings.axis_names(name, rank) or {}
        ranges = settings.ranges_of(name, rank)
        for axis in range(rank):
            varies = len(set(observation.sizes(name, axis))) > 1
            if axis in asked:
                wishes[name, axis] = _Wish(asked[axis], declared=True)
            elif axis in ranges and (varies or ranges[axis][0] < ranges[axis][2]):
                wishes[name, axis] = _Wish(declared=True)
            elif varies and settings.dynamic_axes is None:
                wishes[name, axis] = _Wish()
            elif varies and (name, axis) not in batches:
                sizes = observation.sizes(name, axis)
                raise OptionError(
                    f"Axis {axis} of {name!r} varies between {min(sizes)} and {max(sizes)} in the dataloader, and "
                    "dynamic_axes leaves it out.",
                    hint="Add it to dynamic_axes, or leave dynamic_axes away to take them from the data.",
                )
    return wishes


def _batch_symbol(batches: Sequence[Place], wishes: Mapping[Place, _Wish]) -> tuple[str, tuple[str, ...]]:
    given = [wish.name for place in batches if (wish := wishes.get(place)) is not None and wish.name]
    names = tuple(dict.fromkeys(given))
    if len(names) < 2:
        return (names[0] if names else BATCH), ()
    return names[0], (f"The batch axis is called {', '.join(names)} in dynamic_axes; {names[0]} was taken for all.",)


def _symbols(observation: Observation, places: Mapping[Place, _Wish]) -> tuple[dict[Place, str], tuple[str, ...]]:
    """A symbol for every dynamic place but those of the batch axis, and a note for axes of one input that share it."""
    symbols: dict[Place, str] = {}
    columns: dict[tuple[int, ...], str] = {}
    notes = []
    for (name, axis), wish in places.items():
        column = observation.sizes(name, axis)
        shared = columns.get(column) if len(set(column)) > 1 else None
        symbol = wish.name or shared or f"{name}_dim{axis}"
        same = [other for (tensor, other), taken in symbols.items() if tensor == name and taken == symbol]
        if same and not wish.name:
            notes.append(
                f"Axes {same[0]} and {axis} of input {name} have equal sizes in all items and are taken as one axis, "
                f"{symbol}; name them apart in dynamic_axes if they can differ."
            )
        symbols[name, axis] = symbol
        columns.setdefault(column, symbol)
    return symbols, tuple(notes)


def _column(observation: Observation, symbols: Mapping[Place, str], symbol: str) -> tuple[int, ...]:
    """The sizes of a symbol in every item; raises :class:`OptionError` when its axes disagree."""
    places = [place for place, taken in symbols.items() if taken == symbol]
    column = observation.sizes(*places[0])
    for name, axis in places[1:]:
        for index, (one, other) in enumerate(zip(column, observation.sizes(name, axis), strict=True)):
            if one != other:
                raise OptionError(
                    f"dynamic_axes calls axis {places[0][1]} of {places[0][0]!r} and axis {axis} of {name!r} both "
                    f"{symbol!r}, but they are {one} and {other} in item {index}.",
                    hint="Equal names mean equal sizes; give them different names.",
                )
    return column


def _ranges(
    observation: Observation, settings: SamplingSettings, symbols: Mapping[Place, str], places: Mapping[Place, _Wish]
) -> tuple[tuple[Axis, ...], tuple[str, ...]]:
    axes: list[Axis] = []
    notes: list[str] = []
    for symbol in dict.fromkeys(symbols.values()):
        column = _column(observation, symbols, symbol)
        own = [place for place, taken in symbols.items() if taken == symbol]
        least, most = min(column), max(column)
        asked = _asked_range(observation, settings, symbol, own)
        typical = int(np.median(column))
        declared = any(places[place].declared for place in own)
        if asked is not None:
            taken, note = _widened(symbol, asked, least, most)
            notes.extend(note)
        else:
            taken = ((most + 1) // 2 if declared and least == most else least, typical, most)
        axes.append(Axis(symbol, *taken, declared=declared))
    return tuple(axes), tuple(notes)


def _batch_axis(
    observation: Observation,
    settings: SamplingSettings,
    batches: Sequence[Place],
    wishes: Mapping[Place, _Wish],
    symbol: str,
) -> tuple[Axis, int, tuple[str, ...]]:
    column = observation.sizes(*batches[0])
    largest = max(column)
    # Exports are made, and stacks are checked, with a batch of two.
    most = max(largest, *(settings.batch_sizes or ()), 2)
    asked = _asked_range(observation, settings, symbol, batches)
    seen = (1, int(np.median(column)), most)
    taken, notes = (seen, ()) if asked is None else _widened(symbol, asked, 1, most)
    declared = any(place in wishes and wishes[place].declared for place in batches)
    return Axis(symbol, *taken, declared=declared), largest, notes


def _asked_range(
    observation: Observation, settings: SamplingSettings, symbol: str, places: Sequence[Place]
) -> Range | None:
    """The range that the user gave for a symbol, by its name or by one of its axes."""
    found = {
        f"axis {axis} of {name}": given
        for name, axis in places
        if (given := settings.ranges_of(name, observation.rank(name)).get(axis)) is not None
    }
    if (named := settings.symbol_ranges().get(symbol)) is not None:
        found[symbol] = named
    if len(set(found.values())) > 1:
        told = ", ".join(f"{place}: {given}" for place, given in found.items())
        raise OptionError(f"axis_ranges gives one axis, {symbol!r}, several ranges: {told}.", hint="Give it one range.")
    return next(iter(found.values()), None)


def _widened(symbol: str, asked: Range, least: int, most: int) -> tuple[Range, tuple[str, ...]]:
    """The asked range, made to hold every size at which the model will be checked."""
    taken = (min(asked[0], least), asked[1], max(asked[2], most))
    if taken == asked:
        return asked, ()
    return taken, (
        f"The range {asked} of axis {symbol} was widened to {taken}, because the model is checked at sizes from "
        f"{least} to {most}.",
    )


def _refuse_ranges(observation: Observation, settings: SamplingSettings, known: set[str]) -> None:
    """Every key of ``axis_ranges`` has to mean something."""
    strangers = [symbol for symbol in settings.symbol_ranges() if symbol not in known]
    strangers += [name for name in settings.ranged_inputs() if name not in observation.names]
    if strangers:
        raise OptionError(
            f"axis_ranges speaks of {', '.join(map(repr, strangers))}, which is neither a dynamic axis "
            f"({', '.join(sorted(known)) or 'none'}) nor an input ({', '.join(observation.names)}).",
            hint="Name a dynamic axis, or an input with {axis: (minimum, typical, maximum)}.",
        )
