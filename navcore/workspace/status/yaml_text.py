"""Plain data → YAML text that any reader understands: no aliases, no tags, no numbers that are not numbers."""

from __future__ import annotations

import enum
import math
import numbers
import re
from collections.abc import Mapping, Set
from typing import Any

import yaml

_NUMBER_OF_YAML_1_2 = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_FLOAT = "float"
_WIDEST = 2**31 - 1  # no line is folded; libyaml counts in C's integers


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # libyaml's is many times as fast
    """Repeats a value instead of referring to it, and quotes text that a reader of YAML 1.2 takes for a number."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Other styles fold what PyYAML takes for a line break, such as U+0085, into a space.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER_OF_YAML_1_2, list("-+.0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"0o[0-7]+\Z"), ["0"])


def to_yaml(data: Mapping[str, Any]) -> str:
    """The text of ``data``, its keys in the order given. See :func:`plain` for what becomes of odd values."""
    text: str = yaml.dump(plain(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDEST)
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
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return plain(value.tolist())  # numpy's booleans are no numbers, and an array is a list
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
