"""The signature of a stored SavedModel: which one is run, and under which keys it takes and returns tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from nav_tf.keys import safe_keys
from nav_tf.without_optimizer import is_lost_optimizer, load_without_optimizer
from navcore import InputError, StepError

SERVING = "serving_default"


@attrs.frozen(eq=False)
class Serving:
    """A signature to call: its keys as ``inputs`` and ``outputs``, sorted; ``loaded`` owns its variables."""

    function: Any
    loaded: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@attrs.frozen
class ServingOptions:
    """``signature`` is the one of a SavedModel's signatures that is run.

    ``None`` means ``serving_default``, or the only one.
    """

    signature: str | None = None


def open_serving(path: Path, wanted: str | None = None) -> Serving:
    """Load a SavedModel and choose its signature: ``wanted``, else ``serving_default``, else the only one.

    Raises :class:`InputError` for a folder that is none, or that has no such signature.
    """
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(path))
    except AttributeError as error:
        if not is_lost_optimizer(error):
            raise
        loaded = load_without_optimizer(path)
    except (OSError, ValueError) as error:
        raise InputError(f"TensorFlow does not read this SavedModel: {str(error).splitlines()[0]}") from error
    names = [name for name in getattr(loaded, "signatures", {}) if not name.startswith("_")]
    function = loaded.signatures[_chosen(names, wanted)]
    takes = function.structured_input_signature[1]
    texts = [key for key, spec in takes.items() if spec.dtype == tf.string]
    if texts:
        raise InputError(
            f"The SavedModel takes text as {', '.join(texts)}, and inputs have to be numbers or booleans.",
            hint="Save the part of the model behind the tokenizer.",
        )
    # Sorted, because the file keeps no order: TensorFlow's own differs from one load to the next.
    return Serving(function, loaded, tuple(sorted(takes)), tuple(sorted(function.structured_outputs)))


def _chosen(names: Sequence[str], wanted: str | None) -> str:
    told = ", ".join(sorted(names))
    if wanted is not None:
        if wanted not in names:
            raise InputError(f"The SavedModel has no signature {wanted!r}.", hint=f"It has: {told or 'none'}.")
        return wanted
    if SERVING in names or len(names) == 1:
        return SERVING if SERVING in names else names[0]
    if not names:
        raise InputError(
            "The SavedModel has no signature.",
            hint=f"Save it with signatures={{{SERVING!r}: function}}.",
        )
    raise InputError(
        f"The SavedModel has several signatures ({told}), and none is called {SERVING!r}.",
        hint='Name one for each route that reads it: options={"tf-savedmodel/TensorFlowExecutionProvider": '
        '{"signature": NAME}, "onnx": {"signature": NAME}}.',
    )


def keys_of(names: Sequence[str], keys: Sequence[str], what: str) -> Mapping[str, str]:
    """By key, the recorded name of that tensor.

    Names that were made into keys on export are found again; without names the keys are the names. Raises
    :class:`StepError` for keys that no name belongs to.
    """
    if not names:
        return {key: key for key in keys}
    known = {**dict(zip(safe_keys(names), names, strict=True)), **{name: name for name in names}}
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise StepError(
            f"The SavedModel's {what} are {', '.join(keys)}, and the recorded ones are {', '.join(names)}.",
            hint=f"Use the model's own names: yield dicts with those keys, or pass {what[:-1]}_names= to match.",
        )
    return {key: known[key] for key in keys}
