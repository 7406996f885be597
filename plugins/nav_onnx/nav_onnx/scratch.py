"""A folder for what is needed only while a step works, beside what it makes: nothing of it is left anywhere."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def scratch_folder(output: Path) -> Iterator[Path]:
    """A new folder beside ``output``, which is the process's temporary folder until it is removed.

    ONNX Runtime's quantiser copies whole models into the temporary folder, and ONNX Runtime itself writes a file
    there when it is loaded. For a process that does nothing else.
    """
    before, named = tempfile.tempdir, os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".scratch-") as folder:
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before
            if named is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = named
