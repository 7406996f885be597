"""Finds the layers that hurt the outputs most, by trying, and leaves them in float32: never more tries than counted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import attrs

GROUPS = 12
"""Into so many groups of neighbours the layers are parted, each of which is tried alone."""
TRIES = 32
"""No more quantised models than this are made and run in one search."""

Try = Callable[[Collection[str]], float]


@attrs.frozen
class Found:
    """The layers that compute in int8, how far the outputs then move, and for the others what their group did alone.

    ``tries`` is how many models were made and run.
    """

    chosen: tuple[str, ...]
    error: float
    alone: Mapping[str, float]
    tries: int


def search(names: Sequence[str], attempt: Try, limit: float, together: float | None = None) -> Found:
    """Choose from ``names``, which stand in the order of the graph, so that ``attempt`` gives no more than ``limit``.

    ``attempt`` makes and runs a model in which the given layers compute in int8, and says how far its outputs are from
    the float32 model's. If all together are too far off, each of :data:`GROUPS` groups is tried alone; the worst are
    left out, as few as will do; then their halves are let in again where that goes well. Nothing may remain.
    """
    tried = _Tried(attempt, {} if together is None else {frozenset(names): together})
    error = tried(names)
    if error <= limit or not names:
        return Found(tuple(names), error, {}, tried.count)
    size = -(-len(names) // GROUPS)
    groups = [tuple(names[start : start + size]) for start in range(0, len(names), size)]
    # The order among equals is that of the graph, where the last layers have the least left to spoil.
    ranked = sorted(((tried(group), group) for group in groups), key=lambda pair: -pair[0])
    alone = {name: harm for harm, group in ranked for name in group}
    best: tuple[str, ...] = ()
    few, many = 1, len(ranked)  # how many of the worst groups are left out; leaving out all always will do
    error = 0.0
    while few < many:
        middle = (few + many) // 2
        trial = [name for _, group in ranked[middle:] for name in group]
        found = tried(trial)
        if found <= limit:
            many, best, error = middle, tuple(trial), found
        else:
            few = middle + 1
    out = [group for _, group in reversed(ranked[:many])]
    best, error = _let_in(best, error, out, tried, limit)
    chosen = tuple(name for name in names if name in set(best))
    return Found(chosen, error, {name: harm for name, harm in alone.items() if name not in set(best)}, tried.count)


class _Tried:
    """Counts the attempts, and gives what is known for what was tried before."""

    def __init__(self, attempt: Try, known: Mapping[frozenset[str], float]) -> None:
        self._attempt = attempt
        self._known: dict[frozenset[str], float] = {frozenset(): 0.0, **known}

    @property
    def count(self) -> int:
        return len(self._known) - 1

    def __call__(self, names: Collection[str]) -> float:
        key = frozenset(names)
        if key not in self._known:
            self._known[key] = self._attempt(names)
        return self._known[key]


def _let_in(
    best: tuple[str, ...], error: float, out: Sequence[tuple[str, ...]], tried: _Tried, limit: float
) -> tuple[tuple[str, ...], float]:
    """Halves of the groups that were left out, the least harmful first, as long as there are tries."""
    pending = [half for group in out for half in _halves(group)]
    while pending and tried.count < TRIES:
        part = pending.pop(0)
        found = tried((*best, *part))
        if found <= limit:
            best, error = (*best, *part), found
        else:
            pending += _halves(part)
    return best, error


def _halves(group: tuple[str, ...]) -> list[tuple[str, ...]]:
    middle = len(group) // 2
    return [group[:middle], group[middle:]] if middle else []
