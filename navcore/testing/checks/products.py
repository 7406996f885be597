"""Checks of routes that make a format: what they write, what they leave alone, and whether it is right."""

from __future__ import annotations

from navcore.contract import Route
from navcore.testing.ground import Ground
from navcore.testing.telling import agrees, ran
from navcore.testing.verdicts import NotHere, NotMet
from navcore.workspace import Status


def output_is_made(ground: Ground, route: Route) -> None:
    """The route makes a file (or folder) at ``job.output``, and it is not empty.

    If this fails: the reason is the route's own error; its log lies beside the product. A route that wrote
    ``job.output.with_suffix(...)`` or another name has to write exactly ``job.output``: ``filename=`` of the format
    says what that is called. A plugin that does not take every model offers one that it takes, with a function
    ``conformance_model()`` in its module.
    """
    ground.require(route)
    ground.made(route)


def nothing_else_is_written(ground: Ground, route: Route) -> None:
    """Nothing is left in the current folder, the home folder, the temporary folder or the rest of the workspace.

    The step runs with empty folders in their places. Files beside ``job.output`` belong to the product.

    If this fails: write below ``job.output.parent``. Tools that insist on a scratch folder get one there, removed at
    the end; what a library writes into the home folder can usually be switched off.
    """
    ground.require(route)
    product, _ = ground.made(route)
    if product.strays:
        raise NotMet(f"the step left or changed {', '.join(product.strays[:5])}")


def source_is_left_alone(ground: Ground, route: Route) -> None:
    """The source is the same afterwards: a file's bytes, a live model's weights.

    If this fails: work on a copy, or put back what you changed in a ``finally``.
    """
    ground.require(route)
    product, _ = ground.made(route)
    if product.source_changed:
        kind = "weights of the live model" if product.ready.artifact.model is not None else "source file"
        raise NotMet(f"the {kind} changed while {route.goal.name} was made")


def product_agrees_with_the_source(ground: Ground, route: Route) -> None:
    """What was made returns what its source returned, in some installed runtime, within the format's tolerance.

    Names, dtypes and shapes first, then numbers, at batch 1, stacked, and at other sizes of every dynamic axis: the
    verification that users get.

    If this fails: the reason names the output and the difference. A format of lower precision says so in
    ``Format(precision=...)``; axes that the product fixes are told with ``Made(signature=...)``.
    """
    ground.require(route)
    rows = ground.checked(route)
    if any(row.status == Status.OK for row in rows):
        return
    failed = [row for row in rows if row.status == Status.FAILED]
    if failed:
        runners = [ground.registry.route(row.route) for row in failed]
        mute = [ran(one) for one, row in zip(runners, failed, strict=True) if row.verification is None]
        causes = [f"{row.failure.cause if row.failure else 'it failed'}" for row in failed]
        raise NotMet("; ".join(dict.fromkeys(causes)), about=(*(agrees(route.id, one) for one in runners), *mute))
    told = [f"{row.runtime}: {row.failure.cause if row.failure else row.status}" for row in rows]
    raise NotHere("; ".join(told) or f"no installed plugin runs {route.goal.name} on this machine")
