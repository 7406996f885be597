"""Holds random numbers for the time of a call: what is drawn is then the same each time, and what differs is memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from navcore.contract import Live, Route, Runner, Signature

if TYPE_CHECKING:
    import numpy as np

    from navcore.registry import Registry

_SEED = 0


def same_numbers(live: Live | None, seed: int = _SEED) -> Callable[[], AbstractContextManager[None]]:
    """What to enter for the time of a call: random numbers start from ``seed``, and go on afterwards as before.

    Those of Python and numpy, and of the framework where its ``live`` format knows how.
    """

    @contextmanager
    def held() -> Iterator[None]:
        with _own_numbers(seed), live.seeded(seed) if live is not None and live.seeded else nullcontext():
            yield

    return held


def framework_of(route: Route, registry: Registry) -> Live | None:
    """How live models are handled in the framework of the plugin that brings the route; ``None`` where it brings none.

    So a stored model draws from the generator of the framework that runs it.
    """
    brought = (form for other in registry.routes if other.owner == route.owner for form in other.formats)
    return next((form.live for form in brought if form.live is not None), None)


def answers_in_a_row(
    runner: Runner, live: Live, signature: Signature, feeds: Mapping[str, np.ndarray]
) -> tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]:
    """The first and the second answer of a source that was loaded once, nothing reset in between."""
    answers = []
    for _ in range(2):
        with same_numbers(live)():
            answers.append(runner({name: feeds[name].copy() for name in signature.input_names}))
    return answers[0], answers[1]


@contextmanager
def _own_numbers(seed: int) -> Iterator[None]:
    """Python's and numpy's global random numbers from one seed; they go on afterwards as if nothing had been."""
    import numpy as np

    python, legacy = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        state: Any = legacy
        np.random.set_state(state)
