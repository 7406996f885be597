"""Read JSON that may be hostile: counted before it is built, each key once, no number that JSON does not have."""

from __future__ import annotations

import json
import math
from typing import NoReturn

from navcore.package.archive.refusals import Refusal, refusal

MOST_OBJECTS = 25_000
MOST_VALUES = 250_000
DEEPEST_META = 32
_LARGEST_INTEGER = (1 << 63) - 1


def strict_json(data: bytes) -> object:
    """The one value that the bytes are, in memory bounded by their number. Raises ``PackageError`` (``manifest-…``)."""
    # Counted before anything is built: an empty object takes 2 bytes here, and 64 or more in memory.
    if data.count(b"{") > MOST_OBJECTS or data.count(b"[") > MOST_VALUES or data.count(b",") > MOST_VALUES:
        raise refusal(Refusal.MANIFEST_TOO_LARGE, f"the manifest holds more than {MOST_VALUES} values.")
    try:
        document: object = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_int=_bounded_integer,
            parse_float=_finite_float,
            parse_constant=_no_constant,
        )
    except RecursionError as error:
        raise refusal(Refusal.MANIFEST_DEPTH, "the manifest is nested too deeply.") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise refusal(Refusal.MANIFEST_JSON, f"the manifest is not JSON in UTF-8 ({error}).") from error
    return document


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, value in pairs:
        if key in result:
            what = f"the manifest has the key {shown_value(key)} twice in one object."
            raise refusal(Refusal.MANIFEST_DUPLICATE_KEY, what)
        result[key] = value
    return result


def _bounded_integer(text: str) -> int:
    # Length first: converting a long text takes quadratic time.
    if len(text) > 20 or abs(int(text)) > _LARGEST_INTEGER:
        raise refusal(Refusal.MANIFEST_NUMBER, f"the manifest has an integer beyond 64 bits ({text[:20]}...).")
    return int(text)


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise refusal(Refusal.MANIFEST_NUMBER, f"the manifest has a number beyond double precision ({text[:20]}).")
    return value


def _no_constant(text: str) -> NoReturn:
    raise refusal(Refusal.MANIFEST_NUMBER, f"the manifest has {text}, which is no JSON number.")


def refuse_unplain_meta(meta: dict[str, object]) -> None:
    """Refuse what is nested too deeply, or holds text that no encoding can say."""
    level: list[object] = [meta]
    for _ in range(DEEPEST_META):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                below += [*value.keys(), *value.values()]
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
                raise refusal(Refusal.MANIFEST_JSON, "the manifest has half of a surrogate pair in a string.")
        level = below
    if level:
        raise refusal(Refusal.MANIFEST_DEPTH, f"the manifest's meta is nested deeper than {DEEPEST_META} levels.")


def shown_value(value: object) -> str:
    """Quote a hostile value: ASCII only, and short."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
