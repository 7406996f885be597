"""How a check says that something is wrong, or that it could not be tried, and what is remembered of what was told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs


class NotMet(AssertionError):
    """The plugin does not do what the check asks for; the text is one clause that says what it did.

    ``advice`` is what to do about it, where that is not what the check's own docstring says. ``about`` are words for
    what is wrong, such as ``made sample:sample_from_alpha``: of several checks that find the same wrong thing the first
    fails, and the others are skipped.
    """

    def __init__(self, what: str, *, advice: str = "", about: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.advice = advice
        self.about = about


class NotHere(Exception):
    """The check could not be tried on this machine; the text is the reason, which is printed."""


Verdict = Literal["ok", "failed", "skipped"]


@attrs.frozen
class Finding:
    """What became of one check on one route (``""``: on the plugin as a whole), why, and what to do about a failure."""

    check: str
    route: str
    verdict: Verdict
    reason: str = ""
    advice: str = ""

    @property
    def id(self) -> str:
        """``check`` or ``check[route]``."""
        return case_id(self.check, self.route)


def case_id(check: str, route: str) -> str:
    """``check`` or ``check[route]``: the name of a case, also in ``expected_failures``."""
    return f"{check}[{route}]" if route else check


class Reported:
    """What was told already, by what it is about: one cause is one failure, however many checks it comes to."""

    def __init__(self, told: Mapping[str, str] | None = None) -> None:
        self.told: dict[str, str] = dict(told or {})

    def knows(self, *about: str) -> bool:
        """Whether something was told about any of these."""
        return any(one in self.told for one in about)

    def refuse(self, *about: str) -> None:
        """Raise :class:`NotHere` where something was told about any of these: it need not be tried again."""
        for one in about:
            if one in self.told:
                raise NotHere(f"not tried: {self.told[one]}")

    def remember(self, case: str, reason: str, about: tuple[str, ...]) -> None:
        """Keep the reason that was told in ``case``."""
        for one in about:
            self.told.setdefault(one, f"{reason.rstrip('.')} (told by {case})")
