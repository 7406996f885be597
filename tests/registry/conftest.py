"""What tests of plugins share: a folder on the path, in which they are installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from .plugin_place import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
