"""Whether a conversion fits into memory, told before it starts."""

from __future__ import annotations

from pathlib import Path

from navcore.errors import ConversionError, Unavailable

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


def check_memory(weights: int, available: int | None = None) -> None:
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


def available_memory() -> int | None:
    """Bytes that this process may still take: the machine's, or less in a control group; ``None`` where unknown."""
    found = [count for count in (_machine(), _control_group()) if count is not None]
    return min(found, default=None)


def _machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _control_group(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What the control group leaves, in version 2's files; memory that only caches files counts as free."""
    try:
        limit = (root / "memory.max").read_text().strip()
        used = int((root / "memory.current").read_text())
        facts = dict(line.split() for line in (root / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    if not limit.isdigit():
        return None
    return max(0, int(limit) - used + int(facts.get("inactive_file", 0)))
