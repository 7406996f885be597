"""Plain data ↔ YAML text that any reader understands: no aliases, no tags, no numbers that are not numbers."""

from __future__ import annotations

import enum
import math
import numbers
import re
import sys
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import yaml

from navcore.errors import PackageError, WorkspaceError

LARGEST_FILE = 16 << 20
LARGEST_VALUE = 1_000_000
_NUMBER_OF_YAML_1_2 = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_FLOAT = "float"


class _Dumper(yaml.SafeDumper):
    """Repeats a value instead of referring to it, and quotes text that a reader of YAML 1.2 takes for a number."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # Other styles fold what PyYAML takes for a line break, such as U+0085, into a space.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER_OF_YAML_1_2, list("-+.0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"0o[0-7]+\Z"), ["0"])


class _Loader(yaml.SafeLoader):
    """Takes dates for the text that they are, and refuses a mapping with one key twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's way to choose what plain text may mean)
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def to_yaml(data: Mapping[str, Any]) -> str:
    """The text of ``data``, its keys in the order given. See :func:`plain` for what becomes of odd values."""
    text: str = yaml.dump(plain(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=sys.maxsize)
    return text


def plain(value: Any) -> Any:
    """``value`` as mappings with text keys, lists, text, numbers, booleans and nulls.

    An infinite number becomes the text ``"inf"`` or ``"-inf"``, and not-a-number ``"nan"``: YAML's own spellings are
    unknown to JSON. A half of a surrogate pair, which no file can hold, becomes an escape. Anything unknown becomes
    its text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        return plain(value.item())  # numpy's booleans are no numbers
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, Set):
        return sorted((plain(part) for part in value), key=repr)
    return plain(str(value))


def spelled(value: Any) -> Any:
    """Free-form data whose numbers have to come back as numbers: an infinity becomes ``{"float": "inf"}``."""
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(float(value))}
    if isinstance(value, Mapping):
        return {str(key): spelled(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [spelled(part) for part in value]
    return value


def unspelled(value: Any) -> Any:
    """What :func:`spelled` was given."""
    if isinstance(value, Mapping):
        if set(value) == {_FLOAT} and value[_FLOAT] in ("inf", "-inf", "nan"):
            return float(value[_FLOAT])
        return {key: unspelled(part) for key, part in value.items()}
    if isinstance(value, list):
        return [unspelled(part) for part in value]
    return value


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
    """The mapping that ``text`` holds. Nothing but plain data is ever built.

    Raises :class:`PackageError` (code ``yaml``) for text that is no YAML mapping, is larger than 16 MiB, or unfolds
    by its aliases to more than a million values.
    """
    if len(text) > LARGEST_FILE:
        raise _refused(f"it is larger than {LARGEST_FILE >> 20} MiB")
    try:
        data = yaml.load(text, Loader=_Loader)  # a SafeLoader: builds no objects
        size = _unfolded_size(data, {})
    except yaml.YAMLError as error:
        raise _refused(_complaint(error)) from None
    except RecursionError:
        raise _refused("it is nested too deeply") from None
    except ValueError as error:  # a number with more digits than Python converts
        raise _refused(str(error)) from None
    if not isinstance(data, dict):
        raise _refused("it holds no mapping")
    if size > LARGEST_VALUE:
        raise _refused(f"it holds more than {LARGEST_VALUE} values")
    return data


def _unfolded_size(value: Any, known: dict[int, int]) -> int:
    """How many values a walk through ``value`` meets; what several aliases share is visited once and counted often."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) in known:
        return known[id(value)]
    known[id(value)] = LARGEST_VALUE + 1  # met again inside itself, it has no end
    parts = [part for pair in value.items() for part in pair] if isinstance(value, dict) else value
    known[id(value)] = 1 + sum(_unfolded_size(part, known) for part in parts)
    return known[id(value)]


def _complaint(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    mark = getattr(error, "problem_mark", None)
    return f"{problem} (line {mark.line + 1})" if mark is not None else str(problem)


def _refused(why: str) -> PackageError:
    return PackageError(f"The file cannot be read as YAML: {why}.", code="yaml")
