"""A plan as values: what is made from what, which runtimes check it, what is out of reach; and what is asked of one."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from navcore.contract import Effort, Format, Route


@attrs.frozen
class Step:
    """Make ``target`` from ``source`` by ``route``. ``requested`` is false for a format needed only on the way."""

    route: Route
    source: Format
    target: Format
    requested: bool = True


@attrs.frozen
class Check:
    """Verify and measure ``format`` in ``runtime``; ``reason`` says why that cannot be done on this machine."""

    format: Format
    runtime: str
    route: Route
    reason: str = ""


@attrs.frozen
class Later:
    """A target that this machine cannot make, and another can: ``source`` is kept, and it is made from that.

    ``needs`` says what is not so here: the reasons of the routes that this machine cannot use.
    """

    target: Format
    source: Format
    needs: str


@attrs.frozen
class Missing:
    """A target that no plan reaches, and why."""

    target: Format
    reason: str


@attrs.frozen
class Estimate:
    """About how many ``seconds`` a plan will take where nothing of it was done before.

    Of its ``parts``, makings and checks, so many are ``known``: what they took in this workdir is what is counted.
    """

    seconds: float
    parts: int
    known: int = 0

    @property
    def basis(self) -> str:
        """What it goes by, as a clause."""
        if not self.known:
            return "by what such steps usually take"
        if self.known < self.parts:
            return f"by what {self.known} of the {self.parts} steps took here before"
        return "by what its steps took here before"

    def __str__(self) -> str:
        return f"about {told_time(self.seconds)}"


def told_time(seconds: float) -> str:
    """A length of time in words that promise no more than an estimate can: ``40 s``, ``3 min``, ``2 h 10 min``."""
    if seconds < 95:
        return f"{max(10, round(seconds, -1)):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(round(minutes, -1), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


@attrs.frozen
class Plan:
    """What will be made from ``source``, in which order, and which runtimes will check it.

    Of what is not made here, ``later`` are the targets that another machine makes of what is kept, and ``missing``
    those that are out of reach. ``estimate`` says how long it will take, where somebody asked.
    """

    source: Format
    steps: tuple[Step, ...] = ()
    checks: tuple[Check, ...] = ()
    missing: tuple[Missing, ...] = ()
    later: tuple[Later, ...] = ()
    estimate: Estimate | None = None

    def checks_of(self, format: Format) -> tuple[Check, ...]:
        """The runtimes that will check this format, in the order in which they are called."""
        return tuple(check for check in self.checks if check.format == format)

    def lines(self) -> list[tuple[str, str, str]]:
        """The plan for people: of each line what happens, to which format, and how."""
        kind = "live" if self.source.live else "file"
        lines = [("source", f"{self.source.name} ({kind})", f"run by {self._runtimes(self.source)}")]
        for step in self.steps:
            how = f"{step.route.name} ({f'{step.route.distribution} {step.route.version}'.strip()})"
            aside = "" if step.requested else ", on the way"
            lines.append(("make", step.target.name, f"from {step.source.name} by {how}{aside}"))
            lines.append(("", "", f"checked by {self._runtimes(step.target)}"))
        lines += [("later", one.target.name, f"from {one.source.name}, elsewhere: {one.needs}") for one in self.later]
        lines += [("not", missing.target.name, missing.reason) for missing in self.missing]
        if self.estimate is not None:
            lines.append(("time", str(self.estimate), self.announced()))
        return lines

    def announced(self) -> str:
        """What there is to do, and by what the time that it takes is estimated."""
        checks = sum(not check.reason for check in self.checks)
        told = f"for {_several(len(self.steps), 'format')} to make and {_several(checks, 'runtime')} to check in"
        return told if self.estimate is None else f"{told}, {self.estimate.basis}"

    def __str__(self) -> str:
        lines = self.lines()
        width = max(len(name) for _, name, _ in lines)
        return "\n".join(f"{word:<6}  {name:<{width}}  {how}" for word, name, how in lines)

    def _runtimes(self, format: Format) -> str:
        names = [
            check.runtime + (f" (unavailable: {check.reason})" if check.reason else "")
            for check in self.checks_of(format)
        ]
        return ", ".join(names) or "no installed runtime"


def _several(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


@attrs.frozen
class PlanSettings:
    """What a plan is asked for.

    ``targets`` are format names or families, ``None`` for every format that is reached within the ``effort``. Further
    runtimes within it check what was asked for; the source, when it was not, and what is made on the way are checked
    in the quick ones alone. ``prefer`` pins
    the plugin (or distribution) that makes a format. ``runtimes`` limits a format to the runtimes named. In both, the
    exact name of a format comes before its family.
    """

    targets: tuple[str, ...] | None = None
    prefer: Mapping[str, str] = attrs.field(factory=dict)
    runtimes: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    effort: Effort = Effort.NORMAL
