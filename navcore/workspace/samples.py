"""What is known once samples are in the store: one frozen value."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from navcore.contract import Signature


@attrs.frozen
class Samples:
    """What is known once samples are in the store.

    ``signature`` is complete. ``counts`` are the samples per kind, ``batch_size`` the dataloader's largest batch (1
    for a model that does not batch), ``usual_batch`` its most frequent one, of several the smallest (``None`` where it
    is not known, or does not apply). ``noise`` is, per output, the relative L2 difference of the source from itself on
    the same inputs (for integers and booleans the share of differing elements). ``rows_independent`` says whether the
    source treats the samples of a batch independently, ``None`` when that could not be tested. ``notes`` are sentences
    for the user. ``digest`` is SHA-256 over the signature and the contents of all stored inputs and outputs. ``runs``
    is how many runs of a noisy source the stored outputs are the means of, ``stateful`` whether it remembers from
    call to call.
    """

    signature: Signature
    counts: Mapping[str, int]
    batch_size: int
    noise: Mapping[str, float]
    rows_independent: bool | None
    notes: tuple[str, ...]
    digest: str
    runs: int = 1
    stateful: bool = False
    usual_batch: int | None = None
