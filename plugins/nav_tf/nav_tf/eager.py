"""Run the live model itself."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from nav_tf.blame import cause_line
from nav_tf.calls import call_model, input_names, is_keras, refuse_unusable
from nav_tf.formats import TENSORFLOW
from nav_tf.installed import why_no_tensorflow
from nav_tf.live import from_array, parts, to_array, variables
from nav_tf.placing import place_of, placed, threads_of_process
from nav_tf.random_states import RandomStates, random_states
from nav_tf.restoring import untouched
from navcore import Feeds, NavcoreError, Runner, RunnerJob, RuntimeProvider, SourceError, runner

if TYPE_CHECKING:
    import numpy as np

_SHORT = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "float64": "fp64"}


@runner(TENSORFLOW, runtime=RuntimeProvider.TF, available=why_no_tensorflow, threads_per_process=True)
def run_tensorflow(job: RunnerJob[None]) -> Runner:
    """Call the model in inference mode, as its dataloader's items say; its state comes back on closing.

    The number of threads is that of the caller's process, and is left alone.
    """
    return open_model(job)


def open_model(job: RunnerJob[None]) -> Runner:
    """The runner of a live model, the artifact's own. Raises :class:`SourceError` for one that cannot be called."""
    model = job.artifact.model
    refuse_unusable(model)
    states = RandomStates(random_states(model))

    def call(feeds: Feeds) -> Mapping[str, np.ndarray]:
        args, kwargs = _arguments(job, model, feeds)
        try:
            with placed(job.device), states.held():
                result = call_model(model, args, kwargs)
        except NavcoreError:
            raise
        except Exception as error:
            told = ", ".join(f"{name!r}: {array.dtype.name}{list(array.shape)}" for name, array in feeds.items())
            raise SourceError(
                f"The source model failed on {told}: {cause_line(error)}",
                hint="Call the model with an item of the dataloader to see the whole error.",
            ) from error
        return job.signature.name_outputs(result, to_array, parts)

    with ExitStack() as opening:
        opening.enter_context(untouched(model))
        held = [variable for _, variable in variables(model)]
        return Runner(
            call,
            close=opening.pop_all().close,
            provider=_provider(held, job.device),
            precision=computed_precision(model, held),
            threads=threads_of_process(None, None),
        )


def _arguments(job: RunnerJob[None], model: Any, feeds: Feeds) -> tuple[list[Any], dict[str, Any]]:
    """How the model is called: as the items say; a file that is the source of a run by its names, else in order."""

    def tensor(array: np.ndarray) -> Any:
        return from_array(array, job.device)

    if job.signature.inputs:
        return job.signature.bind(feeds, tensor)
    tensors = {name: tensor(array) for name, array in feeds.items()}
    by_name = set(tensors) <= set(input_names(model))
    return ([], tensors) if by_name else (list(tensors.values()), {})


def _provider(held: list[Any], device: str | None) -> str:
    if device is not None or not held:
        return device or "cpu"
    first = held[0]
    return place_of(first if callable(first.value) else first.value)


def computed_precision(model: Any, held: list[Any]) -> str | None:
    """What the model computes in: what its Keras layers say, elsewhere the one type of its floating-point variables.

    ``None`` when there are several, or none.
    """
    if not is_keras(model):
        return numeric_type(held)
    kinds = {layer.compute_dtype for layer in getattr(model, "layers", (model,)) if layer.weights}
    return _SHORT.get(kinds.pop()) if len(kinds) == 1 else None


def numeric_type(held: list[Any]) -> str | None:
    """The one type that the floating-point variables have; ``None`` when there are several, or none."""
    kinds = {name for one in held if (name := _dtype_name(one)) in _SHORT}
    return _SHORT[kinds.pop()] if len(kinds) == 1 else None


def _dtype_name(variable: Any) -> str:
    return str(getattr(variable.dtype, "name", variable.dtype))
