"""``Record``, all that is known about one model's run, ↔ the plain data of ``status.yaml``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import attrs

from navcore.contract import Format, TensorSpec
from navcore.workspace.plain_data import from_data, to_data
from navcore.workspace.results import FormatResult, Outcome
from navcore.workspace.settings import Settings, valid_model_name
from navcore.workspace.status.export_config import config_from_data, config_to_data
from navcore.workspace.status.format_rows import row_from_data, row_to_data, signature_data, signature_to_data

if TYPE_CHECKING:
    from navcore.workspace.samples import Samples

FORMAT_VERSION = "1.0.0"
_GIT_KEYS = ("repository", "commit", "author", "email")


@attrs.frozen
class Record:
    """What ``status.yaml`` holds.

    ``uuid`` is random. ``timestamp`` is when the run began: UTC, ISO 8601 with microseconds, without a zone. ``source``
    is the format of the source model, ``source_key`` the digest under which work on it is remembered, and ``live`` says
    that it was a live model and no file. ``samples`` is ``None`` until samples were taken. ``results`` are in the order
    in which they were made, the source first. ``environment`` and ``git_info`` are plain data.
    """

    uuid: str
    timestamp: str
    settings: Settings
    source: Format
    source_key: str
    live: bool
    samples: Samples | None
    results: tuple[FormatResult, ...]
    environment: Mapping[str, Any]
    git_info: Mapping[str, Any]
    navcore_version: str


def record_to_data(record: Record) -> dict[str, Any]:
    """The file's content, keys in their order."""
    samples = record.samples
    signature = None if samples is None else samples.signature
    return {
        "format_version": FORMAT_VERSION,
        "uuid": record.uuid,
        "navcore_version": record.navcore_version,
        "git_info": {**dict.fromkeys(_GIT_KEYS), **record.git_info},
        "environment": dict(record.environment),
        "source": {**to_data(record.source), "key": record.source_key},
        "export_config": config_to_data(
            record.settings,
            source=record.source.name,
            live=record.live,
            timestamp=record.timestamp,
            signature=signature,
            batch_size=None if samples is None else samples.batch_size,
            results=record.results,
        ),
        "model_status": [row_to_data(row) for row in record.results],
        "input_metadata": [] if signature is None else [_spec_to_data(spec) for spec in signature.inputs],
        "output_metadata": [] if signature is None else [_spec_to_data(spec) for spec in signature.outputs],
        "samples": None if samples is None else _samples_to_data(samples),
    }


def record_from_data(data: Mapping[str, Any]) -> Record:
    """The record that :func:`record_to_data` wrote.

    Raises :class:`KeyError`, :class:`ValueError` or what cattrs raises when the data does not fit, also for a name or
    path that would lead out of the workspace.
    """
    config = data["export_config"]
    source = dict(data["source"])
    record = Record(
        uuid=str(data["uuid"]),
        timestamp=str(config["timestamp"]),
        settings=config_from_data(config),
        source_key=str(source.pop("key")),
        source=from_data(source, Format),
        live=bool(config["from_source"]),
        samples=_samples_from_data(data),
        results=tuple(row_from_data(entry) for entry in data["model_status"]),
        environment=dict(data["environment"]),
        git_info=dict(data["git_info"]),
        navcore_version=str(data["navcore_version"]),
    )
    _valid_places(record)
    return record


def _spec_to_data(spec: TensorSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "shape": list(spec.dimensions),
        "dtype": spec.dtype,
        "axes": [size if isinstance(size, str) else None for size in spec.shape],
    }


def _spec_data(entry: Mapping[str, Any]) -> dict[str, Any]:
    sizes = zip(entry["shape"], entry["axes"], strict=True)
    shape = [int(size) if symbol is None else str(symbol) for size, symbol in sizes]
    return {"name": entry["name"], "dtype": entry["dtype"], "shape": shape}


def _samples_to_data(samples: Samples) -> dict[str, Any]:
    data: dict[str, Any] = to_data(samples)
    signature = signature_to_data(data["signature"]) or {}
    told = ("inputs", "outputs")  # by input_metadata and output_metadata
    return {**data, "signature": {key: value for key, value in signature.items() if key not in told}}


def _samples_from_data(data: Mapping[str, Any]) -> Samples | None:
    from navcore.workspace.samples import Samples

    found = data["samples"]
    if found is None:
        return None
    specs = {side: [_spec_data(one) for one in data[f"{side[:-1]}_metadata"]] for side in ("inputs", "outputs")}
    return from_data({**found, "signature": {**(signature_data(found["signature"]) or {}), **specs}}, Samples)


def _valid_places(record: Record) -> None:
    """A status file may come from a stranger: nothing in it may name a place outside the workspace."""
    valid_model_name(record.settings.model_name)
    valid_file_name(record.source.filename)
    names = [row.format.name for row in record.results]
    for row in record.results:
        valid_file_name(row.format.filename)
        valid_inside(row.path)
        outcomes: list[Outcome | None] = [attempt.outcome for attempt in row.attempts]
        outcomes += [outcome for runtime in row.runtimes for outcome in (runtime.outcome, runtime.profiling)]
        for outcome in outcomes:
            valid_inside(outcome.log if outcome is not None else None)
        _refuse_twice(f"runtime of {row.format.name}", (runtime.runtime for runtime in row.runtimes))
    _refuse_twice("format", names)


def valid_file_name(name: str) -> None:
    """Raises :class:`ValueError` for a name that is not one entry of a folder."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"{name!r} is not the name of a file")


def valid_inside(path: str | None) -> None:
    """Raises :class:`ValueError` for a path that leads out of the folder it is relative to."""
    if path and (PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\0" in path):
        raise ValueError(f"{path!r} is not a path inside the workspace")


def _refuse_twice(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the {kind} {name!r} stands twice")
        seen.add(name)
