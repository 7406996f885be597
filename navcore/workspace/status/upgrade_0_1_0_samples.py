"""The metadata of a 0.1.0 file → the samples and metadata of version 1.0.0, as far as they can be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NOTE = (
    "Read from status.yaml of format version 0.1.0, which does not say which axes move together, nor how far the "
    "source is from itself."
)


def samples_data(old: Mapping[str, Any]) -> tuple[dict[str, Any] | None, dict[str, list[Any]]]:
    """The ``samples`` section, and the two lists of metadata by ``"input"`` and ``"output"``."""
    config = old.get("export_config") or {}
    metadata = {
        side: [_spec(entry, config) for entry in old.get(f"{side}_metadata") or ()] for side in ("input", "output")
    }
    if not metadata["input"]:
        return None, {"input": [], "output": []}
    axes: dict[str, dict[str, Any]] = {}
    for entry in (*metadata["input"], *metadata["output"]):
        for number, symbol in enumerate(entry["axes"]):
            if symbol is not None and symbol not in axes:
                axes[symbol] = _axis(symbol, entry["name"], number, config)
    samples = {
        "signature": {
            "axes": list(axes.values()),
            "call": {"args": [{"tensor": entry["name"]} for entry in metadata["input"]], "kwargs": []},
            "batch_dim": config.get("batch_dim"),
            "batch_symbol": _batch_symbol(metadata, config),
        },
        "counts": {},
        "batch_size": config.get("max_batch_size") or 1,
        "noise": {},
        "rows_independent": None,
        "notes": [_NOTE],
        "digest": "",
    }
    return samples, metadata


def _spec(entry: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    shape = [int(size) for size in entry["shape"]]
    names = _by_number((config.get("dynamic_axes") or {}).get(entry["name"]))
    axes = [
        None if size != -1 else names.get(number) or _symbol(entry["name"], number, config)
        for number, size in enumerate(shape)
    ]
    return {"name": str(entry["name"]), "shape": shape, "dtype": str(entry["dtype"]), "axes": axes}


def _symbol(tensor: str, number: int, config: Mapping[str, Any]) -> str:
    return "batch" if number == config.get("batch_dim") else f"{tensor}_dim{number}"


def _batch_symbol(metadata: Mapping[str, list[dict[str, Any]]], config: Mapping[str, Any]) -> str:
    number = config.get("batch_dim")
    for entry in metadata["input"]:
        if number is not None and -len(entry["axes"]) <= number < len(entry["axes"]) and entry["axes"][number]:
            return str(entry["axes"][number])
    return "batch"


def _axis(symbol: str, tensor: str, number: int, config: Mapping[str, Any]) -> dict[str, Any]:
    """Its range: the recorded triple of a TensorRT profile, else 1 to the largest batch, else 1 alone."""
    triple = _by_number((config.get("trt_dynamic_axes") or {}).get(tensor)).get(number)
    largest = (config.get("max_batch_size") or 1) if number == config.get("batch_dim") else 1
    minimum, typical, maximum = triple or (1, largest, largest)
    return {"symbol": symbol, "minimum": minimum, "typical": typical, "maximum": maximum, "declared": False}


def _by_number(axes: Any) -> dict[int, Any]:
    """Axis number → what is said about it; a list of axes says nothing."""
    return {int(number): value for number, value in axes.items()} if isinstance(axes, Mapping) else {}
