"""The guards around every function of a plugin: it answers only for its own route, and failures carry its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import Any

from navcore.contract import Hook, Made, Route, Runner
from navcore.errors import ConversionError, ExportError, NavcoreError, PluginError, StepError, first_line
from navcore.registry.latencies import latencies_of

_FAILURES: dict[Hook, type[StepError]] = {"export_model": ExportError, "convert": ConversionError}


def guarded(own: Route) -> Callable[[Any, Route], Any]:
    """A hook implementation that answers for the route ``own`` alone.

    Errors of navcore's own tree keep their class and get the plugin's name in front of what they are about; every
    other exception, ``SystemExit`` included, becomes an :class:`ExportError`, a :class:`ConversionError` or a
    :class:`StepError` with the original as its cause. Only ``KeyboardInterrupt`` passes: it is the user's.
    """

    def implementation(job: Any, route: Route) -> Any:
        if (route.id, route.hook) != (own.id, own.hook):
            return None
        try:
            return _checked(own, own.function(job), job)
        except NavcoreError as error:
            if own.who not in error.who:
                error.who = f"{own.who}, {error.who}" if error.who else own.who
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            kind = _FAILURES.get(own.hook, StepError)
            raise kind(f"{type(error).__name__}: {first_line(error)}", who=own.who) from error

    return implementation


def guarded_wrapper(function: Callable[..., Any], who: str) -> Callable[..., Generator[None, Any, Any]]:
    """A plugin's hook wrapper whose own failures carry its name; those of the route it wraps pass as they are.

    ``function`` is a generator function that takes ``job``, ``route``, both or neither. Raises :class:`PluginError`
    for anything else.
    """
    name = getattr(function, "__name__", repr(function))
    taken = tuple(inspect.signature(function).parameters)
    if not inspect.isgeneratorfunction(function) or not {"job", "route"}.issuperset(taken):
        raise PluginError(
            f"The hook wrapper {name} is not a generator function of 'job' and 'route'.",
            hint=f"Write 'def {name}(job, route):' with one 'result = yield' and a return.",
        )

    def wrapper(job: Any, route: Route) -> Generator[None, Any, Any]:
        given = {"job": job, "route": route}
        try:
            return (yield from function(**{name: given[name] for name in taken}))
        except NavcoreError as error:
            error.who = error.who or who
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise StepError(f"{type(error).__name__}: {first_line(error)}", who=who) from error

    return wrapper


def _checked(route: Route, answer: Any, job: Any) -> Any:
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
    latencies_of(answer, job.calls)
    return answer
