"""Accuracy control: quantisation is undone, layer by layer, until the user's metric falls by no more than allowed."""

from __future__ import annotations

import copy
import importlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from nav_openvino.options import Int8Options
from nav_openvino.silence import nncf, openvino
from navcore import InputError

if TYPE_CHECKING:
    import numpy as np

    Feeds = Mapping[str, np.ndarray]
    Call = Callable[[Feeds], Feeds]


@attrs.frozen(eq=False)
class Controlled:
    """A quantised model, and what the metric came to before and after."""

    model: Any
    metric: str
    before: float
    after: float
    allowed: float

    def __str__(self) -> str:
        """For a note: the metric of the model as it was, as it is, and what it might have fallen by."""
        kept = self.before - self.after <= self.allowed
        told = f"{self.metric} is {self.after:.6g} after quantisation and was {self.before:.6g}"
        return f"{told}: a fall of {self.allowed:g} is allowed" + ("." if kept else ", and no less could be had.")


def quantised_within(
    model: Any, samples: Sequence[Feeds], options: Int8Options, settings: Mapping[str, Any]
) -> Controlled:
    """Quantise an ``openvino.Model``; the metric falls by no more than ``options.max_drop`` where that can be had.

    ``samples`` are what is calibrated on, by the names of the inputs, and without data of the metric's own what it is
    computed on. Raises :class:`InputError` for a metric or data that cannot be imported, and for a metric that fails.
    """
    metric = imported(options.metric)
    data = items_of(options.metric_data) if options.metric_data else list(samples)
    names = [port.any_name for port in model.inputs]

    def validate(compiled: Any, items: Iterable[Any]) -> tuple[float, list[float] | None]:
        return scored(options.metric, metric, calling(compiled), names, items)

    before, _ = validate(in_fp32(model), data)  # NNCF takes a metric that fails for one that it need not ask
    settled = {name: value for name, value in settings.items() if value is not None}
    library = nncf()
    quantised = library.quantize_with_accuracy_control(
        model,
        library.Dataset(list(samples)),
        library.Dataset(data, lambda item: feeds_of(item, names)),
        validate,
        max_drop=float(options.max_drop),
        **settled,
    )
    after, _ = validate(in_fp32(quantised), data)
    return Controlled(quantised, options.metric.partition(":")[2], before, after, float(options.max_drop))


def imported(place: str) -> Any:
    """What ``"module:name"`` names. Raises :class:`InputError` where it cannot be had."""
    module, _, name = place.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:
        raise InputError(
            f"{place} cannot be imported: {type(error).__name__}: {error}",
            hint="A model is quantised in a new process: the module has to be importable where navcore is called.",
        ) from error


def items_of(place: str) -> list[Any]:
    """The items of the data that ``"module:name"`` names, or that a function of this name returns."""
    found = imported(place)
    data = found() if callable(found) else found
    items = list(data) if isinstance(data, Iterable) else []
    if not items:
        raise InputError(f"{place} has no items.", hint="It has to be data that can be iterated, or return such.")
    return items


def feeds_of(item: Any, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The inputs of an item of the user's, by name.

    As everywhere in navcore an item is a mapping, which may have further keys; a sequence that begins with the inputs;
    one mapping of all inputs in front of the rest; or the only input itself. Raises :class:`InputError` for any other.
    """
    import numpy as np

    first = item[0] if isinstance(item, Sequence) and item else item
    for inputs in (item, first):
        if isinstance(inputs, Mapping):
            missing = [name for name in names if name not in inputs]
            if missing:
                raise InputError(f"An item of the metric's data has no input {', '.join(missing)}.")
            return {name: np.asarray(inputs[name]) for name in names}
    given = item if isinstance(item, Sequence) else [item]
    if len(given) < len(names):
        raise InputError(f"An item of the metric's data has {len(given)} parts, and the model {len(names)} inputs.")
    return {name: np.asarray(value) for name, value in zip(names, given, strict=False)}


def scored(
    place: str, metric: Any, call: Call, names: Sequence[str], items: Iterable[Any]
) -> tuple[float, list[float] | None]:
    """What the metric comes to, and for each item where it is a function; an object sees a copy of itself.

    Raises :class:`InputError` where it fails, or gives what is no number.
    """
    whole = copy.deepcopy(metric) if hasattr(metric, "update") and hasattr(metric, "compute") else None
    each: list[float] = []
    for number, item in enumerate(items):
        outputs = call(feeds_of(item, names))
        try:
            if whole is not None:
                whole.update(outputs, item)
            else:
                each.append(float(metric(outputs, item)))
        except Exception as error:
            raise InputError(
                f"The metric {place} failed on item {number} of its data: {type(error).__name__}: {error}"
            ) from error
    value = float(whole.compute()) if whole is not None else math.fsum(each) / len(each)
    if not math.isfinite(value):
        raise InputError(f"The metric {place} is {value}, which nothing can be compared with.")
    return value, None if whole is not None else each


def in_fp32(model: Any) -> Any:
    """A model compiled as NNCF compiles those that it asks about: in float32, whatever the processor would prefer."""
    return openvino().Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def calling(compiled: Any) -> Call:
    """A compiled model as navcore's metrics know models: outputs by name, each under all names that it has."""
    request = compiled.create_infer_request()

    def call(feeds: Feeds) -> Feeds:
        results = request.infer(dict(feeds), share_outputs=False)
        return {name: value for port, value in results.items() for name in port.get_names()}

    return call
