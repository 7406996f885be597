"""Takes samples from a dataloader: observe, choose, fetch, record."""

from __future__ import annotations

from typing import Any

import attrs

from navcore.sampling.first_pass import Observation, ToArray, Told, observe
from navcore.sampling.fixed_batch import fixed_batch, refuse_other_batches, refuse_other_sizes, taken_whole
from navcore.sampling.input_axes import infer_inputs
from navcore.sampling.own_batch import NotBatching
from navcore.sampling.sample_store import SampleStore
from navcore.sampling.second_pass import fetch
from navcore.sampling.selection import select
from navcore.sampling.settings import SamplingSettings
from navcore.sampling.source_model import SourceCall, SourceTwice
from navcore.sampling.source_outputs import run_source
from navcore.workspace import Samples


def take_samples(
    dataloader: Any,
    settings: SamplingSettings,
    *,
    to_array: ToArray,
    source: SourceCall,
    store: SampleStore,
    twice: SourceTwice | None = None,
    seeded: SourceCall | None = None,
    told: Told = lambda _text, _share: None,
) -> Samples:
    """Go through the dataloader twice, store the chosen samples, and record what the source returns for them.

    ``to_array`` turns a framework tensor into a host array and returns ``None`` for any other value. One item is held
    at a time. ``twice`` runs the source twice in a row, by which a source that remembers is found. ``seeded`` runs it
    while random numbers are held, by which an export that draws the same ones can be told from a wrong one. ``told``
    hears what is being done and how much of it is. Taking samples again into the same store overwrites them, with the
    same digest for the same data.

    Raises :class:`DataloaderError`, :class:`SourceError`, :class:`OptionError` or :class:`InputError`, each for what
    its docstring says.
    """
    observation = observe(dataloader, settings, to_array, told)
    whole = attrs.evolve(settings, batch_dim=None, batch_sizes=None)
    if (fixed := fixed_batch(observation, settings)) is not None:
        refuse_other_batches(fixed, observation, settings)
        samples = _take(dataloader, observation, whole, to_array, source, store, twice, seeded, told)
        return attrs.evolve(samples, notes=(fixed.note, *samples.notes))
    try:
        return _take(dataloader, observation, settings, to_array, source, store, twice, seeded, told)
    except NotBatching as error:
        if not settings.stored:
            raise
        refuse_other_sizes(error.takes, error.what, settings)
        samples = _take(dataloader, observation, whole, to_array, source, store, twice, seeded, told)
        note = f"{taken_whole(error.takes)} When navcore tried another: {error.what}"
        return attrs.evolve(samples, notes=(note, *samples.notes))


def _take(
    dataloader: Any,
    observation: Observation,
    settings: SamplingSettings,
    to_array: ToArray,
    source: SourceCall,
    store: SampleStore,
    twice: SourceTwice | None,
    seeded: SourceCall | None,
    told: Told,
) -> Samples:
    inputs = infer_inputs(observation, settings)
    selection = select(observation, inputs.signature, settings)
    store.begin()
    stackable = fetch(dataloader, observation, inputs.signature, selection, to_array, store, told)
    source_run = run_source(
        inputs.signature, store, selection, stackable, inputs.batch_size, source, settings, twice, seeded, told
    )
    counts = {
        "conversion": len(selection.conversion),
        "correctness": len(selection.correctness),
        "profiling": len(selection.profiling),
    }
    store.finish(counts, source_run.probes)
    return Samples(
        signature=source_run.signature,
        counts=counts,
        batch_size=inputs.batch_size,
        noise=source_run.noise,
        rows_independent=source_run.rows_independent,
        notes=(*observation.notes, *inputs.notes, *selection.notes, *source_run.notes),
        digest=store.digest(source_run.signature),
        runs=source_run.runs,
        stateful=source_run.stateful,
        usual_batch=inputs.usual_batch,
    )
