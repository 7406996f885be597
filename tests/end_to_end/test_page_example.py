"""The reference page's example with the page's own measuring windows, which takes some eight minutes."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from .page_example import EXAMPLE, check


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_the_page_s_example_runs_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path(str(EXAMPLE))
    check(names["package_desc"], names["loaded_package_desc"], windows=(3, 10))
    assert (tmp_path / "example_pyt.nav").is_file()
