"""Frozen values ↔ plain data (dicts, lists, strings, numbers), for status.yaml, the journal and children."""

from __future__ import annotations

from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from navcore.contract import Format, InnerPath, JitType, Name

if TYPE_CHECKING:
    import cattrs

Value = TypeVar("Value")
LARGEST_NUMBER = (1 << 64) - 1


@cache
def _converter() -> cattrs.Converter:
    import cattrs

    converter = cattrs.Converter(forbid_extra_keys=False)
    converter.register_unstructure_hook(Format, _format_to_data)
    converter.register_structure_hook(Format, lambda data, _: _format_from_data(data))
    converter.register_unstructure_hook(Path, str)
    converter.register_structure_hook(Path, lambda text, _: Path(text))
    # Sizes and symbols stand side by side in a shape; both arrive from YAML and JSON as what they are.
    converter.register_structure_hook(int | str, lambda value, _: value)
    converter.register_structure_hook(tuple[int, ...] | str | None, _sizes_or_word)
    for kind_of_name in (Name, InnerPath):
        converter.register_structure_hook(kind_of_name, lambda text, kind: kind(text))
    converter.register_structure_hook(int, _whole)
    converter.register_structure_hook(bool, lambda value, _: bool(value))  # or a truth would become a number
    return converter


def _sizes_or_word(value: Any, _: Any) -> tuple[int, ...] | str | None:
    """Batch sizes, or the word that stands for them."""
    return value if value is None or isinstance(value, str) else tuple(_whole(one, int) for one in value)


def _whole(value: Any, _: Any) -> int:
    """A whole number of at most 64 bits, of whoever wrote it; what computes with it need not ask how large it is."""
    number = int(value)
    if number != value and not isinstance(value, str):
        raise ValueError(f"{ascii(value)[:40]} is not a whole number")
    if abs(number) > LARGEST_NUMBER:
        raise ValueError("a number is beyond 64 bits")
    return number


def to_data(value: Any) -> Any:
    """Plain data of a frozen value; tuples become lists, enumerations their values, numpy's numbers Python's."""
    return _plain(_converter().unstructure(value))


def from_data(data: Any, kind: type[Value]) -> Value:
    """The value of ``kind`` that :func:`to_data` wrote. Raises what cattrs raises when the data does not fit."""
    return _converter().structure(data, kind)


def from_older_data(data: Any, kind: type[Value]) -> Value | None:
    """The same for what another release may have written in another shape: ``None`` where it does not fit."""
    try:
        return from_data(data, kind)
    except Exception:  # cattrs gathers whatever its hooks raise
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, Integral):  # numpy's numbers are numbers here, and YAML and JSON would refuse them
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return value


def _format_to_data(format: Format) -> dict[str, Any]:
    return {key: _plain(part) for key, part in format.description().items()}


def _format_from_data(data: dict[str, Any]) -> Format:
    jit_type = data.get("jit_type")
    return Format(
        data["name"],
        family=data.get("family", data["name"]),
        filename=data.get("filename", "model"),
        jit_type=JitType(jit_type) if jit_type else None,
        precision=data.get("precision"),
        data_only=bool(data.get("data_only", False)),
        suffixes=tuple(data.get("suffixes", ())),
    )
