"""Runs the source model on all samples and keeps what it returned: outputs, output axes, and its own noise."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from navcore.contract import Signature
from navcore.errors import SourceError
from navcore.sampling.first_pass import Array
from navcore.sampling.make_probes import INDEPENDENCE, apart_by, batch_sizes, mixing, probe_axes, probe_stack, run_of
from navcore.sampling.output_axes import Run, infer_outputs
from navcore.sampling.probe_store import Probe
from navcore.sampling.sample_store import SampleStore
from navcore.sampling.second_pass import Stackable
from navcore.sampling.selection import Selection
from navcore.sampling.settings import SamplingSettings
from navcore.sampling.source_model import SourceCall, SourceModel, infinite_outputs, open_source

NOISE_SAMPLES = 3
"""On how many correctness samples the source is run a second time, to compare it with itself."""


@attrs.frozen
class SourceRun:
    """What the source's runs showed: the signature with its outputs, and the judgements of :class:`Samples`."""

    signature: Signature
    probes: tuple[Probe, ...]
    noise: Mapping[str, float]
    rows_independent: bool | None
    notes: tuple[str, ...]


def run_source(
    signature: Signature,
    store: SampleStore,
    selection: Selection,
    stackable: Stackable | None,
    batch_size: int,
    source: SourceCall,
    settings: SamplingSettings,
) -> SourceRun:
    """Run the source on every sample whose inputs are stored, on stacks and on axis probes, and store its outputs.

    Raises :class:`SourceError` when it fails or returns other outputs from run to run, and :class:`InputError` when it
    returns NaN, or nothing finite.
    """
    hint = ""
    if batch_size > 1:
        hint = "It was given one sample of that item's batch; if the model does not batch, pass batch_dim=None."
    model = open_source(
        source,
        signature,
        store.inputs(signature, "conversion", 0),
        _label("conversion", 0, selection.conversion[0]),
        output_names=settings.output_names,
        hint=hint,
    )
    runs, notes = _run_samples(signature, store, selection, model, hint)
    probes: list[Probe] = []
    pair: Mapping[str, Array] = {}
    if stackable is not None:
        for size in batch_sizes(batch_size):
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
    noise = _noise(complete, store, selection, model)
    independent, about_rows = _independence(complete, model, stackable, pair, noise)
    notes += [*about_axes, *_about_noise(noise), *_about_batches(complete), *about_rows]
    return SourceRun(complete, tuple(probes), noise, independent, tuple(notes))


def _run_samples(
    signature: Signature, store: SampleStore, selection: Selection, model: SourceModel, hint: str
) -> tuple[list[Run], list[str]]:
    """Run every chosen item once; outputs are stored with the batch axis, which is known only after all runs."""
    runs: list[Run] = []
    infinite: dict[str, str] = {}
    for item, places in selection.places().items():
        kind, number = places[0]
        label = _label(kind, number, item)
        feeds = store.inputs(signature, kind, number)
        outputs = model(feeds, label, hint)
        for name in infinite_outputs(outputs, label):
            infinite.setdefault(name, label)
        for place in places:
            store.write_outputs(*place, outputs)
        runs.append(run_of(signature, label, feeds, outputs))
    notes = [
        f"Output {name} of the source model holds infinite values, first for {label}; an export has to return them at "
        "the same places."
        for name, label in infinite.items()
    ]
    return runs, notes


def _label(kind: str, number: int, item: int) -> str:
    return f"{kind} sample {number} (item {item} of the dataloader)"


def _kept(store: SampleStore, number: int, probe: Probe) -> Probe:
    """Store a probe and forget its arrays."""
    store.write_probe(number, probe)
    return attrs.evolve(probe, feeds={}, expected={})


def _noise(signature: Signature, store: SampleStore, selection: Selection, model: SourceModel) -> dict[str, float]:
    noise = dict.fromkeys(signature.output_names, 0.0)
    for number in range(len(selection.correctness))[:NOISE_SAMPLES]:
        label = f"correctness sample {number}"
        again = model(store.inputs(signature, "correctness", number), label)
        before = store.outputs(signature, "correctness", number)
        for name, array in again.items():
            if array.shape != before[name].shape:
                raise SourceError(
                    f"Output {name!r} of the source model has shape {list(before[name].shape)} for {label}, and "
                    f"{list(array.shape)} when it runs on the same inputs again.",
                    hint="A model that draws random numbers cannot be compared; fix its seed or its sizes.",
                )
            noise[name] = max(noise[name], apart_by(before[name], array))
    return noise


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
    told = ", ".join(f"{name} by {size:.2g}" for name, size in mixed.items())
    return False, (
        f"The source model does not treat the samples of a batch independently: alone and in a stack of two, a sample "
        f"comes out differently ({told}).",
    )
