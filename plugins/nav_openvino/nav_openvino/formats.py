"""The formats that this plugin brings: a graph with its weights, as it was exported, and quantised to 8 bits."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from nav_openvino.silence import openvino
from navcore import Format


def load_model(path: Path) -> Any:
    """Open a stored model as an ``openvino.Model``."""
    return openvino().Core().read_model(os.fspath(path))


def model_files(path: Path) -> tuple[Path, Path]:
    """The graph and the weights, which OpenVINO looks for beside it."""
    return path, path.with_suffix(".bin")


def copy_model(source: Path, output: Path) -> None:
    """Copy a stored model, its weights included."""
    for part, copy in zip(model_files(source), model_files(output), strict=True):
        shutil.copyfile(part, copy)


OPENVINO = Format(
    "openvino",
    filename="model.xml",
    data_only=True,
    suffixes=(".xml",),
    summary="OpenVINO IR",
    load=load_model,
    files=model_files,
    copy=copy_model,
)
OPENVINO_INT8 = Format(
    "openvino-int8",
    family=OPENVINO.family,
    filename=OPENVINO.filename,
    precision="int8",
    data_only=True,
    summary="OpenVINO IR, quantised to 8 bits on the user's data",
    load=load_model,
    files=model_files,
    copy=copy_model,
)
