"""Trace a live model as one function of named, flat tensors whose open axes stay open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nav_tf.blame import blamed
from nav_tf.calls import call_model
from nav_tf.keys import safe_keys
from nav_tf.live import is_tensor, parts
from navcore import ExportError, Signature
from navcore.contract import dtype_named, flatten_result

_PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")
_OPEN = "Use tf.shape(x) where the code reads x.shape, and TensorFlow operations where it calls Python or numpy."


def traced(model: Any, signature: Signature) -> Any:
    """The concrete function of the model: tensors named by ``safe_keys``, a dict of outputs by name.

    Raises :class:`ExportError` when the model cannot be traced, returns another number of tensors than it did when it
    ran, or runs Python code that no file can hold.
    """
    import tensorflow as tf

    keys = safe_keys(signature.input_names)
    specs = [
        tf.TensorSpec(
            [None if isinstance(size, str) else size for size in spec.shape],
            tf.as_dtype(dtype_named(spec.dtype)),
            name=key,
        )
        for spec, key in zip(signature.inputs, keys, strict=True)
    ]
    function = _trace(model, signature, specs)
    refuse_python(function)
    return function


def _trace(model: Any, signature: Signature, specs: Sequence[Any]) -> Any:
    """At first as the code stands; where a tensor decides a branch or a loop, once more rewritten by autograph."""
    import tensorflow as tf

    def flat(*tensors: Any) -> dict[str, Any]:
        args, kwargs = signature.bind(dict(zip(signature.input_names, tensors, strict=True)))
        return _named(call_model(model, args, kwargs), signature)

    with blamed(ExportError, "Tracing the model", hint=_OPEN):
        try:
            return tf.function(flat, autograph=False).get_concrete_function(*specs)
        except (tf.errors.OperatorNotAllowedInGraphError, TypeError):
            return tf.function(flat, autograph=True).get_concrete_function(*specs)


def _named(result: Any, signature: Signature) -> dict[str, Any]:
    leaves = flatten_result(result, is_tensor, parts, wanted=signature.output_names)
    names = signature.output_names or tuple(name for name, _ in leaves)
    if len(leaves) != len(names):
        raise ExportError(
            f"The model returned {len(leaves)} tensors during the export where it returned {len(names)} before.",
            hint="Give it outputs whose number does not depend on the mode or on the data.",
        )
    return {name: leaf for name, (_, leaf) in zip(names, leaves, strict=True)}


def refuse_python(function: Any) -> None:
    """Raise :class:`ExportError` when the graph calls back into Python, which only this process could answer."""
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for part in graph.library.function for node in part.node_def)]
    calls = [node.name for node in nodes if node.op in _PYTHON]
    if calls:
        raise ExportError(
            f"The model runs Python code at {calls[0]!r} (tf.py_function or tf.numpy_function), which cannot be"
            " serialised.",
            hint="Write that part with TensorFlow operations.",
        )
