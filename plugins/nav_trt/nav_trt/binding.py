"""Names of an engine's or network's inputs and outputs ↔ those of the signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from navcore.errors import StepError
from navcore.jobs import Artifact


def inputs_by_name(names: Sequence[str], artifact: Artifact) -> Mapping[str, str]:
    """For each of the engine's inputs the name under which it is fed.

    By name; by position where the artifact is called that way and there are as many. An input that the graph lost on
    its way (an exporter drops what is not used) is not fed. Raises :class:`StepError` for one that nothing feeds.
    """
    known = artifact.signature.input_names
    if all(name in known for name in names):
        return {name: name for name in names}
    if artifact.calling == "positional" and len(names) == len(known):
        return dict(zip(names, known, strict=True))
    raise StepError(
        f"The model takes {', '.join(names)}, and its recorded inputs are {', '.join(known)}.",
        hint="Pass input_names= with the model's own names.",
    )


def outputs_by_position(names: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    """The names under which the engine's outputs are returned: its own where one is known, else those in order."""
    if len(known) != len(names) or any(name in known for name in names):
        return names
    return known
