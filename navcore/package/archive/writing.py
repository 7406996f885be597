"""Write a ``.nav`` file: stored members, each content once, manifest first, in place at once or not at all."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from navcore.package.archive.atomic import atomic_file, refuse_existing
from navcore.package.archive.digested_copy import Span, copy_spans, write_fully
from navcore.package.archive.manifest import (
    JSON,
    MANIFEST_NAME,
    FileEntry,
    Part,
    manifest_bytes,
    parse_manifest,
    refuse_oversize,
)
from navcore.package.archive.origin import Origin, digest, opened, peek, refuse_changed, survey
from navcore.package.archive.refusals import Refusal, about, refusal
from navcore.package.archive.safe_names import refuse_unsafe_names
from navcore.package.archive.sharing import shared_parts
from navcore.package.archive.size_limits import DEFAULT_SIZE_LIMITS
from navcore.package.archive.zip_format import ZipMember, central_record, end_records, local_header, zip_member
from navcore.workspace import kind_of

_UNKNOWN_DIGEST = "0" * 64


@attrs.frozen
class Member:
    """One file to be packed under ``name``; ``source`` is a regular file (a symbolic link is refused).

    ``regions`` are ranges of bytes, (offset, length), that other files may hold as well: where they do, such a range is
    stored once, and the package is a compact one. None are looked for where none are given.
    """

    name: str
    source: Path
    regions: tuple[tuple[int, int], ...] = ()


def write_archive(path: Path, members: Sequence[Member], *, meta: Mapping[str, JSON], override: bool = False) -> None:
    """Pack ``members`` into ``path``, in the order given, with ``meta`` in the manifest.

    What members say of their regions makes a compact package where regions are equal; such a one needs a reader of
    manifest version 3.
    The same members and ``meta`` give the same bytes: no clock, user or mode goes in. The file is written under a
    private name, flushed and renamed: whatever happens meanwhile, ``path`` is the old file or the complete new one.

    Raises ``PackageExists`` if ``path`` exists and ``override`` is false, and ``PackageError`` for a bad name, a source
    that is no regular file or changes meanwhile, and a disk that cannot be written.
    """
    path = Path(path)
    with about(path):
        refuse_existing(path, replace=override)
        refuse_unsafe_names([MANIFEST_NAME, *(member.name for member in members)])
        sources = [survey(member.name, Path(member.source), tuple(member.regions)) for member in members]
        twins = _find_twins(sources)
        parts = shared_parts([source for source in sources if source.name not in twins])
        plan = _lay_out(sources, twins, parts, meta)
        with atomic_file(path, replace=override) as archive:
            _write(archive, plan)


def _find_twins(sources: Sequence[Origin]) -> dict[str, str]:
    """Map the name of each file whose content an earlier one has already to the name of that one.

    Size, then both ends, then everything: only files that agree so far are read further.
    """
    suspects = _agreeing(sources, [source.size for source in sources])
    with ThreadPoolExecutor() as pool:
        ends = list(pool.map(lambda source: (source.size, peek(source, 0, source.size)), suspects))
        suspects = _agreeing(suspects, ends)
        digests = list(pool.map(lambda source: digest(source, 0, source.size), suspects))
    first: dict[str, str] = {}
    twins = {}
    for source, found in zip(suspects, digests, strict=True):
        known = first.setdefault(found, source.name)
        if known != source.name:
            twins[source.name] = known
    return twins


def _agreeing(sources: Sequence[Origin], keys: Sequence[Hashable]) -> list[Origin]:
    counts = Counter(keys)
    return [source for source, key in zip(sources, keys, strict=True) if counts[key] > 1]


@attrs.frozen
class _Plan:
    """Where each byte goes; ``members`` are the stored sources in order, the manifest not among them."""

    sources: Sequence[Origin]
    twins: Mapping[str, str]
    parts: Mapping[str, tuple[Part, ...]]
    meta: Mapping[str, JSON]
    members: Sequence[tuple[Origin, ZipMember]]

    @property
    def entries(self) -> list[FileEntry]:
        """What the manifest lists, without the digests."""
        return [
            FileEntry(
                name=source.name,
                size=source.size,
                sha256=_UNKNOWN_DIGEST,
                same_as=self.twins.get(source.name),
                kind=kind_of(source.name),
                parts=self.parts.get(source.name, ()),
            )
            for source in self.sources
        ]

    def spans(self, source: Origin) -> list[Span]:
        """The bytes of the file, those that are stored elsewhere marked as not its own."""
        spans, position = [], 0
        for part in self.parts.get(source.name) or (Part(source.size),):
            spans.append(Span(position, part.size, own=part.of is None))
            position += part.size
        return spans

    def manifest(self, digests: Mapping[str, str]) -> tuple[ZipMember, bytes]:
        """The manifest with ``digests`` by name of the stored file; its length is the same without them."""
        entries = [
            attrs.evolve(entry, sha256=digests.get(entry.same_as or entry.name, _UNKNOWN_DIGEST))
            for entry in self.entries
        ]
        text = manifest_bytes(entries, self.meta)
        return zip_member(MANIFEST_NAME, len(text), 0, zlib.crc32(text)), text


def _lay_out(
    sources: Sequence[Origin], twins: Mapping[str, str], parts: Mapping[str, tuple[Part, ...]], meta: Mapping[str, JSON]
) -> _Plan:
    """Place the manifest at byte 0 and the stored files behind it; refuse what a reader would refuse by default."""
    plan = _Plan(sources, twins, parts, meta, ())
    first, text = plan.manifest({})
    members = []
    offset = first.end
    for source, entry in zip(sources, plan.entries, strict=True):
        if entry.same_as is None:
            members.append((source, zip_member(entry.member, entry.own_size, offset)))
            offset = members[-1][1].end
    if len(text) > DEFAULT_SIZE_LIMITS.manifest_bytes:
        raise refusal(Refusal.MANIFEST_TOO_LARGE, f"the manifest would take {len(text)} bytes.")
    refuse_oversize(parse_manifest(text), offset, DEFAULT_SIZE_LIMITS)
    return attrs.evolve(plan, members=members)


def _write(archive: int, plan: _Plan) -> None:
    """Write contents first: the headers and the manifest before them wait for the digests."""
    digests: dict[str, str] = {}
    written: list[ZipMember] = []
    for source, member in plan.members:
        with opened(source.path) as descriptor:
            sums = copy_spans(descriptor, plan.spans(source), archive, member.data_offset, own_only=True)
            refuse_changed(source, descriptor)
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
