"""What users may set: for making a model, for quantising one, and for running one."""

from __future__ import annotations

import re
from typing import Any, Literal

import attrs

from navcore.contract import harmless

_HINTS = ("latency", "throughput")
_PRESETS = ("auto", "performance", "mixed")
_MODEL_TYPES = ("auto", "transformer", "other")
_IMPORTABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@attrs.frozen
class Options:
    """``fp16`` stores the weights in half the space; how precisely they are computed with is the runtime's affair."""

    fp16: bool = attrs.field(
        default=False, validator=attrs.validators.instance_of(bool), metadata=harmless(False, True)
    )


@attrs.frozen
class RuntimeOptions:
    """``hint`` tells OpenVINO what to arrange itself for: the latency of one call, or the work of several at once."""

    hint: Literal["latency", "throughput"] = attrs.field(default="latency", validator=attrs.validators.in_(_HINTS))


def _is_place(_options: Any, field: attrs.Attribute[str], value: str) -> None:
    if not isinstance(value, str) or (value and not _IMPORTABLE.fullmatch(value)):
        raise ValueError(f"{field.name}={value!r} is not written as 'module:name'")


def _texts() -> Any:
    """A tuple of texts, from any list of them; a single text is none."""
    of_texts = attrs.validators.deep_iterable(attrs.validators.instance_of(str), attrs.validators.instance_of(tuple))
    return attrs.field(default=(), converter=lambda given: given if isinstance(given, str) else tuple(given),
                       validator=of_texts)  # fmt: skip


@attrs.frozen
class Int8Options:
    """How a model is quantised.

    ``subset`` is how many samples are calibrated on at most. ``preset`` is NNCF's: activations around zero for
    ``"performance"``, not so for ``"mixed"``; ``"auto"`` is NNCF's own choice by the model's type. ``model_type`` says
    whether it is a transformer, in which more stays as it is; ``"auto"`` looks for attention in the graph.
    Operations of the types ``keep_ops`` (``"MatMul"``) and the nodes ``keep_nodes``, by name, are not quantised.

    ``metric`` and ``metric_data`` are for accuracy control: a metric and the data for it, each as ``"module:name"``,
    importable in a new process. The metric is one of navcore's, ``fn(outputs, item)`` or an object with ``update`` and
    ``compute``, and more of it is better; quantisation is undone layer by layer until it falls by no more than
    ``max_drop``.
    """

    subset: int = attrs.field(
        default=300,
        validator=[attrs.validators.instance_of(int), attrs.validators.ge(1), attrs.validators.le(1000)],
        metadata=harmless(1, 1000),
    )
    preset: Literal["auto", "performance", "mixed"] = attrs.field(
        default="auto", validator=attrs.validators.in_(_PRESETS)
    )
    model_type: Literal["auto", "transformer", "other"] = attrs.field(
        default="auto", validator=attrs.validators.in_(_MODEL_TYPES)
    )
    keep_ops: tuple[str, ...] = _texts()
    keep_nodes: tuple[str, ...] = _texts()
    metric: str = attrs.field(default="", validator=_is_place)
    metric_data: str = attrs.field(default="", validator=_is_place)
    max_drop: float = attrs.field(
        default=0.01,
        validator=[attrs.validators.instance_of((int, float)), attrs.validators.ge(0.0)],
    )

    def __attrs_post_init__(self) -> None:
        if self.metric_data and not self.metric:
            raise ValueError("metric_data needs metric: it is what the metric is computed on")
