"""How much memory may still be taken here, by the machine's account and by that of a control group."""

from __future__ import annotations

import os
from pathlib import Path


def available_memory() -> int | None:
    """Bytes that this process may still take: the machine's, or less in a control group; ``None`` where unknown."""
    found = [count for count in (_of_the_machine(), left_by_control_group()) if count is not None]
    return min(found, default=None)


def _of_the_machine() -> int | None:
    import psutil

    try:
        return int(psutil.virtual_memory().available)
    except OSError:  # a container may hide it
        return None


def left_by_control_group(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What version 2 of control groups leaves to this one; memory that only caches files counts as free."""
    try:
        limit = (root / "memory.max").read_text().strip()
        used = int((root / "memory.current").read_text())
        facts = dict(line.split() for line in (root / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    if not limit.isdigit():
        return None
    return max(0, int(limit) - used + int(facts.get("inactive_file", 0)))


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))
