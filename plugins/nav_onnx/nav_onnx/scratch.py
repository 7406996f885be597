"""Where tools of ONNX Runtime may print and write as they like while a step works: nothing of it is left anywhere."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import warnings
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


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what these tools print, and their advice to people who call them themselves, out of the log.

    And what they leave in the current folder, such as a model whose shapes they could not infer, out of that.
    """
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.CRITICAL)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.chdir(tempfile.gettempdir()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", ResourceWarning)  # older releases leave folders to the collector
            yield
    finally:
        root.setLevel(level)
