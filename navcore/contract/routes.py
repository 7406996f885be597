"""Routes: the declarations that plugins attach to functions, from which everything is planned.

A plugin is a module with decorated functions::

    @converter("onnx", OPENVINO, options=Options)
    def openvino_from_onnx(job: ConvertJob[Options]) -> None: ...

The decorator records what the function offers, so that it can be listed, planned and documented without running. The
function itself stays an ordinary function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import attrs

from navcore.contract.formats import Format
from navcore.errors import PluginError, first_line

if TYPE_CHECKING:
    import numpy as np

    from navcore.contract.jobs import ConvertJob, ExportJob, Made, ProfileJob, Runner, RunnerJob
    from navcore.contract.signature import Feeds

Hook = Literal["export_model", "convert", "make_runner", "profile"]
Isolation = Literal["fork", "caller"]
Probe = Callable[[], "str | None"]
Options = TypeVar("Options")


@attrs.frozen
class SpotCheck:
    """What a runtime that interprets a model, far too slowly to be used, is good for: proving numbers.

    It is held against the first ``comparisons`` with the source, within ``seconds`` of wall time from its start, and is
    never measured. What is not proven by then is unverified.
    """

    comparisons: int = 1
    seconds: float = 60.0


ROUTES_ATTRIBUTE = "__navcore_routes__"


@attrs.frozen
class Route:
    """One way from a format to another, to run a format, or to measure.

    ``source`` is the name of the format it starts from or runs, ``target`` the format it makes. ``cost`` orders
    alternatives, the cheapest first. ``default=False`` keeps its target out of plans that did not ask for it, unless
    another target is made from it. ``isolation`` says where a live model may be exported: in a fork of the caller, or
    only in the caller itself. ``spot_check`` is set for a runtime that only proves numbers. ``owner`` (the plugin's
    name), ``distribution`` and ``version`` are filled in by the registry.
    """

    name: str
    hook: Hook
    function: Callable[..., Any] = attrs.field(eq=False, repr=False)
    source: str = ""
    target: Format | None = None
    runtime: str = ""
    cost: float = 1.0
    default: bool = True
    options: type | None = None
    available: Probe | None = attrs.field(eq=False, default=None, repr=False)
    isolation: Isolation = "caller"
    spot_check: SpotCheck | None = None
    formats: tuple[Format, ...] = attrs.field(eq=False, default=(), repr=False)
    owner: str = ""
    distribution: str = ""
    version: str = ""

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
    def who(self) -> str:
        """The blame line: plugin, version, route."""
        return f"{self.distribution or self.owner} {self.version} ({self.name})".replace("  ", " ")


def _declare(function: Callable[..., Any], route: Route) -> None:
    target: object = route.target
    if target is not None and not isinstance(target, Format):
        raise PluginError(
            f"The target of {route.name} is {target!r}, which is not a Format.",
            hint="Only what a route starts from, or runs, may be a plain name.",
        )
    if not (math.isfinite(route.cost) and route.cost >= 0):
        raise PluginError(f"The cost of {route.name} is {route.cost}.", hint="Give a finite number, 0 or more.")
    declared: list[Route] = getattr(function, ROUTES_ATTRIBUTE, [])
    setattr(function, ROUTES_ATTRIBUTE, [*declared, route])


def _check_options(options: type | None, name: str) -> None:
    if options is None:
        return
    if not attrs.has(options):
        raise PluginError(
            f"The options of {name} are {options!r}, which is not an attrs class.",
            hint="Decorate it with @attrs.frozen.",
        )
    bare = [field.name for field in attrs.fields(options) if field.init and field.default is attrs.NOTHING]
    if bare:
        raise PluginError(
            f"The options of {name} have no default for: {', '.join(bare)}.", hint="Give every option a default."
        )
    try:
        options()
    except Exception as error:
        raise PluginError(
            f"The options of {name} refuse their own defaults: {type(error).__name__}: {first_line(error)}.",
            hint="Choose defaults that its validators accept.",
        ) from error


def _name_of(format: Format | str) -> str:
    return format.name if isinstance(format, Format) else str(format)


def _given(*formats: Format | str | None) -> tuple[Format, ...]:
    return tuple(format for format in formats if isinstance(format, Format))


@overload
def exporter(
    source: Format | str,
    target: Format,
    *,
    options: type[Options],
    cost: float = ...,
    default: bool = ...,
    available: Probe | None = ...,
    isolation: Isolation = ...,
) -> Callable[[Callable[[ExportJob[Options]], Made | None]], Callable[[ExportJob[Options]], Made | None]]: ...
@overload
def exporter(
    source: Format | str,
    target: Format,
    *,
    options: None = None,
    cost: float = ...,
    default: bool = ...,
    available: Probe | None = ...,
    isolation: Isolation = ...,
) -> Callable[[Callable[[ExportJob[None]], Made | None]], Callable[[ExportJob[None]], Made | None]]: ...
def exporter(
    source: Format | str,
    target: Format,
    *,
    options: type | None = None,
    cost: float = 1.0,
    default: bool = True,
    available: Probe | None = None,
    isolation: Isolation = "caller",
) -> Callable[[Any], Any]:
    """Declare a function that exports the live format ``source`` to ``target``.

    ``isolation="fork"`` promises that the function works in a single-threaded fork of the caller; there a crash is
    contained. Everything else runs in the caller's process and its row says so.
    """

    def declare(function: Callable[[ExportJob[Any]], Made | None]) -> Callable[[ExportJob[Any]], Made | None]:
        _check_options(options, function.__name__)
        _declare(
            function,
            Route(
                function.__name__,
                "export_model",
                function,
                _name_of(source),
                target,
                cost=cost,
                default=default,
                options=options,
                available=available,
                isolation=isolation,
                formats=_given(source, target),
            ),
        )
        return function

    return declare


@overload
def converter(
    source: Format | str,
    target: Format,
    *,
    options: type[Options],
    cost: float = ...,
    default: bool = ...,
    available: Probe | None = ...,
) -> Callable[[Callable[[ConvertJob[Options]], Made | None]], Callable[[ConvertJob[Options]], Made | None]]: ...
@overload
def converter(
    source: Format | str,
    target: Format,
    *,
    options: None = None,
    cost: float = ...,
    default: bool = ...,
    available: Probe | None = ...,
) -> Callable[[Callable[[ConvertJob[None]], Made | None]], Callable[[ConvertJob[None]], Made | None]]: ...
def converter(
    source: Format | str,
    target: Format,
    *,
    options: type | None = None,
    cost: float = 1.0,
    default: bool = True,
    available: Probe | None = None,
) -> Callable[[Any], Any]:
    """Declare a function that converts the stored format ``source`` to ``target``; it runs in a child process."""

    def declare(function: Callable[[ConvertJob[Any]], Made | None]) -> Callable[[ConvertJob[Any]], Made | None]:
        _check_options(options, function.__name__)
        _declare(
            function,
            Route(
                function.__name__,
                "convert",
                function,
                _name_of(source),
                target,
                cost=cost,
                default=default,
                options=options,
                available=available,
                formats=_given(source, target),
            ),
        )
        return function

    return declare


@overload
def runner(
    *formats: Format | str,
    runtime: str,
    options: type[Options],
    cost: float = ...,
    default: bool = ...,
    available: Probe | None = ...,
    spot_check: SpotCheck | None = ...,
) -> Callable[
    [Callable[[RunnerJob[Options]], Runner | Callable[[Feeds], Mapping[str, np.ndarray]]]],
    Callable[[RunnerJob[Options]], Runner | Callable[[Feeds], Mapping[str, np.ndarray]]],
]: ...
@overload
def runner(
    *formats: Format | str,
    runtime: str,
    options: None = None,
    cost: float = ...,
    default: bool = ...,
    available: Probe | None = ...,
    spot_check: SpotCheck | None = ...,
) -> Callable[
    [Callable[[RunnerJob[None]], Runner | Callable[[Feeds], Mapping[str, np.ndarray]]]],
    Callable[[RunnerJob[None]], Runner | Callable[[Feeds], Mapping[str, np.ndarray]]],
]: ...
def runner(
    *formats: Format | str,
    runtime: str,
    options: type | None = None,
    cost: float = 1.0,
    default: bool = True,
    available: Probe | None = None,
    spot_check: SpotCheck | None = None,
) -> Callable[[Any], Any]:
    """Declare a function that loads ``formats`` in ``runtime`` and returns a runner, or a plain callable.

    ``spot_check`` limits a slow reference interpreter to proving a few numbers; it is never measured.
    """
    if not formats:
        raise PluginError(f"A runner for {str(runtime)!r} names no format.", hint="Give the formats that it loads.")

    def declare(function: Callable[[RunnerJob[Any]], Any]) -> Callable[[RunnerJob[Any]], Any]:
        _check_options(options, function.__name__)
        for format in formats:
            _declare(
                function,
                Route(
                    function.__name__,
                    "make_runner",
                    function,
                    _name_of(format),
                    runtime=str(runtime),
                    cost=cost,
                    default=default,
                    options=options,
                    available=available,
                    spot_check=spot_check,
                    formats=_given(format),
                ),
            )
        return function

    return declare


def profiler(
    *, available: Probe | None = None
) -> Callable[[Callable[[ProfileJob], np.ndarray]], Callable[[ProfileJob], np.ndarray]]:
    """Declare a function that measures one window; users select it by its plugin's name, ``run(profiler="name")``."""

    def declare(function: Callable[[ProfileJob], np.ndarray]) -> Callable[[ProfileJob], np.ndarray]:
        _declare(function, Route(function.__name__, "profile", function, available=available))
        return function

    return declare


def usual_variants(family: tuple[Format, ...], routes: Sequence[Route]) -> tuple[Format, ...]:
    """The variants of a family that are made by default; all of them where none is."""
    by_default = {route.target.name for route in routes if route.default and route.target is not None}
    return tuple(format for format in family if format.name in by_default) or family
