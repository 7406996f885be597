"""Signatures: by a key or a certificate on disk, over the names and contents of all files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import navcore as nav
from navcore.errors import OptionError, PackageError, PackageExists
from navcore.package.archive import Member, read_manifest, write_archive
from navcore.package.reading import read_told
from navcore.package.signing import settle_trust, sign_package

from .hostile_records import FILES, good, told


def _missing() -> str:
    try:
        import model_signing.signing  # noqa: F401
    except ImportError as error:
        return f"the extra navcore[signing] is not installed: {error}"
    return "" if shutil.which("openssl") else "there is no openssl program to make keys with"


signing = pytest.mark.skipif(bool(_missing()), reason=_missing() or "it is all there")


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with the keys of ``us`` and ``them``, and a certificate of ours that the authority ``ca`` signed."""
    folder = tmp_path / "keys"
    folder.mkdir()
    for name in ("us", "them", "ca"):
        openssl(folder, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.pem")
        openssl(folder, "ec", "-in", f"{name}.pem", "-pubout", "-out", f"{name}.pub")
    for name in ("ca", "them"):
        openssl(folder, "req", "-x509", "-new", "-key", f"{name}.pem", "-subj", f"/CN={name}", "-out", f"{name}.crt")
    (folder / "extensions").write_text("keyUsage=digitalSignature\nbasicConstraints=CA:FALSE\n")
    openssl(folder, "req", "-new", "-key", "us.pem", "-subj", "/CN=us", "-out", "us.csr")
    openssl(folder, "x509", "-req", "-in", "us.csr", "-CA", "ca.crt", "-CAkey", "ca.pem", "-CAcreateserial", "-extfile",
            "extensions", "-out", "us.crt")  # fmt: skip
    return folder


def trusts(path: Path, by: nav.SignedBy) -> bool:
    return settle_trust(path, read_told(path).manifest, by)


def refuses(path: Path, by: nav.SignedBy) -> bool:
    with pytest.raises(PackageError) as caught:
        trusts(path, by)
    assert str(caught.value).isprintable()
    return caught.value.code == "signature"


@signing
def test_the_holder_of_the_key_is_trusted_and_nobody_else(keys: Path, tmp_path: Path) -> None:
    path = good(tmp_path / "x.nav")
    assert sign_package(path, keys / "us.pem") == tmp_path / "x.nav.sig"
    assert trusts(path, nav.SignedBy(key=keys / "us.pub"))
    assert refuses(path, nav.SignedBy(key=keys / "them.pub"))
    assert refuses(path, nav.SignedBy(certificate=keys / "ca.crt"))
    assert refuses(path, nav.SignedBy(key=keys / "us.pub", signature=path))
    assert refuses(path, nav.SignedBy(key=keys / "us.pub", signature=tmp_path / "nowhere"))


@signing
@pytest.mark.parametrize("change", ["content", "name", "more", "less"])
def test_a_signature_is_of_every_name_and_every_byte(change: str, keys: Path, tmp_path: Path) -> None:
    path = good(tmp_path / "x.nav")
    sign_package(path, keys / "us.pem")
    files = dict(FILES)
    if change == "content":
        files["onnx/model.onnx"] = b"\x08\x07veights" * 20
    elif change == "name":
        files["onnx/model.data"] = files.pop("onnx/model.onnx")
    elif change == "more":
        files["onnx/more.data"] = b""
    else:
        del files["onnx/model.onnx"]
    path.write_bytes(told(files=files))
    assert refuses(path, nav.SignedBy(key=keys / "us.pub"))


@signing
def test_a_certificate_is_trusted_by_its_authority(keys: Path, tmp_path: Path) -> None:
    path = good(tmp_path / "x.nav")
    sign_package(path, keys / "us.pem", certificate=keys / "us.crt")
    assert trusts(path, nav.SignedBy(certificate=keys / "ca.crt"))
    assert refuses(path, nav.SignedBy(certificate=keys / "them.crt"))


@signing
def test_a_package_that_should_be_signed_and_is_not_is_never_loaded(keys: Path, tmp_path: Path) -> None:
    path = good(tmp_path / "x.nav")
    with pytest.raises(PackageError, match="there is no signature"):
        nav.load(path, workdir=tmp_path / "work", trust=nav.SignedBy(key=keys / "us.pub"))
    assert not (tmp_path / "work").exists()


@signing
def test_a_signature_is_replaced_on_request_only_and_a_key_has_to_be_one(keys: Path, tmp_path: Path) -> None:
    path = good(tmp_path / "x.nav")
    sign_package(path, keys / "us.pem")
    with pytest.raises(PackageExists):
        sign_package(path, keys / "us.pem")
    sign_package(path, keys / "them.pem", override=True)
    assert refuses(path, nav.SignedBy(key=keys / "us.pub"))
    with pytest.raises(OptionError, match="cannot be used"):
        sign_package(path, keys / "us.pub", override=True)
    with pytest.raises(OptionError, match="cannot be used"):
        trusts(path, nav.SignedBy(key=tmp_path / "nowhere.pub"))
    assert trusts(path, nav.SignedBy(key=keys / "them.pub")), "the signature that was there has to stay"


def test_signed_by_is_one_key_or_one_certificate() -> None:
    for wrong in ({}, {"key": "a", "certificate": "b"}, {"signature": "c"}, {"key": 7}):
        with pytest.raises(OptionError):
            nav.SignedBy(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("trust", [None, "yes", 1, b"key", Path("key.pub")])
def test_trust_is_a_word_or_a_key(trust: object, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"has to be True, False or a navcore\.SignedBy"):
        nav.load(good(tmp_path / "x.nav"), trust=trust)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [{"timeout": 0}, {"timeout": "1"}, {"memory_limit": -1}, {"timeout": float("inf")}])
def test_a_limit_has_to_limit(limit: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"has to be (more than 0|a number|finite)"):
        nav.load(good(tmp_path / "x.nav"), **limit)  # type: ignore[arg-type]


@signing
def test_a_compact_package_is_signed_and_verified_as_any_other(keys: Path, tmp_path: Path) -> None:
    shared = b"weights" * 2000
    for number in range(2):
        (tmp_path / f"model{number}").write_bytes(bytes([number]) + shared)
    region = ((1, len(shared)),)
    members = [Member(f"toy-{number}/model", tmp_path / f"model{number}", region) for number in range(2)]
    path = tmp_path / "compact.nav"
    write_archive(path, members, meta={"model_name": "m"})
    manifest = read_manifest(path)
    assert manifest.files[1].parts
    sign_package(path, keys / "us.pem")
    assert settle_trust(path, manifest, nav.SignedBy(key=keys / "us.pub"))

    write_archive(tmp_path / "plain.nav", [Member(one.name, one.source) for one in members], meta={"model_name": "m"})
    by = nav.SignedBy(key=keys / "us.pub", signature=tmp_path / "compact.nav.sig")
    assert settle_trust(tmp_path / "plain.nav", read_manifest(tmp_path / "plain.nav"), by)

    (tmp_path / "model1").write_bytes(b"x" + shared)
    write_archive(path, members, meta={"model_name": "m"}, override=True)
    with pytest.raises(PackageError, match="not signed as it has to be"):
        settle_trust(path, read_manifest(path), nav.SignedBy(key=keys / "us.pub"))
