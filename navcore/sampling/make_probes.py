"""Makes stacks of samples and axis probes, and runs the source on them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import attrs

from navcore.contract import Signature
from navcore.errors import InputError
from navcore.evaluation import distance
from navcore.sampling.batches import picked, repeated, without_batch
from navcore.sampling.first_pass import Array
from navcore.sampling.input_axes import moving_symbols, symbol_sizes
from navcore.sampling.output_axes import Run
from navcore.sampling.probe_store import Probe
from navcore.sampling.sample_store import SampleStore
from navcore.sampling.second_pass import Stackable
from navcore.sampling.source_model import SourceModel, infinite_outputs

INDEPENDENCE = 1e-3
"""How far a sample's result in a stack may be from its result alone: relative L2, or the share of other elements."""


def run_of(signature: Signature, label: str, feeds: Mapping[str, Array], outputs: Mapping[str, Array]) -> Run:
    """What a run showed about sizes."""
    return Run(label, symbol_sizes(signature, feeds), {name: array.shape for name, array in outputs.items()})


def probe_item(signature: Signature, model: SourceModel, whole: Probe) -> tuple[Probe, Run]:
    """An item at its own batch, with what the source returns for it.

    Raises :class:`SourceError` when the source does not take it.
    """
    expected = model(whole.feeds, whole.label)
    infinite_outputs(expected, whole.label)
    seeded = model.under_seed(whole.feeds, whole.label)
    return attrs.evolve(whole, expected=expected, seeded=seeded), run_of(signature, whole.label, whole.feeds, expected)


def probe_stack(signature: Signature, model: SourceModel, stackable: Stackable, size: int) -> tuple[Probe, Run]:
    """A stack of ``size`` samples, different ones as far as there are.

    Raises :class:`SourceError` when the source does not take it: then the model does not batch.
    """
    label = f"a stack of {size} samples"
    feeds = picked(signature, stackable.feeds, range(min(size, stackable.count)))
    whole = repeated(signature, feeds, size)
    expected = model(whole, label)
    infinite_outputs(expected, label)
    seeded = model.under_seed(whole, label)
    probe = Probe("stack", label, feeds, expected, signature.batch_symbol, size, seeded)
    return probe, run_of(signature, label, whole, expected)


def probe_axis(
    signature: Signature, model: SourceModel, store: SampleStore, symbol: str, like: Run
) -> tuple[Probe, Run] | str:
    """A conversion sample of which one dynamic axis was cut to another size, all else unchanged.

    The sample is the largest among those where the axis is longest; the size is the smallest of the axis' range, or
    where the source does not take that, half way there. The result is a sentence when there is no such probe: the
    axis has no smaller size, or the source refuses it or returns outputs of another rank than in ``like``.
    """
    base = max(
        store.conversion_feeds(signature),
        key=lambda feeds: (symbol_sizes(signature, feeds)[symbol], sum(array.size for array in feeds.values())),
    )
    size = symbol_sizes(signature, base)[symbol]
    smallest = signature.axis(symbol).minimum
    targets = [target for target in dict.fromkeys((smallest, (smallest + size) // 2)) if target < size]
    reason = ""
    for target in targets:
        label = f"axis {symbol} cut from {size} to {target}"
        feeds = cropped(signature, base, symbol, target)
        try:
            expected = model(feeds, label)
            infinite_outputs(expected, label)
        except InputError as error:
            reason = error.what
            continue
        run = run_of(signature, label, feeds, expected)
        if all(len(shape) == len(like.shapes[name]) for name, shape in run.shapes.items()):
            return Probe("axis", label, feeds, expected, symbol, target, model.under_seed(feeds, label)), run
        reason = f"The source model returns outputs of another rank for {label}."
    if not targets:
        return f"Axis {symbol} was not tested at another size, because {size} is the smallest of its range."
    return f"Axis {symbol} was not tested alone at another size. {reason}"


def cropped(signature: Signature, feeds: Mapping[str, Array], symbol: str, size: int) -> dict[str, Array]:
    """``feeds`` with every axis of that symbol cut to its first ``size`` places."""
    cuts = {
        spec.name: tuple(slice(size) if taken == symbol else slice(None) for taken in spec.shape)
        for spec in signature.inputs
    }
    return {name: feeds[name][(*cut, ...)] for name, cut in cuts.items()}  # the ellipsis keeps a scalar an array


def probe_axes(
    signature: Signature, model: SourceModel, store: SampleStore, like: Run
) -> list[tuple[Probe, Run] | str]:
    """A probe, or the reason why not, for every dynamic axis other than the batch axis."""
    return [probe_axis(signature, model, store, symbol, like) for symbol in moving_symbols(signature)]


def mixing(
    signature: Signature,
    model: SourceModel,
    stackable: Stackable,
    pair: Mapping[str, Array],
    noise: Mapping[str, float],
) -> dict[str, float]:
    """How far, per output, the two samples of ``pair`` came out differently from when each is run alone.

    Only outputs with a batch axis count, and only those that are beyond :data:`INDEPENDENCE` and the source's own
    noise are listed.
    """
    found: dict[str, float] = {}
    for row in (0, 1):
        alone = model(picked(signature, stackable.feeds, [row]), f"sample {row + 1} of a stack, alone")
        for spec in signature.outputs:
            if not signature.has_batch(spec):
                continue
            apart = apart_by(without_batch(signature, spec, alone[spec.name]), _row(signature, pair, spec.name, row))
            if apart > max(INDEPENDENCE, noise[spec.name]):
                found[spec.name] = max(apart, found.get(spec.name, 0.0))
    return found


def _row(signature: Signature, outputs: Mapping[str, Array], name: str, row: int) -> Array:
    spec = next(spec for spec in signature.outputs if spec.name == name)
    return without_batch(signature, spec, outputs[name], row)


def apart_by(first: Array, second: Array) -> float:
    """How far two results are apart; infinitely, where their shapes differ."""
    return distance(first, second) if first.shape == second.shape else math.inf


def batch_sizes(batch_size: int) -> Sequence[int]:
    """The sizes of the stacks: two, and the dataloader's own batch."""
    return (2, batch_size) if batch_size > 2 else (2,)
