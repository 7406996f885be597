"""The formats that TensorFlow reads and writes by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from nav_tf.live import device, from_array, state, to_array
from nav_tf.quiet import hushed, import_quietly
from nav_tf.random_states import seeded
from navcore import Format, InputError, Live

GRAPH_FILE = "saved_model.pb"


def load_savedmodel(path: Path) -> Any:
    """Open a SavedModel as TensorFlow users know it: an object with ``signatures``."""
    import_quietly()
    import tensorflow as tf

    with hushed():
        return tf.saved_model.load(str(path))


def is_savedmodel(path: Path) -> bool:
    """Whether the path is a folder that holds a SavedModel, whatever it is called."""
    return (path / GRAPH_FILE).is_file()


def savedmodel_files(path: Path) -> Sequence[Path]:
    """Every file of the folder. Raises :class:`InputError` when there is no SavedModel in it."""
    if not is_savedmodel(path):
        raise InputError(
            f"{path} is not a SavedModel: it has no {GRAPH_FILE}.",
            hint="Give the folder that tf.saved_model.save wrote.",
        )
    return sorted(part for part in path.rglob("*") if part.is_file())


TENSORFLOW = Format(
    "tensorflow",
    summary="a live Keras model, tf.Module or tf.function",
    live=Live(
        # A Keras 3 model on another backend is a layer too, but not one of TensorFlow's. The legacy tf_keras.Model is a
        # tf.Module.
        types=(
            "keras.src.backend.tensorflow.layer.TFLayer",
            "tensorflow.python.module.module.Module",
            "tensorflow.python.eager.polymorphic_function.polymorphic_function.Function",
        ),
        to_array=to_array,
        from_array=from_array,
        state=state,
        device=device,
        seeded=seeded,
        seeds_all=False,  # and no framework=: TensorFlow has threads as soon as it is imported, and Keras writes a file
    ),
)
TF_SAVEDMODEL = attrs.evolve(
    Format.TF_SAVEDMODEL,
    suffixes=(".savedmodel",),
    load=load_savedmodel,
    recognises=is_savedmodel,
    files=savedmodel_files,
)
KERAS = Format("tensorflow-keras", filename="model.keras", suffixes=(".keras",), summary="Keras's own file")
KERAS_H5 = Format(
    "tensorflow-keras-h5",
    filename="model.h5",
    suffixes=(".h5", ".hdf5"),
    summary="Keras's older file, HDF5",
)
TF_TRT_FP32 = Format(
    "tf-trt-fp32",
    family=Format.TF_TRT.family,
    filename=Format.TF_TRT.filename,
    precision="fp32",
    summary="SavedModel with TensorRT engines of fp32",
    load=load_savedmodel,
)
TF_TRT_FP16 = Format(
    "tf-trt-fp16",
    family=Format.TF_TRT.family,
    filename=Format.TF_TRT.filename,
    precision="fp16",
    summary="SavedModel with TensorRT engines of fp16",
    load=load_savedmodel,
)
