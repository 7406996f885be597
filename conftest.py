"""Skips the tests marked ``gpu`` where there is no CUDA device, and says so."""

from __future__ import annotations

import functools

import pytest


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
