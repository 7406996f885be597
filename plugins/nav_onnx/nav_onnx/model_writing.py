"""Writes a model that is in memory: in one file, or with its large weights in a file beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nav_onnx.cast_source import set_aside, stub

if TYPE_CHECKING:
    from onnx import ModelProto

INLINE_LIMIT = 2**31 - 2**20
"""Protobuf ends at 2 GiB."""
_ALIGNMENT = 4096  # a page, so that runtimes can map weights instead of reading them


def write_model(model: ModelProto, output: Path, data: Path) -> None:
    """Write the model to ``output``; from :data:`INLINE_LIMIT` bytes on its large weights go to ``data`` beside it."""
    from onnx import numpy_helper

    light, heavy = set_aside(model)
    sizes = sum(len(weight.raw_data) or weight.ByteSize() for weight in heavy.values())
    if light.ByteSize() + sizes < INLINE_LIMIT:
        output.write_bytes(model.SerializeToString())
        return
    with data.open("wb") as file:
        for weight in light.graph.initializer:
            if weight.name not in heavy:
                continue
            whole = heavy[weight.name]
            content = whole.raw_data or numpy_helper.to_array(whole).tobytes()
            file.seek(-file.tell() % _ALIGNMENT, os.SEEK_CUR)
            place = {"location": data.name, "offset": str(file.tell()), "length": str(len(content))}
            weight.CopyFrom(stub(whole, **place))
            file.write(content)
    output.write_bytes(light.SerializeToString())


def store_model(model: ModelProto, path: Path) -> Path:
    """Write the model to ``path``, its data to ``<path>.data``, in place of what is there; gives the path."""
    data = path.with_name(f"{path.name}.data")
    path.unlink(missing_ok=True)
    data.unlink(missing_ok=True)
    write_model(model, path, data)
    return path
