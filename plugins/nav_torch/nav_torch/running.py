"""Turn a callable of PyTorch into a runner of named arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from nav_torch.live import from_array, to_array
from nav_torch.restoring import home, threads
from nav_torch.structures import parts
from navcore import Feeds, Runner, RunnerJob

if TYPE_CHECKING:
    import numpy as np
    import torch

    from nav_torch.stored_call import StoredCall


def module_runner(
    job: RunnerJob[Any],
    model: Callable[..., Any],
    weights: torch.nn.Module,
    *,
    stack: ExitStack | None = None,
    device: str | None = None,
    stored: StoredCall | None = None,
) -> Runner:
    """A runner that calls ``model`` on ``device`` (``None``: where its ``weights`` are).

    A flattened model is called with tensors in the signature's order, any other as its source. ``stored`` is the call
    that a file keeps which is the source of a run; without it such a file is called by position. ``stack`` is closed
    with the runner.
    """
    stack = stack or ExitStack()
    try:
        count = stack.enter_context(threads(job.threads))
        place = device or home(weights)
        return Runner(
            _caller(job, model, weights, place, stored),
            close=stack.close,
            provider=place,
            precision=_precision(weights, place),
            threads=count,
            inputs=stored.inputs if stored else (),
            shapes=stored.shapes if stored else None,
        )
    except BaseException:
        stack.close()
        raise


def _caller(
    job: RunnerJob[Any], model: Callable[..., Any], weights: torch.nn.Module, device: str, stored: StoredCall | None
) -> Callable[[Feeds], Mapping[str, np.ndarray]]:
    import torch

    signature = job.signature
    # Jagged tensors cannot be computed with in inference mode.
    quiet = torch.no_grad if any(tensor.is_nested for tensor in weights.buffers()) else torch.inference_mode
    place = None if device == "cpu" else device

    def tensor(array: np.ndarray) -> Any:
        return from_array(array, place)

    def flat(feeds: Feeds) -> Mapping[str, np.ndarray]:
        with quiet():
            result = model(*signature.positional(feeds, tensor))
            return signature.name_outputs(result, to_array, parts)

    def structured(feeds: Feeds) -> Mapping[str, np.ndarray]:
        with quiet():
            args, kwargs = signature.bind(feeds, tensor)
            return signature.name_outputs(model(*args, **kwargs), to_array, parts)

    def unknown(feeds: Feeds) -> Mapping[str, np.ndarray]:
        with quiet():
            tensors = {name: tensor(array) for name, array in feeds.items()}
            result = model(*tensors.values()) if stored is None else stored.call(tensors)
            return signature.name_outputs(result, to_array, parts)

    if job.artifact.calling == "named":  # a file that is the source of a run: nobody has told how it is called
        return unknown
    return flat if job.artifact.calling == "positional" else structured


_SHORT = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "float64": "fp64"}


def _precision(weights: torch.nn.Module, device: str) -> str | None:
    """The numeric type of the floating-point weights; ``None`` when there are none, or several."""
    import torch

    kinds = {str(tensor.dtype).removeprefix("torch.") for tensor in weights.parameters() if tensor.is_floating_point()}
    if len(kinds) != 1:
        return None
    kind = _SHORT.get(*kinds)
    if kind == "fp32" and device.startswith("cuda") and torch.backends.cudnn.allow_tf32:
        return "tf32"
    return kind
