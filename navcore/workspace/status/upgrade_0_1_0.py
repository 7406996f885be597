"""``status.yaml`` 0.1.0, as the reference API's own program wrote it, → version 1.0.0.

Values that were not set are null there, or left out. What was not recorded stays unknown, and a note says so. Nothing
here is shared with the code that writes the current version: the shape of 1.0.0 is what this function has to keep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from navcore.contract import Format
from navcore.workspace.status.export_config import FRAMEWORKS
from navcore.workspace.status.upgrade_0_1_0_samples import samples_data

_STORED = (
    Format.ONNX, Format.TORCHSCRIPT, Format.TORCH_TRT, Format.TENSORRT, Format.TF_SAVEDMODEL, Format.TF_TRT,
)  # fmt: skip
_OPTIONS = (
    ("opset", "onnx"), ("max_workspace_size", "trt"), ("precision_mode", "trt"), ("minimum_segment_size", "tf-trt"),
)  # fmt: skip
_AS_IT_WAS = (
    "framework", "target_formats", "batch_dim", "_input_names", "_output_names", "max_batch_size",
    "max_workspace_size", "target_precisions", "precision_mode", "trt_dynamic_axes", "minimum_segment_size",
    "target_jit_type", "target_device", "opset", "dynamic_axes", "onnx_runtimes", "atol", "rtol",
)  # fmt: skip
_CATEGORIES = MappingProxyType({"export": "export", "convert": "conversion", "copy": "copy"})
_OLD_TOLERANCE = "Of the differences only atol and rtol were recorded."
_OLD_ROW = "Read from status.yaml of format version 0.1.0, which does not say by which route it was made."


def from_reference(old: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a 0.1.0 file as version 1.0.0 has it."""
    config = old.get("export_config") or {}
    git_info = dict(old.get("git_info") or {})
    samples, metadata = samples_data(old)
    targets = config.get("target_formats")
    return {
        "format_version": "1.0.0",
        "uuid": str(old.get("uuid") or ""),
        "navcore_version": "",
        "git_info": {**dict.fromkeys(("repository", "commit", "author", "email")), **git_info},
        "environment": dict(old.get("environment") or {}),
        "source": {**_format(_source(config), None, None), "key": ""},
        "export_config": _config(config, any(git_info.values())),
        "model_status": [_row(entry, targets) for entry in old.get("model_status") or ()],
        "ranking": None,
        "input_metadata": metadata["input"],
        "output_metadata": metadata["output"],
        "samples": samples,
    }


def _source(config: Mapping[str, Any]) -> str:
    word = config.get("framework")
    return next((name for name, framework in FRAMEWORKS.items() if framework == word), str(word))


def _format(family: str, jit_type: str | None, precision: str | None) -> dict[str, Any]:
    known = next((format for format in _STORED if format.name == family), Format(family))
    return {
        "name": "-".join(str(part) for part in (family, jit_type, precision) if part),
        "family": family,
        "filename": known.filename,
        "jit_type": jit_type,
        "precision": precision,
        "data_only": known.data_only,
        "suffixes": list(known.suffixes),
    }


def _config(config: Mapping[str, Any], git_info: bool) -> dict[str, Any]:
    options: dict[str, dict[str, Any]] = {}
    for option, target in _OPTIONS:
        if config.get(option) is not None:
            options.setdefault(target, {})[option] = config[option]
    runtimes = config.get("onnx_runtimes")
    live = _source(config) not in {format.name for format in _STORED}
    return {
        **{key: config.get(key) for key in _AS_IT_WAS},
        "model_name": config.get("model_name") or "navigator_model",
        "sample_count": config.get("sample_count") or 100,
        "seed": config.get("seed") or 0,
        "timestamp": str(config.get("timestamp") or ""),
        "from_source": live and bool(config.get("from_source", True)),
        "profiler_config": _profiler_config(config.get("profiler_config") or {}),
        "effort": "quick",
        "options": options,
        "axis_ranges": config.get("trt_dynamic_axes"),
        "runtimes": {} if runtimes is None else {"onnx": runtimes},
        "run_profiling": True,
        "batch_sizes": None,
        "ranking": True,
        "budget": 90.0,
        "threads": "auto",
        "callers": None,
        "profiler": "navcore",
        "prefer": {},
        "timeout": None,
        "memory_limit": None,
        "git_info": git_info,
    }


