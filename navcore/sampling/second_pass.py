"""Fetches the chosen items in a second pass over the dataloader and stores them as samples."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import attrs

from navcore.contract import Signature
from navcore.errors import DataloaderError
from navcore.sampling.batches import batch_of, picked, stacked, stacking_key, with_batch, without_batch
from navcore.sampling.first_pass import Array, Observation, ToArray, Told, iterate, numbered, read_item, refuse_unlike
from navcore.sampling.probe_store import Probe
from navcore.sampling.sample_store import SampleStore
from navcore.sampling.selection import Selection

_AGAIN = "It is gone through twice, so its __iter__ has to start from the beginning each time."
DISTINCT_ROWS = 8
"""How many different samples a stack is made of at most; a larger stack repeats them."""


@attrs.frozen(eq=False)
class Stackable:
    """Different samples of equal shape, as one batch: the stuff that stacks are made of.

    ``distinct`` is false when there is only one sample, because the data hold no two that fit together.
    """

    feeds: Mapping[str, Array]
    count: int

    @property
    def distinct(self) -> bool:
        return self.count > 1


@attrs.frozen
class _Trace:
    """What is remembered of a stored sample: what it must share to be stacked, and whether it is another one."""

    item: int
    key: str
    content: str


def fetch(
    dataloader: Any,
    observation: Observation,
    signature: Signature,
    selection: Selection,
    to_array: ToArray,
    store: SampleStore,
    told: Told = lambda _text, _share: None,
) -> Stackable | None:
    """Store the inputs of every chosen item, cut to one sample, some of them whole, and return samples to stack.

    The result is ``None`` for a model that does not batch. ``told`` how far it is. Raises :class:`DataloaderError` when
    an item is not what it was on the first pass.
    """
    places = selection.places()
    traces: list[_Trace] = []
    spare: dict[str, Array] | None = None
    for index, value in numbered(iterate(dataloader), len(observation), _AGAIN):
        told("reading the samples", (index + 1) / (max(places) + 1))
        if index not in places:
            continue
        item = read_item(value, index, to_array)
        refuse_unlike(observation.first, item, index)
        feeds = observation.arrays_of(item)
        _refuse_changed_item(observation, feeds, index)
        sample = {spec.name: without_batch(signature, spec, feeds[spec.name]) for spec in signature.inputs}
        for kind, number in places[index]:
            store.write_inputs(kind, number, sample)
        if index in selection.whole:
            store.write_probe(selection.whole.index(index), whole_item(signature, index, feeds))
        if signature.batch_dim is not None:
            traces.append(_trace(signature, sample, index))
            spare = spare or _several_rows(signature, feeds)
        if index == max(places):
            break
    if signature.batch_dim is None:
        return None
    return _stackable(signature, store, places, traces, spare)


def whole_item(signature: Signature, index: int, feeds: Mapping[str, Array]) -> Probe:
    """An item as the dataloader gave it; what the source returns for it is not known yet."""
    size = batch_of(signature, feeds)
    return Probe("item", f"item {index} of the dataloader, at its own batch of {size}", feeds, {}, "", size)


def _refuse_changed_item(observation: Observation, feeds: Mapping[str, Array], index: int) -> None:
    for name, before in zip(observation.names, observation.shapes[index], strict=True):
        if feeds[name].shape != before:
            raise DataloaderError(
                f"Item {index} of the dataloader had {name!r} of shape {list(before)} on the first pass and "
                f"{list(feeds[name].shape)} on the second.",
                hint="It has to give the same items in the same order on every pass; switch shuffling off.",
            )


def _several_rows(signature: Signature, feeds: Mapping[str, Array]) -> dict[str, Array] | None:
    """The first different samples of a batch, as a batch; ``None`` when all its samples are the same."""
    chosen: dict[tuple[bytes, ...], int] = {}
    for row in range(batch_of(signature, feeds)):
        content = tuple(without_batch(signature, spec, feeds[spec.name], row).tobytes() for spec in signature.inputs)
        chosen.setdefault(content, row)
        if len(chosen) == DISTINCT_ROWS:
            break
    return picked(signature, feeds, list(chosen.values())) if len(chosen) > 1 else None


def _trace(signature: Signature, sample: Mapping[str, Array], item: int) -> _Trace:
    feeds = {spec.name: with_batch(signature, spec, sample[spec.name]) for spec in signature.inputs}
    key = hashlib.sha256(repr(stacking_key(signature, feeds)).encode()).hexdigest()
    content = hashlib.sha256(b"".join(array.tobytes() for array in sample.values())).hexdigest()
    return _Trace(item, key, content)


def _stackable(
    signature: Signature,
    store: SampleStore,
    places: Mapping[int, list[tuple[str, int]]],
    traces: list[_Trace],
    spare: Mapping[str, Array] | None,
) -> Stackable:
    """The largest group of different stored samples that fit together, else samples of one item, else one sample."""
    groups: dict[str, dict[str, int]] = {}
    for trace in traces:
        groups.setdefault(trace.key, {}).setdefault(trace.content, trace.item)
    items = list(max(groups.values(), key=len).values())[:DISTINCT_ROWS]
    if len(items) < 2 and spare is not None:
        return Stackable(spare, batch_of(signature, spare))
    samples = [store.inputs(signature, *places[item][0]) for item in items]
    return Stackable(stacked(signature, samples), len(samples))
