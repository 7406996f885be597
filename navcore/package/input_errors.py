"""What is wrong with the inputs of a call that failed, in one sentence for whoever made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from navcore.contract import Feeds, Runner, Signature, TensorSpec
from navcore.errors import InputError, NavcoreError

if TYPE_CHECKING:
    import numpy as np


def explaining(runner: Runner, signature: Signature) -> Runner:
    """The same runner, whose failed calls name the first input that is not what ``signature`` says.

    Frameworks complain in words of their own, often about something that followed from it; an input that the model does
    not take they pass over in silence. A call that succeeds costs nothing more, and one whose inputs are as they should
    be fails as before. Closing stays with ``runner``.
    """
    taken = len(signature.inputs)

    def call(feeds: Feeds) -> Mapping[str, np.ndarray]:
        if isinstance(feeds, Mapping) and len(feeds) > taken and (told := complaint(feeds, signature)) is not None:
            raise told
        try:
            return runner(feeds)
        except NavcoreError:
            raise
        except Exception as error:
            told = complaint(feeds, signature)
            if told is None:
                raise
            raise told from error

    return Runner(
        call,
        provider=runner.provider,
        precision=runner.precision,
        threads=runner.threads,
        notes=runner.notes,
        inputs=runner.inputs,
    )


def complaint(feeds: Any, signature: Signature) -> InputError | None:
    """What is wrong with ``feeds`` by the signature: a missing input, one too many, a type or a shape; or ``None``."""
    names = ", ".join(signature.input_names)
    if not isinstance(feeds, Mapping):
        return InputError(f"A runner takes a mapping from input name to array, not a {type(feeds).__name__}.")
    for spec in signature.inputs:
        if spec.name not in feeds:
            given = ", ".join(map(str, feeds)) or "none"
            return InputError(f"The input {spec.name!r} is missing; the model takes {names}, and was given {given}.")
        told = _wrong_array(spec, feeds[spec.name])
        if told is not None:
            return told
    strangers = [name for name in feeds if name not in signature.input_names]
    if strangers:
        return InputError(
            f"The model has no input {strangers[0]!r}; it takes {names}.", hint="Leave out what it does not take."
        )
    return None


def _wrong_array(spec: TensorSpec, value: Any) -> InputError | None:
    import numpy as np

    if not isinstance(value, np.ndarray):
        return InputError(f"The input {spec.name!r} is a {type(value).__name__}, not a numpy array.")
    if value.dtype.name != spec.dtype:
        return InputError(
            f"The input {spec.name!r} is {value.dtype.name}, and the model takes {spec.dtype}.",
            hint="Convert it first.",
        )
    fits = value.ndim == len(spec.shape) and all(
        not isinstance(size, int) or size == real for size, real in zip(spec.shape, value.shape, strict=True)
    )
    if fits:
        return None
    shape = f"({', '.join(map(str, spec.shape))}{',' if len(spec.shape) == 1 else ''})"
    return InputError(f"The input {spec.name!r} has shape {value.shape}, and the model takes {shape}.")
