"""Puts the page at its place, whole or not at all, and never over a file that it may not replace."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from navcore.errors import OptionError, PackageExists, Unavailable
from navcore.package.report.html.content import content_of
from navcore.package.report.html.measured import Reader
from navcore.workspace import Record, is_about_room, what_is_lacking, whole_file

if TYPE_CHECKING:
    from navcore.registry import Registry


def write_page(
    path: Path, record: Record, read: Reader, *, override: bool = False, registry: Registry | None = None
) -> None:
    """Write the page about ``record`` to ``path``; ``read`` gives the files behind it.

    ``registry`` knows what the profiler measures that the record names; without it the page has its name alone.

    Raises :class:`PackageExists` where something is there already, unless ``override`` says that it may be replaced,
    :class:`OptionError` for a path that cannot be written, and :class:`Unavailable` without the extra ``report``.
    """
    if path.is_dir():
        raise OptionError(f"{path} is a folder.", hint="Give the path of a file, such as report.html.")
    if not path.parent.is_dir():
        raise OptionError(f"There is no folder {path.parent}.", hint="Make it, or choose another path.")
    if os.path.lexists(path) and not override:
        raise _exists(path)
    page = _page(record, read, registry)
    try:
        with whole_file(path, replace=override) as descriptor, os.fdopen(descriptor, "wb", closefd=False) as stream:
            stream.write(page.encode("utf-8", "replace"))
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        reason = what_is_lacking(path.parent, error) if is_about_room(error) else error.strerror
        raise OptionError(f"{path} cannot be written: {reason}.", hint="Choose another path.") from error


def _exists(path: Path) -> PackageExists:
    return PackageExists(f"{path} exists.", code="exists", hint="Give override=True to replace it.")


def _page(record: Record, read: Reader, registry: Registry | None) -> str:
    try:
        from navcore.package.report.html.page import page_of
    except ImportError as error:
        raise Unavailable(
            f"The page needs a package that is not installed: {error}.",
            hint='Install it with: pip install "navcore[report]"',
        ) from error
    return page_of(content_of(record, read, registry))
