"""Chooses which items of the dataloader become conversion, correctness and profiling samples."""

from __future__ import annotations

import math

import attrs
import numpy as np

from navcore.contract import Signature
from navcore.sampling.first_pass import Observation
from navcore.sampling.input_axes import moving_symbols
from navcore.sampling.settings import SamplingSettings

WHOLE_ITEMS = 8
"""How many sizes of a batch are compared at most; a dataloader has one, and a smaller one at its end."""


@attrs.frozen
class Selection:
    """The chosen items' numbers per kind, in the order of the dataloader.

    ``whole`` are the items that are compared at their own batch as well.
    """

    conversion: tuple[int, ...]
    correctness: tuple[int, ...]
    profiling: tuple[int, ...]
    whole: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def places(self) -> dict[int, list[tuple[str, int]]]:
        """For every chosen item the samples that it becomes, each as (kind, number), ordered by item."""
        found: dict[int, list[tuple[str, int]]] = {}
        chosen = (("conversion", self.conversion), ("correctness", self.correctness), ("profiling", self.profiling))
        for kind, items in chosen:
            for number, item in enumerate(items):
                found.setdefault(item, []).append((kind, number))
        return dict(sorted(found.items()))


def select(observation: Observation, signature: Signature, settings: SamplingSettings) -> Selection:
    """The items that are kept, by what they are for.

    Conversion: each item that is the first to reach the smallest or largest size of a dynamic axis other than the
    batch axis, else the first correctness sample. Correctness: ``sample_count`` items, drawn without replacement.
    Profiling: one drawn among the items with the most elements per sample. Whole: of the conversion and correctness
    items the first of every batch size, :data:`WHOLE_ITEMS` sizes at most, and those that are the smallest and the
    largest along a dynamic axis; an item of one sample is whole as it is.

    The draw is numpy's legacy generator with ``seed``, which the reference implementation used as well; the global
    generator is not touched.
    """
    generator = np.random.RandomState(settings.seed)
    available = len(observation)
    count = min(settings.sample_count, available)
    drawn = generator.choice(available, size=count, replace=False)
    correctness = tuple(sorted(int(index) for index in drawn))
    elements = [_elements(observation, signature, item) for item in range(available)]
    most = max(elements)
    largest = [item for item, size in enumerate(elements) if size == most]
    profiling = largest[int(generator.randint(len(largest)))]
    notes: tuple[str, ...] = ()
    if count < settings.sample_count:
        notes = (
            f"The dataloader has {_counted(available, 'item')}, so {_counted(count, 'correctness sample')} "
            f"{'was' if count == 1 else 'were'} taken instead of {settings.sample_count}.",
        )
    conversion = _extremes(observation, signature) or correctness[:1]
    whole = _whole(observation, signature, conversion, correctness)
    return Selection(conversion, correctness, (profiling,), whole, notes)


def item_batches(observation: Observation, signature: Signature) -> tuple[int, ...]:
    """The size of the batch of every item; of 1 for a model that does not batch."""
    for spec in signature.inputs:
        if (axis := signature.batch_axis(spec)) is not None:
            return observation.sizes(spec.name, axis)
    return (1,) * len(observation)


def _whole(
    observation: Observation, signature: Signature, conversion: tuple[int, ...], correctness: tuple[int, ...]
) -> tuple[int, ...]:
    batches = item_batches(observation, signature)
    firsts: dict[int, int] = {}
    for item in sorted({*conversion, *correctness}):
        firsts.setdefault(batches[item], item)
    chosen = {*list(firsts.values())[:WHOLE_ITEMS], *_extremes(observation, signature)[:WHOLE_ITEMS]}
    return tuple(sorted(item for item in chosen if batches[item] > 1))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _elements(observation: Observation, signature: Signature, item: int) -> int:
    """The elements of all inputs of one item, for one sample of its batch."""
    total = 0
    for spec, shape in zip(signature.inputs, observation.shapes[item], strict=True):
        sizes = list(shape)
        if (axis := signature.batch_axis(spec)) is not None:
            del sizes[axis]
        total += math.prod(sizes)
    return total


def _extremes(observation: Observation, signature: Signature) -> tuple[int, ...]:
    moving = moving_symbols(signature)
    found: set[int] = set()
    for spec in signature.inputs:
        for axis, symbol in enumerate(spec.shape):
            column = observation.sizes(spec.name, axis)
            if symbol in moving and len(set(column)) > 1:
                found |= {column.index(min(column)), column.index(max(column))}
    return tuple(sorted(found))
