"""How a check says that something is wrong, or that it could not be tried."""

from __future__ import annotations

from typing import Literal

import attrs


class NotMet(AssertionError):
    """The plugin does not do what the check asks for; the text is one clause that says what it did.

    ``advice`` is what to do about it, where that is not what the check's own docstring says.
    """

    def __init__(self, what: str, *, advice: str = "") -> None:
        super().__init__(what)
        self.advice = advice


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
