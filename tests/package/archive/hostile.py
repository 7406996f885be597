"""Build ``.nav`` files by hand, well-formed and hostile, without the code under test.

``package(files)`` is a correct one; each case of ``CASES`` differs from it in one point and names the code of the check
that has to refuse it. Source of the layout: APPNOTE.TXT 6.3.10.
"""

from __future__ import annotations

import hashlib
import json
import stat
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from navcore.package.archive.size_limits import SizeLimits
from navcore.workspace.kinds import kind_of

FILES = {"status.yaml": b"format_version: 1\n", "onnx/model.onnx": b"\x08\x07weights" * 20}


@attrs.frozen
class Part:
    """One member; what is ``None`` is computed. ``local`` overrides fields in the header before the content only."""

    name: bytes
    data: bytes = b""
    flags: int = 0
    method: int = 0
    mode: int = stat.S_IFREG | 0o644
    dos_attributes: int = 0
    crc: int | None = None
    size: int | None = None
    packed: int | None = None
    offset: int | None = None
    disk: int = 0
    extra: bytes = b""
    comment: bytes = b""
    junk_before: bytes = b""
    local: Mapping[str, Any] = attrs.field(factory=dict)


def local_header(part: Part) -> bytes:
    values = attrs.evolve(part, local={}, **dict(part.local))
    extra: bytes = part.local.get("extra", b"")
    crc = zlib.crc32(part.data) if values.crc is None else values.crc
    size = len(part.data) if values.size is None else values.size
    packed = len(part.data) if values.packed is None else values.packed
    fixed = struct.pack(
        "<4s5H3I2H",
        b"PK\3\4",
        20,
        values.flags,
        values.method,
        0,
        0x21,
        crc,
        packed,
        size,
        len(values.name),
        len(extra),
    )
    return fixed + values.name + extra


def central_record(part: Part, offset: int) -> bytes:
    crc = zlib.crc32(part.data) if part.crc is None else part.crc
    size = len(part.data) if part.size is None else part.size
    packed = len(part.data) if part.packed is None else part.packed
    offset = offset if part.offset is None else part.offset
    fixed = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", (3 << 8) | 20, 20, part.flags, part.method, 0, 0x21, crc, packed, size,
        len(part.name), len(part.extra), len(part.comment), part.disk, 0, part.mode << 16 | part.dos_attributes, offset,
    )  # fmt: skip
    return fixed + part.name + part.extra + part.comment


def end_record(count: int, size: int, offset: int, comment: bytes = b"", **changes: int) -> bytes:
    fields = {"disk": 0, "first": 0, "here": count} | changes
    numbers = (fields["disk"], fields["first"], fields["here"], count, size, offset)
    return struct.pack("<4s4H2IH", b"PK\5\6", *numbers, len(comment)) + comment


def zip_bytes(parts: Sequence[Part], *, before_end: bytes = b"", order: Sequence[int] = (), **end: Any) -> bytes:
    """Put parts together; ``order`` permutes the directory, ``end`` overrides fields of the end record."""
    body = b""
    records = []
    for part in parts:
        body += part.junk_before
        records.append(central_record(part, len(body)))
        body += local_header(part) + part.data
    directory = b"".join(records[index] for index in (order or range(len(records))))
    fields = {"count": len(records), "size": len(directory), "offset": len(body)} | end
    return body + directory + before_end + end_record(**fields)


def entry(name: str, data: bytes, **changes: Any) -> dict[str, Any]:
    kind = kind_of(name)
    declared = {} if kind is None else {"kind": kind.value}
    return {"name": name, **declared, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), **changes}


def manifest(contents: Mapping[str, bytes] = FILES, /, **changes: Any) -> dict[str, Any]:
    listed = [entry(name, data) for name, data in contents.items()]
    return {"format": "nav", "manifest_version": 2, "meta": {"model": "m"}, "files": listed, **changes}


def manifest_part(document: object) -> Part:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Part(b"manifest.json", data)


def parts(files: Mapping[str, bytes] = FILES, document: object = None) -> list[Part]:
    """The manifest and the members of a package; names beyond ASCII are marked as UTF-8."""
    first = manifest_part(manifest(files) if document is None else document)
    rest = [
        Part(name.encode("utf-8", "surrogatepass"), data, flags=0 if name.isascii() else 0x800)
        for name, data in files.items()
    ]
    return [first, *rest]


