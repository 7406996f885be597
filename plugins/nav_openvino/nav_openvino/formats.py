"""The formats that this plugin brings: a graph with its weights, as it was exported, and quantised to 8 bits."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

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


def model_regions(path: Path) -> Mapping[Path, Sequence[tuple[int, int]]]:
    """Where the constants lie in the file with the weights: the graph says so, which is XML."""
    weights = model_files(path)[1]
    found = []
    for _, element in ElementTree.iterparse(path):
        if element.tag == "data" and "offset" in element.attrib and "size" in element.attrib:
            found.append((int(element.attrib["offset"]), int(element.attrib["size"])))
            element.clear()
    return {weights: found}


OPENVINO = Format(
    "openvino",
    filename="model.xml",
    data_only=True,
    suffixes=(".xml",),
    summary="OpenVINO IR",
    load=load_model,
    files=model_files,
    copy=copy_model,
    regions=model_regions,
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
    regions=model_regions,
)
