"""Fixtures for the tests of plugins: ``pytest_plugins = "navcore.testing.fixtures"`` in a test module or conftest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from navcore.package import PackageDescriptor


class RunRoute(Protocol):
    """What the fixture ``run_route`` is: :func:`navcore.run` in a workspace of the test's own."""

    def __call__(self, model: Any, dataloader: Any = None, **arguments: Any) -> PackageDescriptor:
        """The package of a run, with the arguments of :func:`navcore.run`."""


@pytest.fixture
def run_route(tmp_path: Path) -> RunRoute:
    """A user's run, proven and not measured, in a new folder: ``run_route(model, data, targets=["mine"])``.

    It takes the arguments of :func:`navcore.run`. Where they are not given, nothing is measured, a step may take 300 s,
    and git is not asked. Two calls with one model share a workspace, as a user's do: what the first made, the second
    finds again.
    """

    def call(model: Any, dataloader: Any = None, **arguments: Any) -> PackageDescriptor:
        from navcore.api import run

        usual = {"run_profiling": False, "timeout": 300.0, "git_info": False, "workdir": tmp_path / "navcore"}
        return run(model, dataloader, **{**usual, **arguments})

    return call