def package(files: Mapping[str, bytes] = FILES, document: object = None, **layout: Any) -> bytes:
    return zip_bytes(parts(files, document), **layout)


TENSOR = bytes(range(256)) * 2
COMPACT = {"status.yaml": FILES["status.yaml"], "onnx/model.onnx": b"head" + TENSOR + b"tail",
           "torch/model.pt": b"zip" + TENSOR + b"end" + TENSOR[:100]}  # fmt: skip
"""The files of a compact package: the second model has the first one's tensor, and a piece of its own member's."""
PARTS: list[Any] = [[3], [512, "onnx/model.onnx", 4], [3], [100, "onnx/model.onnx", 4]]


def compact_manifest(**changes: Any) -> dict[str, Any]:
    listed = manifest(COMPACT)["files"]
    listed[2]["parts"] = PARTS
    return manifest(COMPACT, manifest_version=3, files=listed) | changes


def compact_parts(document: object = None, rest: bytes = b"zipend") -> list[Part]:
    """The manifest and the members of a compact package: the last model's own bytes stand under another name."""
    held = {name: data for name, data in COMPACT.items() if name != "torch/model.pt"} | {".rest/torch/model.pt": rest}
    return parts(held, compact_manifest() if document is None else document)


@attrs.frozen
class Case:
    """A hostile archive and the code of the refusal it must meet."""

    title: str
    code: str
    data: bytes = attrs.field(repr=False)
    limits: SizeLimits = attrs.field(factory=SizeLimits, repr=False)


def _named(*names: str) -> bytes:
    return package({name: name.encode("utf-8", "replace") for name in names})


def _last(**changes: Any) -> bytes:
    """The good package with its last member changed."""
    good = parts()
    return zip_bytes([*good[:-1], attrs.evolve(good[-1], **changes)])


def _document(**changes: Any) -> bytes:
    return package(document=manifest(**changes))


def _entries(change: Callable[[list[dict[str, Any]]], object]) -> bytes:
    document = manifest()
    change(document["files"])
    return package(document=document)


def _text(old: str, new: str) -> bytes:
    """The good package with one text in its manifest replaced by another, JSON or not."""
    text = json.dumps(manifest())
    assert old in text
    return package(document=text.replace(old, new, 1).encode())


def _flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def _zip64_end(count: int, size: int, offset: int, position: int) -> bytes:
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
    return record + struct.pack("<4sIQI", b"PK\6\7", 0, position, 1)


def _name_cases() -> list[Case]:
    alone = {
        "..": "name-dots", "../evil": "name-dots", "a/../../evil": "name-dots", "a/..": "name-dots", "./a": "name-dots",
        "/etc/passwd": "name-absolute", "//server/share": "name-absolute",
        "..\\evil": "name-backslash", "a\\b": "name-backslash",
        "C:/evil": "name-colon", "a.txt:stream": "name-colon",
        "a\0.txt": "name-character", "a\nb": "name-character", "a\x7fb": "name-character", "\x1b[31m": "name-character",
        "a\u202egpj.exe": "name-character", "a\u200bb": "name-character", "\ufeffa": "name-character",
        "a\u2028b": "name-character",
        "x" * 256: "name-too-long", "/".join(["x" * 200] * 6): "name-too-long", "€" * 86: "name-too-long",
        "/".join("a" * 33): "name-too-deep",
        "": "name-empty", "a//b": "name-empty", "a/": "name-empty",
        "e\u0301.txt": "name-not-nfc", "\u212b": "name-not-nfc",
        "NUL": "name-reserved", "a/com1.txt": "name-reserved", "aux": "name-reserved", "a.": "name-reserved",
        "a /b": "name-reserved",
    }  # fmt: skip
    together = {
        ("Model.onnx", "model.onnx"): "name-clash", ("straße", "STRASSE"): "name-clash",
        ("A/x", "a/y"): "name-clash", ("\u03c3", "\u03c2"): "name-clash", ("\u1e9e", "ß"): "name-clash",
        ("MANIFEST.json",): "name-clash",
        ("a", "a/b"): "file-folder-conflict", ("a/b", "a"): "file-folder-conflict",
        ("manifest.json/x",): "file-folder-conflict",
    }  # fmt: skip
    good = parts()
    cases = [Case(f"name {name[:30]!a} of {len(name)}", code, _named(name)) for name, code in alone.items()]
    cases += [Case(f"names {names!a}", code, _named(*names)) for names, code in together.items()]
    return [
        *cases,
        Case("same name twice", "name-duplicate", zip_bytes([*good, attrs.evolve(good[1], data=b"other")])),
        Case("two manifests", "name-duplicate", zip_bytes([*good, manifest_part(manifest({}))])),
        Case("name in the manifest only climbs out", "name-dots",
             _entries(lambda files: files.append(files[0] | {"name": "../evil", "same_as": "status.yaml"}))),
        Case("name in the manifest is half a character", "name-character",
             _entries(lambda files: files.append(files[0] | {"name": "\ud800", "same_as": "status.yaml"}))),
        Case("name twice in the manifest", "name-duplicate", _entries(lambda files: files.append(files[0]))),
        Case("file in the manifest named like itself", "name-duplicate",
             _entries(lambda files: files.append(files[0] | {"name": "manifest.json", "same_as": "status.yaml"}))),
        Case("name in a national code page", "name-encoding", _last(name=b"\x81.txt")),
        Case("name marked UTF-8 that is not", "name-encoding", _last(name=b"\xff.txt", flags=0x800)),
        Case("name with an overlong slash", "name-encoding", _last(name=b"..\xc0\xaf..", flags=0x800)),
        Case("surrogate in UTF-8", "name-encoding", _last(name=b"\xed\xa0\x80", flags=0x800)),
    ]  # fmt: skip


