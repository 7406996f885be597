"""Load a SavedModel without its optimizer, which TensorFlow can only restore with the Keras that wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from navcore import InputError

_LOST_CLASS = "has no attribute 'add_slot'"


def is_lost_optimizer(error: BaseException) -> bool:
    """Whether loading failed at the slots (momenta) of an optimizer whose class this process does not know."""
    return isinstance(error, AttributeError) and _LOST_CLASS in str(error)


def load_without_optimizer(path: Path) -> Any:
    """Everything below the root but what has slots; an object with ``signatures``, as ``tf.saved_model.load`` gives.

    Raises :class:`InputError` when what the signatures need cannot be separated from the optimizer.
    """
    import tensorflow as tf

    try:
        parts: Mapping[str, Any] = tf.__internal__.saved_model.load_partial(str(path), _paths(path))
    except (ValueError, KeyError, AttributeError) as error:
        raise InputError(
            f"The SavedModel holds the optimizer of an older Keras, without which it cannot be read: {error}",
            hint="Install tf_keras and import it, or save the model again with include_optimizer=False.",
        ) from error
    kept = {name.removeprefix("root."): part for name, part in parts.items()}
    holder = tf.Module()
    holder.signatures = kept.pop("signatures")
    holder.kept = list(kept.values())  # what the functions use lives as long as this
    return holder


def _paths(path: Path) -> list[str]:
    from tensorflow.core.protobuf import saved_model_pb2

    from nav_tf.formats import GRAPH_FILE

    model = saved_model_pb2.SavedModel.FromString((path / GRAPH_FILE).read_bytes())
    nodes = model.meta_graphs[0].object_graph_def.nodes
    owners = {number for number, node in enumerate(nodes) if node.slot_variables}
    return [f"root.{child.local_name}" for child in nodes[0].children if child.node_id not in owners]
