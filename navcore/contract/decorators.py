"""The decorators, the short way to declare a route and to implement its hook in one.

::

    @converter("onnx", OPENVINO, options=Options)
    def openvino_from_onnx(job: ConvertJob[Options]) -> None: ...

They record what the function offers. The function itself stays an ordinary function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from navcore.contract.effort import Effort
from navcore.contract.formats import Format
from navcore.contract.route_validation import validate_route
from navcore.contract.routes import Isolation, Probe, Route, SpotCheck
from navcore.errors import PluginError

if TYPE_CHECKING:
    import numpy as np

    from navcore.contract.jobs import ConvertJob, ExportJob, Made, ProfileJob, Runner, RunnerJob
    from navcore.contract.signature import Feeds

Options = TypeVar("Options")
Function = TypeVar("Function", bound=Callable[..., Any])

ROUTES_ATTRIBUTE = "__navcore_routes__"
"""Where a decorated function keeps the routes that it was declared for."""


def _declare(function: Function, route: Route) -> Function:
    validate_route(route)
    declared: list[Route] = getattr(function, ROUTES_ATTRIBUTE, [])
    setattr(function, ROUTES_ATTRIBUTE, [*declared, route])
    return function


@overload
def exporter(
    source: Format | str,
    target: Format,
    *,
    options: type[Options],
    cost: float = ...,
    default: bool = ...,
    effort: str = ...,
    seconds: float | None = ...,
    available: Probe | None = ...,
    isolation: Isolation = ...,
    imports: tuple[str, ...] = ...,
) -> Callable[[Callable[[ExportJob[Options]], Made | None]], Callable[[ExportJob[Options]], Made | None]]: ...
@overload
def exporter(
    source: Format | str,
    target: Format,
    *,
    options: None = None,
    cost: float = ...,
    default: bool = ...,
    effort: str = ...,
    seconds: float | None = ...,
    available: Probe | None = ...,
    isolation: Isolation = ...,
    imports: tuple[str, ...] = ...,
) -> Callable[[Callable[[ExportJob[None]], Made | None]], Callable[[ExportJob[None]], Made | None]]: ...
def exporter(
    source: Format | str,
    target: Format,
    *,
    options: type | None = None,
    cost: float = 1.0,
    default: bool = True,
    effort: str = Effort.QUICK,
    seconds: float | None = None,
    available: Probe | None = None,
    isolation: Isolation = "caller",
    imports: tuple[str, ...] = (),
) -> Callable[[Any], Any]:
    """Declare a function that exports the live format ``source`` to ``target``.

    ``isolation="fork"`` promises that the function works in a single-threaded fork of the caller; there a crash is
    contained. Everything else runs in the caller's process and its row says so. ``imports`` names modules of the
    framework that the function imports, where that takes long: see :class:`navcore.Route`.
    """

    def declare(function: Callable[[ExportJob[Any]], Made | None]) -> Callable[[ExportJob[Any]], Made | None]:
        return _declare(
            function,
            Route(
                hook="export_model",
                name=function.__name__,
                function=function,
                source=source,
                target=target,
                cost=cost,
                default=default,
                effort=effort,
                seconds=seconds,
                options=options,
                available=available,
                isolation=isolation,
                imports=imports,
            ),
        )

    return declare


@overload
def converter(
    source: Format | str,
    target: Format,
    *,
    options: type[Options],
    cost: float = ...,
    default: bool = ...,
    effort: str = ...,
    seconds: float | None = ...,
    available: Probe | None = ...,
    imports: tuple[str, ...] = ...,
) -> Callable[[Callable[[ConvertJob[Options]], Made | None]], Callable[[ConvertJob[Options]], Made | None]]: ...
@overload
def converter(
    source: Format | str,
    target: Format,
    *,
    options: None = None,
    cost: float = ...,
    default: bool = ...,
    effort: str = ...,
    seconds: float | None = ...,
    available: Probe | None = ...,
    imports: tuple[str, ...] = ...,
) -> Callable[[Callable[[ConvertJob[None]], Made | None]], Callable[[ConvertJob[None]], Made | None]]: ...
def converter(
    source: Format | str,
    target: Format,
    *,
    options: type | None = None,
    cost: float = 1.0,
    default: bool = True,
    effort: str = Effort.QUICK,
    seconds: float | None = None,
    available: Probe | None = None,
    imports: tuple[str, ...] = (),
) -> Callable[[Any], Any]:
    """Declare a function that converts the stored format ``source`` to ``target``; it runs in a child process."""

    def declare(function: Callable[[ConvertJob[Any]], Made | None]) -> Callable[[ConvertJob[Any]], Made | None]:
        return _declare(
            function,
            Route(
                hook="convert",
                name=function.__name__,
                function=function,
                source=source,
                target=target,
                cost=cost,
                default=default,
                effort=effort,
                seconds=seconds,
                options=options,
                available=available,
                imports=imports,
            ),
        )

    return declare


@overload
def runner(
    *formats: Format | str,
    runtime: str,
    options: type[Options],
    cost: float = ...,
    default: bool = ...,
    effort: str = ...,
    seconds: float | None = ...,
    available: Probe | None = ...,
    spot_check: SpotCheck | None = ...,
    threads_per_process: bool = ...,
    imports: tuple[str, ...] = ...,
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
    effort: str = ...,
    seconds: float | None = ...,
    available: Probe | None = ...,
    spot_check: SpotCheck | None = ...,
    threads_per_process: bool = ...,
    imports: tuple[str, ...] = ...,
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
    effort: str = Effort.QUICK,
    seconds: float | None = None,
    available: Probe | None = None,
    spot_check: SpotCheck | None = None,
    threads_per_process: bool = False,
    imports: tuple[str, ...] = (),
) -> Callable[[Any], Any]:
    """Declare a function that loads ``formats`` in ``runtime`` and returns a runner, or a plain callable.

    ``spot_check`` limits a slow reference interpreter to proving a few numbers; it is never measured.
    ``threads_per_process`` says that a process cannot change the runtime's number of threads once it has run anything.
    """
    if not formats:
        raise PluginError(f"A runner for {str(runtime)!r} names no format.", hint="Give the formats that it loads.")

    def declare(function: Callable[[RunnerJob[Any]], Any]) -> Callable[[RunnerJob[Any]], Any]:
        for format in formats:
            _declare(
                function,
                Route(
                    hook="make_runner",
                    name=function.__name__,
                    function=function,
                    source=format,
                    runtime=runtime,
                    cost=cost,
                    default=default,
                    effort=effort,
                    seconds=seconds,
                    options=options,
                    available=available,
                    spot_check=spot_check,
                    threads_per_process=threads_per_process,
                    imports=imports,
                ),
            )
        return function

    return declare


def profiler(
    *, available: Probe | None = None, measures: str = ""
) -> Callable[[Callable[[ProfileJob], np.ndarray]], Callable[[ProfileJob], np.ndarray]]:
    """Declare a function that measures one window; users select it by its plugin's name, ``run(profiler="name")``.

    ``measures`` says in a word or two what its milliseconds are, where that is not the time of a clock on the wall:
    ``"CPU time"``. It stands below the table.
    """

    def declare(function: Callable[[ProfileJob], np.ndarray]) -> Callable[[ProfileJob], np.ndarray]:
        route = Route(hook="profile", name=function.__name__, function=function, available=available, measures=measures)
        return _declare(function, route)

    return declare
