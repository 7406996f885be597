"""What a child process does first: bind its life to its parent's, and make its crashes explain themselves."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import resource
import signal

from navcore.execution.isolation.output_capture import write_output_by_line

PARENT_VARIABLE = "NAVCORE_PARENT"
TOKEN_VARIABLE = "NAVCORE_CHILD"

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def enter_child() -> None:
    """Make this process a well-behaved child; to be called first thing in a module started by `run_module`.

    The kernel kills it when its parent goes, a crash or a time-out leaves the Python frames of all threads in the log,
    finished lines of output are never lost, and no core file is written. Started by hand, without a supervising
    parent, it does all this but the first.
    """
    parent = os.environ.pop(PARENT_VARIABLE, None)
    prepare_child(int(parent) if parent is not None else None)


def prepare_child(parent: int | None) -> None:
    """Do the work of `enter_child` for a child of the process numbered ``parent``."""
    if parent is not None:
        die_with(parent)
    faulthandler.enable(file=2)
    # A child that is out of time is asked with SIGTERM: say where it hangs, then die of it.
    faulthandler.register(signal.SIGTERM, file=2, chain=True)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    write_output_by_line()
    # Children are started with all signals blocked, so that none finds them half prepared.
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def die_with(parent: int) -> None:
    """Have the kernel send SIGKILL when the thread that started this process ends (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
    # A parent that went before the call sends no signal any more; by then this process has another parent.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
