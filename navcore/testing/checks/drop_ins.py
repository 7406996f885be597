"""Checks of what stands in an application where the source stood: a function of a plugin, found by its form."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from navcore.contract import Live, Route
from navcore.errors import first_line
from navcore.evaluation import verify
from navcore.package import PackageDescriptor
from navcore.registry import Plugin
from navcore.testing.checks.public_names import public_names
from navcore.testing.ground import Ground
from navcore.testing.telling import runners_of
from navcore.testing.verdicts import NotHere, NotMet
from navcore.workspace import Status

_BEGINNING = "as_"
_ARGUMENTS = ("package", "format")


def drop_in_answers_as_the_source(ground: Ground, name: str) -> None:
    """What stands in for the source takes its calls, and returns what it returned: the same parts, the same numbers.

    Drop-ins are the public functions of the plugin whose names begin with ``as_`` and whose first arguments are
    ``package`` and ``format``. The stored model is the one that is cheapest to make, the calls are the samples.

    If this fails: bind arguments and name outputs by the package's signature (``signature.bind``,
    ``signature.name_outputs``), and give out tensors of the dtypes that the source has.
    """
    route = _cheapest(ground)
    offer, _ = ground.offers.way_to(route.goal)
    package = ground.run(offer, [route.goal.name])
    if not package.get_status(route.goal.name):
        raise NotHere(f"{route.goal.name} of the model that {offer.plugin} offers is not there to stand in for it")
    live = offer.source.format.live
    if live is None:
        raise NotHere(f"{offer.plugin} offers no live model")
    opened: Any = None
    try:
        with ground.busy(f"{name} of {ground.name}"):
            opened = getattr(ground.plugin.namespace, name)(package, route.goal.name)
            _compare(package, route, live, opened)
    except (NotMet, NotHere):
        raise
    except Exception as error:
        raise NotMet(f"{type(error).__name__}: {first_line(error)} (with {route.goal.name})") from error
    finally:
        if callable(getattr(opened, "close", None)):
            opened.close()


def _cheapest(ground: Ground) -> Route:
    """The cheapest of the plugin's own makers whose product can be run here; an exporter before a converter."""
    usable = [
        route
        for route in ground.plugin.routes
        if route.target is not None and route.default and not ground.registry.unavailable(route)
        if runners_of(ground.registry, route.goal)
    ]
    if not usable:
        raise NotHere("the plugin makes no format that can be run here, so that nothing can stand in for a source")
    return min(usable, key=lambda route: (route.hook != "export_model", route.cost))


def _compare(package: PackageDescriptor, route: Route, live: Live, opened: Any) -> None:
    samples = package.record.samples
    assert samples is not None, "a package with an ok row was made from samples"
    signature = samples.signature

    def called(feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        arguments, keywords = signature.bind(feeds, lambda array: live.from_array(array, None))
        return signature.name_outputs(opened(*arguments, **keywords), live.to_array)

    verdict = verify(called, package.comparisons(), signature=signature, precision=route.goal.precision)
    if verdict.status == Status.FAILED:
        raise NotMet(verdict.failure.cause if verdict.failure else "it returns other numbers than the source")
    if verdict.status != Status.OK:
        raise NotHere("no output of the source is large enough to tell whether the drop-in returns the same")


def drop_ins_of(plugin: Plugin) -> tuple[str, ...]:
    """The names of the plugin's drop-ins."""
    return tuple(
        name
        for name, value in public_names(plugin)
        if name.startswith(_BEGINNING)
        and inspect.isfunction(value)
        and tuple(inspect.signature(value).parameters)[:2] == _ARGUMENTS
    )
