"""Prove that a file is one unambiguous zip archive of stored, contiguous members before anything in it is used.

Only one reading is possible of what passes: the end record is the last 22 bytes, the central directory touches it, the
members cover the file from byte 0 up to the directory without overlap or hole, and each header before a member is the
one that the directory implies. A parser that walks from the front and one that looks from the back see the same files.
"""

from __future__ import annotations

import os
import stat
import struct

import attrs

from navcore.errors import PackageError
from navcore.package.archive.digested_copy import read_exactly
from navcore.package.archive.refusals import Refusal, refusal
from navcore.package.archive.size_limits import SizeLimits
from navcore.package.archive.zip_format import (
    CENTRAL,
    CENTRAL_MARK,
    END,
    END64,
    END64_MARK,
    END_MARK,
    FULL16,
    FULL32,
    LOCAL_MARK,
    LOCATOR64,
    LOCATOR64_MARK,
    UTF8_FLAG,
    ZIP64_FIELD,
    ZipMember,
    local_header,
)

_LONGEST_COMMENT = FULL16
_ENCRYPTION_FLAGS = 0x0001 | 0x0040 | 0x2000
_DESCRIPTOR_FLAG = 0x0008
_DOS_FOLDER = 0x10


@attrs.frozen
class _Directory:
    """Where the central directory lies (bytes) and how many records it has."""

    offset: int
    size: int
    count: int


def read_structure(archive: int, limits: SizeLimits) -> tuple[ZipMember, ...]:
    """Return the members of the archive behind a descriptor, in the order of their bytes.

    Reads the end of the file and the central directory only; ``prove_local_header`` completes the proof for the members
    that are going to be read. Names are decoded, not yet judged. Raises ``PackageError``.
    """
    size = os.fstat(archive).st_size
    if size > limits.archive_bytes:
        what = f"the file has {size} bytes, more than the {limits.archive_bytes} that are allowed."
        raise refusal(Refusal.ARCHIVE_TOO_LARGE, what)
    directory = _find_directory(archive, size)
    if directory.count > limits.members + 1:
        what = f"the archive has {directory.count} members, more than {limits.members}."
        raise refusal(Refusal.TOO_MANY_MEMBERS, what)
    if directory.size > limits.directory_bytes:
        what = f"the central directory has {directory.size} bytes, more than {limits.directory_bytes}."
        raise refusal(Refusal.DIRECTORY_TOO_LARGE, what)
    members = _parse_directory(read_exactly(archive, directory.offset, directory.size), directory.count)
    _prove_cover(members, directory.offset)
    return members


def prove_local_header(archive: int, member: ZipMember) -> None:
    """Refuse a member whose own header is not, to the byte, the one that the central directory implies."""
    expected = local_header(member)
    if read_exactly(archive, member.offset, len(expected)) != expected:
        what = f"the header before {member.name!a} differs from the central directory."
        raise refusal(Refusal.LOCAL_MISMATCH, what)


def _find_directory(archive: int, size: int) -> _Directory:
    position = size - END.size
    if position < 0 or read_exactly(archive, position, 4) != END_MARK:
        raise _no_end_record(archive, size)
    _, disk, first_disk, here, count, length, offset, comment = END.unpack(read_exactly(archive, position, END.size))
    if comment:
        raise refusal(Refusal.TRAILING_DATA, "the end record announces an archive comment.")
    if disk or first_disk or here != count:
        raise refusal(Refusal.END_RECORD, "the end record speaks of several disks.")
    directory = _Directory(offset, length, count)
    locator = position - LOCATOR64.size
    has_locator = locator >= 0 and read_exactly(archive, locator, 4) == LOCATOR64_MARK
    if has_locator != (count == FULL16 or length == FULL32 or offset == FULL32):
        raise refusal(Refusal.ZIP64, "the zip64 end record is missing or superfluous.")
    if has_locator:
        position = locator - END64.size
        directory = _zip64_directory(archive, position, directory)
    end = directory.offset + directory.size
    if end > position:
        raise refusal(Refusal.END_RECORD, "the end record places the central directory beyond itself.")
    if end < position:
        raise _unexplained_bytes(archive, directory, position)
    return directory


