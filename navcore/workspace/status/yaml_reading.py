"""YAML text of anybody's → plain data, in time and memory that its length bounds.

The text is read as a stream of events, and everything that makes YAML costly is left out or counted: no objects and no
tags, no merge keys, no numbers in base 60 or of more than 400 digits, and a limit on depth, on values and on what
aliases unfold to.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from navcore.errors import PackageError, WorkspaceError

LARGEST_FILE = 4 << 20
LARGEST_VALUE = 150_000
DEEPEST = 200
MOST_DIGITS = 400
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)\Z")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?)\Z")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **{word: True for plain in ("yes", "true", "on") for word in (plain, plain.title(), plain.upper())},
    **{word: False for plain in ("no", "false", "off") for word in (plain, plain.title(), plain.upper())},
    **{sign + word: math.inf for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **{f"-{word}": -math.inf for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it: thirty times as fast


def read_text(path: Path) -> str:
    """The file's text. Raises :class:`WorkspaceError` without a readable file, :class:`PackageError` for no text."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise WorkspaceError("The file does not exist.", who=str(path), hint="A run or a load writes it.") from None
    except OSError as error:
        raise WorkspaceError(f"The file cannot be read: {error.strerror}.", who=str(path)) from error
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise PackageError("The file is not text in UTF-8.", code="yaml", who=str(path)) from None


def from_yaml(text: str) -> dict[str, Any]:
    """The mapping that ``text`` holds. Nothing but plain data is ever built; aliases share what they repeat.

    Raises :class:`PackageError` (code ``yaml``) for text that is no YAML mapping, is larger than 4 MiB, has a key
    twice, a merge key, a tag or an integer of more than 400 digits, is nested deeper than 200 levels, or unfolds by its
    aliases to more than 150 000 values.
    """
    if len(text) > LARGEST_FILE:
        raise _refused(f"it is larger than {LARGEST_FILE >> 20} MiB")
    parser = _PARSER(text)
    try:
        data = _Reading(parser).document()
    except yaml.YAMLError as error:
        raise _refused(_complaint(error)) from None
    finally:
        parser.dispose()
    if not isinstance(data, dict):
        raise _refused("it holds no mapping")
    return data


class _Reading:
    """One document on its way from events to values; ``sizes`` are those of collections, by identity."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser
        self._met = 0
        self._anchored: dict[str, Any] = {}
        self._sizes: dict[int, int] = {}

    def document(self) -> Any:
        """The only document of the stream; ``None`` for an empty one."""
        events = self._events()
        next(events)
        if isinstance(next(events), yaml.StreamEndEvent):
            return None
        value = self._value(next(events), events, 0)
        next(events)
        if not isinstance(next(events), yaml.StreamEndEvent):
            raise _refused("it holds more than one document")
        return value

    def _events(self) -> Iterator[Any]:
        while (event := self._parser.get_event()) is not None:
            self._met += 1
            if self._met > 2 * LARGEST_VALUE:
                raise _refused(f"it holds more than {LARGEST_VALUE} values")
            yield event

    def _value(self, event: Any, events: Iterator[Any], depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._aliased(event)
        if event.tag not in (None, "!"):
            raise _refused(f"it holds a tag{_line(event)}")
        if depth > DEEPEST:
            raise _refused("it is nested too deeply")
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(events, depth)
        else:
            value = self._mapping(events, depth)
        if event.anchor is not None:
            self._anchored[event.anchor] = value
        return value

    def _sequence(self, events: Iterator[Any], depth: int) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            found.append(self._value(event, events, depth + 1))
        self._weigh(found, found)
        return found

    def _mapping(self, events: Iterator[Any], depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.tag not in (None, "!"):
                raise _refused(f"it has a key that is no plain one{_line(event)}")
            if event.value == "<<" and event.implicit[0]:
                raise _refused(f"it has a merge key{_line(event)}")
            key = self._value(event, events, depth)
            if key in found:
                raise _refused(f"the key {ascii(event.value)[:80]} stands twice{_line(event)}")
            found[key] = self._value(next(events), events, depth + 1)
        self._weigh(found, found.values())
        return found

    def _weigh(self, value: Any, parts: Any) -> None:
        """Refuse a collection that unfolds to too much: what several aliases share is read once and counted often."""
        size = 1 + sum(self._sizes.get(id(part), 1) for part in parts)
        if isinstance(value, dict):
            size += len(value)
        if size > LARGEST_VALUE:
            raise _refused(f"it holds more than {LARGEST_VALUE} values")
        self._sizes[id(value)] = size

    def _aliased(self, event: Any) -> Any:
        if event.anchor not in self._anchored:  # also one that would stand inside itself
            raise _refused(f"it refers to {ascii(event.anchor)[:80]}, which is not there{_line(event)}")
        return self._anchored[event.anchor]


def _scalar(event: Any) -> Any:
    """What plain text means; quoted text is text. Dates, and numbers in base 60, are the text that they are."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if not (first.isdigit() or first in "+-."):
        return text
    if _INTEGER.match(text):
        return _integer(text.replace("_", ""), event)
    return float(text.replace("_", "")) if len(text) < 64 and _FLOAT.match(text) else text


def _integer(text: str, event: Any) -> int:
    digits = text.lstrip("+-")
    base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2], 8 if digits.startswith("0") and digits != "0" else 10)
    if len(digits) > MOST_DIGITS:  # converting a long one takes quadratic time
        raise _refused(f"it holds an integer of more than {MOST_DIGITS} digits{_line(event)}")
    try:
        return int(text, base)
    except ValueError:
        raise _refused(f"it holds a number that is none{_line(event)}") from None


def _complaint(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    mark = getattr(error, "problem_mark", None)
    return f"{problem} (line {mark.line + 1})" if mark is not None else str(problem)


def _line(event: Any) -> str:
    return f" (line {event.start_mark.line + 1})" if event.start_mark is not None else ""


def _refused(why: str) -> PackageError:
    return PackageError(f"The file cannot be read as YAML: {why}.", code="yaml")
