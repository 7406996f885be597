"""Turn a package's ``manifest.json`` into a frozen value and back, and refuse whatever is ambiguous in it.

    {
     "format": "nav",
     "manifest_version": 2,
     "meta": {…},
     "files": [
      {"name": "onnx/model.onnx", "kind": "model", "size": 12, "sha256": "…64 hex digits…"},
      {"name": "best/model.onnx", "kind": "model", "size": 12, "sha256": "…the same…", "same_as": "onnx/model.onnx"}
     ]
    }

``files`` lists the stored members in the order of the archive. A file whose content is stored already is not a member:
its entry says ``same_as`` and names the stored one. Version 1 has no kinds, and keeps the probes under ``.navcore``:
there the kind of a file is the one of its place in a workspace of today.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

import attrs

from navcore.package.archive.refusals import Refusal, refusal
from navcore.package.archive.safe_names import refuse_unsafe_names
from navcore.package.archive.size_limits import SizeLimits
from navcore.workspace import PRIVATE, PROBES, Kind, kind_of

JSON: TypeAlias = "Mapping[str, JSON] | Sequence[JSON] | str | int | float | bool | None"

MANIFEST_NAME = "manifest.json"
MANIFEST_VERSION = 2
_WITHOUT_KINDS = 1
MOST_OBJECTS = 25_000
MOST_VALUES = 250_000
_OLD_PROBES = f"{PRIVATE}/{PROBES}/"
DEEPEST_META = 32
_LARGEST_INTEGER = (1 << 63) - 1
_SHA256 = re.compile(r"[0-9a-f]{64}")


@attrs.frozen
class FileEntry:
    """One file of a package.

    ``size`` is in bytes, ``sha256`` in lower-case hex, ``same_as`` the stored file that it equals. ``kind`` is what the
    manifest declares, ``None`` where it does not.
    """

    name: str
    size: int
    sha256: str
    same_as: str | None = None
    kind: Kind | None = None

    @property
    def place(self) -> str:
        """Where the file goes in a workspace."""
        if self.kind is not None and self.name.startswith(_OLD_PROBES):
            return self.name.removeprefix(f"{PRIVATE}/")
        return self.name


@attrs.frozen
class Manifest:
    """What a package says about itself. ``digest`` is the SHA-256 of the manifest's bytes: what a signature signs."""

    files: tuple[FileEntry, ...]
    meta_text: str
    digest: str = attrs.field(repr=False)

    @property
    def meta(self) -> dict[str, Any]:
        """The writer's own part, as plain JSON values; each call makes a new copy."""
        meta: dict[str, Any] = json.loads(self.meta_text)
        return meta

    @property
    def stored(self) -> tuple[FileEntry, ...]:
        """The files that are members of the archive."""
        return tuple(entry for entry in self.files if entry.same_as is None)

    @property
    def total_size(self) -> int:
        """The size of all files when extracted, in bytes."""
        return sum(entry.size for entry in self.files)

    def file(self, name: str) -> FileEntry:
        """Return the entry of ``name``. Raises ``PackageError`` (``no-such-member``) if there is none."""
        for entry in self.files:
            if entry.name == name:
                return entry
        raise refusal(Refusal.NO_SUCH_MEMBER, f"the package holds no file {name!a}.")


def manifest_bytes(files: Sequence[FileEntry], meta: Mapping[str, JSON]) -> bytes:
    """Write the manifest of ``files``; its length depends on names, sizes and ``meta`` only, not on digests.

    Keys of ``meta`` are sorted, so that equal values give equal bytes. Raises ``PackageError`` (``manifest-…``) for a
    ``meta`` that JSON cannot say without loss.
    """
    try:
        sorted_meta = json.loads(json.dumps(meta, sort_keys=True, allow_nan=False))
        entries = [_entry_data(entry) for entry in files]
        document = {"format": "nav", "manifest_version": MANIFEST_VERSION, "meta": sorted_meta, "files": entries}
        return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()
    except RecursionError as error:
        raise refusal(Refusal.MANIFEST_DEPTH, "the metadata is nested too deeply.") from error
    except (TypeError, ValueError) as error:
        raise refusal(Refusal.MANIFEST_SHAPE, f"the metadata cannot be written as JSON ({error}).") from error


def _entry_data(entry: FileEntry) -> dict[str, JSON]:
    kind = None if entry.kind is None else entry.kind.value
    told = {"name": entry.name, "kind": kind, "size": entry.size, "sha256": entry.sha256, "same_as": entry.same_as}
    return {key: value for key, value in told.items() if value is not None}


