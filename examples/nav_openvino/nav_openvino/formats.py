"""The format that this plugin brings, and what can be set for making and running it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Literal

import attrs

from nav_openvino.silence import openvino
from navcore import Format
from navcore.contract import harmless


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
_HINTS = ("latency", "throughput")


@attrs.frozen
class Options:
    """``fp16`` stores the weights in half the space; how precisely they are computed with is the runtime's affair."""

    fp16: bool = attrs.field(
        default=False, validator=attrs.validators.instance_of(bool), metadata=harmless(False, True)
    )


@attrs.frozen
class RuntimeOptions:
    """``hint`` tells OpenVINO what to arrange itself for."""

    hint: Literal["latency", "throughput"] = attrs.field(default="latency", validator=attrs.validators.in_(_HINTS))
