"""What killed runs left in a workspace, and what a run leaves when it ends: processes and private folders."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from navcore.execution.build_format import forget_crash
from navcore.execution.isolation import reap_orphans, runs_in, warm_children
from navcore.execution.step_children import IMPORTED_BY_STEPS
from navcore.workspace import Workspace, remove


@contextlib.contextmanager
def tidied(workspace: Workspace) -> Iterator[None]:
    """Clear away before the block what killed runs left, and after it whatever this one did; under the lock.

    Within it children are forked from warm processes. A folder in which a child still runs, for an executor on another
    machine say, stays.
    """
    reap_orphans(workspace.private)
    forget_crash(workspace)
    _clear(workspace.work)
    try:
        with warm_children(workspace.root, IMPORTED_BY_STEPS):
            yield
    finally:
        _clear(workspace.work)


def _clear(work: Path) -> None:
    with contextlib.suppress(OSError):
        for entry in list(work.iterdir()):
            if not runs_in(entry):
                remove(entry)
        work.rmdir()
