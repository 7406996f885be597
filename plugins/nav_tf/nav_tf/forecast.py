"""Whether a conversion fits into memory, told before it starts."""

from __future__ import annotations

from pathlib import Path

from navcore import ConversionError, Unavailable, available_memory

LARGE = 32 * 2**20
"""Bytes of weights from which on memory counts for more than time; see :mod:`nav_tf.tf2onnx_graph`."""
LIMIT = 1_900_000_000
"""Bytes of weights that fit into one ONNX file; a protobuf message ends at 2 GiB."""
_IDLE = 600_000_000
# Measured with tf2onnx 1.17 and TensorFlow 2.21: peak above an idle process, over the weights, rounded up.
_TIMES_LARGE = 8
_TIMES_SMALL = 65


def weight_bytes(savedmodel: Path) -> int:
    """The size of a SavedModel's variables and of its graph, where constants are."""
    files = [savedmodel / "saved_model.pb", *(savedmodel / "variables").glob("variables.data-*")]
    return sum(file.stat().st_size for file in files if file.is_file())


def expected_peak(weights: int) -> int:
    """Bytes of memory that converting this many bytes of weights takes at its peak."""
    return _IDLE + weights * (_TIMES_LARGE if weights >= LARGE else _TIMES_SMALL)


def refuse_too_large(weights: int, available: int | None = None) -> None:
    """Refuse what cannot succeed.

    Raises :class:`ConversionError` for weights beyond one file, and :class:`Unavailable` when there is not enough
    memory now. ``available`` is what there is, by default as this machine says.
    """
    if weights > LIMIT:
        raise ConversionError(
            f"The SavedModel has {_gigabytes(weights)} of weights, and tf2onnx writes ONNX files of up to"
            f" {_gigabytes(LIMIT)}.",
            hint="Export it in parts, or in float16.",
        )
    free = available_memory() if available is None else available
    needed = expected_peak(weights)
    if free is not None and needed > free:
        raise Unavailable(
            f"Converting {_gigabytes(weights)} of weights to ONNX takes about {_gigabytes(needed)} of memory, and"
            f" {_gigabytes(free)} are free.",
            hint="Run it where there is more, or end other programs.",
        )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
