"""How much work the processors do together: on many a virtual machine two of them do little more than one."""

from __future__ import annotations

import os
import subprocess
import sys
import time

_SECONDS = 0.3
_UNTIL_ALL_RUN = 0.5
_POOR = 0.7
"""Together they do less than this share of what each does alone."""

_COUNT = """
import sys, time
begin = float(sys.argv[1])
while time.monotonic() < begin:
    pass
done, end = 0, begin + float(sys.argv[2])
while time.monotonic() < end:
    done += sum(range(500)) > 0
print(done)
"""


def told_of_threads(count: int) -> str:
    """In words, what ``count`` processors do together; a warning where more threads may be slower than one."""
    if count < 2:
        return "1 processor"
    together = work_of(count)
    words = f"{count} processors do the work of {together:.1f}"
    if together >= _POOR * count:
        return words
    return f"{words} at this moment: more threads may be slower than one, and threads='auto' tries which are faster"


def work_of(count: int) -> float:
    """What so many processes that do nothing but compute get done at once, over what one of them does alone."""
    alone = max(1, sum(_counted(1)))
    return sum(_counted(count)) / alone


def _counted(processes: int) -> list[int]:
    begin = time.monotonic() + _UNTIL_ALL_RUN
    command = [sys.executable, "-I", "-S", "-c", _COUNT, str(begin), str(_SECONDS)]
    children = [
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=os.environ, text=True)
        for _ in range(processes)
    ]
    return [int(child.communicate()[0] or 0) for child in children]
