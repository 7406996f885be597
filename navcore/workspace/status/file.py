"""``status.yaml`` on the disk: written whole or not at all, read with every doubt."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from navcore.errors import NavcoreError, PackageError
from navcore.workspace.atomic_files import write_text
from navcore.workspace.status.record import Record, record_from_data, record_to_data
from navcore.workspace.status.upgrades import upgraded
from navcore.workspace.status.yaml_reading import from_yaml, read_text
from navcore.workspace.status.yaml_text import to_yaml


def write_status(path: Path, record: Record) -> None:
    """Write the record to ``path``, whole or not at all."""
    write_text(path, to_yaml(record_to_data(record)))


def read_status(path_or_text: Path | str) -> Record:
    """The record in a file (a ``Path``) or in its text (a ``str``), of this format version or an older one.

    Raises :class:`WorkspaceError` when there is no file, and :class:`PackageError` when it cannot be understood. Its
    ``code`` is ``status-yaml`` for text that is no YAML mapping, ``status-version`` for a format version that this
    navcore does not know, and ``status-shape`` for a key that is missing or does not fit.
    """
    with about(path_or_text if isinstance(path_or_text, Path) else None, "status.yaml"):
        text = read_text(path_or_text) if isinstance(path_or_text, Path) else path_or_text
        return record_from_data(upgraded(from_yaml(text)))


@contextlib.contextmanager
def about(path: Path | None, name: str) -> Iterator[None]:
    """Turn whatever goes wrong in understanding a file into one :class:`PackageError` that names the file."""
    import cattrs

    kind = name.partition(".")[0]
    try:
        yield
    except PackageError as error:
        code = error.code if error.code.startswith(kind) else f"{kind}-{error.code}"
        raise PackageError(error.what, code=code, who=str(path or name), hint=error.hint) from error.__cause__
    except (
        cattrs.BaseValidationError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise PackageError(
            f"The file does not fit its format: {_detail(error)}.",
            code=f"{kind}-shape",
            who=str(path or name),
            hint="It was damaged, or written by hand or by another program.",
        ) from error


def _detail(error: BaseException) -> str:
    """What does not fit, and where, in one line."""
    import cattrs

    if isinstance(error, cattrs.BaseValidationError):
        told, _, where = cattrs.transform_error(error)[0].partition(" @ ")
        return f"{_innermost(error) if told.startswith('invalid value') else told} at {where}"
    if isinstance(error, KeyError):
        return f"{error} is missing or unknown"
    return _innermost(error)


def _innermost(error: BaseException) -> str:
    """What the first of the errors that a group holds has to say."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = error.what if isinstance(error, NavcoreError) else str(error).partition("\n")[0]
    return text.rstrip(".,") or type(error).__name__
