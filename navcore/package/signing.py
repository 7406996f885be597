"""Detached signatures over the digests in a package's manifest, in the format of OpenSSF model signing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from navcore.errors import OptionError, PackageError, PackageExists, Unavailable
from navcore.package.archive import Manifest, Refusal, read_manifest
from navcore.package.trust import SignedBy
from navcore.workspace import write_text

SUFFIX = ".sig"
_BESIDE = "manifest.json"  # of an unpacked package; it lists itself nowhere


def sign_package(
    path: Path,
    key: Path,
    *,
    certificate: Path | None = None,
    chain: Sequence[Path] = (),
    signature: Path | None = None,
    override: bool = False,
) -> Path:
    """Sign the package at ``path`` and return the file with the signature, by default ``<path>.sig``.

    ``key`` is a private elliptic-curve key as PEM, without a password. With ``certificate``, that key's own, the
    signature carries it and the certificates in ``chain``, up to an authority that a verifier knows.

    Raises :class:`PackageError` for a damaged package, :class:`PackageExists` for a signature that is there already,
    :class:`OptionError` for a key that cannot sign, and :class:`Unavailable` without the extra ``signing``.
    """
    signing = _library().signing
    target = signature or signature_of(path)
    if os.path.lexists(target) and not override:
        raise PackageExists(
            "there is a signature at this path already.",
            code=Refusal.EXISTS.value,
            who=str(target),
            hint="Give override=True to replace it.",
        )
    manifest = read_manifest(path)
    config = signing.Config().set_hashing_config(_Listed(manifest))
    private = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with _wrong_key():
            if certificate is None:
                config.use_elliptic_key_signer(private_key=key)
            else:
                config.use_certificate_signer(
                    private_key=key, signing_certificate=certificate, certificate_chain=list(chain) or [certificate]
                )
        config.sign(path, private)
        write_text(target, private.read_text("utf-8"))
    finally:
        private.unlink(missing_ok=True)
    return target


def refuse_unsigned(path: Path, manifest: Manifest, by: SignedBy) -> None:
    """Raise :class:`PackageError` (code ``signature``) unless the package's manifest is signed as ``by`` demands.

    Raises :class:`OptionError` for a key or certificate that is none, :class:`Unavailable` without the extra
    ``signing``.
    """
    verifying = _library().verifying
    signature = by.signature or signature_of(path)
    if not signature.is_file():
        raise _refused(path, f"there is no signature at {signature}.")
    config = verifying.Config().set_hashing_config(_Listed(manifest))
    with _wrong_key():
        if by.key is not None:
            config.use_elliptic_key_verifier(public_key=by.key)
        else:
            config.use_certificate_verifier(certificate_chain=[by.certificate])
    try:
        config.verify(path, signature)
    except Exception as error:  # of its own, of its parsers, of the cryptography below: each means that it does not fit
        raise _refused(path, f"it is not signed as it has to be: {_reason(error)}.") from error


def settle_trust(path: Path, manifest: Manifest, trust: bool | SignedBy) -> bool:
    """Whether the package at ``path``, whose listing is ``manifest``, is trusted.

    Raises :class:`PackageError` (code ``signature``) for a signature that does not fit.
    """
    if isinstance(trust, SignedBy):
        refuse_unsigned(path, manifest, trust)
        return True
    return trust


def signature_of(path: Path) -> Path:
    """Where the signature of a package is looked for."""
    return path.with_name(path.name + SUFFIX)


class _Listed:
    """In place of hashing files again: the digests that the manifest lists, and that extracting holds every file to."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def hash(self, _model_path: object, *, files_to_hash: object = None) -> Any:
        """The model-signing manifest of the package's files."""
        from model_signing import manifest as format
        from model_signing._hashing.hashing import Digest

        how = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": [_BESIDE]}
        items = [
            format.FileManifestItem(
                path=PurePosixPath(entry.place), digest=Digest("sha256", bytes.fromhex(entry.sha256))
            )
            for entry in self._manifest.files
        ]
        name = str(self._manifest.meta.get("model_name", ""))
        return format.Manifest(name, items, format.SerializationType.from_args(how))

    def add_ignored_paths(self, *, model_path: object, paths: object) -> None:
        """Nothing of what a signature wants ignored is ignored: a package lists what it holds."""


@contextlib.contextmanager
def _wrong_key() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, TypeError, AttributeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else _reason(error)
        raise OptionError(
            f"The key or certificate cannot be used: {reason}.",
            hint="Give PEM files; keys are elliptic-curve keys (secp256r1, secp384r1, secp521r1) without a password.",
        ) from error


def _reason(error: Exception) -> str:
    """The first sentence of an error, on one line; of a file that differs its name, without the two digests."""
    if isinstance(error, AttributeError | TypeError | KeyError | IndexError | UnicodeError):
        return "it holds nothing of that kind"
    text = str(error).partition("\n")[0].partition(". ")[0].partition(": Expected")[0]
    line = "".join(character for character in text[:200] if character.isprintable())
    return line.replace("\\", "").strip(" .[]\"'") or type(error).__name__


def _library() -> Any:
    try:
        import model_signing.signing
        import model_signing.verifying
    except ImportError as error:
        raise Unavailable(
            f"Signatures need a package that is not installed: {error}.",
            hint='Install it with: pip install "navcore[signing]"',
        ) from error
    return model_signing


def _refused(path: Path, what: str) -> PackageError:
    return PackageError(what, code=Refusal.SIGNATURE.value, who=str(path), hint="Nothing of it was loaded.")
