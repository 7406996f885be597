"""What may be written for the arguments that say how models are measured."""

from __future__ import annotations

from typing import Any

from navcore.contract import ProfilerConfig, refuse_endless
from navcore.workspace.argument_types import refused, sizes, whole

AUTO = "auto"
"""The word that leaves a choice to navcore."""

_MOST_THREADS = 4096
_MOST_CALLERS = 256
_SIZES = sizes(example="[1, 8]")


def measurement(name: str, value: Any) -> ProfilerConfig:
    """The type of every ``profiler_config``."""
    if not isinstance(value, ProfilerConfig):
        instead = f"Write {name}=navcore.ProfilerConfig(batch_sizes=[1, 8])."
        raise refused(name, value, "has to be a navcore.ProfilerConfig", instead)
    refuse_endless(value)
    return value


def number_of_threads(name: str, value: Any) -> int | str:
    """The type of ``threads``: a number, also as text, or the word that leaves the choice to navcore."""
    if value == AUTO:
        return AUTO
    given = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    count: int = whole(above=0, example="1, or 'auto'")(name, given)
    if count > _MOST_THREADS:
        raise refused(name, value, f"has to be at most {_MOST_THREADS}", f"Write {name}=1, or 'auto'.")
    return count


def number_of_callers(name: str, value: Any) -> int:
    """The type of ``callers``: at least two, since one caller is what is measured anyway."""
    count: int = whole(above=1, example="8")(name, value)
    if count > _MOST_CALLERS:
        raise refused(name, value, f"has to be at most {_MOST_CALLERS}", f"Write {name}=8.")
    return count


def sizes_or_auto(name: str, value: Any) -> tuple[int, ...] | str:
    """The type of ``batch_sizes``: whole numbers above zero, or the word that leaves the choice to navcore."""
    if isinstance(value, str):
        if value != AUTO:
            raise refused(
                name, value, "has to be a list of whole numbers, or 'auto'", f"Write {name}=[1, 8], or 'auto'."
            )
        return AUTO
    found: tuple[int, ...] = _SIZES(name, value)
    return found
