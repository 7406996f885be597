from .manifest import (
    FileEntry as FileEntry,
    Manifest as Manifest,
)
from .reading import (
    extract_archive as extract_archive,
    read_manifest as read_manifest,
    read_manifest_with as read_manifest_with,
    read_member as read_member,
    read_members as read_members,
)
from .refusals import (
    Refusal as Refusal,
    refusal as refusal,
)
from .size_limits import SizeLimits as SizeLimits
from .writing import (
    Member as Member,
    write_archive as write_archive,
)
