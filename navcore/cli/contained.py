"""The source of ``navcore run`` in a process of its own, so that a crash there is a row or a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from navcore.cli.answers import Refused, tell
from navcore.execution import FAULTS, blame_crash, die_with
from navcore.workspace import Workspace

_INSIDE = "NAVCORE_SOURCE_CHILD"


def is_inside() -> bool:
    """Whether this is that process already; if so, its life is bound to that of the one that started it."""
    parent = os.environ.get(_INSIDE)
    if parent is not None:
        die_with(int(parent))
    return parent is not None


def run_contained(words: Sequence[str], root: Path) -> int:
    """Run ``navcore run`` with these words in a child, again after every export that kills it; returns its exit code.

    A step that runs in the source's own process (its route cannot be forked) and kills it is recorded as failed in the
    workspace at ``root``, and the run is continued without it. Raises :class:`Refused` when the source died otherwise,
    or by a signal that somebody sent.
    """
    while True:
        code = _run_once(words)
        if code >= 0:
            return code
        name = signal.Signals(-code).name
        if -code not in FAULTS:  # nothing that the model did
            raise Refused(f"The run was killed by {name}, from outside. What was finished is kept: run the same again.")
        cause = f"killed by {name} in the process of the source"
        target = blame_crash(Workspace(root), cause)
        if not target:
            raise Refused(
                f"The process of the source was {cause.partition(' in ')[0]}: the model, or the data, ended it. "
                "What was finished is kept; call the model by hand to see more."
            )
        tell(f"The export to {target} was {cause}; going on with the rest.")


def _run_once(words: Sequence[str]) -> int:
    command = [sys.executable, "-P", "-m", "navcore.cli", "run", *words]
    search_path = os.pathsep.join(entry for entry in sys.path if entry)
    environment = {**os.environ, _INSIDE: str(os.getpid()), "PYTHONPATH": search_path}
    child = subprocess.Popen(command, env=environment, stdout=sys.stdout)  # the one for answers, whatever its number
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue  # it was sent to the child too, which cleans up and ends
