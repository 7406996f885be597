"""What is known about one argument of a run beside its name and its kind: a value that its field carries."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import attrs

from navcore.workspace.argument_types import Settle


class Spelling(StrEnum):
    """How the command line writes an argument, and reads it."""

    TEXT = "text"
    WHOLE = "whole"
    NUMBER = "number"
    SIZE = "size"
    """Bytes, with or without a unit."""
    FOLDER = "folder"
    SWITCH = "switch"
    """A flag that turns the default around."""
    AXIS = "axis"
    """A number, or none."""
    NAMES = "names"
    """Text, several times. So are those below, each of them part of a mapping."""
    PAIRS = "pairs"
    LISTS = "lists"
    ROUTE_OPTIONS = "route options"
    DYNAMIC_AXES = "dynamic axes"
    AXIS_RANGES = "axis ranges"
    SIZES = "sizes"
    """A whole number, several times, or the word auto."""
    WINDOWS = "windows"
    """The length of a window, from which the whole measurement is made."""


@attrs.frozen
class CommandOption:
    """The option of the command line for an argument. ``metavar`` stands for its value in ``--help``."""

    spelling: Spelling
    flag: str = ""
    metavar: str = ""
    help: str = ""


@attrs.frozen
class Argument:
    """What is known about one argument beside its name.

    ``default`` is what the caller need not write, ``settle`` its type, ``meaning`` its line in ``help(navcore.run)``.
    ``reference`` is the key of the reference API under which ``status.yaml`` has it, where that is another name than
    its own. ``in_variant`` says that it decides how a variant comes out or is judged, so that ``config.yaml`` has it.
    """

    default: Any
    settle: Settle
    meaning: str
    option: CommandOption | None = None
    reference: str = ""
    in_variant: bool = False


_KEY = "navcore.argument"


def argument(
    default: Any,
    settle: Settle,
    meaning: str,
    *,
    option: CommandOption | None = None,
    reference: str = "",
    in_variant: bool = False,
) -> Any:
    """A field whose default is the settled form of the caller's."""
    told = Argument(default, settle, meaning, option, reference, in_variant)
    return attrs.field(factory=lambda: settle("default", default), metadata={_KEY: told})


def arguments_of(kind: type[attrs.AttrsInstance]) -> Mapping[str, Argument]:
    """The arguments that the fields of a class carry, by name."""
    return {field.name: field.metadata[_KEY] for field in attrs.fields(kind)}
