"""What is measured once everything is checked: the models in turn, and then several callers of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from navcore.execution.ranking import ranked_rows
from navcore.execution.run_context import RunContext
from navcore.execution.several_callers import with_callers
from navcore.workspace import FormatResult, Ranking


def measured_rows(
    context: RunContext, rows: Sequence[FormatResult], keys: Mapping[str, str]
) -> tuple[tuple[FormatResult, ...], Ranking | None]:
    """The rows with all numbers that the settings ask for, and the ranking, where there is one.

    ``keys`` are the recipes of the formats, by name, under which what an earlier run measured is found again.
    """
    ranked, ranking = ranked_rows(context, rows, keys)
    return with_callers(context, ranked, keys), ranking
