"""Which output of a graph is which, by the several names that a tensor may have, and graphs with another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nav_openvino.silence import openvino
from navcore import Signature, StepError


def names_of_outputs(known: Sequence[set[str]], declared: tuple[str, ...]) -> tuple[str, ...]:
    """A name per output, in order: ``known`` are those that each goes by, ``declared`` those that are wanted.

    A tensor goes by a declared name of its own; one that the model returns twice has two. What has none gets one that
    is left, in order. Raises :class:`StepError` for another number of outputs than is declared.
    """
    if not declared:
        return tuple(sorted(names)[0] for names in known)
    if len(known) != len(declared):
        raise StepError(f"The model has {len(known)} outputs where {len(declared)} are declared.")
    left = list(declared)
    given: list[str | None] = []
    for names in known:
        own = next((name for name in left if name in names), None)
        if own is not None:
            left.remove(own)
        given.append(own)
    return tuple(left.pop(0) if name is None else name for name in given)


def in_order(model: Any, signature: Signature) -> Any:
    """The same ``openvino.Model`` with its inputs and outputs in the signature's order.

    Raises :class:`StepError` for another number of outputs.
    """
    names = names_of_outputs([port.get_names() for port in model.outputs], signature.output_names)
    results = dict(zip(names, model.get_results(), strict=True))
    parameters = {port.any_name: one for port, one in zip(model.inputs, model.get_parameters(), strict=True)}
    return openvino().Model(
        [results[name] for name in signature.output_names or names],
        model.get_sinks(),
        [parameters[name] for name in signature.input_names if name in parameters],
        model.get_friendly_name(),
    )
