"""The options by which a command packs what it made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from navcore.cli.answers import tell
from navcore.errors import OptionError

if TYPE_CHECKING:
    from navcore.package import PackageDescriptor

Function = TypeVar("Function", bound=Callable[..., Any])


def save_options(function: Function) -> Function:
    """Decorate a command with ``--save`` and ``--override``."""
    override = click.option("--override", is_flag=True, help="Let --save replace an existing file.")
    save = click.option(
        "--save",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Pack the results into this file.",
    )
    return save(override(function))


def refuse_existing(save: Path | None, override: bool) -> None:
    """Raise :class:`OptionError`, before any work, for a file that may not be replaced."""
    if save is not None and save.exists() and not override:
        raise OptionError(f"--save {save}: the file exists.", hint="Add --override to replace it.")


def saved(package: PackageDescriptor, save: Path | None, override: bool) -> Path | None:
    """Pack the results where that was asked for and anything is ok; the file, ``None`` where there is none."""
    if save is None:
        return None
    if not any(package.get_formats_status().values()):
        tell(f"Nothing is ok, so {save} was not written.")
        return None
    package.save(save, override=override)
    tell(f"Package: {save}")
    return save
