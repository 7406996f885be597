"""What a fresh Python does that sees what this one sees, for as long as a step may take."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from navcore.testing.ground import Ground
from navcore.testing.verdicts import NotMet


def fresh_python(
    ground: Ground, arguments: Sequence[str], what: str, about: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """How it ended, and what it printed. Raises :class:`NotMet`, with ``what`` and ``about``, where it does not end."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    try:
        return subprocess.run(
            [sys.executable, "-P", *arguments],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=ground.timeout,
        )
    except subprocess.TimeoutExpired:
        raise NotMet(f"{what} ran longer than {ground.timeout:g} s", about=about) from None
