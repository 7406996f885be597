"""Write a ``.nav`` file: stored members, each content once, manifest first, in place at once or not at all."""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import attrs

from navcore.package.archive.atomic import atomic_file, refuse_existing
from navcore.package.archive.digested_copy import copy_and_digest, read_exactly, write_fully
from navcore.package.archive.manifest import (
    JSON,
    MANIFEST_NAME,
    FileEntry,
    manifest_bytes,
    parse_manifest,
    refuse_oversize,
)
from navcore.package.archive.refusals import Refusal, about, refusal
from navcore.package.archive.safe_names import refuse_unsafe_names
from navcore.package.archive.size_limits import DEFAULT_SIZE_LIMITS
from navcore.package.archive.zip_format import ZipMember, central_record, end_records, local_header, zip_member
from navcore.workspace import kind_of

_PEEK = 64 << 10
_UNKNOWN_DIGEST = "0" * 64


@attrs.frozen
class Member:
    """One file to be packed under ``name``; ``source`` is a regular file (a symbolic link is refused)."""

    name: str
    source: Path


@attrs.frozen
class _Origin:
    """A file to be packed as it was when the package was laid out; ``fingerprint`` tells whether it changed since."""

    name: str
    path: Path
    size: int
    fingerprint: tuple[int, ...]


def write_archive(path: Path, members: Sequence[Member], *, meta: Mapping[str, JSON], override: bool = False) -> None:
    """Pack ``members`` into ``path``, in the order given, with ``meta`` in the manifest.

    The same members and ``meta`` give the same bytes: no clock, user or mode goes in. The file is written under a
    private name, flushed and renamed: whatever happens meanwhile, ``path`` is the old file or the complete new one.

    Raises ``PackageExists`` if ``path`` exists and ``override`` is false, and ``PackageError`` for a bad name, a source
    that is no regular file or changes meanwhile, and a disk that cannot be written.
    """
    path = Path(path)
    with about(path):
        refuse_existing(path, replace=override)
        refuse_unsafe_names([MANIFEST_NAME, *(member.name for member in members)])
        sources = [_survey(member) for member in members]
        plan = _lay_out(sources, _find_twins(sources), meta)
        with atomic_file(path, replace=override) as archive:
            _write(archive, plan)


def _survey(member: Member) -> _Origin:
    with _opened(Path(member.source)) as descriptor:
        fingerprint = _fingerprint(descriptor)
        return _Origin(member.name, Path(member.source), fingerprint[0], fingerprint)


@contextmanager
def _opened(source: Path) -> Iterator[int]:
    """Open a source without following a link at its end, and without waiting for the other end of a pipe."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise refusal(Refusal.SOURCE_FILE, f"{source} cannot be packed ({error.strerror}).") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise refusal(Refusal.SOURCE_FILE, f"{source} cannot be packed (it is not a regular file).")
        yield descriptor
    finally:
        os.close(descriptor)


def _fingerprint(descriptor: int) -> tuple[int, ...]:
    status = os.fstat(descriptor)
    return (status.st_size, status.st_dev, status.st_ino, status.st_mtime_ns)


def _find_twins(sources: Sequence[_Origin]) -> dict[str, str]:
    """Map the name of each file whose content an earlier one has already to the name of that one.

    Size, then both ends, then everything: only files that agree so far are read further.
    """
    suspects = _agreeing(sources, [(source.size,) for source in sources])
    with ThreadPoolExecutor() as pool:
        suspects = _agreeing(suspects, list(pool.map(_peek, suspects)))
        digests = list(pool.map(_digest, suspects))
    first: dict[str, str] = {}
    twins = {}
    for source, digest in zip(suspects, digests, strict=True):
        known = first.setdefault(digest, source.name)
        if known != source.name:
            twins[source.name] = known
    return twins


def _agreeing(sources: Sequence[_Origin], keys: Sequence[tuple[object, ...]]) -> list[_Origin]:
    counts = Counter(keys)
    return [source for source, key in zip(sources, keys, strict=True) if counts[key] > 1]


def _peek(source: _Origin) -> tuple[int, bytes]:
    with _opened(source.path) as descriptor:
        size = min(source.size, _PEEK)
        ends = read_exactly(descriptor, 0, size) + read_exactly(descriptor, source.size - size, size)
    return source.size, hashlib.sha256(ends).digest()


def _digest(source: _Origin) -> str:
    with _opened(source.path) as descriptor:
        digest = copy_and_digest(descriptor, 0, source.size, None).sha256
        _refuse_changed(source, descriptor)
    return digest


def _refuse_changed(source: _Origin, descriptor: int) -> None:
    if _fingerprint(descriptor) != source.fingerprint:
        raise refusal(Refusal.SOURCE_CHANGED, f"{source.path} changed while it was being packed.")


@attrs.frozen
class _Plan:
    """Where each byte goes; ``members`` are the stored sources in order, the manifest not among them."""

    sources: Sequence[_Origin]
    twins: Mapping[str, str]
    meta: Mapping[str, JSON]
    members: Sequence[tuple[_Origin, ZipMember]]

    def manifest(self, digests: Mapping[str, str]) -> tuple[ZipMember, bytes]:
        """The manifest with ``digests`` by name of the stored file; its length is the same without them."""
        entries = [
            FileEntry(
                name=source.name,
                size=source.size,
                sha256=digests.get(self.twins.get(source.name, source.name), _UNKNOWN_DIGEST),
                same_as=self.twins.get(source.name),
                kind=kind_of(source.name),
            )
            for source in self.sources
        ]
        text = manifest_bytes(entries, self.meta)
        return zip_member(MANIFEST_NAME, len(text), 0, zlib.crc32(text)), text


def _lay_out(sources: Sequence[_Origin], twins: Mapping[str, str], meta: Mapping[str, JSON]) -> _Plan:
    """Place the manifest at byte 0 and the stored files behind it; refuse what a reader would refuse by default."""
    first, text = _Plan(sources, twins, meta, ()).manifest({})
    members = []
    offset = first.end
    for source in sources:
        if source.name not in twins:
            members.append((source, zip_member(source.name, source.size, offset)))
            offset = members[-1][1].end
    if len(text) > DEFAULT_SIZE_LIMITS.manifest_bytes:
        raise refusal(Refusal.MANIFEST_TOO_LARGE, f"the manifest would take {len(text)} bytes.")
    refuse_oversize(parse_manifest(text), offset, DEFAULT_SIZE_LIMITS)
    return _Plan(sources, twins, meta, members)


def _write(archive: int, plan: _Plan) -> None:
    """Write contents first: the headers and the manifest before them wait for the digests."""
    digests: dict[str, str] = {}
    written: list[ZipMember] = []
    for source, member in plan.members:
        with _opened(source.path) as descriptor:
            sums = copy_and_digest(descriptor, 0, source.size, archive, member.data_offset)
            _refuse_changed(source, descriptor)
        digests[source.name] = sums.sha256
        written.append(attrs.evolve(member, crc32=sums.crc32))
        write_fully(archive, local_header(written[-1]), member.offset)
    first, text = plan.manifest(digests)
    write_fully(archive, local_header(first) + text, 0)
    everything = [first, *written]
    directory = b"".join(central_record(member) for member in everything)
    directory_offset = everything[-1].end
    ending = directory + end_records(len(everything), directory_offset, len(directory))
    write_fully(archive, ending, directory_offset)