def parse_manifest(data: bytes) -> Manifest:
    """Read and check the bytes of a ``manifest.json``. Raises ``PackageError`` with the code of the broken rule."""
    document = _strict_json(data)
    fields = _fields(document, "the manifest", required={"format", "manifest_version", "meta", "files"})
    if fields["format"] != "nav":
        raise refusal(Refusal.MANIFEST_SHAPE, f"the manifest's format is {_shown(fields['format'])}, not 'nav'.")
    version = fields["manifest_version"]
    if isinstance(version, bool) or not isinstance(version, int):
        raise refusal(Refusal.MANIFEST_SHAPE, "the manifest's version is not an integer.")
    if version not in (_WITHOUT_KINDS, MANIFEST_VERSION):
        what = f"the manifest has version {version}, and this navcore reads {MANIFEST_VERSION} and older ones."
        raise refusal(Refusal.MANIFEST_VERSION, what, hint="Install the navcore that wrote the package.")
    meta, listed = fields["meta"], fields["files"]
    if not isinstance(meta, dict):
        raise refusal(Refusal.MANIFEST_SHAPE, "the manifest's meta is not an object.")
    if not isinstance(listed, list):
        raise refusal(Refusal.MANIFEST_SHAPE, "the manifest's files are not a list.")
    _refuse_unplain_meta(meta)
    files = tuple(_file_entry(entry, position, version) for position, entry in enumerate(listed))
    refuse_unsafe_names([MANIFEST_NAME, *(entry.name for entry in files)])
    _refuse_dangling(files)
    files = tuple(_with_kind(entry, version) for entry in files)
    if any(entry.place != entry.name for entry in files):
        refuse_unsafe_names([entry.place for entry in files])
    meta_text = json.dumps(meta, ensure_ascii=False, allow_nan=False)
    return Manifest(files=files, meta_text=meta_text, digest=hashlib.sha256(data).hexdigest())


def refuse_oversize(manifest: Manifest, archive_size: int, limits: SizeLimits) -> None:
    """Refuse a manifest with too many files, or whose files would be too large. ``archive_size`` in bytes."""
    if len(manifest.files) > limits.members:
        what = f"the manifest lists {len(manifest.files)} files, more than {limits.members}."
        raise refusal(Refusal.TOO_MANY_MEMBERS, what)
    allowed = min(limits.total_bytes, max(limits.expansion_free_bytes, limits.expansion * archive_size))
    if manifest.total_size > allowed:
        what = f"the files would take {manifest.total_size} bytes, more than the {allowed} that are allowed."
        raise refusal(Refusal.EXPANSION, what)


def _strict_json(data: bytes) -> object:
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
            what = f"the manifest has the key {_shown(key)} twice in one object."
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


def _refuse_unplain_meta(meta: dict[str, object]) -> None:
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


def _fields(value: object, what: str, *, required: set[str], optional: frozenset[str] = frozenset()) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise refusal(Refusal.MANIFEST_SHAPE, f"{what} is not an object.")
    if missing := sorted(required - value.keys()):
        raise refusal(Refusal.MANIFEST_SHAPE, f"{what} has no field {missing[0]!r}.")
    if unknown := sorted(value.keys() - required - optional):
        raise refusal(Refusal.MANIFEST_SHAPE, f"{what} has the unknown field {_shown(unknown[0])}.")
    return value


def _file_entry(value: object, position: int, version: int) -> FileEntry:
    what = f"entry {position} of the manifest's files"
    required = {"name", "size", "sha256"} if version == _WITHOUT_KINDS else {"name", "kind", "size", "sha256"}
    fields = _fields(value, what, required=required, optional=frozenset({"same_as"}))
    name, size, sha256 = fields["name"], fields["size"], fields["sha256"]
    if not isinstance(name, str):
        raise refusal(Refusal.MANIFEST_SHAPE, f"the name of {what} is not a string.")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise refusal(Refusal.MANIFEST_SHAPE, f"the size of {_shown(name)} is not a number of bytes.")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise refusal(Refusal.MANIFEST_SHAPE, f"the sha256 of {_shown(name)} is not 64 lower-case hex digits.")
    if "same_as" in fields and not isinstance(fields["same_as"], str):
        raise refusal(Refusal.MANIFEST_SHAPE, f"the same_as of {_shown(name)} is not a string.")
    return FileEntry(
        name=name, size=size, sha256=sha256, same_as=fields.get("same_as"), kind=_declared_kind(fields, name)
    )


def _declared_kind(fields: dict[str, Any], name: str) -> Kind | None:
    if "kind" not in fields:
        return None
    try:
        return Kind(fields["kind"])
    except ValueError:
        what = f"{_shown(name)} is declared as {_shown(fields['kind'])}, which is not a kind of file."
        raise refusal(Refusal.KIND, what) from None


def _with_kind(entry: FileEntry, version: int) -> FileEntry:
    """The entry with its kind; refused where it has none, or stands where files of another kind are."""
    place = entry.name
    if version == _WITHOUT_KINDS and entry.name.startswith(_OLD_PROBES):
        place = entry.name.removeprefix(f"{PRIVATE}/")
    kind = kind_of(place)
    if kind is None:
        raise refusal(Refusal.KIND, f"{entry.name!a} is nothing that a package may hold.")
    if entry.kind not in (None, kind):
        raise refusal(Refusal.KIND, f"{entry.name!a} is declared as {entry.kind}, and stands where a {kind} is.")
    return attrs.evolve(entry, kind=kind)


def _refuse_dangling(files: tuple[FileEntry, ...]) -> None:
    """A reference leads to a stored file in one hop, so that there are no chains and no circles."""
    stored = {entry.name: entry for entry in files if entry.same_as is None}
    for entry in files:
        if entry.same_as is None:
            continue
        target = stored.get(entry.same_as)
        if target is None:
            what = f"{entry.name!a} is the same as {_shown(entry.same_as)}, which is not a stored file."
            raise refusal(Refusal.SAME_AS, what)
        if (target.size, target.sha256) != (entry.size, entry.sha256):
            what = f"{entry.name!a} has another size or digest than {target.name!a}, which it is the same as."
            raise refusal(Refusal.SAME_AS, what)


def _shown(value: object) -> str:
    """Quote a hostile value: ASCII only, and short."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