def _unexplained_bytes(archive: int, directory: _Directory, position: int) -> PackageError:
    """Say what it means that the directory ends before ``position``, where its end record starts."""
    end = directory.offset + directory.size
    if END_MARK in read_exactly(archive, end, min(position - end, 1 << 20)):
        return refusal(Refusal.TWO_END_RECORDS, "the file has two end records.")
    if directory.size and read_exactly(archive, position - directory.size, 4) == CENTRAL_MARK:
        return refusal(Refusal.PREFIX_DATA, f"{position - end} bytes precede the archive.")
    return refusal(Refusal.END_RECORD, "the central directory does not touch the end record.")


def _no_end_record(archive: int, size: int) -> PackageError:
    tail_size = min(size, END.size + _LONGEST_COMMENT)
    tail = read_exactly(archive, size - tail_size, tail_size)
    if END_MARK in tail[: 4 - END.size]:  # with a whole record behind the mark
        return refusal(Refusal.TRAILING_DATA, "bytes follow the end record of the archive.")
    if read_exactly(archive, 0, min(size, 4)) == LOCAL_MARK:
        return refusal(Refusal.TRUNCATED, "the file ends too early.", hint="Copy or download it again.")
    return refusal(Refusal.NOT_A_PACKAGE, "the file is not a .nav package.")


def _zip64_directory(archive: int, position: int, plain: _Directory) -> _Directory:
    """Read the zip64 end record at ``position`` and the locator behind it; ``plain`` is what the short record says."""
    if position < 0:
        raise refusal(Refusal.ZIP64, "the zip64 end record is cut off.")
    data = read_exactly(archive, position, END64.size + LOCATOR64.size)
    mark, length, _, _, disk, first_disk, here, count, size, offset = END64.unpack_from(data)
    _, locator_disk, located, disks = LOCATOR64.unpack_from(data, END64.size)
    if mark != END64_MARK or length != END64.size - 12 or located != position:
        raise refusal(Refusal.ZIP64, "the zip64 end record is not where its locator says.")
    if disk or first_disk or locator_disk or disks != 1 or here != count:
        raise refusal(Refusal.ZIP64, "the zip64 end record speaks of several disks.")
    for short, long, full in ((plain.count, count, FULL16), (plain.size, size, FULL32), (plain.offset, offset, FULL32)):
        if short != min(long, full):
            raise refusal(Refusal.ZIP64, "the zip64 end record contradicts the short one.")
    return _Directory(offset, size, count)


def _parse_directory(data: bytes, count: int) -> tuple[ZipMember, ...]:
    members = []
    position = 0
    for number in range(count):
        if position + CENTRAL.size > len(data) or data[position : position + 4] != CENTRAL_MARK:
            raise refusal(Refusal.DIRECTORY, f"record {number} of the central directory is damaged.")
        fields = CENTRAL.unpack_from(data, position)
        name_size, extra_size, comment_size = fields[10:13]
        position += CENTRAL.size
        name_end, extra_end = position + name_size, position + name_size + extra_size
        name, extra = data[position:name_end], data[name_end:extra_end]
        position += name_size + extra_size + comment_size
        if position > len(data):
            raise refusal(Refusal.DIRECTORY, f"record {number} of the central directory is cut off.")
        members.append(_parse_record(fields, name, extra))
    if position != len(data):
        raise refusal(Refusal.DIRECTORY, "the central directory is longer than its records.")
    return tuple(members)