def _kind_cases() -> list[Case]:
    kinds = {"symlink": stat.S_IFLNK, "character device": stat.S_IFCHR, "block device": stat.S_IFBLK,
             "pipe": stat.S_IFIFO, "socket": stat.S_IFSOCK, "folder": stat.S_IFDIR}  # fmt: skip
    bits = {"setuid": stat.S_ISUID, "setgid": stat.S_ISGID, "sticky": stat.S_ISVTX}
    cases = [Case(f"member is a {kind}", "member-kind", _last(mode=mode | 0o777)) for kind, mode in kinds.items()]
    cases += [
        Case(f"member is {bit}", "member-mode", _last(mode=stat.S_IFREG | 0o755 | mode)) for bit, mode in bits.items()
    ]
    return [*cases, Case("member is a DOS folder", "member-kind", _last(dos_attributes=0x10))]


def _header_cases() -> list[Case]:
    bomb = zlib.compressobj(wbits=-15)
    zeros = b"\0" * 1_000_000
    deflated = bomb.compress(zeros) + bomb.flush()
    unicode_path = struct.pack("<2HBI", 0x7075, 9, 1, 0) + b"evil"
    return [
        Case("deflate bomb", "compressed", _last(data=deflated, method=8, crc=zlib.crc32(zeros), size=len(zeros))),
        Case("bzip2 member", "compressed", _last(method=12)),
        Case("zstd member", "compressed", _last(method=93)),
        Case("encrypted", "encrypted", _last(flags=1)),
        Case("strongly encrypted", "encrypted", _last(flags=0x41)),
        Case("masked headers", "encrypted", _last(flags=0x2000)),
        Case("data descriptor", "data-descriptor", _last(flags=8)),
        Case("patch data flag", "flags", _last(flags=0x20)),
        Case("stored, but packed size differs", "sizes", _last(packed=7)),
        Case("comment on a member", "member-comment", _last(comment=b"hello")),
        Case("Unicode path field", "extra-field", _last(extra=unicode_path)),
        Case("zip64 field that nobody needs", "extra-field", _last(extra=struct.pack("<2H2Q", 1, 16, 160, 160))),
        Case("zip64 size without its field", "zip64", _last(size=0xFFFFFFFF, packed=0xFFFFFFFF)),
        Case("zip64 field for a small size", "zip64",
             _last(size=0xFFFFFFFF, packed=0xFFFFFFFF, extra=struct.pack("<2H2Q", 1, 16, 180, 180))),
        Case("zip64 field with a negative size", "zip64",
             _last(size=0xFFFFFFFF, packed=0xFFFFFFFF, extra=struct.pack("<2H2Q", 1, 16, 1 << 63, 1 << 63))),
        Case("zip64 field too short", "zip64", _last(size=0xFFFFFFFF, packed=0xFFFFFFFF, extra=b"\1\0\4\0abcd")),
        Case("zip64 sizes beyond the file", "overlap",
             _last(size=0xFFFFFFFF, packed=0xFFFFFFFF, extra=struct.pack("<2H2Q", 1, 16, 1 << 40, 1 << 40))),
        Case("member on another disk", "directory", _last(disk=1)),
        Case("size is a lie, too large", "overlap", _last(size=4000, packed=4000)),
        Case("size is a lie, too small", "gap", _last(size=4, packed=4)),
        Case("local name differs", "local-mismatch", _last(local={"name": b"evil/model.onnx"})),
        Case("local size differs", "local-mismatch", _last(local={"size": 3})),
        Case("local method differs", "local-mismatch", _last(local={"method": 8})),
        Case("local flags differ", "local-mismatch", _last(local={"flags": 1})),
        Case("local CRC differs", "local-mismatch", _last(local={"crc": 1})),
        Case("local extra field", "local-mismatch",
             zip_bytes([manifest_part(manifest({"onnx/a": b"hide" + b"data"})),
                        Part(b"onnx/a", b"data", size=8, packed=8, local={"extra": b"\x35\xd9\0\0"})])),
        Case("manifest's local name differs", "local-mismatch",
             zip_bytes([attrs.evolve(parts()[0], local={"name": b"manifest.jsoN"}), *parts()[1:]])),
    ]  # fmt: skip


