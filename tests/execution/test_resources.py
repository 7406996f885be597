"""How much memory may still be taken here."""

from __future__ import annotations

from pathlib import Path

from navcore.execution.resources import available_memory, left_by_control_group


def test_this_machine_has_memory() -> None:
    found = available_memory()
    assert found is not None
    assert found > 1 << 20


def test_a_control_group_with_a_limit_counts(tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 200\n")
    (tmp_path / "memory.max").write_text("1000\n")
    assert left_by_control_group(tmp_path) == 500
    (tmp_path / "memory.max").write_text("max\n")
    assert left_by_control_group(tmp_path) is None
    assert left_by_control_group(tmp_path / "nowhere") is None
