"""What this process may take: memory and processors, by the machine's account and by that of a control group."""

from __future__ import annotations

import os
import sys
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


def resident_memory() -> int:
    """Bytes that this process holds in memory."""
    import psutil

    return int(psutil.Process().memory_info().rss)


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
    """How many processors this process may use: those of its affinity, or fewer by the quota of its control group."""
    quota = quota_of_control_group()
    return max(1, min(len(os.sched_getaffinity(0)), sys.maxsize if quota is None else quota))


def quota_of_control_group(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """The whole processors that version 2 of control groups grants to this one, ``None`` without a quota."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) // int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
