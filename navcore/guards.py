"""The guard around every function of a plugin: it answers only for its own route, and its failures carry its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from navcore.errors import ConversionError, ExportError, NavcoreError, PluginError, StepError
from navcore.jobs import Made, Runner
from navcore.routes import Hook, Route

_FAILURES: dict[Hook, type[StepError]] = {"export_model": ExportError, "convert": ConversionError}


def guarded(own: Route) -> Callable[[Any, Route], Any]:
    """A hook implementation that answers for the route ``own`` alone.

    Errors of navcore's own tree get the plugin's name if they have none; every other exception becomes an
    :class:`ExportError`, a :class:`ConversionError` or a :class:`StepError` with the original as its cause.
    """

    def implementation(job: Any, route: Route) -> Any:
        if (route.id, route.hook) != (own.id, own.hook):
            return None
        try:
            return _checked(own, own.function(job))
        except NavcoreError as error:
            if not error.who:
                error.who = own.who
            raise
        except Exception as error:
            kind = _FAILURES.get(own.hook, StepError)
            raise kind(f"{type(error).__name__}: {_first_line(error)}", who=own.who) from error

    return implementation


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else "(no message)"


def _checked(route: Route, answer: Any) -> Any:
    """The answer in the form that the hook promises: zero answers to a planned route would be nobody's answer."""
    if route.hook in ("export_model", "convert"):
        if answer is None:
            return Made()
        if isinstance(answer, Made):
            return answer
        raise PluginError(f"The route returned a {type(answer).__name__}.", hint="Return None or navcore.Made.")
    if route.hook == "make_runner":
        if isinstance(answer, Runner):
            return answer
        if callable(answer):
            return Runner(answer)
        raise PluginError(
            f"The route returned a {type(answer).__name__}.", hint="Return navcore.Runner or a plain callable."
        )
    if answer is None:
        raise PluginError("The profiler returned nothing.", hint="Return the latencies of one window, in milliseconds.")
    return answer
