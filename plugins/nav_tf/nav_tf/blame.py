"""Turn the many lines of TensorFlow's and Keras' errors into one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from navcore import NavcoreError, StepError

_LONGEST = 400
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# What stands before, after and around the words that matter.
_AROUND = re.compile(r"^(Exception encountered when calling |Arguments received by |in user code:|File \"|•|\* )")


@contextmanager
def blamed(kind: type[StepError], what: str, *, hint: str = "") -> Iterator[None]:
    """Raise ``kind`` saying that ``what`` failed, and why in the library's own words; navcore's errors pass."""
    try:
        yield
    except NavcoreError:
        raise
    except Exception as error:
        raise kind(f"{what} failed: {cause_line(error)}", hint=hint) from error


def cause_line(error: BaseException) -> str:
    """The type of ``error`` and the line of its text that says what is wrong.

    Keras puts the layer around that line, and autograph the source; both are left out.
    """
    lines = [" ".join(_COLOUR.sub("", line).split()) for line in str(error).splitlines()]
    said = [line for line in lines if line and not _AROUND.match(line)]
    told = said[0] if said else next((line for line in lines if line), "no reason given")
    if "in user code:" in lines and said:
        told = next((line for line in said if re.match(r"\w*(Error|Exception|Warning): ", line)), told)
    told = re.sub(r"^\{\{.*?\}\} ", "", told)
    if len(told) > _LONGEST:
        told = told[:_LONGEST] + " …"
    if told[-1] not in ".!?…":
        told += "."
    kind = type(error).__name__
    return told if told.startswith(f"{kind}: ") else f"{kind}: {told}"
