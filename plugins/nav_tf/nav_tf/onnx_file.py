"""Convert a SavedModel to ONNX."""

from __future__ import annotations

from nav_tf.forecast import LARGE, refuse_too_large, weight_bytes
from nav_tf.formats import TF_SAVEDMODEL
from nav_tf.installed import why_no_tensorflow
from nav_tf.onnx_repair import (
    at_opset,
    group_convolutions,
    name_axes,
    order_tensors,
    refuse_complex,
    refuse_invalid,
    refuse_unknown_operators,
    rename_tensors,
    settled,
)
from nav_tf.opset import CONVERTED, OnnxOptions, chosen_opset
from nav_tf.quiet import hushed
from nav_tf.serving import Serving, keys_of, open_serving
from nav_tf.tf2onnx_graph import convert, freeze, surroundings
from navcore import ConvertJob, Format, Made, Signature, converter


@converter(TF_SAVEDMODEL, Format.ONNX, options=OnnxOptions, cost=1.0, available=why_no_tensorflow)
def onnx_from_tf_savedmodel(job: ConvertJob[OnnxOptions]) -> Made:
    """Convert with tf2onnx, name what it left unnamed, and refuse what is not valid ONNX."""
    refuse_complex(job.signature)
    opset = chosen_opset(job.options)
    weights = weight_bytes(job.source.file)
    refuse_too_large(weights)
    large = weights >= LARGE
    with surroundings(large=large), hushed():
        serving = open_serving(job.source.file, job.options.signature)
        model = convert(freeze(serving, large=large), opset=min(opset, CONVERTED), large=large)
        refuse_unknown_operators(model)
        group_convolutions(model)
        rename_tensors(model, _names(serving, job.signature))
        order_tensors(model, job.signature)
        name_axes(model, job.signature)
        del serving
        model = at_opset(model, opset)
        refuse_invalid(model, opset)
        kept = settled(model, job.signature)
        job.output.write_bytes(model.SerializeToString())
    facts = {"opset": str(opset), "exporter": "tf2onnx"}
    return Made(calling="named", signature=kept.signature, notes=kept.notes, facts=facts)


def _names(serving: Serving, signature: Signature) -> dict[str, str]:
    """By key of the SavedModel, the name that the tensor has everywhere else."""
    inputs = keys_of(signature.input_names, serving.inputs, "inputs")
    return {**inputs, **keys_of(signature.output_names, serving.outputs, "outputs")}
