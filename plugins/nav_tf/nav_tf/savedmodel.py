"""Export a live model to a SavedModel whose signature keeps the names of inputs and outputs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from nav_tf.blame import blamed
from nav_tf.calls import refuse_unusable
from nav_tf.formats import TENSORFLOW, TF_SAVEDMODEL
from nav_tf.generated_code import without_generated_files
from nav_tf.installed import why_no_tensorflow
from nav_tf.placing import placed
from nav_tf.quiet import hushed
from nav_tf.restoring import untouched
from nav_tf.serving import SERVING
from nav_tf.tracing import traced
from navcore import ExportError, ExportJob, Made, exporter


# TensorFlow hangs in a fork of a process in which it has run.
@exporter(TENSORFLOW, TF_SAVEDMODEL, cost=1.0, isolation="caller", available=why_no_tensorflow)
def tf_savedmodel_from_tensorflow(job: ExportJob[None]) -> Made:
    """Trace the model in inference mode with the signature's names and open axes, and save that one function."""
    import tensorflow as tf

    model = job.source.model
    refuse_unusable(model)
    with ExitStack() as stack:
        for surroundings in (hushed(), without_generated_files(), untouched(model), placed(job.device)):
            stack.enter_context(surroundings)
        save_function(traced(model, job.signature), model, job.output)
    return Made(calling="named", facts={"tensorflow": tf.__version__})


def save_function(function: Any, model: Any, path: Path) -> None:
    """Write the function with the variables that it uses and nothing else: no optimizer, no other function.

    Where it uses more than variables (lookup tables), the whole model is kept beside it. Raises
    :class:`ExportError` for a function whose resources the model does not own.
    """
    import tensorflow as tf

    holder = tf.Module()
    holder.kept = list(function.variables)
    hint = "Assign the table or variable to an attribute of the model, or of a layer."
    with blamed(ExportError, "Saving the model"):
        try:
            tf.saved_model.save(holder, str(path), signatures={SERVING: function})
        except AssertionError as error:  # "Tried to export a function which references an 'untracked' resource"
            holder.model = model
            try:
                tf.saved_model.save(holder, str(path), signatures={SERVING: function})
            except AssertionError:
                raise ExportError(
                    "The model uses a resource that it does not own, so it cannot be serialised"
                    f" ({_resource(str(error))}).",
                    hint=hint,
                ) from error


def _resource(text: str) -> str:
    """The object that TensorFlow's message names."""
    found = next((line.partition("=")[2] for line in text.splitlines() if "Trackable referencing" in line), "")
    return found.strip().removeprefix("<").partition(" object at")[0] or "a lookup table or a variable"
