"""Runs an ONNX file for the values inside it, a few at a time: their numbers may be far more than the weights."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from nav_onnx.calling import bind
from nav_onnx.external_data import external_tensors, location_parts, safe_locations
from nav_onnx.model_file import element_types, refuse_dangerous
from nav_onnx.proto import read_proto
from nav_onnx.sample_runs import giving
from nav_onnx.session import RuntimeOptions, open_session
from navcore import Artifact, Feeds, RuntimeProvider

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession

AT_ONCE = 64 << 20
"""Bytes of values that one run hands out, as far as it is not one value that is larger."""
_LOW = ("tensor(float16)", "tensor(bfloat16)")
_HEAVY = 16 << 20  # bytes; a file with more has its weights put beside it once, and not into every copy of its graph
_ITEM = 8  # bytes of the largest number
Array = np.ndarray[Any, Any]


@attrs.frozen(eq=False)
class Inside:
    """A model of which any value can be had: ``model`` has its graph, the weights are in files beside ``path``."""

    path: Path
    model: ModelProto
    artifact: Artifact
    low: bool

    def _session(self, model: ModelProto) -> InferenceSession:
        self.path.write_bytes(model.SerializeToString())
        return open_session(
            self.path, RuntimeProvider.CPU, RuntimeOptions(), threads=None, device=None, low=self.low, quiet=True
        )

    def types(self, names: Sequence[str]) -> Mapping[str, str]:
        """The types of values as ONNX Runtime finds them, ``tensor(float)`` for example; nothing is run."""
        session = self._session(giving(self.model, names))
        return {node.name: node.type for node in session.get_outputs() if node.name in set(names)}

    def sizes(self, names: Sequence[str], samples: Sequence[Feeds]) -> Mapping[str, int]:
        """At most how many numbers each value has on the samples. The graph counts them: no value is handed out."""
        from onnx import helper

        asked = [f"navcore size {number}" for number in range(len(names))]
        counting = giving(self.model, ())
        del counting.graph.output[:]
        for name, size in zip(names, asked, strict=True):
            counting.graph.node.append(helper.make_node("Size", [name], [size]))
            counting.graph.output.add().name = size
        call = self._call(counting, asked)
        found = dict.fromkeys(names, 0)
        for feeds in samples:
            for name, count in zip(names, call(feeds), strict=True):
                found[name] = max(found[name], int(count))
        return found

    def giving(self, names: Sequence[str], types: Mapping[str, str]) -> Callable[[Feeds], Mapping[str, Array]]:
        """A call that gives these values; those of 16 bits as float32, which numpy knows."""
        from onnx import TensorProto, helper

        asked = [f"navcore float {name}" if types[name] in _LOW else name for name in names]
        model = giving(self.model, [name for name in names if types[name] not in _LOW])
        for name, wide in zip(names, asked, strict=True):
            if wide != name:
                model.graph.node.append(helper.make_node("Cast", [name], [wide], to=TensorProto.FLOAT))
                model.graph.output.add().name = wide
        call = self._call(model, asked)
        return lambda feeds: dict(zip(names, call(feeds), strict=True))

    def _call(self, model: ModelProto, asked: Sequence[str]) -> Callable[[Feeds], list[Array]]:
        session = self._session(model)
        fed_from = bind(session, self.artifact).fed_from

        def call(feeds: Feeds) -> list[Array]:
            results: list[Array] = session.run(
                list(asked), {name: feeds[source] for name, source in fed_from.items() if source in feeds}
            )
            return results

        return call


def inside(artifact: Artifact, folder: Path) -> Inside:
    """The model to look into; ``folder`` is new, and gets a copy of its graph. Weights are linked, or copied once.

    Raises :class:`InputError` for a file that may not be loaded.
    """
    import onnx

    folder.mkdir(parents=True)
    source = artifact.file
    refuse_dangerous(source)
    low = bool({"float16", "bfloat16"} & element_types(source))
    path = folder / "inside.onnx"
    graph = read_proto(source)
    if not any(external_tensors(graph, source)) and source.stat().st_size > _HEAVY:
        onnx.save_model(graph, path, save_as_external_data=True, location="inside.data")
        graph = read_proto(path)
    else:
        for location in safe_locations(graph, source):
            parts = location_parts(location, source)
            folder.joinpath(*parts[:-1]).mkdir(parents=True, exist_ok=True)
            _linked(source.parent.joinpath(*parts), folder.joinpath(*parts))
    return Inside(path, graph, artifact, low)


def _linked(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def portions(names: Sequence[str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """The names in order, as many at a time as :data:`AT_ONCE` allows."""
    part: list[str] = []
    taken = 0
    for name in names:
        size = sizes[name] * _ITEM
        if part and taken + size > AT_ONCE:
            yield part
            part, taken = [], 0
        part.append(name)
        taken += size
    if part:
        yield part