def _layout_cases() -> list[Case]:
    good, data = parts(), package()
    names = [part.name for part in good]
    gap = attrs.evolve(good[1], junk_before=b"hidden")
    shared = len(local_header(good[0]) + good[0].data)
    directory = sum(len(central_record(part, 0)) for part in good)
    body = len(data) - directory - 22
    second_end = end_record(3, directory, body)
    return [
        Case("two members share a body", "overlap", zip_bytes([*good[:-1], attrs.evolve(good[-1], offset=shared)])),
        Case("quoted overlap", "overlap", zip_bytes([good[0], attrs.evolve(good[1], size=150, packed=150), good[2]])),
        Case("hole between members", "gap", zip_bytes([good[0], gap, good[2]])),
        Case("hole before the directory", "gap",
             zip_bytes([*good, good[1]], count=3, here=3, order=[0, 1, 2])),
        Case("directory in another order", "prefix-data", package(order=[1, 0, 2])),
        Case("junk before, offsets not adapted", "prefix-data", b"#!/bin/sh\n" + data),
        Case("junk before, offsets adapted", "prefix-data",
             zip_bytes([attrs.evolve(good[0], junk_before=b"#!/bin/sh\n"), *good[1:]])),
        Case("junk after", "trailing-data", data + b"\0"),
        Case("much junk after", "trailing-data", data + b"x" * 60_000),
        Case("archive comment", "trailing-data", package(comment=b"PK")),
        Case("two packages in one file", "two-end-records", data + data),
        Case("second end record at the end", "two-end-records", data + second_end),
        Case("second end record before the end", "two-end-records", package(before_end=second_end)),
        Case("bytes between directory and end", "end-record", package(before_end=b"secret")),
        Case("directory starts behind the end", "end-record", package(offset=1 << 30)),
        Case("directory larger than the file", "end-record", package(size=1 << 24)),
        Case("several disks", "end-record", package(disk=1)),
        Case("directory on another disk", "end-record", package(first=1)),
        Case("counts differ", "end-record", package(here=2)),
        Case("count too small", "directory", package(count=2, here=2)),
        Case("count too large", "directory", package(count=4, here=4)),
        Case("count is full, no zip64", "zip64", package(count=0xFFFF, here=0xFFFF)),
        Case("zip64 end that nobody needs", "zip64",
             package(before_end=_zip64_end(3, directory, body, body + directory))),
        Case("zip64 end contradicts", "zip64",
             package(before_end=_zip64_end(2, directory, body, body + directory), offset=0xFFFFFFFF)),
        Case("zip64 end elsewhere", "zip64",
             package(before_end=_zip64_end(3, directory, body, 0), offset=0xFFFFFFFF)),
        Case("zip64 end hides a small offset", "zip64",
             package(before_end=_zip64_end(3, directory, body, body + directory), offset=0xFFFFFFFF)),
        Case("damaged mark in the directory", "directory", _flipped(data, body)),
        Case("damaged name length in the directory", "directory", _flipped(data, body + 29)),
        Case("damaged end record", "truncated", _flipped(data, len(data) - 22)),
        Case("empty file", "not-a-package", b""),
        Case("one byte", "not-a-package", b"P"),
        Case("a tar file", "not-a-package", b"manifest.json".ljust(1024, b"\0")),
        Case("a zip with nothing in it", "manifest-missing", zip_bytes([])),
        Case("a zip that is no package", "manifest-missing", zip_bytes(good[1:])),
        Case("manifest in a folder", "manifest-missing", zip_bytes([attrs.evolve(good[0], name=b"x/manifest.json")])),
        Case("manifest is last", "manifest-not-first", zip_bytes([*good[1:], good[0]])),
        *[Case(f"cut after {cut} bytes", "truncated", data[:cut]) for cut in (4, 40, 300, body, body + 60)],
        *[Case(f"cut by {cut}", "truncated", data[:-cut]) for cut in (1, 4, 21, 22, 23)],
        Case(f"local marks damaged in {names[1]!a}", "local-mismatch", _flipped(data, shared)),
    ]  # fmt: skip


