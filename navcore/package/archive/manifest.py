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

Version 3 is that of a compact package: a model's file may have ``parts``, one behind the other. ``[size]`` are the next
bytes of its own member, ``[size, name, offset]`` are bytes that the member of the file ``name`` holds. Its member has
its own bytes alone, and stands under ``.rest/`` so that nobody takes it for the file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from navcore.package.archive.refusals import Refusal, refusal
from navcore.package.archive.safe_names import refuse_unsafe_names
from navcore.package.archive.size_limits import SizeLimits
from navcore.package.archive.strict_json import refuse_unplain_meta, shown_value, strict_json
from navcore.workspace import PRIVATE, PROBES, Kind, kind_of

JSON: TypeAlias = "Mapping[str, JSON] | Sequence[JSON] | str | int | float | bool | None"

MANIFEST_NAME = "manifest.json"
MANIFEST_VERSION = 2
COMPACT_VERSION = 3
_WITHOUT_KINDS = 1
REST = ".rest"
"""The folder in the archive for what is left of files that have bytes in common with others; no file can lie in it."""
MOST_PARTS = 50_000
_OLD_PROBES = f"{PRIVATE}/{PROBES}/"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RELEASE = re.compile(r"[0-9][0-9A-Za-z.+!-]{0,39}")


@attrs.frozen
class Part:
    """``size`` bytes of a file: the next of its own member, or those from ``offset`` on in the member of ``of``."""

    size: int
    of: str | None = None
    offset: int = 0


@attrs.frozen
class FileEntry:
    """One file of a package.

    ``size`` is in bytes, ``sha256`` in lower-case hex, ``same_as`` the stored file that it equals. ``kind`` is what the
    manifest declares, ``None`` where it does not. ``parts`` are what a file of a compact package is put together of,
    none where its member is the whole file.
    """

    name: str
    size: int
    sha256: str
    same_as: str | None = None
    kind: Kind | None = None
    parts: tuple[Part, ...] = ()

    @property
    def member(self) -> str:
        """The name of its member in the archive, if it is stored."""
        return f"{REST}/{self.name}" if self.parts else self.name

    @property
    def own_size(self) -> int:
        """How many bytes the archive holds for this file alone."""
        if self.same_as is not None:
            return 0
        return sum(part.size for part in self.parts if part.of is None) if self.parts else self.size

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
        version = COMPACT_VERSION if any(entry.parts for entry in files) else MANIFEST_VERSION
        document = {"format": "nav", "manifest_version": version, "meta": sorted_meta, "files": entries}
        return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()
    except RecursionError as error:
        raise refusal(Refusal.MANIFEST_DEPTH, "the metadata is nested too deeply.") from error
    except (TypeError, ValueError) as error:
        raise refusal(Refusal.MANIFEST_SHAPE, f"the metadata cannot be written as JSON ({error}).") from error


def _entry_data(entry: FileEntry) -> dict[str, JSON]:
    kind = None if entry.kind is None else entry.kind.value
    parts: list[JSON] | None = [
        [part.size] if part.of is None else [part.size, part.of, part.offset] for part in entry.parts
    ] or None
    told: dict[str, JSON] = {
        "name": entry.name,
        "kind": kind,
        "size": entry.size,
        "sha256": entry.sha256,
        "same_as": entry.same_as,
        "parts": parts,
    }
    return {key: value for key, value in told.items() if value is not None}


def parse_manifest(data: bytes) -> Manifest:
    """Read and check the bytes of a ``manifest.json``. Raises ``PackageError`` with the code of the broken rule."""
    document = strict_json(data)
    fields = _fields(document, "the manifest", required={"format", "manifest_version", "meta", "files"})
    if fields["format"] != "nav":
        raise refusal(Refusal.MANIFEST_SHAPE, f"the manifest's format is {shown_value(fields['format'])}, not 'nav'.")
    version = fields["manifest_version"]
    if isinstance(version, bool) or not isinstance(version, int):
        raise refusal(Refusal.MANIFEST_SHAPE, "the manifest's version is not an integer.")
    if version not in (_WITHOUT_KINDS, MANIFEST_VERSION, COMPACT_VERSION):
        what = f"the manifest has version {version}, and this navcore reads {COMPACT_VERSION} and older ones."
        raise refusal(Refusal.MANIFEST_VERSION, what, hint=_needed(fields["meta"]))
    meta, listed = fields["meta"], fields["files"]
    if not isinstance(meta, dict):
        raise refusal(Refusal.MANIFEST_SHAPE, "the manifest's meta is not an object.")
    if not isinstance(listed, list):
        raise refusal(Refusal.MANIFEST_SHAPE, "the manifest's files are not a list.")
    refuse_unplain_meta(meta)
    files = tuple(_file_entry(entry, position, version) for position, entry in enumerate(listed))
    refuse_unsafe_names([MANIFEST_NAME, *(entry.name for entry in files)])
    _refuse_dangling(files)
    files = tuple(_with_kind(entry, version) for entry in files)
    _refuse_wrong_parts(files)
    if any(entry.place != entry.name for entry in files):
        refuse_unsafe_names([entry.place for entry in files])
    meta_text = json.dumps(meta, ensure_ascii=False, allow_nan=False)
    return Manifest(files=files, meta_text=meta_text, digest=hashlib.sha256(data).hexdigest())


def _needed(meta: object) -> str:
    written_by = meta.get("written_by") if isinstance(meta, dict) else None
    if isinstance(written_by, str) and _RELEASE.fullmatch(written_by):
        return f"Install navcore {written_by}, which wrote the package, or a newer one."
    return "Install the navcore that wrote the package."


