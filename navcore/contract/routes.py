"""Routes: what a plugin declares that it can make, run or measure, and from which everything is planned.

A plugin declares them with the decorators of :mod:`navcore.contract.decorators`, or as data in its module::

    routes = (Route(hook="convert", source="onnx", target=OPENVINO, options=Options),)

    @navcore.hookimpl
    def convert(job: ConvertJob[Options], route: Route) -> None: ...

Either way a route can be listed, planned and documented without running anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import attrs

from navcore.contract.effort import Effort
from navcore.contract.formats import Format
from navcore.errors import PluginError

Hook = Literal["export_model", "convert", "make_runner", "profile"]
Isolation = Literal["fork", "caller"]
Probe = Callable[[], "str | None"]


@attrs.frozen
class SpotCheck:
    """What a runtime that interprets a model, far too slowly to be used, is good for: proving numbers.

    It is held against the first ``comparisons`` with the source, within ``seconds`` of wall time from its start, and is
    never measured. What is not proven by then is unverified.
    """

    comparisons: int = 1
    seconds: float = 60.0


def blame_line(distribution: str, version: str, name: str) -> str:
    """Who a failure is about: ``nav-onnx 0.1 (run_cpu)``; a plugin that was never packaged has no version."""
    return f"{distribution} {version} ({name})".replace("  ", " ")


def _name_of(format: Format | str) -> str:
    return format.name if isinstance(format, Format) else str(format)


def _usual_name(route: Route) -> str:
    """What a function for this route would be called."""
    names = {"make_runner": f"run_{route.runtime}", "profile": "profile"}
    return re.sub(r"\W+", "_", names.get(route.hook, f"{route.target or 'nothing'}_from_{route.source}"))


def _nobody(_job: Any) -> Any:
    raise PluginError("This route is only declared.", hint="Take it from an installed plugin to call it.")


@attrs.frozen(kw_only=True)
class Route:
    """One way from a format to another, to run a format, or to measure.

    ``hook`` says which. ``source`` is the format it starts from or runs, a :class:`Format` or the plain name of another
    plugin's; it is read as a name. ``target`` is the format it makes, ``runtime`` where a runner runs.
    ``cost`` orders alternatives, the cheapest first. ``effort`` (an :class:`Effort` or its word) says from which effort
    on a run that does not ask for the target, or the runtime, by name has it all the same; ``default=False`` keeps it
    out of every such run. The target is still made on the way to another one that has no other way. ``seconds`` is
    about how long it takes for a model of some tens of megabytes, which a plan's estimate goes by until it has seen
    one; ``None`` leaves that to what its hook usually takes. ``options`` is an attrs class of which every field has a
    default. ``available`` is a cheap probe: ``None``, or the reason why this machine cannot use the route.
    ``isolation`` says where a live model may be exported: in a fork of the caller, or only in the caller itself.
    ``spot_check`` is set for a runtime that only proves numbers. ``threads_per_process`` is for a runtime whose number
    of threads is that of its whole process from its first call on: numbers are then tried in a process each.
    ``imports`` names modules of the framework that the route's work imports, where that takes long: a run then imports
    them once, in the process that is forked for it, and not in each fork. A name counts when it begins with that of a
    framework that may be imported beforehand (``Live.framework`` of a format of the plugin): what is another's, each
    process imports itself.
    ``measures`` says what a profiler's milliseconds are, where they are not time on the wall. ``name`` stands in
    listings, ids and blame lines; without one it is ``<target>_from_<source>``, ``run_<runtime>`` or ``profile``.

    Not for authors: ``function`` takes the job alone and is the decorated function, or the plugin's implementation of
    the hook for this route; ``owner`` (the plugin's name), ``distribution`` and ``version`` are the plugin's. The
    registry fills them in.
    """

    hook: Hook
    _source: Format | str = attrs.field(default="", eq=_name_of)
    target: Format | None = None
    runtime: str = attrs.field(default="", converter=str)
    cost: float = 1.0
    default: bool = True
    effort: str = Effort.QUICK
    seconds: float | None = None
    options: type | None = None
    available: Probe | None = attrs.field(eq=False, default=None, repr=False)
    isolation: Isolation = "caller"
    spot_check: SpotCheck | None = None
    threads_per_process: bool = False
    imports: tuple[str, ...] = attrs.field(default=(), eq=False)
    measures: str = ""
    name: str = attrs.field(default=attrs.Factory(_usual_name, takes_self=True))
    function: Callable[..., Any] = attrs.field(eq=False, repr=False, default=_nobody)
    owner: str = ""
    distribution: str = ""
    version: str = ""

    @property
    def source(self) -> str:
        """The name of the format that it starts from or runs; ``""`` for a profiler."""
        return _name_of(self._source)

    def is_within(self, effort: Effort) -> bool:
        """Whether a run of that effort has it without being asked."""
        return self.default and effort.covers(self.effort)

    @property
    def formats(self) -> tuple[Format, ...]:
        """The formats that it was declared with as values, and so brings."""
        return tuple(format for format in (self._source, self.target) if isinstance(format, Format))

    @property
    def id(self) -> str:
        """``owner:name``, with the format for a runner of several: unique among installed plugins."""
        suffix = f"[{self.source}]" if self.hook == "make_runner" else ""
        return f"{self.owner}:{self.name}{suffix}"

    @property
    def goal(self) -> Format:
        """The target of a route that makes something."""
        if self.target is None:
            raise PluginError(f"The route {self.id} makes no format.", who=self.owner)
        return self.target

    @property
    def is_answered(self) -> bool:
        """Whether there is a function to call: not so for a route that is declared as data and not registered."""
        return self.function is not _nobody

    @property
    def who(self) -> str:
        """The blame line: plugin, version, route."""
        return blame_line(self.distribution or self.owner, self.version, self.name)


def usual_variants(
    family: tuple[Format, ...], routes: Sequence[Route], effort: Effort = Effort.QUICK
) -> tuple[Format, ...]:
    """The variants of a family that a run of that effort makes unasked; all of them where it makes none."""
    made = {route.target.name for route in routes if route.target is not None and route.is_within(effort)}
    return tuple(format for format in family if format.name in made) or family
