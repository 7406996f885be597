"""Takes samples from a dataloader: observe, choose, fetch, record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from navcore.sampling.axes import infer_inputs
from navcore.sampling.fetching import fetch
from navcore.sampling.observation import ToArray, observe
from navcore.sampling.recording import record
from navcore.sampling.request import SamplingRequest
from navcore.sampling.selection import select
from navcore.sampling.source import Source
from navcore.sampling.store import SampleStore
from navcore.tensors import Signature


@attrs.frozen
class Samples:
    """What is known once samples are in the store.

    ``signature`` is complete. ``counts`` are the samples per kind, ``batch_size`` the dataloader's largest batch (1
    for a model that does not batch). ``noise`` is, per output, the relative L2 difference of the source from itself on
    the same inputs (for integers and booleans the share of differing elements). ``rows_independent`` says whether the
    source treats the samples of a batch independently, ``None`` when that could not be tested. ``notes`` are sentences
    for the user. ``digest`` is SHA-256 over the signature and the contents of all stored inputs and outputs.
    """

    signature: Signature
    counts: Mapping[str, int]
    batch_size: int
    noise: Mapping[str, float]
    rows_independent: bool | None
    notes: tuple[str, ...]
    digest: str


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
