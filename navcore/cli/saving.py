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
    """Decorate a command with ``--save``, ``--override`` and ``--compact``."""
    override = click.option("--override", is_flag=True, help="Let --save replace an existing file.")
    save = click.option(
        "--save",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Pack the results into this file.",
    )
    compact = click.option(
        "--compact",
        is_flag=True,
        help="Let --save hold weights once that several formats have; only navcore unpacks it.",
    )
    return save(override(compact(function)))


def refuse_unsaved(save: Path | None, override: bool, compact: bool) -> None:
    """Raise :class:`OptionError`, before any work, for a file that may not be replaced, and for how to save nothing."""
    if save is None and compact:
        raise OptionError("--compact says how --save packs, and nothing is to be saved.", hint="Add --save FILE.")
    if save is not None and save.exists() and not override:
        raise OptionError(f"--save {save}: the file exists.", hint="Add --override to replace it.")


def saved(package: PackageDescriptor, save: Path | None, override: bool, compact: bool) -> Path | None:
    """Pack the results where that was asked for and anything is ok; the file, ``None`` where there is none."""
    if save is None:
        return None
    if not any(package.get_formats_status().values()):
        tell(f"Nothing is ok, so {save} was not written.")
        return None
    package.save(save, override=override, compact=compact)
    tell(f"Package: {save}")
    return save
