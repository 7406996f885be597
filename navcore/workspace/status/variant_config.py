"""``config.yaml`` of one variant: how it was made and is called, as a file that can be fed back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from navcore.contract import Calling, Format, InnerPath, Signature, TensorSpec
from navcore.errors import PackageError
from navcore.workspace.argument import arguments_of
from navcore.workspace.atomic_files import write_text
from navcore.workspace.plain_data import from_data, to_data
from navcore.workspace.results import FormatResult
from navcore.workspace.settings import Settings
from navcore.workspace.status.boundaries import refuse_settings, refuse_signature
from navcore.workspace.status.export_config import asked_option, settings_from_data, settings_to_data
from navcore.workspace.status.file import about
from navcore.workspace.status.format_rows import signature_data, signature_to_data, variant_to_data
from navcore.workspace.status.yaml_reading import from_yaml, read_text
from navcore.workspace.status.yaml_text import to_yaml

if TYPE_CHECKING:
    from navcore.workspace.status.record import Record

FORMAT_VERSION = "1.0.0"
MODEL_VERSION = "1"
_TENSORRT_OPTIONS = MappingProxyType(
    {
        "tensorrt_precisions_mode": "precision_mode",
        "tensorrt_explicit_precision": "explicit_precision",
        "tensorrt_sparse_weights": "sparse_weights",
        "tensorrt_max_workspace_size": "max_workspace_size",
    }
)
_KEPT = tuple(name for name, one in arguments_of(Settings).items() if one.in_variant)
"""The settings that decide how a variant comes out, and how it is judged."""


@attrs.frozen
class VariantConfig:
    """What ``config.yaml`` says about one variant.

    ``model_path`` is relative to the workspace. ``signature`` and ``calling`` say how the stored model is called.
    ``route`` is the id of the route that made it from ``made_from``; both are empty for a source. ``facts`` are what
    that route recorded about its work, such as the opset it chose. ``asked`` is what the run was asked for, as far as
    it concerns this variant.
    """

    variant: Format
    model_path: InnerPath = attrs.field(converter=InnerPath)
    calling: Calling
    signature: Signature
    route: str
    made_from: str
    facts: Mapping[str, str]
    asked: Settings

    @property
    def model_name(self) -> str:
        return self.asked.model_name

    def settings(self, *, pin: Collection[str] = ()) -> Settings:
        """The settings that make this variant again, by the plugin that made it.

        ``pin`` names options of the variant's route. One that the user left open and that is among ``facts`` is set to
        what was chosen then, so that a newer plugin does not choose anew.
        """
        prefer = dict(self.asked.prefer)
        if self.route:
            prefer[self.variant.name] = self.route.partition(":")[0]
        names = (self.variant.family, self.variant.name)
        pinned = {
            name: _value(fact)
            for name, fact in self.facts.items()
            if name in pin and asked_option(self.asked, name, *names) is None
        }
        options = dict(self.asked.options)
        if pinned:
            options[self.variant.name] = {**options.get(self.variant.name, {}), **pinned}
        return attrs.evolve(self.asked, targets=(self.variant.name,), prefer=prefer, options=options)


def write_config(path: Path, record: Record, row: FormatResult) -> None:
    """Write ``config.yaml`` of the variant of ``row`` to ``path``, whole or not at all.

    The variant's signature is its own where it has one, else the source's; without either there is nothing to write
    and :class:`PackageError` is raised, as for a variant that has no file.
    """
    signature = row.signature or (record.samples.signature if record.samples is not None else None)
    if signature is None or row.path is None:
        raise PackageError(
            f"{row.format.name} has {'no file' if row.path is None else 'no signature'}, so there is no config.yaml "
            "to be written for it.",
            code="config-incomplete",
            who=str(path),
        )
    write_text(path, to_yaml(_config_to_data(_concerning(record, row), row, row.path, signature)))


def read_config(path: Path) -> VariantConfig:
    """The config in a file.

    Raises :class:`WorkspaceError` when there is no file, and :class:`PackageError` (code ``config-yaml``,
    ``config-version`` or ``config-shape``) when it cannot be understood.
    """
    with about(path, "config.yaml"):
        data = from_yaml(read_text(path))
        version = data.get("format_version")
        if version != FORMAT_VERSION:
            told = f"is of format version {version}" if version is not None else "has no format_version"
            raise PackageError(
                f"The file {told}; this navcore reads {FORMAT_VERSION}.",
                code="version",
                hint="If a newer navcore wrote it, install that." if version is not None else "Check the path.",
            )
        return _config_from_data(data)


def _concerning(record: Record, row: FormatResult) -> Settings:
    """The run's settings without what they say about formats that had no part in this variant."""
    rows: dict[str, FormatResult] = {one.format.name: one for one in record.results}
    formats, at = {record.source.name: record.source, row.format.name: row.format}, row
    while at.made_from in rows and at.made_from not in formats:
        at = rows[at.made_from]
        formats[at.format.name] = at.format
    if not row.made_from and row.format != record.source:
        return record.settings  # a row of an older version, which does not say what had a part in it
    part = {name for format in formats.values() for name in (format.name, format.family)}
    made = part if row.route else set()  # a file that is the source was not made, whatever options say

    def kept(values: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if key.partition("/")[0] in part}

    asked = record.settings
    options = {key: values for key, values in kept(asked.options).items() if "/" in key or key in made}
    return attrs.evolve(asked, options=options, runtimes=kept(asked.runtimes), prefer=kept(asked.prefer))


