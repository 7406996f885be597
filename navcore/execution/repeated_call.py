"""Runs a live source twice in a row with equal random numbers: what differs then is what it remembers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from navcore.contract import Live, Runner, Signature

if TYPE_CHECKING:
    import numpy as np

_SEED = 0


def answers_in_a_row(
    runner: Runner, live: Live, signature: Signature, feeds: Mapping[str, np.ndarray]
) -> tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]:
    """The first and the second answer of a source that was loaded once, nothing reset in between."""
    answers = []
    for _ in range(2):
        with _same_numbers(), live.seeded(_SEED) if live.seeded else nullcontext():
            answers.append(runner({name: feeds[name].copy() for name in signature.input_names}))
    return answers[0], answers[1]


@contextmanager
def _same_numbers() -> Iterator[None]:
    """Python's and numpy's global random numbers from one seed; they go on afterwards as if nothing had been."""
    import numpy as np

    python, legacy = random.getstate(), np.random.get_state()
    random.seed(_SEED)
    np.random.seed(_SEED)
    try:
        yield
    finally:
        random.setstate(python)
        state: Any = legacy
        np.random.set_state(state)
