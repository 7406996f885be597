"""Whether a package's word counts: only by the user's own, or by a signature of a key that the user names."""

from __future__ import annotations

import math
import os
from numbers import Real
from pathlib import Path

import attrs

from navcore.errors import OptionError
from navcore.package.archive import Manifest
from navcore.planning import Limits


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


def settle_trust(path: Path, manifest: Manifest, trust: bool | SignedBy) -> bool:
    """Whether the package at ``path``, whose listing is ``manifest``, is trusted.

    Raises :class:`PackageError` (code ``signature``) for a signature that does not fit.
    """
    if isinstance(trust, SignedBy):
        from navcore.package.signing import refuse_unsigned

        refuse_unsigned(path, manifest, trust)
        return True
    return trust


def limits_from(timeout: float | None, memory_limit: int | None) -> Limits:
    """The limits of one step. Raises :class:`OptionError` for what limits nothing."""
    seconds, memory = _above_zero("timeout", timeout), _above_zero("memory_limit", memory_limit)
    return Limits(seconds, None if memory is None else int(memory))


def _above_zero(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < math.inf:
        raise OptionError(f"{name}={ascii(value)[:80]} has to be a number above 0.")
    return float(value)


def refuse_no_trust(trust: object) -> None:
    """Raise :class:`OptionError` for what is neither a word nor a key."""
    if not isinstance(trust, bool | SignedBy):
        raise OptionError(f"trust={ascii(trust)[:80]} is neither a boolean nor a navcore.SignedBy.")
