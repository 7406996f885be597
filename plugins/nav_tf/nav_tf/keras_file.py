"""Keras's own files, ``.keras`` and ``.h5``, as sources: run as they are, and made a SavedModel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from nav_tf.blame import cause_line
from nav_tf.eager import open_model
from nav_tf.formats import KERAS, KERAS_H5, TF_SAVEDMODEL
from nav_tf.installed import why_no_tensorflow
from nav_tf.placing import placed, threads_of_process
from nav_tf.quiet import hushed, import_quietly
from nav_tf.savedmodel import save_function
from nav_tf.tracing import traced
from navcore import ConvertJob, InputError, Made, Runner, RunnerJob, RuntimeProvider, converter, runner

if TYPE_CHECKING:
    from collections.abc import Iterator

_CODE = ("Lambda",)


def load_keras(path: Path) -> Any:
    """Open a Keras file as a model, in Keras's safe mode.

    Raises :class:`InputError` for a file whose loading would execute code that it holds, and for one that Keras does
    not read.
    """
    import_quietly()
    import keras

    if path.suffix == KERAS_H5.filename[-3:]:
        _refuse_code(path)
    with hushed():
        try:
            return keras.saving.load_model(str(path), compile=False, safe_mode=True)
        except Exception as error:
            if "safe_mode" in str(error) or "unsafe" in str(error):
                raise _holds_code(path) from error
            raise InputError(
                f"Keras does not read {path.name}: {cause_line(error)}",
                hint="A model with classes of your own is best loaded by yourself and handed over live.",
            ) from error


def _refuse_code(path: Path) -> None:
    """An HDF5 file keeps the code of Lambda layers too, and not every release of Keras looks for it there."""
    import h5py

    try:
        with h5py.File(path) as file:
            told = file.attrs.get("model_config")
    except OSError as error:
        raise InputError(f"{path.name} is no HDF5 file: {error}.") from error
    if told is None:
        raise InputError(
            f"{path.name} holds weights and no model.", hint="Build the model, load the weights, and hand it over live."
        )
    if any(name in _CODE for name in _class_names(json.loads(told))):
        raise _holds_code(path)


def _class_names(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config["class_name"]
        for value in config.values():
            yield from _class_names(value)
    elif isinstance(config, list):
        for value in config:
            yield from _class_names(value)


def _holds_code(path: Path) -> InputError:
    return InputError(
        f"{path.name} holds a Lambda layer, and loading that executes code from the file.",
        hint="If you trust the file, load it yourself (keras.saving.load_model(path, safe_mode=False)) and hand over "
        "the model.",
    )


@runner(KERAS, KERAS_H5, runtime=RuntimeProvider.TF, available=why_no_tensorflow, threads_per_process=True)
def run_keras(job: RunnerJob[None]) -> Runner:
    """Load the file and call the model in inference mode."""
    threads_of_process(job.device, job.threads)
    model = load_keras(job.artifact.file)
    return open_model(attrs.evolve(job, artifact=attrs.evolve(job.artifact, model=model)))


@converter(KERAS, TF_SAVEDMODEL, available=why_no_tensorflow)
def tf_savedmodel_from_keras(job: ConvertJob[None]) -> Made:
    """Load the file, trace the model in inference mode, and save that one function."""
    return _saved(job)


@converter(KERAS_H5, TF_SAVEDMODEL, available=why_no_tensorflow)
def tf_savedmodel_from_keras_h5(job: ConvertJob[None]) -> Made:
    """The same, from HDF5."""
    return _saved(job)


def _saved(job: ConvertJob[None]) -> Made:
    import_quietly()
    import tensorflow as tf

    model = load_keras(job.source.file)
    with hushed(), placed(job.device):
        save_function(traced(model, job.signature), model, job.output)
    return Made(calling="named", facts={"tensorflow": tf.__version__})
