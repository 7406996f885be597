"""Inspect, read and extract ``.nav`` files: nothing is used before it is proven, nothing is left after a refusal."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from navcore.errors import PackageError
from navcore.package.archive.atomic import atomic_folder, refuse_existing
from navcore.package.archive.digested_copy import Span, Sums, copy_spans, read_exactly
from navcore.package.archive.manifest import MANIFEST_NAME, FileEntry, Manifest, parse_manifest, refuse_oversize
from navcore.package.archive.refusals import Refusal, about, refusal
from navcore.package.archive.safe_names import refuse_unsafe_names
from navcore.package.archive.size_limits import DEFAULT_SIZE_LIMITS, SizeLimits
from navcore.package.archive.zip_format import ZipMember
from navcore.package.archive.zip_proof import prove_local_header, read_structure

LARGEST_READ = 16 << 20


@attrs.frozen
class _Package:
    """An open package whose structure, names and manifest are proven; contents and their headers are not."""

    descriptor: int
    members: Mapping[str, ZipMember]
    """By the name of the file that is stored in it, or what is left of it."""
    manifest: Manifest

    def spans(self, entry: FileEntry) -> list[Span]:
        """Where the bytes of a stored file lie in the package, one range behind the other."""
        member = self.members[entry.name]
        if not entry.parts:
            return [Span(member.data_offset, member.size)]
        position = member.data_offset
        spans = []
        for part in entry.parts:
            if part.of is None:
                spans.append(Span(position, part.size))
                position += part.size
            else:
                spans.append(Span(self.members[part.of].data_offset + part.offset, part.size, own=False))
        return spans


def read_manifest(path: Path, *, limits: SizeLimits = DEFAULT_SIZE_LIMITS) -> Manifest:
    """Return the manifest of the package at ``path``; reads no content, so that size does not matter.

    Raises ``PackageError`` with the code of the broken rule (``Refusal``).
    """
    with _opened(Path(path), limits) as package:
        return package.manifest


def read_member(path: Path, manifest: Manifest, name: str, *, largest: int = LARGEST_READ) -> bytes:
    """Return the verified content of one file of at most ``largest`` bytes.

    ``manifest`` is what ``read_manifest`` returned for the same file. Raises ``PackageError``, with the code
    ``changed`` if there is another package at ``path`` meanwhile.
    """
    with _opened(Path(path), DEFAULT_SIZE_LIMITS) as package:
        if package.manifest.digest != manifest.digest:
            raise refusal(Refusal.CHANGED, "there is another package at this path meanwhile.")
        return _content(package, name, largest)


def read_members(
    path: Path, manifest: Manifest, names: Sequence[str], *, largest: int = LARGEST_READ
) -> dict[str, bytes]:
    """The verified contents of several files, by one look at the package; damaged ones are left out.

    They are together at most ``largest`` bytes: what comes after that is left out too. Raises ``PackageError`` as
    :func:`read_member` does for the package as a whole.
    """
    found: dict[str, bytes] = {}
    with _opened(Path(path), DEFAULT_SIZE_LIMITS) as package:
        if package.manifest.digest != manifest.digest:
            raise refusal(Refusal.CHANGED, "there is another package at this path meanwhile.")
        for name in names:
            with suppress(PackageError):
                found[name] = _content(package, name, largest)
                largest -= len(found[name])
    return found


def read_manifest_with(path: Path, name: str, *, largest: int = LARGEST_READ) -> tuple[Manifest, bytes]:
    """The manifest of the package at ``path`` and the verified content of one of its files, by one look at the package.

    Raises ``PackageError`` as :func:`read_manifest` and :func:`read_member` do.
    """
    with _opened(Path(path), DEFAULT_SIZE_LIMITS) as package:
        return package.manifest, _content(package, name, largest)


def _content(package: _Package, name: str, largest: int) -> bytes:
    entry = package.manifest.file(name)
    if entry.size > largest:
        what = f"{name!a} has {entry.size} bytes, more than the {largest} that may be read into memory."
        raise refusal(Refusal.MEMBER_TOO_LARGE, what)
    if entry.same_as is not None:
        entry = package.manifest.file(entry.same_as)
    for stored in {entry.name, *(part.of for part in entry.parts if part.of is not None)}:
        prove_local_header(package.descriptor, package.members[stored])
    spans = package.spans(entry)
    sums = copy_spans(package.descriptor, spans, None)
    _refuse_other_content(sums, entry, package.members[entry.name])
    return b"".join(read_exactly(package.descriptor, span.offset, span.size) for span in spans)


def extract_archive(path: Path, target: Path, *, limits: SizeLimits = DEFAULT_SIZE_LIMITS) -> Manifest:
    """Extract all files of the package at ``path`` into the new folder ``target`` and return the manifest.

    Everything that can be known without the contents is checked before the first byte is written; the contents are
    checked while they are copied into a private folder beside ``target``, which then takes its name. After a failure
    nothing of it remains.

    Raises ``PackageExists`` if ``target`` exists, and ``PackageError`` with the code of the broken rule (``Refusal``).
    """
    target = Path(target)
    refuse_existing(target, replace=False)
    with _opened(Path(path), limits) as package:
        for member in package.members.values():
            prove_local_header(package.descriptor, member)
        with atomic_folder(target) as folder:
            _make_folders(folder, package.manifest)
            for entry in package.manifest.stored:
                _extract(package, entry, folder)
            places = {entry.name: entry.place for entry in package.manifest.stored}
            for entry in package.manifest.files:
                if entry.same_as is not None:
                    _duplicate(folder / places[entry.same_as], folder / entry.place, entry.size)
        return package.manifest


@contextmanager
def _opened(path: Path, limits: SizeLimits) -> Iterator[_Package]:
    with about(path):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise refusal(Refusal.UNREADABLE, f"the package cannot be opened ({error.strerror}).") from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise refusal(Refusal.NOT_A_FILE, "a package is a regular file, and this is not.")
            yield _proven(descriptor, limits)
        finally:
            os.close(descriptor)


def _proven(descriptor: int, limits: SizeLimits) -> _Package:
    members = read_structure(descriptor, limits)
    refuse_unsafe_names(member.name for member in members)
    manifest = _manifest_of(descriptor, members, limits)
    refuse_oversize(manifest, os.fstat(descriptor).st_size, limits)
    _refuse_other_members(members[1:], manifest.stored)
    held = {entry.name: member for entry, member in zip(manifest.stored, members[1:], strict=True)}
    return _Package(descriptor, held, manifest)


def _manifest_of(descriptor: int, members: Sequence[ZipMember], limits: SizeLimits) -> Manifest:
    names = [member.name for member in members]
    if MANIFEST_NAME not in names:
        raise refusal(Refusal.MANIFEST_MISSING, f"the archive has no {MANIFEST_NAME}, so it is not a .nav package.")
    if names[0] != MANIFEST_NAME:
        raise refusal(Refusal.MANIFEST_NOT_FIRST, f"{names[0]!a} comes before {MANIFEST_NAME}.")
    member = members[0]
    if member.size > limits.manifest_bytes:
        what = f"the manifest has {member.size} bytes, more than the {limits.manifest_bytes} that are allowed."
        raise refusal(Refusal.MANIFEST_TOO_LARGE, what)
    prove_local_header(descriptor, member)
    text = read_exactly(descriptor, member.data_offset, member.size)
    if zlib.crc32(text) != member.crc32:
        raise refusal(Refusal.CHECKSUM, "the manifest has another checksum than the archive says.")
    return parse_manifest(text)


def _refuse_other_members(members: Sequence[ZipMember], stored: Sequence[FileEntry]) -> None:
    """The manifest lists exactly the members, in their order, with their sizes (the rule of a wheel's RECORD)."""
    held, listed = [member.name for member in members], [entry.member for entry in stored]
    listed_names, held_names = set(listed), set(held)
    for name in held:
        if name not in listed_names:
            raise refusal(Refusal.UNLISTED_MEMBER, f"the archive holds {name!a}, which the manifest does not list.")
    for name in listed:
        if name not in held_names:
            raise refusal(Refusal.MISSING_MEMBER, f"the manifest lists {name!a}, which the archive does not hold.")
    if held != listed:
        raise refusal(Refusal.MEMBER_ORDER, "the members stand in another order than in the manifest.")
    for member, entry in zip(members, stored, strict=True):
        if member.size != entry.own_size:
            what = f"{entry.member!a} has {member.size} bytes, and the manifest says {entry.own_size}."
            raise refusal(Refusal.SIZE_DIFFERS, what)


def _refuse_other_content(sums: Sums, entry: FileEntry, member: ZipMember) -> None:
    if sums.sha256 != entry.sha256:
        what = f"the content of {entry.name!a} is damaged or was exchanged (its SHA-256 differs)."
        raise refusal(Refusal.DIGEST, what, hint="Copy or download the package again.")
    if sums.crc32 != member.crc32:
        raise refusal(Refusal.CHECKSUM, f"{entry.member!a} has another checksum than the archive says.")


def _make_folders(folder: Path, manifest: Manifest) -> None:
    """Create each folder once, parents first; the names are proven, the place is new and private."""
    inner = {parent for entry in manifest.files for parent in Path(entry.place).parents}
    for path in sorted(inner - {Path()}, key=lambda path: len(path.parts)):
        (folder / path).mkdir()


def _extract(package: _Package, entry: FileEntry, folder: Path) -> None:
    with _created(folder / entry.place) as sink:
        sums = copy_spans(package.descriptor, package.spans(entry), sink)
        _refuse_other_content(sums, entry, package.members[entry.name])
        os.fsync(sink)


def _duplicate(verified: Path, name: Path, size: int) -> None:
    """Copy a file that was verified a moment ago; no hard link, so that changing one leaves the other alone."""
    source = os.open(verified, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with _created(name) as sink:
            done = 0
            while done < size:
                done += os.sendfile(sink, source, done, size - done)
            os.fsync(sink)
    finally:
        os.close(source)


@contextmanager
def _created(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
