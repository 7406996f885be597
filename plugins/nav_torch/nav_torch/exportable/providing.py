"""Lend an exportable model to a run that was given no data: its own example, names and axes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nav_torch.exportable.case import Case, Wishes, case_of
from nav_torch.exportable.config import configured
from nav_torch.exportable.examples import other_example
from nav_torch.exportable.hooks import class_name, end_module
from nav_torch.exportable.inputs import example_of
from nav_torch.exportable.preparing import prepared
from nav_torch.exportable.request import Request
from nav_torch.exportable.tensortype import BATCH
from nav_torch.live import from_array
from nav_torch.restoring import LOGGER_NAME
from navcore import Feeds, InputError, Provided, Signature, SourceError, TensorSpec
from navcore.contract import flatten_result


@contextmanager
def provided(model: Any, defaults: Mapping[str, Any]) -> Iterator[Provided]:
    """What an exportable model brings to a run, prepared as for an export meanwhile.

    ``defaults`` are those of the arguments of ``export``, of which the model's hook is told. The data are its
    ``input_example`` and, where axes are dynamic and the model takes it, one of other sizes.
    """
    with configured(model, None):
        example = example_of(model)
        request = Request(**{**defaults, "output": "", "input_example": example})  # there is no file
        with prepared(model, request.hook_arguments(), set_eval=True):
            case = case_of(model, example, f"{class_name(end_module(model, 'input'))}.input_example", Wishes())
            signature = case.signature
            yield Provided(
                model=case.stand,
                dataloader=[_item(model, signature, feeds) for feeds in _samples(case)],
                input_names=_names_in_call_order(signature),
                output_names=signature.output_names,
                dynamic_axes={spec.name: _dynamic(spec) for spec in (*signature.inputs, *signature.outputs)},
                axis_ranges=dict(case.ranges) if case.ranges else None,
                batch_dim=batch_axis(signature),
            )


def _samples(case: Case) -> list[Feeds]:
    if not case.sizes:
        return [case.example]
    try:
        return [case.example, other_example(case).feeds]
    except SourceError as error:
        logging.getLogger(LOGGER_NAME).warning("%s", error)
        return [case.example]


def _item(model: Any, signature: Signature, feeds: Feeds) -> Any:
    """The feeds as an item of a dataloader: keywords where the method takes them, else positions."""
    args, kwargs = signature.bind(feeds, from_array)
    if args and kwargs:
        raise InputError(
            f"{class_name(model)} takes some arguments by position only and others by name only.",
            hint="Give it a forward_for_export that takes all by name, or pass a dataloader.",
        )
    return kwargs or tuple(args)


def _names_in_call_order(signature: Signature) -> tuple[str, ...]:
    """The inputs' names in the order in which their tensors stand in the call."""
    args, kwargs = signature.bind({name: name for name in signature.input_names}, lambda name: frozenset([name]))
    leaves = flatten_result([*args, *kwargs.values()], lambda value: isinstance(value, frozenset))
    return tuple(name for _, leaf in leaves for name in leaf)


def _dynamic(spec: TensorSpec) -> dict[int, str]:
    return {axis: size for axis, size in enumerate(spec.shape) if isinstance(size, str)}


def batch_axis(signature: Signature) -> int | None:
    """Along which axis samples are stacked: the one called "batch", else the first if all inputs name it alike."""
    places = {axis for spec in signature.inputs for axis, size in enumerate(spec.shape) if size == BATCH}
    if places:
        return places.pop() if len(places) == 1 else None
    firsts = {spec.shape[0] if spec.shape else 0 for spec in signature.inputs}
    return 0 if len(firsts) == 1 and isinstance(next(iter(firsts)), str) else None
