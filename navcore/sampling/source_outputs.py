"""Runs the source model on all samples and keeps what it returned: outputs, output axes, and its own noise."""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs
import numpy as np

from navcore.contract import Signature
from navcore.errors import SourceError
from navcore.evaluation import MEAN_RUNS, is_noisy
from navcore.sampling.first_pass import Array, Told, native
from navcore.sampling.make_probes import (
    INDEPENDENCE,
    apart_by,
    batch_sizes,
    mixing,
    probe_axes,
    probe_item,
    probe_stack,
    run_of,
)
from navcore.sampling.output_axes import Run, infer_outputs
from navcore.sampling.own_batch import refusals_understood
from navcore.sampling.probe_store import Probe
from navcore.sampling.sample_store import SampleStore
from navcore.sampling.second_pass import Stackable, whole_item
from navcore.sampling.selection import Selection
from navcore.sampling.settings import SamplingSettings
from navcore.sampling.source_model import SourceCall, SourceModel, SourceTwice, infinite_outputs, open_source

NOISE_SAMPLES = 3
"""On how many correctness samples the source is run twice, to compare it with itself; on all of them if it is noisy."""


@attrs.frozen
class SourceRun:
    """What the source's runs showed: the signature with its outputs, and the judgements of :class:`Samples`."""

    signature: Signature
    probes: tuple[Probe, ...]
    noise: Mapping[str, float]
    rows_independent: bool | None
    runs: int
    stateful: bool
    notes: tuple[str, ...]


def run_source(
    signature: Signature,
    store: SampleStore,
    selection: Selection,
    stackable: Stackable | None,
    batch_size: int,
    source: SourceCall,
    settings: SamplingSettings,
    twice: SourceTwice | None = None,
    seeded: SourceCall | None = None,
    told: Told = lambda _text, _share: None,
) -> SourceRun:
    """Run the source on every sample whose inputs are stored, on stacks and on axis probes, and store its outputs.

    ``told`` how many of the samples are done.

    Raises :class:`SourceError` when it fails or returns other outputs from run to run, and :class:`InputError` when it
    returns NaN, or nothing finite.
    """
    with refusals_understood(source, signature, store, len(selection.whole), batch_size):
        model = open_source(
            source,
            signature,
            store.inputs(signature, "conversion", 0),
            _label("conversion", 0, selection.conversion[0]),
            output_names=settings.output_names,
            selects=not settings.stored,
        )
        noise = _noise(store, selection, model, range(NOISE_SAMPLES))
        # A live model is opened for every call, so that what it remembers shows in nothing else; a file is not.
        memory = {} if settings.stored and max(noise.values()) <= INDEPENDENCE else _memory(store, model, twice)
        runs_of_each = 1 if memory else _runs(model, noise)
        if runs_of_each > 1:  # a sample with little in it has the most noise beside it
            more_noise = _noise(store, selection, model, range(NOISE_SAMPLES, len(selection.correctness)))
            noise = {name: max(size, more_noise[name]) for name, size in noise.items()}
        model = attrs.evolve(model, runs=runs_of_each, seeded=seeded)
        runs, notes = _run_samples(signature, store, selection, model, told)
        probes, more = _run_items(signature, store, selection, model)
        runs += more
        pair: Mapping[str, Array] = {}
        for size in () if stackable is None else batch_sizes(batch_size):
            assert stackable is not None
            probe, run = probe_stack(signature, model, stackable, size)
            pair = pair or probe.expected
            runs.append(run)
            probes.append(_kept(store, len(probes), probe))
    for found in probe_axes(signature, model, store, runs[0]):
        if isinstance(found, str):
            notes.append(found)
            continue
        runs.append(found[1])
        probes.append(_kept(store, len(probes), found[0]))
    dtypes = {final: model.dtypes[derived] for derived, final in model.names.items()}
    outputs, about_axes = infer_outputs(signature, dtypes, runs, settings)
    complete = attrs.evolve(signature, outputs=outputs)
    for places in selection.places().values():
        for kind, number in places:
            store.cut_outputs(complete, kind, number)
    independent, about_rows = _independence(complete, model, stackable, pair, noise)
    notes += [*about_axes, *(_about_memory(memory) or _about_noise(noise)), *_about_batches(complete), *about_rows]
    return SourceRun(complete, tuple(probes), noise, independent, model.runs, bool(memory), tuple(notes))


def _run_samples(
    signature: Signature, store: SampleStore, selection: Selection, model: SourceModel, told: Told
) -> tuple[list[Run], list[str]]:
    """Run every chosen item once; outputs are stored with the batch axis, which is known only after all runs."""
    runs: list[Run] = []
    infinite: dict[str, str] = {}
    chosen = selection.places()
    for done, (item, places) in enumerate(chosen.items()):
        told("running the source", done / len(chosen))
        kind, number = places[0]
        label = _label(kind, number, item)
        feeds = store.inputs(signature, kind, number)
        outputs = model(feeds, label)
        for name in infinite_outputs(outputs, label):
            infinite.setdefault(name, label)
        for place in places:
            store.write_outputs(*place, outputs, model.under_seed(feeds, label))
        runs.append(run_of(signature, label, feeds, outputs))
    notes = [
        f"Output {name} of the source model holds infinite values, first for {label}; an export has to return them at "
        "the same places."
        for name, label in infinite.items()
    ]
    return runs, notes


