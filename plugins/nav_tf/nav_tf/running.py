"""Run a SavedModel, with or without TensorRT engines in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from nav_tf.blame import cause_line
from nav_tf.eager import numeric_type
from nav_tf.formats import TF_SAVEDMODEL, TF_TRT_FP16, TF_TRT_FP32
from nav_tf.installed import why_no_tensorflow, why_no_tensorrt
from nav_tf.placing import place_of, placed, threads_of_process
from nav_tf.quiet import hushed
from nav_tf.random_states import RandomStates
from nav_tf.serving import Serving, ServingOptions, keys_of, open_serving
from navcore import Feeds, InputError, Runner, RunnerJob, RuntimeProvider, StepError, runner

if TYPE_CHECKING:
    import numpy as np


@runner(
    TF_SAVEDMODEL,
    runtime=RuntimeProvider.TF,
    options=ServingOptions,
    available=why_no_tensorflow,
    threads_per_process=True,
)
def run_savedmodel(job: RunnerJob[ServingOptions]) -> Runner:
    """Load the folder and call its signature by name."""
    return _open(job, job.options.signature)


@runner(TF_TRT_FP32, TF_TRT_FP16, runtime=RuntimeProvider.TF, available=why_no_tensorrt, threads_per_process=True)
def run_tf_trt(job: RunnerJob[None]) -> Runner:
    """Load the folder and call its signature by name; the engines in it need the TensorRT that they were made with."""
    return _open(job)


def _open(job: RunnerJob[Any], signature: str | None = None) -> Runner:
    threads = threads_of_process(job.device, job.threads)
    with hushed(), placed(job.device):
        serving = open_serving(job.artifact.file, signature)
    held = list(serving.function.variables)
    return Runner(
        _caller(job, serving),
        provider=job.device or (place_of(held[0]) if held else "cpu"),
        precision=None if job.artifact.format.precision else numeric_type(held),
        threads=threads,
        inputs=_own_names(serving),
        shapes=_own_shapes(serving),
    )


def _own_names(serving: Serving) -> tuple[str, ...]:
    """The input's name. A SavedModel keeps no order of several inputs, so positions cannot be matched with them."""
    return serving.inputs if len(serving.inputs) == 1 else ()


def _own_shapes(serving: Serving) -> Mapping[str, tuple[int | None, ...]]:
    """The sizes that the signature fixes, by the names of its inputs; those of unknown rank are left out."""
    taken = serving.function.structured_input_signature[1]
    return {name: tuple(taken[name].shape) for name in serving.inputs if taken[name].shape.rank is not None}


def _caller(job: RunnerJob[Any], serving: Serving) -> Callable[[Feeds], Mapping[str, np.ndarray]]:
    import tensorflow as tf

    inputs = keys_of(job.signature.input_names, serving.inputs, "inputs")
    names = keys_of(job.signature.output_names, serving.outputs, "outputs")
    wanted = {name: key for key, name in names.items()}
    outputs = {name: wanted[name] for name in (job.signature.output_names or wanted) if name in wanted}
    states = RandomStates(serving.function.variables)

    def call(feeds: Feeds) -> Mapping[str, np.ndarray]:
        missing = [name for name in inputs.values() if name not in feeds]
        if missing:
            raise InputError(
                f"The input {missing[0]!r} is missing; the SavedModel takes {', '.join(inputs.values())}.",
                hint="Yield dicts with those keys.",
            )
        try:
            with placed(job.device), states.held():
                # By way of `serving`, which owns the variables: the signature alone would lose them.
                result = serving.function(**{key: tf.constant(feeds[name]) for key, name in inputs.items()})
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise StepError(f"TensorFlow could not run the SavedModel: {cause_line(error)}") from error
        return {name: result[key].numpy() for name, key in outputs.items()}

    return call
