"""Where inductor keeps what it compiled: in the workspace, unless the user chose a place; never half written."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CHOSEN = "TORCHINDUCTOR_CACHE_DIR"
_OURS = ("TORCHINDUCTOR_", "_TORCHINDUCTOR_", "TRITON_")
"""How the variables of the environment begin that inductor sets for itself while it compiles."""
_FOLDER, _LOCK, _AT_WORK = "torch-inductor", "torch-inductor.lock", "torch-inductor.at-work-"


@contextmanager
def inductor_cache(cache_dir: Path | None) -> Iterator[None]:
    """For the time of a compilation: inductor's cache below ``cache_dir``, and its traces in the environment undone.

    ``TORCHINDUCTOR_CACHE_DIR`` of the user's comes first; where there is neither, PyTorch has a place of its own. A
    compiler that is killed leaves libraries that are half written, and inductor would load them the next time: a cache
    that somebody was killed in is emptied before it is used again.
    """
    before = {name: value for name, value in os.environ.items() if name.startswith(_OURS)}
    try:
        if cache_dir is None or _is_chosen(before.get(_CHOSEN), cache_dir / _FOLDER):
            yield
        else:
            with _whole(cache_dir) as folder:
                os.environ[_CHOSEN] = str(folder)
                yield
    finally:
        for name in [name for name in os.environ if name.startswith(_OURS)]:
            del os.environ[name]
        os.environ.update(before)


def _is_chosen(place: str | None, ours: Path) -> bool:
    """Whether the variable says what a user chose.

    Else it names the place that PyTorch wrote into it when some part of it was imported, or ours, in a process that was
    started while its parent compiled.
    """
    if place is None or place == str(ours):
        return False
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    return place != default_cache_dir()


@contextmanager
def _whole(cache_dir: Path) -> Iterator[Path]:
    cache_dir.mkdir(parents=True, exist_ok=True)
    folder, mark = cache_dir / _FOLDER, cache_dir / f"{_AT_WORK}{uuid.uuid4().hex}"
    with open(cache_dir / _LOCK, "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # others are compiling just now: what they mark is not the trace of a dead one
            pass
        else:
            for trace in list(cache_dir.glob(f"{_AT_WORK}*")):
                shutil.rmtree(folder, ignore_errors=True)
                trace.unlink(missing_ok=True)
        fcntl.flock(lock, fcntl.LOCK_SH)
        mark.touch()
        folder.mkdir(exist_ok=True)
        try:
            yield folder
        except Exception:  # an interrupt is another matter: it may have ended a compiler in the middle of a file
            mark.unlink(missing_ok=True)
            raise
        mark.unlink(missing_ok=True)
