"""The key by which the user trusts whoever signed a package."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from navcore.errors import OptionError


def _path(value: Path | str | None) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike):
        raise OptionError(
            f"{ascii(value)[:80]} is not the path of a file.", hint="Give a path as text or pathlib.Path."
        )
    return Path(value)


@attrs.frozen
class SignedBy:
    """Trust a package that was signed: ``nav.load("model.nav", trust=nav.SignedBy(key="team.pub"))``.

    ``key`` is a public elliptic-curve key as PEM. ``certificate`` is a PEM file of the certificate authorities that the
    signer's certificate has to come from. Exactly one of the two is given. ``signature`` is the file with the
    signature, by default ``<package>.sig``. A signature covers the name and the content of every file of the package;
    it is in the format of OpenSSF model signing, and needs ``pip install "navcore[signing]"``.

    Loading raises :class:`PackageError` (code ``signature``) when the signature does not fit: a package that should be
    signed and is not is never loaded without trust instead.
    """

    key: Path | None = attrs.field(default=None, converter=_path)
    certificate: Path | None = attrs.field(default=None, converter=_path)
    signature: Path | None = attrs.field(default=None, converter=_path)

    def __attrs_post_init__(self) -> None:
        if (self.key is None) == (self.certificate is None):
            raise OptionError("SignedBy takes either a key or a certificate.", hint="Write SignedBy(key='team.pub').")
