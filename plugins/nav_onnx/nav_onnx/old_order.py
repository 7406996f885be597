"""The positional order that ``nav.onnx.export`` had at first: understood, with a warning, for one minor release."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from navcore import Format, TensorRTPrecision

Export = TypeVar("Export", bound=Callable[..., Any])

_OLD = (
    "model", "dataloader", "model_name", "target_formats", "workdir", "override_workdir", "sample_count", "atol",
    "rtol", "input_names", "output_names", "dynamic_axes", "trt_dynamic_axes", "target_precisions",
    "max_workspace_size", "target_device", "disable_git_info", "batch_dim", "onnx_runtimes", "run_profiling",
    "profiler_config",
)  # fmt: skip


def takes_the_old_order(function: Export) -> Export:
    """Decorate ``export``: a call whose positional arguments fit the old order alone means what it meant, and warns."""

    @functools.wraps(function)
    def export(*args: Any, **kwargs: Any) -> Any:
        if not is_in_the_old_order(args):
            return function(*args, **kwargs)
        warnings.warn(
            "The positional arguments of nav.onnx.export are in the order of the reference page now: model, "
            "dataloader, target_precisions, max_workspace_size, minimum_segment_size, model_name … The old order is "
            "refused from the next minor release on; write the names.",
            DeprecationWarning,
            stacklevel=2,
        )
        return function(**dict(zip(_OLD, args, strict=False)), **kwargs)

    return export  # type: ignore[return-value]


def is_in_the_old_order(args: Sequence[Any]) -> bool:
    """Whether a value stands where only the old order has one of its type; of the first that tells."""
    for told, value in zip((_third, _fourth, _fifth, _sixth), args[2:], strict=False):
        answer = told(value)
        if answer is not None:
            return answer
    return False


def _third(value: Any) -> bool | None:
    """``model_name`` then, ``target_precisions`` now."""
    if value is None:
        return None
    return isinstance(value, str) and value not in set(TensorRTPrecision)


def _fourth(value: Any) -> bool | None:
    """``target_formats`` then, ``max_workspace_size`` now."""
    if value is None:
        return None
    return isinstance(value, str | Format | Sequence)


def _fifth(value: Any) -> bool | None:
    """``workdir`` then, ``minimum_segment_size`` now, which is never ``None``."""
    return value is None or isinstance(value, str | os.PathLike)


def _sixth(value: Any) -> bool | None:
    """``override_workdir`` then, ``model_name`` now."""
    return isinstance(value, bool)
