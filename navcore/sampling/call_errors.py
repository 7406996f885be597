"""Python's complaints about a call, in the words of the dataloader whose item was passed on."""

from __future__ import annotations

import re

from navcore.contract import Signature
from navcore.errors import SourceError

_TOO_MANY = re.compile(
    r"takes (?:from \d+ to )?(?P<takes>\d+) positional arguments? but (?P<given>\d+) (?:was|were) given"
)
_UNKNOWN = re.compile(r"got an unexpected keyword argument '(?P<name>[^']+)'")
_MISSING = re.compile(r"missing \d+ required (?:positional|keyword-only) arguments?: (?P<names>.+)")
_LABELS = (
    "Leave out what is no input, such as a label: pass [(image,) for image, label in dataloader] or a collate_fn that "
    "drops it, or yield dicts with the model's own names; input_names= names tensors and drops none."
)
_OTHER_NAME = (
    "Yield the tensor itself, or a dict with the model's own name for it; input_names= is what the exports call it."
)


def unlike_the_call(error: TypeError, signature: Signature) -> SourceError | None:
    """What to tell when an item does not fit the model's parameters; ``None`` for any other error.

    Only a complaint about as many arguments as the item has is one about the item: others come from inside the model.
    """
    text = str(error)
    positions, names = len(signature.call["args"]), [key for key, _ in signature.call["kwargs"]]
    if (found := _TOO_MANY.search(text)) is not None:
        own = int(found["given"]) - positions  # self, and the like
        takes = int(found["takes"]) - own
        if own not in (0, 1) or takes < 0:
            return None
        given = ", ".join(signature.input_names)
        return SourceError(
            f"An item of the dataloader holds {_counted(positions, 'value')} ({given}), and the model takes {takes}: "
            f"{text}.",
            hint=_LABELS,
        )
    if (found := _UNKNOWN.search(text)) is not None and found["name"] in names:
        return SourceError(
            f"An item of the dataloader holds {found['name']!r}, which the model does not take: {text}.",
            hint=_LABELS if positions + len(names) > 1 else _OTHER_NAME,
        )
    if (found := _MISSING.search(text)) is not None and (positions or names):
        held = ", ".join(signature.input_names)
        return SourceError(
            f"The model also needs {found['names']}, and an item of the dataloader holds {held} only: {text}.",
            hint="Yield everything that the model takes: a tuple in its order, or a dict with its names.",
        )
    return None


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
