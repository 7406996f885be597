"""``Record``, all that is known about one model's run, ↔ the plain data of ``status.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from navcore.contract import Format, TensorSpec
from navcore.workspace.plain_data import from_data, to_data
from navcore.workspace.ranking import Ranking
from navcore.workspace.results import FormatResult
from navcore.workspace.settings import Settings
from navcore.workspace.status.boundaries import refuse_rows, refuse_samples, refuse_settings
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
    in which they were made, the source first; ``ranking`` says which of them are faster, where they were measured in
    turn. ``environment`` and ``git_info`` are plain data.
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
    ranking: Ranking | None = None


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
        "ranking": to_data(record.ranking),
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
        ranking=None if data.get("ranking") is None else from_data(data["ranking"], Ranking),
    )
    refuse_settings(record.settings)
    refuse_rows(record.results)
    if record.samples is not None:
        refuse_samples(record.samples)
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