def _manifest_cases() -> list[Case]:
    deep = b'{"format":"nav","manifest_version":2,"files":[],"meta":{"a":' + b"[" * 100_000
    nested: Any = 1
    for _ in range(40):
        nested = [nested]
    return [
        Case("empty manifest", "manifest-json", package(document=b"")),
        Case("manifest is no JSON", "manifest-json", package(document=b"format: nav")),
        Case("manifest is UTF-16", "manifest-json", package(document=json.dumps(manifest()).encode("utf-16"))),
        Case("manifest with a byte order mark", "manifest-json", package(document=b"\xef\xbb\xbf{}")),
        Case("manifest is Latin-1", "manifest-json", package(document=b'"\xe9"')),
        Case("two documents", "manifest-json", package(document=b"{}{}")),
        Case("half a character in meta", "manifest-json", _text('"m"', '"\\ud800"')),
        Case("key twice", "manifest-duplicate-key", _text('"format"', '"format": "nav", "format"')),
        Case("key twice in an entry", "manifest-duplicate-key", _text('"size"', '"size": 0, "size"')),
        Case("key twice in meta", "manifest-duplicate-key", _text('"model"', '"model": 1, "model"')),
        Case("NaN", "manifest-number", _text('"m"', "NaN")),
        Case("infinity", "manifest-number", _text('"m"', "-Infinity")),
        Case("float overflow", "manifest-number", _text('"m"', "1e999")),
        Case("integer overflow", "manifest-number", _text('"m"', "9223372036854775808")),
        Case("integer of a million digits", "manifest-number", _text('"m"', "9" * 1_000_000)),
        Case("meta too deep", "manifest-depth", _document(meta={"a": nested})),
        Case("abyss", "manifest-depth", package(document=deep)),
        Case("abyss, closed", "manifest-depth", package(document=deep + b"]" * 100_000 + b"}}")),
        Case("manifest is a list", "manifest-shape", package(document=[])),
        Case("manifest is null", "manifest-shape", package(document=b"null")),
        Case("no files", "manifest-shape", package(document={"format": "nav", "manifest_version": 2, "meta": {}})),
        Case("unknown field", "manifest-shape", _document(run="rm -rf")),
        Case("another format", "manifest-shape", _document(format="wheel")),
        Case("meta is a list", "manifest-shape", _document(meta=[])),
        Case("files is an object", "manifest-shape", _document(files={})),
        Case("file is a string", "manifest-shape", _document(files=["status.yaml"])),
        Case("version is a text", "manifest-shape", _document(manifest_version="1")),
        Case("version is true", "manifest-shape", _document(manifest_version=True)),
        Case("version of the future", "manifest-version", _document(manifest_version=4)),
        Case("version zero", "manifest-version", _document(manifest_version=0)),
        Case("name is a number", "manifest-shape", _entries(lambda files: files[0].update(name=1))),
        Case("size is negative", "manifest-shape", _entries(lambda files: files[0].update(size=-1))),
        Case("size is a float", "manifest-shape", _entries(lambda files: files[0].update(size=18.0))),
        Case("size is true", "manifest-shape", _entries(lambda files: files[0].update(size=True))),
        Case("digest in capitals", "manifest-shape", _entries(lambda files: files[0].update(sha256="A" * 64))),
        Case("digest too short", "manifest-shape", _entries(lambda files: files[0].update(sha256="ab"))),
        Case("digest missing", "manifest-shape", _entries(lambda files: files[0].pop("sha256"))),
        Case("same_as is null", "manifest-shape", _entries(lambda files: files[0].update(same_as=None))),
        Case("unknown field in an entry", "manifest-shape", _entries(lambda files: files[0].update(mode=0o4755))),
    ]  # fmt: skip


