"""Checks of what a plugin brings beside routes: commands, strategies and metrics, each found by its form."""

from __future__ import annotations

import inspect
import math
from numbers import Real

from navcore.contract import Format
from navcore.errors import first_line
from navcore.evaluation import Choice
from navcore.registry import Plugin, command_candidates
from navcore.testing.checks.fresh_python import fresh_python
from navcore.testing.checks.public_names import public_names
from navcore.testing.ground import Ground
from navcore.testing.verdicts import NotHere, NotMet

_SEEN_AS_METRIC = ("outputs", "item")
_FORMATS = (Format("first-of-two"), Format("second-of-two"))
_CHOICES = tuple(
    Choice(format, "any-runtime", latency, 1, 1000 / latency, True, size=1000)
    for format, latency in zip(_FORMATS, (2.0, 1.0), strict=True)
)


def command_answers(ground: Ground, name: str) -> None:
    """``navcore NAME --help`` of a command that the plugin brings prints what it does, and ends well.

    If this fails: the entry point in the group ``navcore.commands.v1`` names a click command,
    ``module:function``; what the command needs is imported inside it.
    """
    done = fresh_python(ground, ["-m", "navcore", name, "--help"], f"navcore {name} --help")
    if done.returncode != 0:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["it said nothing"]
        raise NotMet(f"navcore {name} --help ended with status {done.returncode}: {lines[-1]}")
    if "Usage:" not in done.stdout:
        raise NotMet(f"navcore {name} --help prints no usage to standard output")


def strategy_chooses(ground: Ground, name: str) -> None:
    """A strategy answers ``None`` where there are no candidates, and else one of them or ``None``.

    Strategies are the public classes (and values) of the plugin that have a method ``choose``; a class is tried when
    it can be made without arguments.

    If this fails: ``choose(candidates)`` gets a sequence that may be empty. ``min(candidates, key=…, default=None)``
    is a whole strategy.
    """
    strategy = getattr(ground.plugin.namespace, name)
    if isinstance(strategy, type):
        try:
            strategy = strategy()
        except TypeError as error:
            raise NotHere(f"it cannot be made without arguments: {first_line(error)}") from error
    for candidates in ((), _CHOICES):
        told = f"{len(candidates)} candidates" if candidates else "no candidates"
        try:
            with ground.busy(f"{name}.choose of {ground.name}"):
                answer = strategy.choose(candidates)
        except Exception as error:
            raise NotMet(f"{type(error).__name__}: {first_line(error)} (of {told})") from error
        if answer is not None and answer not in candidates:
            raise NotMet(f"of {told} it chose {str(answer)[:80]!r}, which is none of them")


def metric_gives_a_number(ground: Ground, name: str) -> None:
    """A metric returns a number for what the model of the trial returns, and leaves the outputs as they were.

    Metrics are the public functions of the plugin whose arguments are called ``outputs`` and ``item``. One that finds
    no output or label of the name it looks for is for other models, and not judged.

    If this fails: return a ``float``; work on copies of the arrays.
    """
    import numpy as np

    metric = getattr(ground.plugin.namespace, name)
    starts = sorted({form.name for route in ground.plugin.routes for form in route.formats if form.live is not None})
    ready = ground.ready(starts[0] if starts else ground.plugin.routes[0].source)
    outputs = ready.bench.store.outputs(ready.bench.signature, "correctness", 0)
    item = ready.bench.store.inputs(ready.bench.signature, "correctness", 0)
    before = {output: array.copy() for output, array in outputs.items()}
    try:
        with ground.busy(f"{name} of {ground.name}"):
            answer = metric(outputs, item)
    except LookupError as error:
        raise NotHere(f"it is for other models: {type(error).__name__}: {first_line(error)}") from error
    except Exception as error:
        raise NotMet(f"{type(error).__name__}: {first_line(error)}") from error
    if isinstance(answer, bool) or not isinstance(answer, Real | np.generic) or not math.isfinite(float(answer)):
        raise NotMet(f"it returned {str(answer)[:80]!r} in place of a number")
    if any(not np.array_equal(before[output], outputs[output]) for output in before):
        raise NotMet("it changed the outputs that it was given")


def commands_of(plugin: Plugin) -> tuple[str, ...]:
    """The commands that the plugin's distribution announces; of one that is none, those that begin with its name."""
    return tuple(
        one.name
        for one in command_candidates()
        if one.distribution == plugin.distribution or (not one.version and one.name.startswith(f"{plugin.name}-"))
    )


def strategies_of(plugin: Plugin) -> tuple[str, ...]:
    """The names of the plugin's strategies."""
    return tuple(name for name, value in public_names(plugin) if callable(getattr(value, "choose", None)))


def metrics_of(plugin: Plugin) -> tuple[str, ...]:
    """The names of the plugin's metrics that are functions."""
    return tuple(
        name
        for name, value in public_names(plugin)
        if inspect.isfunction(value) and tuple(inspect.signature(value).parameters) == _SEEN_AS_METRIC
    )
