"""One row of results ↔ one entry of ``model_status``: the reference's keys first, ours beside them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from navcore.contract import Format
from navcore.workspace.plain_data import from_data, to_data
from navcore.workspace.results import FormatResult, RuntimeResult, Status
from navcore.workspace.status.yaml_text import spelled, unspelled

WORDS: Mapping[str, str] = MappingProxyType(
    {
        Status.OK.value: "OK",
        Status.FAILED.value: "FAIL",
        Status.SKIPPED.value: "SKIPPED",
        Status.UNAVAILABLE.value: "UNAVAILABLE",
        Status.UNVERIFIED.value: "UNVERIFIED",
    }
)
"""The words of the file for each status; the first three are the reference's."""

_VALUES = MappingProxyType({word: value for value, word in WORDS.items()})
_ERROR_KINDS = MappingProxyType({"export": "export", "conversion": "convert", "copy": "copy"})


def row_to_data(row: FormatResult) -> dict[str, Any]:
    """The entry of one format."""
    data = to_data(row)
    for key in ("format", "runtimes"):
        del data[key]
    return {
        "format": row.format.family,
        "path": data.pop("path"),
        "runtime_results": [_runtime_to_data(runtime) for runtime in row.runtimes],
        "torch_jit": None if row.format.jit_type is None else row.format.jit_type.value,
        "precision": row.format.precision,
        "variant": variant_to_data(row.format, "family", "jit_type", "precision"),
        **data,
        "status": WORDS[row.status.value],
        "signature": signature_to_data(data["signature"]),
        "attempts": [{**attempt, "outcome": _said(attempt["outcome"])} for attempt in data["attempts"]],
    }


def row_from_data(entry: Mapping[str, Any]) -> FormatResult:
    """The row that :func:`row_to_data` wrote. Raises :class:`KeyError`, or what cattrs raises, when it does not fit."""
    data = _heard(entry)
    traits = {"family": data["format"], "jit_type": data.pop("torch_jit"), "precision": data.pop("precision")}
    data["format"] = {**data.pop("variant"), **traits}
    data["runtimes"] = [_runtime_data(runtime) for runtime in data.pop("runtime_results")]
    data["attempts"] = [{**attempt, "outcome": _heard(attempt["outcome"])} for attempt in data["attempts"]]
    data["signature"] = signature_data(data["signature"])
    return from_data(data, FormatResult)


def variant_to_data(format: Format, *told: str) -> dict[str, Any]:
    """A format's data without what other keys beside it tell."""
    return {key: value for key, value in to_data(format).items() if key not in told}


def signature_to_data(signature: dict[str, Any] | None) -> dict[str, Any] | None:
    """A signature's plain data, its constants spelled so that they survive YAML."""
    return None if signature is None else {**signature, "call": spelled(signature["call"])}


def signature_data(data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The plain data that :func:`signature_to_data` was given."""
    return None if data is None else {**data, "call": unspelled(data["call"])}


def _said(data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A mapping with a status, in the file's words."""
    return None if data is None else {**data, "status": WORDS[data["status"]]}


def _heard(data: Mapping[str, Any] | None) -> Any:
    return None if data is None else {**data, "status": _VALUES[data["status"]]}


def _runtime_to_data(runtime: RuntimeResult) -> dict[str, Any]:
    data = to_data(runtime)
    verification = _said(data.pop("verification"))
    differences = None if verification is None else verification.pop("differences")
    return {
        "runtime": data.pop("runtime"),
        "status": WORDS[data.pop("status")],
        "err_msg": _errors(runtime),
        "tolerance": None if differences is None else [_renamed(one, "output", "output_name") for one in differences],
        "performance": data.pop("performance") or None,
        "verified": data.pop("verified"),
        "verification": verification,
        "outcome": _said(data.pop("outcome")),
        "profiling": _said(data.pop("profiling")),
        "used_precision": data.pop("precision"),
        **data,
    }


def _runtime_data(entry: Mapping[str, Any]) -> dict[str, Any]:
    data = _heard(entry)
    verification, tolerance = _heard(data["verification"]), data.pop("tolerance")
    if verification is not None:
        verification["differences"] = [_renamed(one, "output_name", "output") for one in tolerance or ()]
    del data["err_msg"]
    return {
        **data,
        "verification": verification,
        "performance": data["performance"] or [],
        "outcome": _heard(data["outcome"]),
        "profiling": _heard(data["profiling"]),
        "precision": data.pop("used_precision"),
    }


def _renamed(data: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new: data[old], **{key: value for key, value in data.items() if key != old}}


def _errors(runtime: RuntimeResult) -> dict[str, str]:
    """The causes under the reference's kinds of steps; the failures themselves, with all they hold, stand beside."""
    errors: dict[str, str] = {}
    checked = runtime.verification.failure if runtime.verification is not None else None
    if runtime.judged_by:
        checked = runtime.failure if runtime.status == Status.FAILED else None
    ran = runtime.outcome.failure if runtime.outcome is not None else None
    measured = runtime.profiling.failure if runtime.profiling is not None else None
    if ran is not None:
        errors[_ERROR_KINDS.get(ran.category, "correctness")] = ran.cause
    if checked is not None:
        errors["correctness"] = checked.cause
    if measured is not None:
        errors["performance"] = measured.cause
    return errors