def _run_items(
    signature: Signature, store: SampleStore, selection: Selection, model: SourceModel
) -> tuple[list[Probe], list[Run]]:
    """Run the items that are compared at their own batch; they were stored first, in this order."""
    probes: list[Probe] = []
    runs: list[Run] = []
    for number, item in enumerate(selection.whole):
        whole = whole_item(signature, item, store.whole_item(signature, number))
        probe, run = probe_item(signature, model, whole)
        probes.append(_kept(store, number, probe))
        runs.append(run)
    return probes, runs


def _label(kind: str, number: int, item: int) -> str:
    return f"{kind} sample {number} (item {item} of the dataloader)"


def _kept(store: SampleStore, number: int, probe: Probe) -> Probe:
    """Store a probe and forget its arrays."""
    store.write_probe(number, probe)
    return attrs.evolve(probe, feeds={}, expected={}, seeded={})


def _noise(store: SampleStore, selection: Selection, model: SourceModel, samples: range) -> dict[str, float]:
    """How far apart, per output, two runs on the same inputs are at most."""
    noise = dict.fromkeys(model.names.values(), 0.0)
    for number in range(len(selection.correctness))[samples.start : samples.stop]:
        label = _label("correctness", number, selection.correctness[number])
        feeds = store.inputs(model.signature, "correctness", number)
        before, again = model(feeds, label), model(feeds, label)
        infinite_outputs(before, label)  # a distance from NaN would say nothing
        for name, array in again.items():
            if array.shape != before[name].shape:
                raise SourceError(
                    f"Output {name!r} of the source model has shape {list(before[name].shape)} for {label}, and "
                    f"{list(array.shape)} when it runs on the same inputs again.",
                    hint="A model that draws random numbers cannot be compared; fix its seed or its sizes.",
                )
            noise[name] = max(noise[name], apart_by(before[name], array))
    return noise


def _runs(model: SourceModel, noise: Mapping[str, float]) -> int:
    """Of how many runs an expected output is the mean: of one, unless the noise would widen the bound of a verdict."""
    noisy = any(is_noisy(model.dtypes[derived], noise[final]) for derived, final in model.names.items())
    return MEAN_RUNS if noisy else 1


def _memory(store: SampleStore, model: SourceModel, twice: SourceTwice | None) -> dict[str, float]:
    """How far, per output, the second of two answers in a row is from the first, the random numbers being the same.

    Empty for a source that remembers nothing from call to call, or that cannot be asked.
    """
    if twice is None:
        return {}
    first, second = twice(model.signature, store.inputs(model.signature, "correctness", 0))
    return {
        final: apart
        for derived, final in model.names.items()
        if (apart := apart_by(native(np.asarray(first[derived])), native(np.asarray(second[derived])))) > INDEPENDENCE
    }


def _about_memory(memory: Mapping[str, float]) -> list[str]:
    return [
        f"The source model is stateful: the second answer to the same inputs differs from the first by {size:.2g} "
        f"(relative L2, output {name}). Pass its state as an input and an output, or reset it at the beginning of a "
        "call."
        for name, size in memory.items()
    ][:1]


def _about_noise(noise: Mapping[str, float]) -> list[str]:
    return [
        f"The source model does not repeat itself: output {name} differs by {size:.2g} (relative L2) between two runs "
        "on the same inputs; is it in evaluation mode?"
        for name, size in noise.items()
        if size > INDEPENDENCE
    ]


def _about_batches(signature: Signature) -> list[str]:
    if signature.batch_dim is None:
        return []
    return [
        f"Output {spec.name} has no batch axis: axis {signature.batch_dim} does not have the size of the batch."
        for spec in signature.outputs
        if not signature.has_batch(spec)
    ]


def _independence(
    signature: Signature,
    model: SourceModel,
    stackable: Stackable | None,
    pair: Mapping[str, Array],
    noise: Mapping[str, float],
) -> tuple[bool | None, tuple[str, ...]]:
    """Whether a sample's result depends on the others in its stack; ``None`` when it could not be tested."""
    if stackable is None or not any(signature.has_batch(spec) for spec in signature.outputs):
        return None, ()
    if not stackable.distinct:
        return None, (
            "The samples hold no two different ones of equal shape, so stacks repeat one sample, and whether the "
            "source model treats the samples of a batch independently was not tested.",
        )
    mixed = mixing(signature, model, stackable, pair, noise)
    if not mixed:
        return True, ()
    told = ", ".join(
        f"{name} by {size:.2g}" if math.isfinite(size) else f"{name} has another shape" for name, size in mixed.items()
    )
    return False, (
        f"The source model does not treat the samples of a batch independently: alone and in a stack of two, a sample "
        f"comes out differently ({told}).",
    )