def refuse_oversize(manifest: Manifest, archive_size: int, limits: SizeLimits) -> None:
    """Refuse a manifest with too many files, or whose files would be too large. ``archive_size`` in bytes."""
    if len(manifest.files) > limits.members:
        what = f"the manifest lists {len(manifest.files)} files, more than {limits.members}."
        raise refusal(Refusal.TOO_MANY_MEMBERS, what)
    allowed = min(limits.total_bytes, max(limits.expansion_free_bytes, limits.expansion * archive_size))
    if manifest.total_size > allowed:
        what = f"the files would take {manifest.total_size} bytes, more than the {allowed} that are allowed."
        raise refusal(Refusal.EXPANSION, what)


def _fields(value: object, what: str, *, required: set[str], optional: frozenset[str] = frozenset()) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise refusal(Refusal.MANIFEST_SHAPE, f"{what} is not an object.")
    if missing := sorted(required - value.keys()):
        raise refusal(Refusal.MANIFEST_SHAPE, f"{what} has no field {missing[0]!r}.")
    if unknown := sorted(value.keys() - required - optional):
        raise refusal(Refusal.MANIFEST_SHAPE, f"{what} has the unknown field {shown_value(unknown[0])}.")
    return value


def _file_entry(value: object, position: int, version: int) -> FileEntry:
    what = f"entry {position} of the manifest's files"
    required = {"name", "size", "sha256"} if version == _WITHOUT_KINDS else {"name", "kind", "size", "sha256"}
    optional = {"same_as", "parts"} if version == COMPACT_VERSION else {"same_as"}
    fields = _fields(value, what, required=required, optional=frozenset(optional))
    name, size, sha256 = fields["name"], fields["size"], fields["sha256"]
    if not isinstance(name, str):
        raise refusal(Refusal.MANIFEST_SHAPE, f"the name of {what} is not a string.")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise refusal(Refusal.MANIFEST_SHAPE, f"the size of {shown_value(name)} is not a number of bytes.")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise refusal(Refusal.MANIFEST_SHAPE, f"the sha256 of {shown_value(name)} is not 64 lower-case hex digits.")
    if "same_as" in fields and not isinstance(fields["same_as"], str):
        raise refusal(Refusal.MANIFEST_SHAPE, f"the same_as of {shown_value(name)} is not a string.")
    parts = _declared_parts(fields["parts"], name) if "parts" in fields else ()
    return FileEntry(
        name=name,
        size=size,
        sha256=sha256,
        same_as=fields.get("same_as"),
        kind=_declared_kind(fields, name),
        parts=parts,
    )


def _declared_parts(value: object, name: str) -> tuple[Part, ...]:
    what = f"the parts of {shown_value(name)} are"
    if not isinstance(value, list) or not value:
        raise refusal(Refusal.MANIFEST_SHAPE, f"{what} not a list with something in it.")
    if len(value) > MOST_PARTS:
        raise refusal(Refusal.MANIFEST_TOO_LARGE, f"{what} more than {MOST_PARTS}.")
    parts = []
    for part in value:
        if not isinstance(part, list) or len(part) not in (1, 3):
            raise refusal(Refusal.MANIFEST_SHAPE, f"{what} not all [size] or [size, name, offset].")
        size, of, offset = (*part, None, 0)[:3]
        whole = all(isinstance(number, int) and not isinstance(number, bool) for number in (size, offset))
        if not whole or size <= 0 or offset < 0 or not isinstance(of, str) == (len(part) == 3):
            raise refusal(Refusal.MANIFEST_SHAPE, f"{what} not all numbers of bytes, and names of files.")
        parts.append(Part(size, of, offset))
    return tuple(parts)


def _declared_kind(fields: dict[str, Any], name: str) -> Kind | None:
    if "kind" not in fields:
        return None
    try:
        return Kind(fields["kind"])
    except ValueError:
        what = f"{shown_value(name)} is declared as {shown_value(fields['kind'])}, which is not a kind of file."
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
            what = f"{entry.name!a} is the same as {shown_value(entry.same_as)}, which is not a stored file."
            raise refusal(Refusal.SAME_AS, what)
        if (target.size, target.sha256) != (entry.size, entry.sha256):
            what = f"{entry.name!a} has another size or digest than {target.name!a}, which it is the same as."
            raise refusal(Refusal.SAME_AS, what)


def _refuse_wrong_parts(files: tuple[FileEntry, ...]) -> None:
    """A part is bytes that a member holds, whatever file they are of: there are no chains and no circles."""
    if sum(len(entry.parts) for entry in files) > MOST_PARTS:
        raise refusal(Refusal.MANIFEST_TOO_LARGE, f"the files have more than {MOST_PARTS} parts.")
    held = {entry.name: entry.own_size for entry in files if entry.same_as is None}
    for entry in files:
        if not entry.parts:
            continue
        if entry.same_as is not None or entry.kind is not Kind.MODEL:
            raise refusal(Refusal.PARTS, f"{entry.name!a} has parts, and is no file of a model that is stored.")
        if sum(part.size for part in entry.parts) != entry.size:
            raise refusal(Refusal.PARTS, f"the parts of {entry.name!a} are not as long as the file.")
        for part in entry.parts:
            if part.of is not None and part.offset + part.size > held.get(part.of, -1):
                raise refusal(Refusal.PARTS, f"{entry.name!a} has a part that {shown_value(part.of)} does not hold.")
