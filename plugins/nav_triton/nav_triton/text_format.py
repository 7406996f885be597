"""Writes protobuf's text format, as far as Triton's model configuration needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import attrs


@attrs.frozen
class Word:
    """The name of an enumeration's value, which is written without quotes."""

    text: str


Value: TypeAlias = "str | int | bool | Word | Message | Sequence[Value]"
Message: TypeAlias = Mapping[str, Value]
"""Fields by name, in their order. A sequence is a repeated field."""


def as_text(message: Message) -> str:
    """The message as a file of protobuf's text format."""
    return "".join(f"{line}\n" for name, value in message.items() for line in _field(name, value))


def parameters(values: Mapping[str, str]) -> list[Message]:
    """A map of Triton's parameters: each entry a message of its own, as the text format writes maps."""
    return [{"key": key, "value": {"string_value": value}} for key, value in values.items()]


def quoted(text: str) -> str:
    """Text between quotes, as ASCII: every other byte of its UTF-8 is escaped, and so are quotes and backslashes.

    What stands in a package may be a stranger's, so nothing in it can end the string, or the line.
    """
    return '"' + "".join(map(_escaped, text.encode())) + '"'


def _escaped(byte: int) -> str:
    if byte in b'"\\':
        return "\\" + chr(byte)
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def _field(name: str, value: Value) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{name} {{", *(f"  {line}" for key, part in value.items() for line in _field(key, part)), "}"]
    if isinstance(value, Sequence) and not isinstance(value, str):
        if any(isinstance(one, Mapping) for one in value):
            return [line for one in value for line in _field(name, one)]
        return [f"{name}: [{', '.join(map(_scalar, value))}]"]
    return [f"{name}: {_scalar(value)}"]


def _scalar(value: Value) -> str:
    if isinstance(value, Word):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(value) if isinstance(value, str) else str(value)
