"""Tells an export that takes one batch only from one that fails for any other reason."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from navcore.contract import Signature
from navcore.evaluation.trial import Trial


@attrs.frozen
class FrozenBatch:
    """The batches that an export takes, and one of the user's own that it refuses."""

    taken: tuple[int, ...]
    refused: Trial


def frozen_batch(trials: Sequence[Trial], signature: Signature) -> FrozenBatch | None:
    """What the export takes, where nothing but the batch decides that; ``None`` where it takes all, or an axis does.

    An item at its own batch is named before a sample that was cut out of one: it is what the user will call with.
    """
    if signature.batch_dim is None:
        return None
    asked = [trial for trial in trials if trial.symbol in (None, signature.batch_symbol) and trial.batch is not None]
    taken = {trial.batch for trial in asked if trial.batch is not None and not trial.problem}
    refused = [trial for trial in asked if trial.problem and trial.symbol is None]
    if not taken or not refused or any(trial.batch in taken for trial in refused):
        return None
    named = next((trial for trial in refused if trial.batch != 1), refused[0])
    return FrozenBatch(tuple(sorted(taken)), named)
