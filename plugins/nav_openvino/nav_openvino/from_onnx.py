"""OpenVINO IR from an ONNX file."""

from __future__ import annotations

import os

from nav_openvino.formats import OPENVINO
from nav_openvino.options import Options
from nav_openvino.silence import openvino, why_no_openvino
from navcore import ConvertJob, converter


@converter("onnx", OPENVINO, options=Options, available=why_no_openvino)
def openvino_from_onnx(job: ConvertJob[Options]) -> None:
    """Read the graph and write it as IR; names and dynamic axes stay what they are."""
    ov = openvino()
    model = ov.Core().read_model(os.fspath(job.source.file))
    ov.save_model(model, os.fspath(job.output), compress_to_fp16=job.options.fp16)
