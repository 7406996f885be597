"""Checks of what happens when something goes wrong: the failure has a name on it, and only the step is gone."""

from __future__ import annotations

import contextlib
from pathlib import Path

import attrs

from navcore.contract import Artifact, Route
from navcore.testing.ground import Ground, Ready
from navcore.testing.telling import ran, runners_of
from navcore.testing.verdicts import NotHere, NotMet
from navcore.workspace import Failure, Status

_GARBAGE = b"navcore's conformance kit wrote this: it is no model.\n" * 64
_ABRUPT = ("crash", "killed", "timeout", "memory", "no-result")


class NoModel:
    """Handed to an exporter in place of a live model."""


def failure_names_the_plugin(ground: Ground, route: Route) -> None:
    """What cannot work fails: with an exception, under the plugin's name, and not with a product.

    An exporter is handed an object that is no model, a converter and a runner a file that holds none, each where a run
    would call it and under the same limits. A converter that does not look into its source, because it only packs
    bytes, may leave the refusal to the runners of what it made.

    If this fails: let the framework's exception pass, or raise one of ``navcore.StepError``'s. Never return as if all
    were well, and never end the process. A framework that crashes on a damaged file needs a look at the file first.
    """
    ground.require(route)
    ready = ground.ready(route.source, verified=route.hook != "make_runner")
    if route.hook == "make_runner":
        ground.reported.refuse(ran(route))
    else:
        ground.made(route)
    if route.hook == "export_model":
        failure = _exported_nothing(ground, ready, route)
    elif route.hook == "convert":
        failure = _converted_garbage(ground, ready, route)
    else:
        artifact = attrs.evolve(ready.artifact, path=_garbage(ground, ready.artifact, route))
        row = ready.bench.check(route, artifact)
        failure = row.failure if row.status == Status.FAILED else None
        if row.verification is not None:
            raise NotMet("it opened a file that holds no model, and answered")
    if failure is None:
        raise NotMet("it reported success on something that is no model")
    if failure.category in _ABRUPT:
        raise NotMet(f"on something that is no model it did not raise, it ended its process: {failure.cause}")
    who = route.distribution or route.owner
    if who not in failure.cause:
        raise NotMet(f"the failure does not name {who}: {failure.cause}")


def crash_is_contained(ground: Ground, route: Route) -> None:
    """A segmentation fault in the step becomes a failed step that names the plugin and the signal; nothing else ends.

    The fault is a real one, raised in the step's own process after the plugin did its work there.

    If this fails: something in the step catches SIGSEGV, or hands its work to another process. Remove signal
    handlers; let navcore own the process. An exporter with ``isolation="caller"`` is not tried: a crash there takes
    the caller with it, and its rows say "not contained".
    """
    ground.require(route)
    if route.hook == "export_model" and route.isolation != "fork":
        raise NotHere("it exports in the caller's process (isolation='caller'), where a crash cannot be contained")
    ready = ground.ready(route.source, verified=route.hook != "make_runner")
    if route.hook == "make_runner":
        ground.reported.refuse(ran(route))
    else:
        ground.made(route)
    with ground.crashing(ready.bench) as bench:
        if route.hook == "make_runner":
            row = bench.check(route, ready.artifact)
            failure = row.failure if row.status == Status.FAILED else None
        else:
            outcome, _ = bench.make(route, ready.artifact, ground.folder / "crashed" / f"{route.owner} {route.name}")
            if not outcome.contained:
                raise NotHere("the live model is on a device that a fork cannot use, so this runs in the caller")
            failure = outcome.failure
    if failure is None:
        raise NotMet("a segmentation fault in the step was reported as a success")
    if failure.category == "unavailable":
        raise NotHere(failure.cause)  # the model of the trial lacks what the route needs
    if failure.category != "crash" or (route.distribution or route.owner) not in failure.cause:
        raise NotMet(f"a segmentation fault in the step was reported as: {failure.cause}")


def _exported_nothing(ground: Ground, ready: Ready, route: Route) -> Failure | None:
    around = contextlib.nullcontext() if route.isolation == "fork" else ground.busy(route.who)
    with around:
        return ready.bench.export(route, attrs.evolve(ready.artifact, model=NoModel())).failure


def _converted_garbage(ground: Ground, ready: Ready, route: Route) -> Failure | None:
    artifact = attrs.evolve(ready.artifact, path=_garbage(ground, ready.artifact, route))
    outcome, product = ready.bench.make(route, artifact, ground.folder / "made of garbage" / route.name)
    if product is None:
        return outcome.failure
    rows = [ready.bench.check(one, product) for one in runners_of(ground.registry, route.goal)]
    refused = [row.failure for row in rows if row.verification is None or not row.verification.compared]
    return refused[0] if refused and len(refused) == len(rows) else None


def _garbage(ground: Ground, artifact: Artifact, route: Route) -> Path:
    """A file (or folder) of the right name that holds no model."""
    path = ground.folder / "garbage" / f"{route.name}-{artifact.format.name}" / artifact.format.filename
    if artifact.file.is_dir():
        path.mkdir(parents=True)
    else:
        path.parent.mkdir(parents=True)
        path.write_bytes(_GARBAGE)
    return path