def _listing_cases() -> list[Case]:
    ghost = entry("onnx/ghost", b"boo")
    alias = entry("onnx/copy.yaml", FILES["status.yaml"], same_as="status.yaml")
    good = manifest()["files"]
    return [
        Case("member not listed", "unlisted-member", _entries(lambda files: files.pop())),
        Case("member listed as a copy", "unlisted-member",
             package({**FILES, "onnx/copy.yaml": FILES["status.yaml"]}, manifest(files=[*good, alias]))),
        Case("listed file missing", "missing-member", _entries(lambda files: files.append(ghost))),
        Case("other order", "member-order", _entries(lambda files: files.reverse())),
        Case("wrong size", "size-differs", _entries(lambda files: files[1].update(size=5))),
        Case("wrong digest", "digest", _entries(lambda files: files[1].update(sha256="0" * 64))),
        Case("digests exchanged", "digest",
             package({"onnx/a": b"1", "onnx/b": b"2"}, manifest(files=[entry("onnx/a", b"2"), entry("onnx/b", b"1")]))),
        Case("bit flip in a content", "digest", package().replace(b"weights", b"veights", 1)),
        Case("bit flip in the manifest", "checksum", package().replace(b'"nav"', b'"naw"', 1)),
        Case("wrong CRC on both sides", "checksum", _last(crc=1)),
        Case("same as nothing", "same-as", _document(files=[*good, alias | {"same_as": "nowhere"}])),
        Case("same as itself", "same-as", _document(files=[*good, alias | {"same_as": "onnx/copy.yaml"}])),
        Case("same as the manifest", "same-as", _document(files=[*good, alias | {"same_as": "manifest.json"}])),
        Case("same in a circle", "same-as",
             _document(files=[*good, alias | {"same_as": "onnx/b"},
                              alias | {"name": "onnx/b", "same_as": "onnx/copy.yaml"}])),
        Case("same as a copy", "same-as",
             _document(files=[*good, alias, alias | {"name": "onnx/b", "same_as": "onnx/copy.yaml"}])),
        Case("same with another size", "same-as", _document(files=[*good, alias | {"size": 1 << 40}])),
        Case("same with another digest", "same-as", _document(files=[*good, alias | {"sha256": "0" * 64}])),
    ]  # fmt: skip


