"""Devices and threads: TensorFlow's words for them, and what may be set in a fresh process only."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from nav_tf.quiet import import_quietly
from navcore import OptionError


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


def threads_of_process(device: str | None, asked: int | None) -> int:
    """Import TensorFlow, and settle how this process uses it; the number of threads that an operation may use.

    They can be set to what was ``asked`` until the process runs anything. Of a GPU the memory is taken as it is
    needed: the process that holds the source may sit on the same one. In a process that had imported TensorFlow before,
    and was asked for nothing, both are left as they are.
    """
    fresh = "tensorflow" not in sys.modules
    import_quietly()
    if fresh or asked is not None:
        _prepare(device, asked)
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads() or len(os.sched_getaffinity(0))


def _prepare(device: str | None, threads: int | None) -> None:
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # something has run already
        gpus = tf.config.list_physical_devices("GPU")
        if device is not None and tensorflow_device(device).startswith("/CPU"):
            tf.config.set_visible_devices([], "GPU")
        else:
            for gpu in gpus:
                tf.config.experimental.set_memory_growth(gpu, True)
        if threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)


def place_of(tensor: Any) -> str:
    """``"cpu"`` or ``"cuda:<number>"`` for where a tensor lies."""
    name = str(getattr(tensor, "device", ""))
    kind, _, number = name.rpartition("/")[2].removeprefix("device:").partition(":")
    return f"cuda:{number}" if kind.upper() == "GPU" else "cpu"