def _parse_record(fields: tuple[int, ...], raw_name: bytes, extra: bytes) -> ZipMember:
    _, _, needed, flags, method, time, date, crc32, packed, size, _, _, comment, disk, _, external, offset = fields
    name = _decoded(raw_name, flags)
    shown = ascii(name[:120])
    _prove_flags(flags, shown)
    if method:
        raise refusal(Refusal.COMPRESSED, f"the member {shown} is compressed (method {method}), not stored.")
    _prove_kind(external, shown)
    if comment:
        raise refusal(Refusal.MEMBER_COMMENT, f"the member {shown} carries a comment.")
    if disk:
        raise refusal(Refusal.DIRECTORY, f"the member {shown} lies on another disk.")
    size, packed, offset = _with_zip64(size, packed, offset, extra, shown)
    if packed != size:
        raise refusal(Refusal.SIZES, f"the member {shown} is stored, but with {packed} instead of {size} bytes.")
    return ZipMember(name, size, crc32, offset, flags, needed, time, date)


def _decoded(raw_name: bytes, flags: int) -> str:
    try:
        return raw_name.decode("utf-8" if flags & UTF8_FLAG else "ascii")
    except UnicodeDecodeError as error:
        what = f"the name {raw_name[:120]!a} is neither ASCII nor valid UTF-8."
        raise refusal(Refusal.NAME_ENCODING, what) from error


def _prove_flags(flags: int, shown: str) -> None:
    if flags & _ENCRYPTION_FLAGS:
        raise refusal(Refusal.ENCRYPTED, f"the member {shown} is encrypted.")
    if flags & _DESCRIPTOR_FLAG:
        raise refusal(Refusal.DATA_DESCRIPTOR, f"the member {shown} has a data descriptor.")
    if flags & ~UTF8_FLAG:
        raise refusal(Refusal.FLAGS, f"the member {shown} has the flags {flags:#06x}.")


def _prove_kind(external: int, shown: str) -> None:
    """Judge the Unix mode whichever system the record claims to be from: readers disagree on when it counts."""
    mode = external >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG) or external & _DOS_FOLDER:
        raise refusal(Refusal.MEMBER_KIND, f"the member {shown} is not a regular file.")
    if mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX):
        raise refusal(Refusal.MEMBER_MODE, f"the member {shown} has the mode {stat.S_IMODE(mode):04o}.")


def _with_zip64(size: int, packed: int, offset: int, extra: bytes, shown: str) -> tuple[int, int, int]:
    """Replace the numbers that do not fit in 32 bits; the extra field has exactly those, and nothing else."""
    values = [size, packed, offset]
    large = [index for index, value in enumerate(values) if value == FULL32]
    if not large:
        if extra:
            raise refusal(Refusal.EXTRA_FIELD, f"the member {shown} carries an extra field.")
        return size, packed, offset
    expected = struct.pack("<2H", ZIP64_FIELD, 8 * len(large))
    if not extra.startswith(expected) or len(extra) != len(expected) + 8 * len(large):
        raise refusal(Refusal.ZIP64, f"the zip64 field of the member {shown} is not what its header asks for.")
    for index, value in zip(large, struct.unpack_from(f"<{len(large)}Q", extra, len(expected)), strict=True):
        if not FULL32 <= value < 1 << 63:
            raise refusal(Refusal.ZIP64, f"the zip64 field of the member {shown} holds a number out of its range.")
        values[index] = value
    return values[0], values[1], values[2]


def _prove_cover(members: tuple[ZipMember, ...], directory_offset: int) -> None:
    """The members follow each other without overlap or hole, from byte 0 to the central directory."""
    if members and members[0].offset:
        raise refusal(Refusal.PREFIX_DATA, f"{members[0].offset} bytes precede the first member.")
    position, before = 0, "the start of the file"
    for member in members:
        shown = ascii(member.name[:120])
        _prove_touch(position, member.offset, before, shown)
        position, before = member.end, shown
    _prove_touch(position, directory_offset, before, "the central directory")


def _prove_touch(end: int, start: int, before: str, after: str) -> None:
    if start < end:
        raise refusal(Refusal.OVERLAP, f"{before} and {after} share bytes.")
    if start > end:
        raise refusal(Refusal.GAP, f"{start - end} bytes between {before} and {after} belong to neither.")
