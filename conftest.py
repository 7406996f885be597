"""Keeps each worker of a test run to one processor, and skips ``gpu`` tests where there is no CUDA device, aloud."""

from __future__ import annotations

import functools
import os
import signal

import pytest

_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


def pytest_configure() -> None:
    """Give this worker a processor of its own: threads of models that share one only wait for each other.

    And let interrupts be heard: a shell that starts a job in the background has it, and all its children, ignore them.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if _WORKER.startswith("gw"):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {processors[int(_WORKER[2:]) % len(processors)]})


@functools.cache
def _why_no_cuda() -> str:
    """The reason why nothing can run on CUDA here, or ``""``; torch is imported only when a GPU test asks."""
    try:
        import torch
    except ImportError:
        return "PyTorch is not installed, so CUDA cannot be reached"
    return "" if torch.cuda.is_available() else "PyTorch finds no CUDA device"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Runs before each test; a skip carries its reason into the closing lines of pytest."""
    reason = _why_no_cuda() if item.get_closest_marker("gpu") else ""
    if reason:
        pytest.skip(reason)
