"""Which row of a package is served: by strategy, or by format and runtime; only one that is ok here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from navcore import Choice, Format, MinLatency, OptionError, PackageDescriptor, PackageIncomplete, Status, Strategy


@attrs.frozen
class Wanted:
    """What the caller asks for; ``None`` leaves it to the strategy, and ``verified_only`` wants the user's word."""

    strategy: Strategy | None = None
    format: Format | str | None = None
    runtime: str | None = None
    jit_type: str | None = None
    precision: str | None = None
    verified_only: bool = False


@attrs.frozen
class Row:
    """One ok row. ``provider`` is what its runtime said it used."""

    format: Format
    runtime: str
    provider: str
    result: Any = attrs.field(repr=False)


@attrs.frozen
class _Among:
    """A strategy that sees only some of the candidates."""

    strategy: Strategy
    rows: Sequence[Row]

    def choose(self, candidates: Sequence[Choice]) -> Choice | None:
        known = {(row.format, row.runtime) for row in self.rows}
        return self.strategy.choose([one for one in candidates if (one.format, one.runtime) in known])


def chosen(package: PackageDescriptor, wanted: Wanted) -> Row:
    """The row to serve.

    Raises :class:`PackageIncomplete`, with the reason, when there is none, and :class:`OptionError` when several are
    meant and nothing was measured to choose by.
    """
    rows = _of_format([row for row in _ok_rows(package) if _is_meant(row, wanted)], wanted.format)
    if not rows:
        raise _nothing(package, wanted)
    if len(rows) == 1:
        return rows[0]
    best = package.best(_Among(wanted.strategy or MinLatency(), rows))
    if best is None:
        names = ", ".join(f"{row.format.name} in {row.runtime}" for row in rows)
        raise OptionError(
            f"Several rows could be served, and the strategy chose none of them: {names}.",
            hint="Name one by format and runtime, or measure them: package.profile().",
        )
    return next(row for row in rows if (row.format, row.runtime) == (best.format, best.runtime))


def _ok_rows(package: PackageDescriptor) -> list[Row]:
    return [
        Row(row.format, one.runtime, one.provider, one)
        for row in package.results
        for one in row.runtimes
        if not row.live and one.status == Status.OK and not one.elsewhere
    ]


def _is_meant(row: Row, wanted: Wanted) -> bool:
    form = row.format
    return (
        (wanted.runtime is None or row.runtime == str(wanted.runtime))
        and (wanted.jit_type is None or form.jit_type == str(wanted.jit_type))
        and (wanted.precision is None or form.precision == str(wanted.precision))
        and (row.result.is_verified or not wanted.verified_only)
    )


def _of_format(rows: Sequence[Row], wanted: Format | str | None) -> list[Row]:
    """Those of exactly that name, else those of that family, as every look-up of a format has it."""
    if wanted is None:
        return list(rows)
    exact = [row for row in rows if row.format.name == str(wanted)]
    return exact or [row for row in rows if row.format.family == str(wanted)]


def _nothing(package: PackageDescriptor, wanted: Wanted) -> PackageIncomplete:
    asked = " in ".join(str(part) for part in (wanted.format, wanted.runtime) if part is not None)
    ok = ", ".join(f"{row.format.name} in {row.runtime}" for row in _ok_rows(package))
    recorded = any(one.elsewhere for row in package.results for one in row.runtimes)
    if wanted.verified_only:
        return PackageIncomplete(
            f"No row{f' of {asked}' if asked else ''} is verified by your word, and verified_only asks for one.",
            hint=f"package.set_verified(format, runtime) gives it. Rows that are ok: {ok or 'none'}.",
        )
    told = "No row is ok on this machine" if not asked else f"{asked} is not ok on this machine"
    hint = f"Rows that are ok: {ok}." if ok else "print(package) tells why."
    if recorded and not ok:
        hint = "What was recorded elsewhere is not served: load the package with its test, or with trust=True."
    return PackageIncomplete(f"{told}, so there is nothing to serve.", hint=hint)