def _compact_cases() -> list[Case]:
    """What the parts of a file may not be."""

    def with_parts(told: Any, rest: bytes = b"zipend", **changes: Any) -> bytes:
        document = compact_manifest()
        document["files"][2] |= {"parts": told, **changes}
        return zip_bytes(compact_parts(document, rest))

    def with_files(change: Callable[[list[dict[str, Any]]], object], rest: bytes = b"zipend") -> bytes:
        document = compact_manifest()
        change(document["files"])
        return zip_bytes(compact_parts(document, rest))

    tensor, copy = PARTS[1], PARTS[3]
    shapes: tuple[Any, ...] = (
        None, [], {}, "x", [3], [[]], [[3, "onnx/model.onnx"]], [[3, "onnx/model.onnx", 4, 5]], [[0]], [[-3]], [[3.0]],
        [[True]], [["3"]], [[618, None, 0]], [[618, 7, 0]], [[618, "onnx/model.onnx", -1]],
        [[618, "onnx/model.onnx", True]], [[618, "onnx/model.onnx", "4"]], [[618, "onnx/model.onnx", None]],
    )  # fmt: skip
    whole = entry("torch/other.pt", TENSOR, parts=[[512, "onnx/model.onnx", 4]])

    def circular(files: list[dict[str, Any]]) -> None:
        files[2].update(parts=[[3], [512, "torch/other.pt", 0], [3], copy])
        files.append(whole | {"parts": [[512, "torch/model.pt", 3]]})

    def of_a_copy(files: list[dict[str, Any]]) -> None:
        files.insert(2, files[1] | {"name": "onnx/copy", "same_as": "onnx/model.onnx"})
        files[3].update(parts=[[3], [512, "onnx/copy", 4], [3], copy])

    other = [[3], [512, "status.yaml", 4], [3], copy]
    unused = zip_bytes([*compact_parts()[:-1], Part(b"torch/model.pt", b"zipend")])
    return [
        *(Case(f"parts are {told!a}", "manifest-shape", with_parts(told)) for told in shapes),
        Case("parts in version 2", "manifest-shape", zip_bytes(compact_parts(compact_manifest(manifest_version=2)))),
        Case("parts too short", "parts", with_parts(PARTS[:3])),
        Case("parts too long", "parts", with_parts([*PARTS, copy])),
        Case("part of nothing", "parts", with_parts([[3], [512, "nowhere", 4], [3], copy])),
        Case("part of the manifest", "parts", with_parts([[3], [512, "manifest.json", 4], [3], copy])),
        Case("part of a member by its own name", "parts",
             with_parts([[3], [512, ".rest/torch/model.pt", 0], [3], copy])),
        Case("part beyond its member", "parts", with_parts([[3], [512, "onnx/model.onnx", 9], [3], copy])),
        Case("part far beyond its member", "parts",
             with_parts([[3], [512, "onnx/model.onnx", (1 << 63) - 1], [3], copy])),
        Case("part of a small file", "parts", with_parts(other)),
        Case("part of what the file itself takes from elsewhere", "parts",
             with_parts([[3], tensor, [3], [100, "torch/model.pt", 3]])),
        Case("parts in a circle", "parts", with_files(circular)),
        Case("part of a copy", "parts", with_files(of_a_copy)),
        Case("copy with parts", "parts", with_files(lambda files: files.append(
            files[2] | {"name": "torch/copy.pt", "same_as": "torch/model.pt"}))),
        Case("parts of a record", "parts", with_files(lambda files: files[0].update(
            parts=[[files[0]["size"], "onnx/model.onnx", 0]]))),
        Case("parts in another order", "digest", with_parts([[3], tensor, copy, [3]])),
        Case("part from another place", "digest", with_parts([[3], [512, "onnx/model.onnx", 5], [3], copy])),
        Case("own bytes changed", "digest", zip_bytes(compact_parts(rest=b"zipenD"))),
        Case("wrong CRC of own bytes", "checksum",
             zip_bytes([*compact_parts()[:-1], attrs.evolve(compact_parts()[-1], crc=1)])),
        Case("more own bytes than parts", "size-differs", zip_bytes(compact_parts(rest=b"zipend and more"))),
        Case("fewer own bytes than parts", "size-differs", zip_bytes(compact_parts(rest=b"zip"))),
        Case("own bytes under the name of the file", "unlisted-member", unused),
        Case("a file named as what is left of one", "kind", with_files(lambda files: files.append(
            entry(".rest/onnx/x", b"", kind="model")))),
        Case("parts by the hundred thousand", "manifest-too-large", with_parts([[1]] * 60_000)),
        Case("parts by the thousand in many files", "manifest-too-large", with_files(lambda files: files.extend(
            entry(f"torch/{number}", b"x" * 9000, parts=[[1]] * 9000) for number in range(9)))),
        Case("parts fill the disk", "expansion", with_files(lambda files: files.extend(
            entry(f"torch/{number}", TENSOR * 400, parts=[tensor] * 400) for number in range(100))),
             SizeLimits(expansion=2, expansion_free_bytes=0)),
    ]  # fmt: skip


