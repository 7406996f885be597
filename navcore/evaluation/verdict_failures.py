"""Why a row is not ok although nothing crashed, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from navcore.evaluation.precision_bounds import NO_SIGNAL
from navcore.evaluation.tolerance import Reading
from navcore.evaluation.trial import listed
from navcore.workspace import Failure

_STATE = "Pass the state as an input and an output, or reset it at the beginning of a call."


def failed(clause: str, hint: str = "") -> Failure:
    return Failure(cause=sentence(clause), category="verification", hint=hint)


def sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:].rstrip('.')}."


def nothing_compared(asked: bool) -> Failure:
    """No comparison could be carried out; ``asked`` says whether there were any."""
    if asked:
        return failed("nothing could be compared: every sample moves an axis that this export keeps fixed")
    return failed("there was no sample to compare on", "Give a dataloader, or keep the samples in the package.")


def unprovable(output: str, noise: float, *, stateful: bool) -> Failure:
    """A source that differs from itself explains any difference: neither right nor wrong can be told."""
    if stateful:
        return failed(
            f"the source is stateful: output {output!r} differs by {noise:.2g} (relative L2) from call to call on the "
            "same input, so nothing can be proved about the export",
            _STATE,
        )
    return failed(
        f"the source does not repeat itself: output {output!r} differs by {noise:.2g} (relative L2) between two runs "
        "on the same input, so nothing can be proved about the export",
        "Take randomness such as dropout out of the model, or give atol and rtol.",
    )


def remembering(failure: Failure) -> Failure:
    """An export that goes on where the last call ended answers otherwise than a source that was reset."""
    return attrs.evolve(failure, cause=f"{failure.cause} The source is stateful.", hint=_STATE)


def without_signal(silent: Sequence[str], readings: Mapping[str, Sequence[Reading]]) -> Failure:
    """Outputs that are next to nothing on every sample: zeros would be as near."""
    largest = max(reading.gap.largest for output in silent for reading in readings[output])
    outputs = f"output {silent[0]!r} has" if len(silent) == 1 else f"outputs {listed(silent)} have"
    return failed(
        f"{outputs} no signal on these samples: every value is below {NO_SIGNAL:g} (the largest is {largest:.2g}), "
        "which proves nothing about the export",
        "Give samples on which it has content, or atol= for what it may differ by.",
    )
