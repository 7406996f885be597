"""Devices and threads: TensorFlow's words for them, and what may be set in a fresh process only."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from navcore import OptionError


def is_fresh() -> bool:
    """Whether this process has not imported TensorFlow yet, so that settings of the whole process are ours to make."""
    return "tensorflow" not in sys.modules


def tensorflow_device(device: str) -> str:
    """``"/GPU:1"`` for ``"cuda:1"`` or ``"gpu:1"``, ``"/CPU:0"`` for ``"cpu"``.

    Raises :class:`OptionError` for anything else.
    """
    kind, _, number = device.lower().strip("/").partition(":")
    if kind not in ("cpu", "cuda", "gpu") or not (number or "0").isdigit():
        raise OptionError(f"TensorFlow has no device {device!r}.", hint="Give 'cpu', 'cuda' or 'cuda:<number>'.")
    return f"/{'CPU' if kind == 'cpu' else 'GPU'}:{number or 0}"


@contextlib.contextmanager
def placed(device: str | None) -> Iterator[None]:
    """Operations go to ``device``; ``None`` leaves the choice to TensorFlow."""
    import tensorflow as tf

    if device is None:
        yield
        return
    with tf.device(tensorflow_device(device)):
        yield


def prepare_process(device: str | None, threads: int | None) -> int | None:
    """Settings of a process that has just imported TensorFlow and run nothing: threads, and how a GPU is used.

    Memory of a GPU is taken as it is needed: the process that holds the source may sit on the same one. Returns the
    number of threads that is in force, ``None`` when it could not be set.
    """
    import tensorflow as tf

    try:
        gpus = tf.config.list_physical_devices("GPU")
        if device is not None and tensorflow_device(device).startswith("/CPU"):
            tf.config.set_visible_devices([], "GPU")
        else:
            for gpu in gpus:
                tf.config.experimental.set_memory_growth(gpu, True)
        if threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:  # something has run already
        return None
    return threads


def place_of(tensor: Any) -> str:
    """``"cpu"`` or ``"cuda:<number>"`` for where a tensor lies."""
    name = str(getattr(tensor, "device", ""))
    kind, _, number = name.rpartition("/")[2].removeprefix("device:").partition(":")
    return f"cuda:{number}" if kind.upper() == "GPU" else "cpu"
