"""Steps ↔ the plain data that a child reads: written at the door of one process, understood behind that of the next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from navcore.contract import Artifact, Signature
from navcore.errors import InputError
from navcore.execution.step import CheckStep, ChildStep, ConvertStep, MeasureStep, RouteCall, ServeStep
from navcore.registry import Candidate, Registry
from navcore.workspace import describe, from_data, to_data

_KINDS: Mapping[type[ChildStep], str] = {
    ConvertStep: "convert",
    CheckStep: "check",
    ServeStep: "serve",
    MeasureStep: "measure",
}


def request_of(step: ChildStep) -> dict[str, Any]:
    """A step as plain data, which :func:`step_from` understands."""
    own = [field.name for field in attrs.fields(type(step)) if field.name != "call"]
    return {
        "kind": _KINDS[type(step)],
        **call_to_data(step.call),
        **{name: to_data(getattr(step, name)) for name in own},
    }


def step_from(request: Mapping[str, Any], registry: Registry) -> ChildStep:
    """The step of a request.

    Raises :class:`PluginError` when its route is not installed, :class:`InputError` for a kind that is none, and what
    :func:`from_data` raises when the data does not fit.
    """
    kind, call = request["kind"], call_from_data(request, registry)
    if kind == "serve":
        return ServeStep(call, request["address"], request["key"])
    reference, workspace = from_data(request["reference"], Signature), Path(request["workspace"])
    if kind == "measure":
        counts = tuple(int(count) for count in request["thread_counts"])
        address, key, comparing = request["address"], request["key"], None
        if request["comparing"] is not None:
            from navcore.evaluation import VerifySettings

            comparing = from_data(request["comparing"], VerifySettings)
        return MeasureStep(call, reference, workspace, request["profiler"], counts, address, key, comparing)
    if kind == "convert":
        return ConvertStep(call, reference, workspace, Path(request["output"]))
    if kind != "check":
        raise InputError(f"a child was asked for {kind!r}, which is no kind of step.", who="navcore")
    from navcore.evaluation import MeasureSettings, VerifySettings

    verifying, measuring = request["verifying"], request["measuring"]
    return CheckStep(
        call,
        reference,
        workspace,
        None if verifying is None else from_data(verifying, VerifySettings),
        None if measuring is None else from_data(measuring, MeasureSettings),
        tuple(int(count) for count in request["thread_counts"]),
    )


def call_to_data(call: RouteCall) -> dict[str, Any]:
    """A call as plain data, which :func:`call_from_data` understands. A live model cannot be told."""
    return dict(to_data(call))


def call_from_data(data: Mapping[str, Any], registry: Registry) -> RouteCall:
    """The call, with the format and the options as the installed plugins know them."""
    route = registry.route(data["route"])
    artifact = from_data(data["artifact"], Artifact)
    known = {format.name: format for format in registry.formats}
    return RouteCall(
        route=route.id,
        artifact=attrs.evolve(artifact, format=known.get(artifact.format.name, artifact.format)),
        options=None if route.options is None else from_data(data["options"], route.options),
        device=data["device"],
        threads=data["threads"],
        log_dir=Path(data["log_dir"]),
        framework=data["framework"],
        cache_dir=None if data["cache_dir"] is None else Path(data["cache_dir"]),
        imports=tuple(data["imports"]),
    )


def announced_in(request: Mapping[str, Any]) -> tuple[Candidate, ...] | None:
    """The plugins that the parent found announced, or ``None`` where it did not look."""
    told = request.get("announced")
    return None if told is None else from_data(told, tuple[Candidate, ...])


def failed_result(error: BaseException) -> dict[str, Any]:
    """What a child that raised leaves as its result."""
    return {"failure": to_data(describe(error))}
