"""Where a package, or what comes out of one, appears: at once and complete, its failures told as a package's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from navcore.errors import PackageError, PackageExists
from navcore.package.archive.refusals import Refusal
from navcore.workspace import is_about_room, what_is_lacking, whole_file, whole_folder


@contextmanager
def atomic_file(path: Path, *, replace: bool) -> Iterator[int]:
    """The descriptor of a private file that becomes ``path`` when the block ends well; see :func:`whole_file`.

    Raises ``PackageExists`` if ``path`` exists and may not be replaced, also when it came into being meanwhile,
    and ``PackageError`` (``write-failed``) when the disk is full or cannot be written.
    """
    with _told_as_refusals(path, replace=replace):
        refuse_existing(path, replace=replace)
        with whole_file(path, replace=replace) as descriptor:
            yield descriptor


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """A new empty folder that becomes ``target`` when the block ends well; see :func:`whole_folder`.

    The caller flushes the files. Raises like ``atomic_file``.
    """
    with _told_as_refusals(target, replace=False):
        refuse_existing(target, replace=False)
        with whole_folder(target) as folder:
            yield folder


def refuse_existing(path: Path, *, replace: bool) -> None:
    """Raise ``PackageExists`` if something is at ``path`` (a dangling link included) that may not be replaced."""
    if path.is_dir() and not path.is_symlink():
        hint = "Choose another path."
    elif os.path.lexists(path) and not replace:
        hint = "Choose another path, or allow it to be replaced with override=True."
    else:
        return
    raise PackageExists("there is something at this path already.", code=Refusal.EXISTS.value, who=str(path), hint=hint)


@contextmanager
def _told_as_refusals(path: Path, *, replace: bool) -> Iterator[None]:
    try:
        yield
    except PackageError:
        raise
    except OSError as error:
        if isinstance(error, FileExistsError | IsADirectoryError):
            refuse_existing(path, replace=replace)  # another run was faster by a moment
        what, hint = f"it cannot be written ({error.strerror or error}).", "Check the permissions."
        if is_about_room(error):
            what, hint = f"it cannot be written: {what_is_lacking(path.parent, error)}.", "Make room, and try again."
        raise PackageError(what, code=Refusal.WRITE_FAILED.value, who=str(path), hint=hint) from error
