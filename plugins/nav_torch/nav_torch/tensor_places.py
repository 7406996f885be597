"""Where the tensors lie in the zip archives that PyTorch writes: each is a stored member, and no other byte is read.

Source: APPNOTE.TXT 6.3.10 (PKWARE), section 4.3.7: the header before a member.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_LOCAL = struct.Struct("<4s5H3I2H")
_MARK = b"PK\x03\x04"


def member_regions(path: Path) -> Mapping[Path, Sequence[tuple[int, int]]]:
    """The (offset, length) in bytes of every stored member of a ``.pt`` or ``.pt2`` file.

    Raises ``zipfile.BadZipFile`` for a file that is no zip archive, or whose headers are damaged.
    """
    regions = []
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED or not member.file_size:
                continue
            file.seek(member.header_offset)
            header = file.read(_LOCAL.size)
            if len(header) != _LOCAL.size or not header.startswith(_MARK):
                raise zipfile.BadZipFile(f"there is no header before {member.filename!r}")
            *_, name, extra = _LOCAL.unpack(header)
            regions.append((member.header_offset + _LOCAL.size + name + extra, member.file_size))
    return {path: regions}
