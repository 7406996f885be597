"""Encode the headers of the one zip layout that a ``.nav`` file uses.

Source: APPNOTE.TXT 6.3.10 (PKWARE), sections 4.3.7 local header, 4.3.12 central directory, 4.3.14 and 4.3.15 zip64 end,
4.3.16 end record, 4.5.3 zip64 extra field. Members are stored, contiguous from byte 0, with a zip64 field exactly where
a number does not fit in 32 bits.
"""

from __future__ import annotations

import struct

import attrs

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
END64 = struct.Struct("<4sQ2H2I4Q")
LOCATOR64 = struct.Struct("<4sIQI")

LOCAL_MARK = b"PK\x03\x04"
CENTRAL_MARK = b"PK\x01\x02"
END_MARK = b"PK\x05\x06"
END64_MARK = b"PK\x06\x06"
LOCATOR64_MARK = b"PK\x06\x07"

FULL16 = 0xFFFF
FULL32 = 0xFFFFFFFF
UTF8_FLAG = 0x800
ZIP64_FIELD = 1

_UNIX = 3 << 8
_REGULAR_FILE = 0o100644 << 16
_FIRST_OF_1980 = 0x21  # the earliest date that zip can say: packages do not depend on the clock


@attrs.frozen
class ZipMember:
    """One stored member: where its header starts (``offset``), and its ``size`` in bytes."""

    name: str
    size: int
    crc32: int
    offset: int
    flags: int
    needed_version: int
    time: int = 0
    date: int = _FIRST_OF_1980

    @property
    def data_offset(self) -> int:
        """The position of the first byte of the content."""
        return self.offset + LOCAL.size + len(self.name.encode()) + (20 if self.size >= FULL32 else 0)

    @property
    def end(self) -> int:
        """The position after the last byte of the content."""
        return self.data_offset + self.size


def zip_member(name: str, size: int, offset: int, crc32: int = 0) -> ZipMember:
    """Lay a member out the way navcore writes it."""
    return ZipMember(
        name=name,
        size=size,
        crc32=crc32,
        offset=offset,
        flags=0 if name.isascii() else UTF8_FLAG,
        needed_version=45 if size >= FULL32 or offset >= FULL32 else 20,
    )


def local_header(member: ZipMember) -> bytes:
    """The bytes before the content of ``member``."""
    name = member.name.encode()
    extra = struct.pack("<2H2Q", ZIP64_FIELD, 16, member.size, member.size) if member.size >= FULL32 else b""
    size = min(member.size, FULL32)
    return (
        LOCAL.pack(
            LOCAL_MARK, member.needed_version, member.flags, 0, member.time, member.date,
            member.crc32, size, size, len(name), len(extra),
        )
        + name
        + extra
    )  # fmt: skip


def central_record(member: ZipMember) -> bytes:
    """The record of ``member`` in the central directory."""
    name = member.name.encode()
    large = [member.size, member.size] if member.size >= FULL32 else []
    large += [member.offset] if member.offset >= FULL32 else []
    extra = struct.pack(f"<2H{len(large)}Q", ZIP64_FIELD, 8 * len(large), *large) if large else b""
    size = min(member.size, FULL32)
    return (
        CENTRAL.pack(
            CENTRAL_MARK, _UNIX | member.needed_version, member.needed_version, member.flags, 0, member.time,
            member.date, member.crc32, size, size, len(name), len(extra), 0, 0, 0, _REGULAR_FILE,
            min(member.offset, FULL32),
        )
        + name
        + extra
    )  # fmt: skip


def end_records(count: int, directory_offset: int, directory_size: int) -> bytes:
    """What follows a central directory of ``count`` records; ``count`` is below 65535 by the limits of a package."""
    end = END.pack(END_MARK, 0, 0, count, count, directory_size, min(directory_offset, FULL32), 0)
    if directory_offset < FULL32:
        return end
    end64 = END64.pack(
        END64_MARK, END64.size - 12, _UNIX | 45, 45, 0, 0, count, count, directory_size, directory_offset
    )
    return end64 + LOCATOR64.pack(LOCATOR64_MARK, 0, directory_offset + directory_size, 1) + end
