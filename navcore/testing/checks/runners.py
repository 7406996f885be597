"""Checks of runners: what they return, for which batches, how often, and whether they let go."""

from __future__ import annotations

from navcore.contract import Route
from navcore.testing.ground import Ground
from navcore.testing.telling import agrees, ran
from navcore.testing.trial import SMALL
from navcore.testing.verdicts import NotHere, NotMet
from navcore.workspace import Status

_CALLING = "The call fails by itself, whatever it would return: this is the runner's own error, as users see it."


def declared_outputs_are_returned(ground: Ground, route: Route) -> None:
    """The runner takes the declared inputs and returns exactly the declared names, dtypes and ranks.

    If this fails: ``job.signature`` has the inputs and outputs in order. A runtime that returns port objects,
    positions or names of its own needs them mapped to ``job.signature.output_names``.
    """
    ground.require(route)
    ready, call = ground.ready(route.source), ground.trial(route).small
    about = agrees(ready.maker, route)
    if call.problem:
        raise NotMet(f"{call.problem} (when it was called with a batch of 1)", advice=_CALLING, about=(about,))
    signature = ready.artifact.signature
    wanted = {spec.name: (spec.dtype, len(spec.shape)) for spec in signature.outputs}
    found = {array.name: (array.dtype, len(array.shape)) for array in call.outputs}
    if wanted != found:
        raise NotMet(f"it returned {_told(found)} where {_told(wanted)} is declared", about=(about,))


def batches_of_one_and_three(ground: Ground, route: Route) -> None:
    """A batch of 1 and a batch of 3 both work, and every batched output has that many rows.

    Where the batch axis of the signature moves within a smaller range, its largest size is asked for in place of 3.

    If this fails: the export or the runner fixed the batch. Export with the axes of ``job.signature`` as dynamic, each
    from its ``minimum`` to its ``maximum``.
    """
    ground.require(route)
    trial, ready = ground.trial(route), ground.ready(route.source)
    signature, about = ready.artifact.signature, agrees(ready.maker, route)
    if trial.large is None or signature.batch_dim is None:
        raise NotHere("the model that is offered for conformance does not batch")
    for size, call in ((SMALL, trial.small), (trial.rows, trial.large)):
        if call.problem:
            raise NotMet(f"{call.problem} (when it was called with a batch of {size})", about=(about,))
        shapes = {array.name: array.shape for array in call.outputs}
        wrong = [
            f"{spec.name!r} with shape {shapes[spec.name]}"
            for spec in signature.outputs
            if spec.name in shapes
            and (axis := signature.batch_axis(spec)) is not None
            and not _has(shapes[spec.name], axis, size)
        ]
        if wrong:
            raise NotMet(f"a batch of {size} came back as {', '.join(wrong)}", about=(about,))


def used_twice(ground: Ground, route: Route) -> None:
    """A second call gives the same answer, leaves the first one's arrays and all inputs alone, and so does reopening.

    If this fails: return arrays of their own (``copy()`` what the runtime will overwrite), treat the inputs as
    read-only, and keep nothing between calls or between runners.
    """
    ground.require(route)
    trial, maker = ground.trial(route), ground.ready(route.source).maker
    if trial.small.problem:
        raise NotMet(
            f"{trial.small.problem} (when it was called with a batch of 1)",
            advice=_CALLING,
            about=(agrees(maker, route),),
        )
    told = {
        "the second call": trial.again,
        "arrays returned by the first call, after the second": trial.kept,
        "the inputs": trial.feeds,
        "opening it a second time": trial.reopened,
    }
    wrong = [f"{what}: {problem}" for what, problem in told.items() if problem]
    if wrong:
        raise NotMet("; ".join(wrong))


def closes(ground: Ground, route: Route) -> None:
    """Leaving the ``with`` block raises nothing, a call after it is refused, and the process can end.

    If this fails: give ``Runner(close=...)`` what has to be released. A thread that is not a daemon and never ends
    keeps the process alive: stop it there.
    """
    ground.require(route)
    trial = ground.trial(route)
    wrong = [problem for problem in (trial.closing, trial.after) if problem]
    if trial.ending:
        wrong.append(f"its process did not end well after that: {trial.ending}")
    if wrong:
        raise NotMet("; ".join(wrong))


def runner_agrees_with_the_source(ground: Ground, route: Route) -> None:
    """What the runner returns is what the source returned, within the tolerance of the precision that it reports.

    If this fails: the reason names the output and the difference. A runtime that computes with less precision than
    its format says so with ``Runner(precision=...)``, read back from the runtime.
    """
    ground.require(route)
    ready = ground.ready(route.source)
    about = (agrees(ready.maker, route), ran(route))
    ground.reported.refuse(*about)
    row = ready.bench.check(route, ready.artifact)
    cause = row.failure.cause if row.failure else f"its row is {row.status}"
    if row.status == Status.UNAVAILABLE:
        raise NotHere(cause)
    if row.status != Status.OK:
        raise NotMet(cause, about=about if row.verification is None else about[:1])


def opens_as_a_source(ground: Ground, route: Route) -> None:
    """A file that is itself the source of a run is called before anything is known of it.

    Asked of formats that are recognised on disk, by ``suffixes`` or ``recognises``.

    If this fails: ``job.signature`` is empty while a source is run for its samples. Take the inputs from ``feeds``, and
    return the file's own output names.
    """
    ground.require(route)
    call = ground.trial_as_a_source(route).small
    if call.problem and ground.trial(route).small.problem:
        raise NotMet(call.problem, advice=_CALLING, about=(agrees(ground.ready(route.source).maker, route),))
    if call.problem:
        raise NotMet(f"called before its signature is known, it failed: {call.problem}")
    if not call.outputs:
        raise NotMet("called before its signature is known, it returned nothing")


def _has(shape: tuple[int, ...], axis: int, size: int) -> bool:
    return -len(shape) <= axis < len(shape) and shape[axis] == size


def _told(outputs: dict[str, tuple[str, int]]) -> str:
    return ", ".join(f"{name!r} ({dtype}, rank {rank})" for name, (dtype, rank) in outputs.items()) or "nothing"
