"""What steps took in this workdir: kept in each workspace's journal, and read back before the next run."""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from navcore.workspace.folder import SUFFIX, Workspace, is_ours
from navcore.workspace.journal import Journal
from navcore.workspace.ranking import Ranking
from navcore.workspace.results import FormatResult, Outcome, Status

RANKING = "ranking"
"""Under this word stands what the ranking took; all others are the ids of routes."""
_EVENT, _KEY = "took", "run"
_MOST_WORKSPACES = 20
_LARGEST_JOURNAL = 64 << 20  # bytes


def remember_times(journal: Journal, rows: Sequence[FormatResult], ranking: Ranking | None) -> None:
    """Keep what the steps of a run took, those that came to a result: seconds by the id of their route.

    A live source, which is what is right and is not verified, is looked at in every run: the first time stays.
    """
    known = journal.find(_EVENT, _KEY) or {}
    attempts = (attempt for row in rows for attempt in row.attempts)
    took = {attempt.route: attempt.outcome.seconds for attempt in attempts if _ended(attempt.outcome)}
    took |= {
        one.route: one.outcome.seconds
        for row in rows
        for one in row.runtimes
        if not one.elsewhere and one.outcome is not None and _ended(one.outcome)
        if one.route not in known or not row.live or one.verification is not None
    }
    if ranking is not None:
        took[RANKING] = ranking.seconds
    took = {**{route: known[route] for route in known if route in _routes(rows)}, **took}
    if took and known != took:
        journal.append(_EVENT, _KEY, took)


def _routes(rows: Sequence[FormatResult]) -> set[str]:
    return {one.route for row in rows for one in row.runtimes}


def _ended(outcome: Outcome) -> bool:
    return outcome.status == Status.OK and outcome.seconds > 0


def seen(root: Path) -> Mapping[str, float]:
    """Seconds that each route took: in the workspace at ``root`` the last time, else the median of those beside it.

    What the ranking took is known of the workspace itself alone: it depends on the model and its rows. Whatever cannot
    be read counts for nothing.
    """
    others: dict[str, list[float]] = {}
    with contextlib.suppress(OSError):
        places = (one for one in root.parent.glob(f"*{SUFFIX}") if one != root and not one.is_symlink())
        beside = [one for one in places if is_ours(one)]
        newest = sorted(beside, key=lambda one: one.stat().st_mtime, reverse=True)[:_MOST_WORKSPACES]
        for place in newest:
            for route, seconds in _of(place).items():
                others.setdefault(route, []).append(seconds)
    others.pop(RANKING, None)
    return {**{route: statistics.median(each) for route, each in others.items()}, **_of(root)}


def _of(root: Path) -> dict[str, float]:
    journal = Workspace(root).journal_file
    try:
        if not is_ours(root) or journal.stat().st_size > _LARGEST_JOURNAL:
            return {}
        found = Journal(journal).find(_EVENT, _KEY) or {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return {
        name: float(seconds)
        for name, seconds in found.items()
        if isinstance(seconds, int | float) and math.isfinite(seconds) and seconds >= 0
    }
