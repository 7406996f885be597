"""What a run was asked for ↔ ``export_config``: the reference's keys, then the settings that it does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from navcore.workspace.argument import arguments_of
from navcore.workspace.plain_data import from_data, to_data
from navcore.workspace.results import FormatResult
from navcore.workspace.settings import Settings
from navcore.workspace.status.yaml_text import spelled, unspelled

if TYPE_CHECKING:
    from navcore.contract import Format, Signature

FRAMEWORKS: Mapping[str, str] = MappingProxyType({"torch": "pytorch", "tensorflow": "tensorflow2", "onnx": "onnx"})
"""The reference's word for the format of a source; any other source goes by its format's own name."""


def framework_word(source: Format) -> str:
    """The reference's word for the framework of a source of that format."""
    return FRAMEWORKS.get(source.name, source.name)


SEED = 0
_TWINS = MappingProxyType({one.reference: name for name, one in arguments_of(Settings).items() if one.reference})
"""Reference key → the field of :class:`Settings` that it holds."""


def settings_to_data(settings: Settings) -> dict[str, Any]:
    """Plain data of the settings, in which free-form values survive YAML."""
    data: dict[str, Any] = to_data(settings)
    return {**data, "options": spelled(data["options"])}


def settings_from_data(data: Mapping[str, Any]) -> Settings:
    """The settings that :func:`settings_to_data` was given. Raises what cattrs raises when the data does not fit."""
    return from_data(
        {
            **data,
            "options": unspelled(data["options"]),
            "dynamic_axes": axes_by_number(data["dynamic_axes"]),
            "axis_ranges": _ranges(data["axis_ranges"]),
        },
        Settings,
    )


def config_to_data(
    settings: Settings,
    *,
    source: str,
    live: bool,
    timestamp: str,
    signature: Signature | None,
    batch_size: int | None,
    results: Sequence[FormatResult],
) -> dict[str, Any]:
    """The section. What it tells beyond the settings repeats other keys of the file, for readers of the reference's."""
    data = settings_to_data(settings)
    twins = {key: data.pop(field) for key, field in _TWINS.items()}
    formats = [row.format for row in results if row.requested]
    return {
        "framework": FRAMEWORKS.get(source, source),
        **{key: twins.pop(key) for key in ("model_name", "target_formats", "sample_count", "batch_dim")},
        "seed": SEED,
        "timestamp": timestamp,
        **{key: twins.pop(key) for key in ("_input_names", "_output_names")},
        "from_source": live,
        "max_batch_size": batch_size,
        "profiler_config": twins.pop("profiler_config"),
        "max_workspace_size": asked_option(settings, "max_workspace_size"),
        "target_precisions": _traits([format.precision for format in formats]),
        "precision_mode": asked_option(settings, "precision_mode"),
        "trt_dynamic_axes": _triples(signature),
        "minimum_segment_size": asked_option(settings, "minimum_segment_size"),
        "target_jit_type": _traits([format.jit_type for format in formats]),
        "target_device": twins.pop("target_device"),
        "opset": asked_option(settings, "opset"),
        "dynamic_axes": twins.pop("dynamic_axes"),
        "onnx_runtimes": data["runtimes"].get("onnx"),
        **twins,
        **data,
    }


def config_from_data(data: Mapping[str, Any]) -> Settings:
    """The settings in the section. Raises :class:`KeyError`, or what cattrs raises, when it does not fit."""
    own = {field: data[key] for key, field in _TWINS.items()}
    return settings_from_data({**data, **own})


def asked_option(settings: Settings, option: str, *targets: str) -> Any:
    """The value that the user gave to an option of ``targets`` (of any target, without them), or ``None``."""
    for target, values in settings.options.items():
        if option in values and (not targets or target in targets):
            return values[option]
    return None


def axes_by_number(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """``{tensor: {axis: …}}`` with axes as numbers, which the file writes as text; lists stay as they are."""
    if given is None:
        return None
    return {
        name: {int(axis): part for axis, part in axes.items()} if isinstance(axes, Mapping) else axes
        for name, axes in given.items()
    }


def _ranges(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    numbered = axes_by_number(given)
    if numbered is None:
        return None
    return {
        name: {axis: tuple(range) for axis, range in part.items()} if isinstance(part, Mapping) else tuple(part)
        for name, part in numbered.items()
    }


def _traits(found: Sequence[str | None]) -> list[str] | None:
    return sorted({str(trait) for trait in found if trait is not None}) or None


def _triples(signature: Signature | None) -> dict[str, Any] | None:
    """Per input and moving axis (minimum, typical, maximum): the shapes of a TensorRT profile."""
    if signature is None:
        return None
    ranges = {axis.symbol: [axis.minimum, axis.typical, axis.maximum] for axis in signature.axes}
    return {
        spec.name: {str(axis): ranges[size] for axis, size in enumerate(spec.shape) if size in ranges}
        for spec in signature.inputs
        if any(size in ranges for size in spec.shape)
    }
