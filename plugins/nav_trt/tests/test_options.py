"""What can be set for an engine, and what cannot be meant."""

from __future__ import annotations

import pytest

from nav_trt import EngineOptions
from navcore import OptionError


def test_by_default_the_builder_decides() -> None:
    assert EngineOptions() == EngineOptions(max_workspace_size=None, optimization_level=None)


@pytest.mark.parametrize("size", [1, 1 << 40])
def test_a_workspace_has_bytes(size: int) -> None:
    assert EngineOptions(max_workspace_size=size).max_workspace_size == size


@pytest.mark.parametrize("size", [0, -1])
def test_a_workspace_without_bytes_is_refused(size: int) -> None:
    with pytest.raises(OptionError, match=f"max_workspace_size is {size}"):
        EngineOptions(max_workspace_size=size)


@pytest.mark.parametrize("level", range(6))
def test_levels_go_from_0_to_5(level: int) -> None:
    assert EngineOptions(optimization_level=level).optimization_level == level


@pytest.mark.parametrize("level", [-1, 6])
def test_other_levels_are_refused(level: int) -> None:
    with pytest.raises(OptionError, match=f"optimization_level is {level}"):
        EngineOptions(optimization_level=level)
