"""Takes samples from a dataloader: observe, choose, fetch, record."""

from __future__ import annotations

from typing import Any

from navcore.sampling.first_pass import ToArray, observe
from navcore.sampling.input_axes import infer_inputs
from navcore.sampling.request import SamplingRequest
from navcore.sampling.sample_store import SampleStore
from navcore.sampling.second_pass import fetch
from navcore.sampling.selection import select
from navcore.sampling.source_model import Source
from navcore.sampling.source_outputs import record
from navcore.workspace import Samples


def take_samples(
    dataloader: Any, request: SamplingRequest, *, to_array: ToArray, source: Source, store: SampleStore
) -> Samples:
    """Go through the dataloader twice, store the chosen samples, and record what the source returns for them.

    ``to_array`` turns a framework tensor into a host array and returns ``None`` for any other value. One item is held
    at a time. Taking samples again into the same store overwrites them, with the same digest for the same data.

    Raises :class:`DataloaderError`, :class:`SourceError`, :class:`OptionError` or :class:`InputError`, each for what
    its docstring says.
    """
    observation = observe(dataloader, request, to_array)
    inputs = infer_inputs(observation, request)
    selection = select(observation, inputs.signature, request)
    store.begin()
    stackable = fetch(dataloader, observation, inputs.signature, selection, to_array, store)
    recording = record(inputs.signature, store, selection, stackable, inputs.batch_size, source, request)
    counts = {
        "conversion": len(selection.conversion),
        "correctness": len(selection.correctness),
        "profiling": len(selection.profiling),
    }
    store.finish(counts, recording.probes)
    return Samples(
        signature=recording.signature,
        counts=counts,
        batch_size=inputs.batch_size,
        noise=recording.noise,
        rows_independent=recording.rows_independent,
        notes=(*observation.notes, *inputs.notes, *selection.notes, *recording.notes),
        digest=store.digest(recording.signature),
    )
