"""What the tests of whole runs share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def only_our_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other installed plugins would add rows; the tests say which rows they expect."""
    monkeypatch.setenv("NAVCORE_DISABLE_PLUGINS", "openvino,tensorflow,trt")
