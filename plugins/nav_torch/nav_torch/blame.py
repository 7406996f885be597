"""Turn the page-long errors of PyTorch's exporters into one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from navcore import ExportError, NavcoreError

_LONGEST = 400


@contextmanager
def blamed(what: str, *, hint: str = "") -> Iterator[None]:
    """Raise :class:`ExportError` saying that ``what`` failed, and why in the exporter's own first words.

    navcore's errors pass as they are; the original error is the cause.
    """
    try:
        yield
    except NavcoreError:
        raise
    except Exception as error:
        raise ExportError(f"{what} failed: {cause_line(error)}", hint=hint) from error


def cause_line(error: BaseException) -> str:
    """The type and first line of ``error``; torch.onnx only says that it failed, so there it is that of its cause."""
    while error.__cause__ is not None and type(error).__module__.startswith("torch.onnx"):
        error = error.__cause__
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in str(error).splitlines()]
    first = next((line for line in lines if line), "no reason given")
    if len(first) > _LONGEST:
        first = first[:_LONGEST] + " …"
    if first[-1] not in ".!?…":
        first += "."
    return f"{type(error).__name__}: {first}"
