"""What the package's own runner has to know in the server, as a file of JSON beside the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from navcore import (
    Artifact,
    Axis,
    InputError,
    PluginError,
    Runner,
    RunnerJob,
    Signature,
    TensorSpec,
    Unavailable,
    load_registry,
)

FILE = "navcore.json"
MODEL_FOLDER = "model"
ASSETS_FOLDER = "assets"
_VERSION = 1


def described(job: RunnerJob[Any]) -> str:
    """The content of :data:`FILE`. Raises :class:`InputError` for options that are no plain data."""
    artifact = job.artifact
    data = {
        "version": _VERSION,
        "format": artifact.format.name,
        "filename": artifact.file.name,
        "runtime": str(job.runtime),
        "calling": artifact.calling,
        "signature": attrs.asdict(artifact.signature),
        "facts": dict(artifact.facts),
        "assets": sorted(artifact.assets),
        "options": None if job.options is None else attrs.asdict(job.options),
        "device": job.device,
        "threads": job.threads,
    }
    try:
        return json.dumps(data, indent=1) + "\n"
    except TypeError as error:
        raise InputError(f"The options of {job.runtime} cannot be written to {FILE}: {error}.") from error


def opened(folder: Path, log_dir: Path) -> tuple[Runner, Signature]:
    """The runner that :func:`described` wrote down in a version's folder, loaded, and what it takes and returns.

    Raises :class:`Unavailable` when nothing that is installed in this Python runs the format in that runtime, with the
    reason.
    """
    data: Mapping[str, Any] = json.loads((folder / FILE).read_text())
    if data["version"] != _VERSION:
        raise PluginError(f"{FILE} is of version {data['version']}, and this nav-triton reads {_VERSION}.")
    registry = load_registry()
    routes = [
        route
        for route in sorted(registry.routes, key=lambda route: (route.cost, route.id))
        if (route.hook, route.source, route.runtime) == ("make_runner", data["format"], data["runtime"])
    ]
    reasons = [registry.unavailable(route) for route in routes]
    route = next((one for one, reason in zip(routes, reasons, strict=True) if not reason), None)
    if route is None:
        why = reasons[0] if reasons else "the plugin that brings it is not installed in the server's Python"
        raise Unavailable(f"{data['format']} cannot run in {data['runtime']} here: {why}.")
    model = folder / MODEL_FOLDER
    assets = {name: model / ASSETS_FOLDER / name for name in data["assets"]}
    artifact = Artifact(
        registry.format(data["format"]), _signature(data["signature"]), model / data["filename"],
        None, data["calling"], data["facts"], assets,
    )  # fmt: skip
    options = None if data["options"] is None or route.options is None else route.options(**data["options"])
    job: RunnerJob[Any] = RunnerJob(artifact, route.runtime, options, data["device"], data["threads"], log_dir)
    runner: Runner = registry.ask("make_runner", job, route)
    return runner, artifact.signature


def _signature(data: Mapping[str, Any]) -> Signature:
    sides = {
        side: tuple(TensorSpec(one["name"], one["dtype"], tuple(one["shape"])) for one in data[side])
        for side in ("inputs", "outputs")
    }
    axes = tuple(Axis(**one) for one in data["axes"])
    return Signature(
        **sides, axes=axes, call=data["call"], batch_dim=data["batch_dim"], batch_symbol=data["batch_symbol"]
    )
