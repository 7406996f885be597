"""What a child does first."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_ENTER = "from navcore.execution.isolation import enter_child; enter_child(); print('entered')"


def _run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **variables},
        capture_output=True,
        text=True,
    )


def test_a_child_whose_parent_went_before_it_could_bind_itself_ends_at_once() -> None:
    # Our parent plays the parent that is gone: it exists, but the child is not its child.
    result = _run(_ENTER, NAVCORE_PARENT=str(os.getppid()))

    assert (result.returncode, result.stdout) == (-9, "")


@pytest.mark.parametrize("variables", [{}, {"NAVCORE_PARENT": str(os.getpid())}], ids=["by hand", "by its parent"])
def test_a_child_enters(variables: dict[str, str]) -> None:
    result = _run(_ENTER, **variables)

    assert (result.returncode, result.stdout) == (0, "entered\n")


def test_a_crash_writes_no_core_file() -> None:
    result = _run(_ENTER + "; import resource; print(resource.getrlimit(resource.RLIMIT_CORE)[0])")

    assert result.stdout == "entered\n0\n"


def test_what_a_child_starts_does_not_take_the_childs_parent_for_its_own() -> None:
    result = _run(_ENTER + "; import os; print('NAVCORE_PARENT' in os.environ)", NAVCORE_PARENT=str(os.getpid()))

    assert result.stdout == "entered\nFalse\n"
