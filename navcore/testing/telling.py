"""Whom a run calls in its own process, told from its events, and the words for what goes wrong with a route."""

from __future__ import annotations

from collections.abc import Callable

from navcore.contract import Format, Route
from navcore.registry import Registry
from navcore.testing.busy import Doing, Tell
from navcore.workspace import Event, Stage


def made(route: Route) -> str:
    """What a failure of the route to make anything is about."""
    return f"made {route.id}"


def ran(route: Route) -> str:
    """What a failure of the route to run anything is about."""
    return f"ran {route.id}"


def agrees(maker: str, runner: Route) -> str:
    """What a wrong answer of a runner is about, on what the route of the id ``maker`` made."""
    return f"{maker} agrees in {runner.id}"


def source_runner(registry: Registry, name: str) -> Route | None:
    """What runs a source of that format where nobody asks for another: the cheapest, default ones first."""
    found = [route for route in registry.routes if route.hook == "make_runner" and route.source == name]
    found.sort(key=lambda route: (not route.default, route.cost, route.id))
    return next((route for route in found if not registry.unavailable(route)), None)


def runners_of(registry: Registry, format: Format) -> list[Route]:
    """The runners that a run would use for the format on this machine without being asked."""
    return [
        route
        for route in registry.routes
        if route.hook == "make_runner"
        and route.source == format.name
        and route.default
        and not registry.unavailable(route)
    ]


def telling(registry: Registry, runner: Route | None, tell: Tell, timeout: float) -> Callable[[Event], None]:
    """An observer of a run that tells who is called in this process next, as far as the events say it.

    ``runner`` runs the source. A step may take ``timeout`` seconds; what has a process and a limit of its own has more,
    so that this limit is what ends it.
    """
    makers = [route for route in registry.routes if route.hook == "export_model"]
    exporters: dict[str, Route] = {route.goal.name: route for route in makers}
    for_children = 2 * timeout + 10

    def observe(event: Event) -> None:
        if event.status is None and event.stage == Stage.SAMPLING and runner is not None:
            tell(Doing(runner.who, (ran(runner),), timeout, moves=True))
        elif event.status is None and event.stage == Stage.MAKING and event.subject in exporters:
            route = exporters[event.subject]
            seconds = timeout if route.isolation == "caller" else for_children
            tell(Doing(route.who, (made(route),), seconds, moves=True))
        else:
            tell(Doing(f"{event.stage} {event.subject}", (), for_children, moves=True))

    return observe
