"""Keeps each worker of a test run to one processor, and decides which tests can be run here, never in silence.

A test says by a marker what it needs from the machine: ``gpu``, ``chromium``, ``triton``, ``compiler``. Where that is
missing the test is skipped with the reason, unless ``NAVCORE_CI_REQUIRES`` lists the marker (names with commas between
them): whoever sets it has installed these things, so that a missing one is a failure.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import signal
from collections.abc import Callable

import pytest

_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
REQUIRES = "NAVCORE_CI_REQUIRES"
_NIGHTLY = "takes too long for every run of the tests; `nox --session nightly` runs it"


def pytest_configure(config: pytest.Config) -> None:
    """Give this worker a processor of its own: threads of models that share one only wait for each other.

    And let interrupts be heard: a shell that starts a job in the background has it, and all its children, ignore them.
    """
    unknown = _required() - set(NEEDS)
    if unknown:
        raise pytest.UsageError(
            f"{REQUIRES} names {', '.join(sorted(unknown))}, which no test can need; use some of {', '.join(NEEDS)}."
        )
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if _WORKER.startswith("gw"):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {processors[int(_WORKER[2:]) % len(processors)]})


def _why_no_cuda() -> str:
    """Why nothing can run on CUDA here, or ``""``; torch is imported only when a GPU test asks."""
    try:
        import torch
    except ImportError:
        return "PyTorch is not installed, so CUDA cannot be reached"
    return "" if torch.cuda.is_available() else "PyTorch finds no CUDA device"


def _why_no_chromium() -> str:
    """Why no page can be opened here, or ``""``."""
    found = any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return "" if found else "there is no Chromium on this machine to open a page with (Debian: apt install chromium)"


def _why_no_triton() -> str:
    """Why no package can be served here, or ``""``."""
    if shutil.which("tritonserver") or importlib.util.find_spec("pytriton"):
        return ""
    return "there is no Triton Inference Server here; `nox --session triton` has one, in an environment of its own"


def _why_no_compiler() -> str:
    """Why inductor cannot compile here, or ``""``."""
    found = shutil.which(os.environ.get("CXX", "g++"))
    return "" if found else "there is no C++ compiler on this machine (Debian: apt install g++)"


NEEDS: dict[str, Callable[[], str]] = {
    "gpu": functools.cache(_why_no_cuda),
    "chromium": functools.cache(_why_no_chromium),
    "triton": functools.cache(_why_no_triton),
    "compiler": functools.cache(_why_no_compiler),
}
"""By marker: why a test that carries it cannot be run here, or ``""``."""


def _required() -> set[str]:
    return {name.strip() for name in os.environ.get(REQUIRES, "").split(",")} - {""}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Runs before each test; a skip carries its reason into the closing lines of pytest."""
    nightly = item.get_closest_marker("nightly")
    if nightly and "nightly" not in item.config.option.markexpr:
        pytest.skip("; ".join([*nightly.args, _NIGHTLY]))
    for name, why_not in NEEDS.items():
        reason = why_not() if item.get_closest_marker(name) else ""
        if reason and name in _required():
            pytest.fail(f"{reason}, and {REQUIRES} says that it has to be here", pytrace=False)
        if reason:
            pytest.skip(reason)
