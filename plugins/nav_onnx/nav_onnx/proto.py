"""Parse an ONNX file as it stands, its external weights left where they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from navcore import InputError

if TYPE_CHECKING:
    from onnx import ModelProto


def read_proto(path: Path) -> ModelProto:
    """The model as it stands in the file, external weights left where they are.

    Raises :class:`InputError` when the file is absent or is not an ONNX model.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(os.fspath(path), format="protobuf", load_external_data=False)
    except FileNotFoundError as error:
        raise InputError(f"There is no file {os.fspath(path)!r}.", hint="Check the path.") from error
    except DecodeError as error:
        raise _not_onnx(path) from error
    # Every field of a protobuf is optional: an empty file parses, and so do quite a few others.
    if not model.ir_version or not model.HasField("graph"):
        raise _not_onnx(path)
    return model


def _not_onnx(path: Path) -> InputError:
    return InputError(
        "This is not an ONNX model, or the file is damaged.", who=path.name, hint="Export or download it again."
    )
