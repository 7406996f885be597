"""The fixture of a plugin's tests is a user's run in a folder of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from navcore.testing.fixtures import RunRoute

pytest_plugins = "navcore.testing.fixtures"
pytestmark = pytest.mark.processes


def test_it_proves_and_does_not_measure(run_route: RunRoute, toy: Any, tmp_path: Path) -> None:
    package = run_route(toy.ToyModel(), toy.dataloader(), targets=["toy-alpha"])
    assert package.get_status("toy-alpha")
    assert not any(row.performance for result in package.results for row in result.runtimes)
    assert tmp_path in Path(package.workspace).parents


def test_it_takes_the_arguments_of_a_run(run_route: RunRoute, toy: Any, tmp_path: Path) -> None:
    package = run_route(toy.ToyModel(), toy.dataloader(), targets=["toy-alpha"], workdir=tmp_path / "mine")
    assert (tmp_path / "mine") in Path(package.workspace).parents