def _kind_of_file_cases() -> list[Case]:
    """What a package may not hold, whatever its manifest calls it; nothing below .navcore ever comes out of one."""
    places = (
        ".navcore/journal.jsonl", ".navcore/marker.json", ".navcore/marker.json/x", ".navcore/checking",
        ".navcore/checking/onnx-x/a", ".navcore/probes/0.npz", ".navcore/samples-unfinished", "onnx/.navcore/x.log",
        "secret.txt", "onnx", "Torch/model.pt", "model_input/0.npz", "model_input/other/0.npz",
        "model_input/correctness/00.npz", "model_input/correctness/0.pkl", "model_output/profiling/x.npz",
        "probes/x.npz", "probes/a/0.npz", "status.yml", ".onnx/model.onnx", "onnx/.hidden",
    )  # fmt: skip
    old = ("journal.jsonl", "probes/x.npz", "probes/a/0.npz", "marker.json", "probes")

    def version_1(name: str) -> bytes:
        files = {**FILES, name: b"x"}
        listed = [{key: part for key, part in one.items() if key != "kind"} for one in manifest(files)["files"]]
        return package(files, manifest(files, manifest_version=1, files=listed))

    def declared(kind: Any) -> bytes:
        return _entries(lambda files: files[1].update(kind=kind))

    no_kinds: tuple[Any, ...] = ("code", "", "MODEL", 7, None, [], "record")
    return [
        *(Case(f"declared a model: {name}", "kind", package({**FILES, name: b"x"}, manifest(
            files=[*manifest()["files"], entry(name, b"x") | {"kind": "model"}]))) for name in places
          if not name.startswith("onnx") or name in ("onnx/.navcore/x.log", "onnx/.hidden")),
        *(Case(f"of version 1: .navcore/{name}", "kind", version_1(f".navcore/{name}")) for name in old),
        *(Case(f"declared as {kind!a}", "kind", declared(kind))
          for kind in no_kinds),
        Case("no kind", "manifest-shape", _entries(lambda files: files[1].pop("kind"))),
        Case("a kind in version 1", "manifest-shape", _document(manifest_version=1)),
        Case("two places of version 1 that are one", "name-duplicate", _both_probes()),
    ]  # fmt: skip


def _both_probes() -> bytes:
    files = {**FILES, ".navcore/probes/0.npz": b"a", "probes/0.npz": b"b"}
    listed = [{key: part for key, part in one.items() if key != "kind"} for one in manifest(files)["files"]]
    return package(files, manifest(files, manifest_version=1, files=listed))


def _limit_cases() -> list[Case]:
    good = package()
    bomb = b"\0" * 200_000
    copies = [entry(f"onnx/copy{number}", bomb, same_as="onnx/bomb") for number in range(400)]
    copy_bomb = package({"onnx/bomb": bomb}, manifest(files=[entry("onnx/bomb", bomb), *copies]))
    return [
        Case("file too large", "archive-too-large", good, SizeLimits(archive_bytes=100)),
        Case("directory too large", "directory-too-large", good, SizeLimits(directory_bytes=100)),
        Case("too many members", "too-many-members", good, SizeLimits(members=1)),
        Case("too many copies", "too-many-members", copy_bomb, SizeLimits(members=100)),
        Case("manifest too large", "manifest-too-large", good, SizeLimits(manifest_bytes=100)),
        Case("manifest of many objects", "manifest-too-large", _document(meta={"a": [{}] * 30_000})),
        Case("manifest of many values", "manifest-too-large", _document(meta={"a": [0] * 300_000})),
        Case("a key twice among many", "manifest-duplicate-key",
             _text('"model"', ", ".join(f'"k{n}": 0' for n in range(100_000)) + ', "k9": 0, "model"')),
        Case("many deep names", "too-many-members",
             package({"onnx/" + "/".join([f"{n:04d}"] * 20): b"" for n in range(1700)})),
        Case("manifest of 17 MiB", "manifest-too-large", _document(meta={"a": "x" * (17 << 20)})),
        Case("too much in all", "expansion", good, SizeLimits(total_bytes=100)),
        Case("copies of one member fill the disk", "expansion", copy_bomb),
        Case("small copies, strict reader", "expansion", package({"onnx/a": b"x" * 2000}, manifest(files=[
            entry("onnx/a", b"x" * 2000), *(entry(f"onnx/c{n}", b"x" * 2000, same_as="onnx/a") for n in range(9))])),
            SizeLimits(expansion=2, expansion_free_bytes=0)),
    ]  # fmt: skip


CASES = [
    *_name_cases(),
    *_kind_cases(),
    *_header_cases(),
    *_layout_cases(),
    *_manifest_cases(),
    *_listing_cases(),
    *_compact_cases(),
    *_kind_of_file_cases(),
    *_limit_cases(),
]
