"""The work of ``diverges`` in a process of its own: requests and answers are plain data.

A model from elsewhere is parsed and run here, where a crash or an endless loop ends nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from nav_onnx.layer_values import Inside, inside, portions
from nav_onnx.model_file import ONNX
from nav_onnx.proto import read_proto
from nav_onnx.sample_runs import array_distance
from nav_onnx.value_graph import bodies, module_values, shared_values
from navcore import Artifact, Feeds, Signature, TensorSpec
from navcore.contract import dtype_named

_TENSORS = "tensor("
_TEXT = "tensor(string)"
_Found = dict[str, "Gap"]


@attrs.define
class Gap:
    """How far one value is off, on the sample on which it is farthest off."""

    error: float = 0.0
    max_abs: float = 0.0
    sample: int = 0
    is_float: bool = True

    def widen(self, wanted: np.ndarray[Any, Any], found: np.ndarray[Any, Any], sample: int) -> None:
        """Take in what came of one more sample."""
        self.is_float = wanted.dtype.kind in "fc"
        error = array_distance(wanted, found)
        self.max_abs = max(self.max_abs, _largest(wanted, found))
        if error > self.error:
            self.error, self.sample = error, sample


def _largest(wanted: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> float:
    if wanted.shape != found.shape:
        return float("inf")
    if wanted.size == 0:
        return 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        gaps = np.abs(wanted.astype(np.float64) - found.astype(np.float64))
    finite = gaps[np.isfinite(gaps)]
    return float(finite.max()) if finite.size else 0.0


def compared_files(given: Mapping[str, Any]) -> dict[str, Any]:
    """Hold the values of one file against those of another, of which it was made."""
    folder = Path(given["folder"])
    reference, row = (_inside(given, name, folder / name) for name in ("reference", "row"))
    shared = shared_values(reference.model, row.model)
    types, other_types = (
        model.types([getattr(value, which) for value in shared])
        for model, which in ((reference, "name"), (row, "counterpart"))
    )
    values = [
        value
        for value in shared
        if _is_comparable(types.get(value.name)) and _is_comparable(other_types.get(value.counterpart))
    ]
    found: _Found = {value.name: Gap() for value in values}
    sizes = reference.sizes(list(found), list(_samples(given)))
    counterparts = {value.name: value.counterpart for value in values}
    for names in portions(list(found), sizes):
        first = reference.giving(names, types)
        others = [counterparts[name] for name in names]
        second = row.giving(others, other_types)
        for number, feeds in enumerate(_samples(given)):
            wanted, other = first(feeds), second(feeds)
            for name in names:
                found[name].widen(wanted[name], other[counterparts[name]], number)
    return {
        "values": [attrs.asdict(value) for value in shared],
        "gaps": {name: attrs.asdict(gap) for name, gap in found.items()},
        "left_out": len([value for value in shared if value.name not in found]),
        "only_there": len({name for node in reference.model.graph.node for name in node.output if name})
        - len({value.name for value in shared}),
        "bodies": bodies(reference.model),
    }


def values_of_modules(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values that modules of the source return, by the names that the exporter kept."""
    model = read_proto(Path(given["row"]["path"]))
    values = module_values(model, frozenset(given["modules"]))
    return {"values": [attrs.asdict(value) for value in values], "bodies": bodies(model)}


def compared_arrays(given: Mapping[str, Any]) -> dict[str, Any]:
    """Hold values of the file against arrays, one file of them per sample."""
    row = _inside(given, "row", Path(given["folder"]))
    names = list(given["names"])
    types = row.types(names)
    known = [name for name in names if _is_comparable(types.get(name))]
    found: _Found = {name: Gap() for name in known}
    call = row.giving(known, types)
    for number, feeds in enumerate(_samples(given)):
        values = call(feeds)
        with np.load(given["expected"][number], allow_pickle=False) as wanted:
            for name in known:
                found[name].widen(wanted[f"arr_{names.index(name)}"], values[name], number)
    return {name: attrs.asdict(gap) for name, gap in found.items()}


def _is_comparable(kind: str | None) -> bool:
    return kind is not None and kind.startswith(_TENSORS) and kind != _TEXT


def _inside(given: Mapping[str, Any], which: str, folder: Path) -> Inside:
    inputs = tuple(TensorSpec(name, dtype, tuple(shape)) for name, dtype, shape in given["inputs"])
    told = given[which]
    return inside(Artifact(ONNX, Signature(inputs, ()), path=Path(told["path"]), calling=told["calling"]), folder)


def _samples(given: Mapping[str, Any]) -> Iterator[Feeds]:
    dtypes = {name: dtype_named(dtype) for name, dtype, _ in given["inputs"]}
    names: Sequence[str] = list(dtypes)
    for path in given["samples"]:
        with np.load(path, allow_pickle=False) as arrays:
            stored = {name: arrays[f"arr_{number}"] for number, name in enumerate(names)}
        yield {
            name: array if array.dtype == dtypes[name] else array.view(dtypes[name]) for name, array in stored.items()
        }
