"""TensorRT engines inside a SavedModel, by TensorFlow's own converter; only releases up to 2.17 have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from nav_tf.blame import blamed
from nav_tf.formats import TF_SAVEDMODEL, TF_TRT_FP16, TF_TRT_FP32
from nav_tf.installed import why_no_tensorrt
from nav_tf.quiet import hushed, import_quietly
from nav_tf.serving import open_serving
from navcore import ConversionError, ConvertJob, Made, OptionError, converter
from navcore.contract import harmless

_UNVERIFIED = "TF-TRT is written from its documentation; this project's tests have never executed it."


@attrs.frozen
class TrtOptions:
    """What TF-TRT may be asked for.

    ``minimum_segment_size`` is the smallest number of operators worth an engine, ``max_workspace_size`` the bytes that
    a builder may use, ``signature`` the one of the SavedModel's signatures that is taken.
    """

    minimum_segment_size: int = attrs.field(default=3, metadata=harmless(1, 1000))
    max_workspace_size: int = attrs.field(default=8 * 2**30, metadata=harmless(1, 8 * 2**30))
    signature: str | None = None

    def __attrs_post_init__(self) -> None:
        for name in ("minimum_segment_size", "max_workspace_size"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} is {getattr(self, name)}.", hint="Give 1 or more.")


@converter(TF_SAVEDMODEL, TF_TRT_FP32, options=TrtOptions, available=why_no_tensorrt)
def tf_trt_fp32_from_tf_savedmodel(job: ConvertJob[TrtOptions]) -> Made:
    """Engines that compute in fp32."""
    return _convert(job, "FP32")


@converter(TF_SAVEDMODEL, TF_TRT_FP16, options=TrtOptions, available=why_no_tensorrt)
def tf_trt_fp16_from_tf_savedmodel(job: ConvertJob[TrtOptions]) -> Made:
    """Engines that may compute in fp16."""
    return _convert(job, "FP16")


def _convert(job: ConvertJob[TrtOptions], precision: str) -> Made:
    """``TrtGraphConverterV2`` as https://docs.nvidia.com/deeplearning/frameworks/tf-trt-user-guide describes it."""
    import_quietly()
    from tensorflow.python.compiler.tensorrt import trt_convert as trt

    with hushed(), blamed(ConversionError, "TF-TRT"):
        made = trt.TrtGraphConverterV2(
            input_saved_model_dir=str(job.source.file),
            input_saved_model_signature_key=job.options.signature,
            precision_mode=precision,
            max_workspace_size_bytes=job.options.max_workspace_size,
            minimum_segment_size=job.options.minimum_segment_size,
            use_dynamic_shape=True,
            dynamic_shape_profile_strategy="Range",
        )
        made.convert()
        made.build(input_fn=lambda: _profile_inputs(job))
        made.save(str(job.output))
        engines = _count_engines(open_serving(job.output).function)
    if not engines:
        raise ConversionError(
            f"TF-TRT found no segment of {job.options.minimum_segment_size} operators or more that TensorRT takes.",
            hint="Lower minimum_segment_size.",
        )
    return Made(notes=(_UNVERIFIED,), facts={"engines": str(engines)})


def _profile_inputs(job: ConvertJob[TrtOptions]) -> Iterator[tuple[Any, ...]]:
    """Inputs at the smallest and the largest sizes of all axes, which the engines' profiles have to span."""
    import numpy as np
    import tensorflow as tf

    keys = sorted(spec.name for spec in job.signature.inputs)
    for end in ("minimum", "maximum"):
        sizes = {axis.symbol: getattr(axis, end) for axis in job.signature.axes}
        feeds = {}
        for spec in job.signature.inputs:
            shape = tuple(sizes[size] if isinstance(size, str) else size for size in spec.shape)
            feeds[spec.name] = tf.constant(np.resize(job.example[spec.name], shape))
        yield tuple(feeds[key] for key in keys)


def _count_engines(function: Any) -> int:
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for part in graph.library.function for node in part.node_def)]
    return sum(node.op == "TRTEngineOp" for node in nodes)