def _config_to_data(settings: Settings, row: FormatResult, path: str, signature: Signature) -> dict[str, Any]:
    asked = settings_to_data(settings)

    def used(option: str) -> Any:
        fact = row.facts.get(option)
        given = asked_option(settings, option, row.format.family, row.format.name)
        return given if fact is None else _value(fact)

    opset = used("opset")
    return {
        "format_version": FORMAT_VERSION,
        "model_name": settings.model_name,
        "model_path": path,
        "model_format": row.format.family,
        "model_version": MODEL_VERSION,
        "inputs": {spec.name: _tensor(spec) for spec in signature.inputs},
        "outputs": {spec.name: _tensor(spec) for spec in signature.outputs},
        "target_formats": [row.format.family],
        "onnx_opsets": None if opset is None else [opset],
        "tensorrt_precisions": None if row.format.precision is None else [row.format.precision],
        **{key: used(option) for key, option in _TENSORRT_OPTIONS.items()},
        "variant": variant_to_data(row.format, "family", "precision"),
        "precision": row.format.precision,
        "calling": row.calling,
        "signature": signature_to_data(to_data(signature)),
        "route": row.route,
        "made_from": row.made_from,
        "facts": dict(row.facts),
        **{key: asked[key] for key in _KEPT},
    }


def _config_from_data(data: Mapping[str, Any]) -> VariantConfig:
    variant = {**data["variant"], "family": data["model_format"], "precision": data["precision"]}
    # A file of an older release lacks what that release did not know.
    told = {key: data[key] for key in _KEPT if key in data}
    asked = {**settings_to_data(Settings()), **told, "model_name": data["model_name"]}
    config = from_data(
        {
            "variant": variant,
            "model_path": data["model_path"],
            "calling": data["calling"],
            "signature": signature_data(data["signature"]),
            "route": data["route"],
            "made_from": data["made_from"],
            "facts": data["facts"],
            "asked": {},
        },
        VariantConfig,
    )
    config = attrs.evolve(config, asked=settings_from_data({**asked, "targets": [config.variant.name]}))
    refuse_settings(config.asked)
    refuse_signature(config.signature)
    return config


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "shape": list(spec.dimensions), "dtype": spec.dtype, "optional": False}


def _value(fact: str | None) -> int | float | str | None:
    """Facts are recorded as text; an option that is a number takes a number."""
    if fact is None or not fact.isascii():
        return fact
    for kind in (int, float):
        try:
            return kind(fact)
        except ValueError:
            continue
    return fact
