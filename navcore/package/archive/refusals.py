"""List every reason for which a ``.nav`` file is refused, each with a code that never changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from navcore.errors import PackageError


class Refusal(StrEnum):
    """The ``code`` of a ``PackageError``; ``meaning`` is the row that ``docs/threat-model.md`` prints for it."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Refusal:
        """Make a member that is a string, equal to its code, and carries its meaning."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    # The file as a whole.
    UNREADABLE = "unreadable", "the file cannot be opened or read"
    NOT_A_FILE = "not-a-file", "the path is a folder, a pipe or a device"
    ARCHIVE_TOO_LARGE = "archive-too-large", "the file is larger than the limit"
    NOT_A_PACKAGE = "not-a-package", "the file is not a zip archive at all"
    TRUNCATED = "truncated", "the file starts like a zip archive but has no end record"
    TRAILING_DATA = "trailing-data", "bytes follow the end record, an archive comment included"
    PREFIX_DATA = "prefix-data", "bytes precede the first member"
    END_RECORD = "end-record", "the end record contradicts itself or the file, or spans several disks"
    TWO_END_RECORDS = "two-end-records", "another end record stands between the central directory and the end record"
    ZIP64 = "zip64", "zip64 fields are missing, superfluous or contradict the fields they extend"
    CHANGED = "changed", "the file changed while it was being read"

    # The central directory and the headers.
    TOO_MANY_MEMBERS = "too-many-members", "the number of members or files is above the limit"
    DIRECTORY_TOO_LARGE = "directory-too-large", "the central directory is larger than the limit"
    DIRECTORY = "directory", "the central directory is damaged"
    ENCRYPTED = "encrypted", "a member is encrypted"
    DATA_DESCRIPTOR = "data-descriptor", "a member hides its size behind its data"
    FLAGS = "flags", "a member carries a flag that has no meaning for stored files"
    COMPRESSED = "compressed", "a member is not stored as it is"
    SIZES = "sizes", "the stored size of a member differs from its real size"
    EXTRA_FIELD = "extra-field", "a member carries an extra field other than a needed zip64 one"
    MEMBER_COMMENT = "member-comment", "a member carries a comment"
    MEMBER_KIND = "member-kind", "a member is a link, a folder, a pipe or a device"
    MEMBER_MODE = "member-mode", "a member carries a setuid, setgid or sticky bit"
    LOCAL_MISMATCH = "local-mismatch", "the header before a member differs from the central directory"
    OVERLAP = "overlap", "two members share bytes, or a member reaches into the central directory"
    GAP = "gap", "bytes lie between two members that belong to neither"

    # Names.
    NAME_ENCODING = "name-encoding", "a name is neither ASCII nor marked and valid UTF-8"
    NAME_EMPTY = "name-empty", "a name or a part of it is empty"
    NAME_TOO_LONG = "name-too-long", "a name or a part of it is too long"
    NAME_TOO_DEEP = "name-too-deep", "a name has too many parts"
    NAME_ABSOLUTE = "name-absolute", "a name starts with a slash"
    NAME_DOTS = "name-dots", "a name has a part '.' or '..'"
    NAME_BACKSLASH = "name-backslash", "a name contains a backslash"
    NAME_COLON = "name-colon", "a name contains a colon (drive letters, alternate streams)"
    NAME_CHARACTER = "name-character", "a name contains a control, invisible, bidirectional or surrogate character"
    NAME_NOT_NFC = "name-not-nfc", "a name is not in Unicode normal form C"
    NAME_RESERVED = "name-reserved", "a part of a name is a Windows device or ends in a dot or space"
    NAME_DUPLICATE = "name-duplicate", "a name occurs twice"
    NAME_CLASH = "name-clash", "two names differ only by case or Unicode form"
    FILE_FOLDER_CONFLICT = "file-folder-conflict", "a name is a file and also the folder of another file"

    # The manifest.
    MANIFEST_MISSING = "manifest-missing", "there is no member manifest.json"
    MANIFEST_NOT_FIRST = "manifest-not-first", "manifest.json is not the first member"
    MANIFEST_TOO_LARGE = "manifest-too-large", "the manifest is larger than the limit"
    MANIFEST_JSON = "manifest-json", "the manifest is not JSON in UTF-8"
    MANIFEST_DUPLICATE_KEY = "manifest-duplicate-key", "an object of the manifest has a key twice"
    MANIFEST_NUMBER = "manifest-number", "the manifest has NaN, an infinity, or an integer beyond 64 bits"
    MANIFEST_DEPTH = "manifest-depth", "the manifest is nested too deeply"
    MANIFEST_SHAPE = "manifest-shape", "a field of the manifest is missing, unknown or of the wrong type"
    MANIFEST_VERSION = "manifest-version", "the manifest is of a version that this navcore does not know"
    KIND = "kind", "a file is of no kind that a package may hold, or of another than its place says"
    SAME_AS = "same-as", "an entry refers to one that is not stored or has another size or digest"
    PARTS = "parts", "a file is put together of parts that are not stored, not as long as it, or not a model's"
    UNLISTED_MEMBER = "unlisted-member", "the archive holds a member that the manifest does not list"
    MISSING_MEMBER = "missing-member", "the manifest lists a file that the archive does not hold"
    MEMBER_ORDER = "member-order", "the members stand in another order than in the manifest"
    SIZE_DIFFERS = "size-differs", "a member has another size than the manifest says"
    EXPANSION = "expansion", "the extracted files would be larger than the limits allow"

    # What the package says of itself.
    META = "meta", "the manifest does not say which model the package holds, or status.yaml says another"
    STATUS_YAML = "status-yaml", "status.yaml is not YAML, holds too much of it, or more than plain data"
    STATUS_VERSION = "status-version", "status.yaml is of a version that this navcore does not know"
    STATUS_SHAPE = "status-shape", "a value of status.yaml is missing, of the wrong type, out of bounds or no name"
    CONTENT = "content", "status.yaml speaks of files that the package does not hold"

    # The content.
    DIGEST = "digest", "the content of a member has another SHA-256 than the manifest says"
    CHECKSUM = "checksum", "the content of a member has another CRC-32 than the archive says"
    NO_SUCH_MEMBER = "no-such-member", "the package holds no file of that name"
    MEMBER_TOO_LARGE = "member-too-large", "a member is too large to be read into memory"

    # The signature.
    SIGNATURE = "signature", "the package is not signed by the key or certificate that was given"

    # Writing.
    EXISTS = "exists", "the path to be written exists already"
    SOURCE_FILE = "source-file", "a file to be packed is missing, unreadable or not a regular file"
    SOURCE_CHANGED = "source-changed", "a file to be packed changed meanwhile"
    WRITE_FAILED = "write-failed", "the disk is full, read-only or out of order"


def refusal(code: Refusal, what: str, *, hint: str = "") -> PackageError:
    """Make the error for ``code``; ``what`` is the sentence that names the member."""
    return PackageError(what, code=code.value, hint=hint)


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Put ``path`` on every ``PackageError`` of the block that does not say yet which file it is about."""
    try:
        yield
    except PackageError as error:
        error.who = error.who or str(path)
        raise
