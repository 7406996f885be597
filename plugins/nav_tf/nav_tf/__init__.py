"""TensorFlow for navcore: its formats, the routes between them, and ``nav.tensorflow.export``."""

from __future__ import annotations

from nav_tf.conformance_model import conformance_model as conformance_model
from nav_tf.conformance_models import conformance_models as conformance_models
from nav_tf.drop_in import PackageCallable, as_callable
from nav_tf.eager import run_tensorflow
from nav_tf.formats import KERAS, KERAS_H5, TENSORFLOW, TF_SAVEDMODEL, TF_TRT_FP16, TF_TRT_FP32
from nav_tf.keras_file import run_keras, tf_savedmodel_from_keras, tf_savedmodel_from_keras_h5
from nav_tf.onnx_file import onnx_from_tf_savedmodel
from nav_tf.opset import OnnxOptions
from nav_tf.reference_api import export
from nav_tf.running import run_savedmodel, run_tf_trt
from nav_tf.savedmodel import tf_savedmodel_from_tensorflow
from nav_tf.serving import keys_of
from nav_tf.trt import TrtOptions, tf_trt_fp16_from_tf_savedmodel, tf_trt_fp32_from_tf_savedmodel

__version__ = "0.1.0"

__all__ = [
    "KERAS",
    "KERAS_H5",
    "TENSORFLOW",
    "TF_SAVEDMODEL",
    "TF_TRT_FP16",
    "TF_TRT_FP32",
    "OnnxOptions",
    "PackageCallable",
    "TrtOptions",
    "as_callable",
    "export",
    "keys_of",
    "onnx_from_tf_savedmodel",
    "run_keras",
    "run_savedmodel",
    "run_tensorflow",
    "run_tf_trt",
    "tf_savedmodel_from_keras",
    "tf_savedmodel_from_keras_h5",
    "tf_savedmodel_from_tensorflow",
    "tf_trt_fp16_from_tf_savedmodel",
    "tf_trt_fp32_from_tf_savedmodel",
]
