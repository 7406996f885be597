"""Runs the source model on one set of inputs and checks that what it returns can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import numpy as np

from navcore.contract import OpaqueOutput, Signature, TensorSpec
from navcore.errors import InputError, NavcoreError, SourceError
from navcore.evaluation import is_floating, mean_of
from navcore.sampling.call_errors import unlike_the_call
from navcore.sampling.first_pass import cause_of, is_numeric, native

Array = np.ndarray[Any, Any]
SourceCall = Callable[[Signature, Mapping[str, Array]], Mapping[str, Array]]
"""Runs the source model on named host arrays with the batch axis in place and returns named host arrays in order.

The signature has no outputs yet: the names are those that the structure of the result gives.
"""


SourceTwice = Callable[[Signature, Mapping[str, Array]], tuple[Mapping[str, Array], Mapping[str, Array]]]
"""Runs the source twice in a row on the same inputs and with the same random numbers, nothing reset in between."""


class OtherOutputs(SourceError):
    """The source returns other names or dtypes than it did at first."""


@attrs.frozen(eq=False)
class SourceModel:
    """The source model together with the names and dtypes that its outputs turned out to have.

    ``names`` maps the names that the result's structure gives to those that the user gave. ``runs`` is of how many runs
    an answer is the mean, for a source that does not repeat itself. ``seeded`` runs it while random numbers are held.
    """

    source: SourceCall
    signature: Signature
    names: Mapping[str, str]
    dtypes: Mapping[str, str]
    runs: int = 1
    seeded: SourceCall | None = None

    def __call__(self, feeds: Mapping[str, Array], label: str, hint: str = "") -> dict[str, Array]:
        """The outputs for ``feeds``; ``label`` is how errors call these inputs.

        Raises :class:`SourceError` when the source fails, or returns other names or dtypes than the first time.
        """
        return mean_of([self._answer(self.source, feeds, label, hint) for _ in range(self.runs)])

    def under_seed(self, feeds: Mapping[str, Array], label: str) -> dict[str, Array]:
        """One answer of a source that does not repeat itself, the random numbers being held; else nothing."""
        if self.runs == 1 or self.seeded is None:
            return {}
        return self._answer(self.seeded, feeds, label, "")

    def _answer(self, source: SourceCall, feeds: Mapping[str, Array], label: str, hint: str) -> dict[str, Array]:
        found = run_source_once(source, self.signature, feeds, label, hint)
        told = {name: array.dtype.name for name, array in found.items()}
        if told != self.dtypes:
            raise OtherOutputs(
                f"The source model returns {_listed(told)} for {label} where it returned {_listed(self.dtypes)} first.",
                hint="Every call has to return the same outputs.",
            )
        return {final: found[derived] for derived, final in self.names.items()}


def open_source(
    source: SourceCall,
    signature: Signature,
    feeds: Mapping[str, Array],
    label: str,
    *,
    output_names: tuple[str, ...] | None = None,
    selects: bool = True,
    hint: str = "",
) -> SourceModel:
    """Run the source for the first time to learn its outputs.

    ``output_names`` that are fewer than the outputs, and each the name of one, choose those (with ``selects``, which a
    stored model that returns all of them does not take).

    An output that is called like an input gets ``_out`` behind its name. Raises :class:`SourceError` when it fails or
    returns no tensors, and :class:`InputError` when ``output_names`` does not fit what it returns.
    """
    # Only the names count here; dtypes and shapes are what the source will be seen to return.
    asked = attrs.evolve(signature, outputs=tuple(TensorSpec(name, "float32", ()) for name in output_names or ()))
    try:
        found = run_source_once(source, signature, feeds, label, hint)
    except OpaqueOutput:
        if output_names is None:
            raise
        signature = asked  # what the result holds beside the named outputs need not be understood
        found = run_source_once(source, signature, feeds, label, hint)
    else:
        if selects and 0 < len(asked.outputs) < len(found) and all(name in found for name in asked.output_names):
            signature, found = asked, {name: found[name] for name in asked.output_names}
    names = output_names or tuple(_apart(name, signature.input_names) for name in found)
    shared = sorted(set(names) & set(signature.input_names))
    if shared:
        raise InputError(
            f"Inputs and outputs share names: {', '.join(shared)}.",
            hint="Stored formats need each name once: choose other output_names.",
        )
    if len(names) != len(found):
        raise InputError(
            f"There are {len(names)} output names ({', '.join(names)}) for the {len(found)} tensors that the source "
            f"model returns ({', '.join(found)}).",
            hint="Give one name per tensor, in the same order.",
        )
    dtypes = {name: array.dtype.name for name, array in found.items()}
    return SourceModel(source, signature, dict(zip(found, names, strict=True)), dtypes)


def _apart(name: str, inputs: tuple[str, ...]) -> str:
    """A model may return a key that it also takes; stored formats such as ONNX need each name once."""
    return f"{name}_out" if name in inputs else name


def run_source_once(
    source: SourceCall, signature: Signature, feeds: Mapping[str, Array], label: str, hint: str = ""
) -> dict[str, Array]:
    """What the source returns for ``feeds``, under the names that the structure of its result gives.

    Raises :class:`SourceError` when it fails, or returns no tensors or none of numbers.
    """
    # A model may change its inputs in place, or hand out a buffer that the next call overwrites.
    lent = {name: array.copy() for name, array in feeds.items()}
    try:
        returned = source(signature, lent)
    except NavcoreError:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit):
            hint = "A model that is exported must not end the program."
        if isinstance(error, TypeError) and (unlike := unlike_the_call(error, signature)) is not None:
            raise unlike from error
        told = ", ".join(f"{name!r}: {array.dtype.name}{list(array.shape)}" for name, array in feeds.items())
        raise SourceError(
            f"The source model failed on {label} ({told}): {cause_of(error).rstrip('.')}.",
            hint=hint or "Call the model with an item of the dataloader to see the whole error.",
        ) from error
    found = {name: native(np.array(array)) for name, array in returned.items()}
    if not found:
        raise SourceError(
            f"The source model returns no tensors for {label}.",
            hint="It has to return a tensor, or a sequence or mapping of tensors.",
        )
    for name, array in found.items():
        if not is_numeric(array.dtype):
            raise SourceError(
                f"The source model returns {name!r} as an array of dtype {array.dtype}, which is not numeric.",
                hint="Outputs have to be numbers or booleans.",
            )
    return found


def infinite_outputs(outputs: Mapping[str, Array], label: str) -> tuple[str, ...]:
    """The outputs with an infinite value somewhere.

    Raises :class:`InputError` for an output that contains NaN, or nothing finite: there is nothing to compare with.
    """
    infinite = []
    for name, array in outputs.items():
        if not is_floating(array.dtype) or array.size == 0:
            continue
        wide = array.astype(np.promote_types(array.dtype, np.float32))
        if np.isnan(wide).any():
            what = "contains NaN"
        elif not np.isfinite(wide).any():
            what = "is infinite throughout"
        elif not np.isfinite(wide).all():
            infinite.append(name)
            continue
        else:
            continue
        raise InputError(
            f"Output {name!r} of the source model {what} for {label}.",
            hint="Nothing can be compared with it; check the model and that item.",
        )
    return tuple(infinite)


def _listed(dtypes: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({dtype})" for name, dtype in dtypes.items())