def _profiler_config(old: Mapping[str, Any]) -> dict[str, Any]:
    """The config as far as it can be used; count windows without a count were allowed then."""
    mode, count = old.get("measurement_mode") or "time_windows", old.get("measurement_request_count")
    if mode == "count_windows" and count is None:
        mode = "time_windows"
    return {
        "batch_sizes": old.get("batch_sizes"),
        "measurement_mode": mode,
        "measurement_interval": old.get("measurement_interval") or 5000,
        "measurement_request_count": count,
        "stability_percentage": old.get("stability_percentage") or 10.0,
        "max_trials": old.get("max_trials") or 10,
    }


def _row(entry: Mapping[str, Any], targets: Sequence[str] | None) -> dict[str, Any]:
    family, jit_type, precision = str(entry["format"]), entry.get("torch_jit"), entry.get("precision")
    variant = _format(family, jit_type, precision)
    runtimes = [_runtime(one) for one in entry.get("runtime_results") or ()]
    words = [one["status"] for one in runtimes]
    status = next((word for word in ("OK", "FAIL") if word in words), "SKIPPED")
    causes = [one["outcome"]["failure"] for one in runtimes if one["outcome"] is not None]
    return {
        "format": family,
        "path": entry.get("path"),
        "runtime_results": runtimes,
        "torch_jit": jit_type,
        "precision": precision,
        "variant": {key: variant[key] for key in ("name", "filename", "data_only", "suffixes")},
        "status": status,
        "route": "",
        "made_from": "",
        "requested": targets is None or family in targets,
        "live": False,
        "calling": "positional" if jit_type else "named",
        "signature": None,
        "attempts": [],
        "notes": [_OLD_ROW],
        "facts": {},
        "size": None,
        "failure": causes[0] if causes and status != "OK" else None,
        "elsewhere": False,
    }


def _runtime(entry: Mapping[str, Any]) -> dict[str, Any]:
    errors = {str(kind): str(text).strip() for kind, text in (entry.get("err_msg") or {}).items()}
    word = entry["status"] if entry["status"] in ("OK", "FAIL") else "SKIPPED"
    tolerance = entry.get("tolerance")
    if word == "FAIL" and tolerance is not None and set(errors) == {"performance"}:
        word = "OK"  # there a measurement that did not settle failed a format that was correct
    making = next((kind for kind in _CATEGORIES if kind in errors), None)
    return {
        "runtime": str(entry["runtime"]),
        "status": word,
        "err_msg": errors,
        "tolerance": None if tolerance is None else [_difference(one) for one in tolerance],
        "performance": [_performance(one) for one in entry.get("performance") or ()] or None,
        "verified": bool(entry.get("verified", False)),
        "verification": _verification(tolerance, errors.get("correctness")),
        "outcome": None if making is None else _failed(errors[making], _CATEGORIES[making]),
        "profiling": _failed(errors["performance"], "profiling") if "performance" in errors else None,
        "used_precision": None,
        "route": "",
        "provider": "",
        "threads": None,
        "notes": [],
        "machine": "",
        "metrics": [],
        "elsewhere": False,
        "concurrent": [],
        "judged_by": [],
    }


def _failed(cause: str, category: str) -> dict[str, Any]:
    failure = _failure(cause, category)
    return {
        "status": "FAIL", "seconds": 0.0, "peak_memory": None, "log": "", "failure": failure, "contained": True
    }  # fmt: skip


def _failure(cause: str, category: str) -> dict[str, Any]:
    return {"cause": cause, "category": category, "frame": "", "hint": ""}


def _verification(tolerance: Any, cause: str | None) -> dict[str, Any] | None:
    if tolerance is None and cause is None:
        return None
    return {
        "status": "OK" if cause is None else "FAIL",
        "compared": 0,
        "precision": "",
        "bound": None,
        "frozen_axes": [],
        "notes": [] if tolerance is None else [_OLD_TOLERANCE],
        "failure": None if cause is None else _failure(cause, "verification"),
        "only_numbers": False,
    }


def _difference(old: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "output_name": old["output_name"],
        "atol": old["atol"],
        "rtol": old["rtol"],
        "relative_l2": None,
        "cosine": None,
        "elements": 0,
        "differing": 0.0,
        "worst": "",
    }


def _performance(old: Mapping[str, Any]) -> dict[str, Any]:
    measured = (
        "batch_size", "avg_latency", "std_latency", "p50_latency", "p90_latency", "p95_latency", "p99_latency",
        "throughput", "request_count",
    )  # fmt: skip
    unknown: dict[str, Any] = {
        "windows": 0,
        "cold_start": None,
        "cpu_share": None,
        "switches": None,
        "interval": None,
        "notes": [],
    }
    return {**{key: old[key] for key in measured}, "stable": True, **unknown}
