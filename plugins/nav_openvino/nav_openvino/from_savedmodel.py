"""OpenVINO IR from a SavedModel of TensorFlow's, without ONNX in between and without TensorFlow itself."""

from __future__ import annotations

import os

from nav_openvino.formats import OPENVINO
from nav_openvino.naming import in_order
from nav_openvino.options import Options
from nav_openvino.silence import openvino, why_no_openvino
from navcore import ConvertJob, converter


@converter("tf-savedmodel", OPENVINO, options=Options, available=why_no_openvino)
def openvino_from_tf_savedmodel(job: ConvertJob[Options]) -> None:
    """Read the folder's default signature and write it as IR, under the names that the tensors have everywhere else."""
    from nav_tf import keys_of  # whoever has such a folder has nav-tf, whose format it is; TensorFlow may be missing

    ov = openvino()
    model = ov.convert_model(os.fspath(job.source.file))
    for ports, names, what in (
        (model.inputs, job.signature.input_names, "inputs"),
        (model.outputs, job.signature.output_names, "outputs"),
    ):
        known = {name for port in ports for name in port.get_names()}
        recorded = keys_of(names, sorted(known), what)
        for port in ports:
            port.get_tensor().set_names({recorded[key] for key in port.get_names()})
    ov.save_model(in_order(model, job.signature), os.fspath(job.output), compress_to_fp16=job.options.fp16)
