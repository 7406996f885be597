"""The manifest survives the way to bytes and back, and its length is known before the digests are."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, strategies as st

from navcore.errors import PackageError
from navcore.package.archive.manifest import FileEntry, manifest_bytes, parse_manifest, refuse_oversize
from navcore.package.archive.size_limits import SizeLimits

DIGEST = hashlib.sha256(b"weights").hexdigest()
WEIGHTS = FileEntry("onnx/model.onnx", 7, DIGEST)
COPY = FileEntry("best/model.onnx", 7, DIGEST, same_as="onnx/model.onnx")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda values: st.lists(values, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values, max_size=4))
def test_round_trip(meta: dict[str, Any]) -> None:
    manifest = parse_manifest(manifest_bytes([WEIGHTS, COPY], meta))
    assert manifest.files == (WEIGHTS, COPY)
    assert manifest.meta == meta


def test_what_is_stored_and_what_is_a_copy() -> None:
    manifest = parse_manifest(manifest_bytes([WEIGHTS, COPY], {}))
    assert manifest.stored == (WEIGHTS,)
    assert manifest.total_size == 14
    assert manifest.file("best/model.onnx") == COPY
    with pytest.raises(PackageError, match="no file 'worst'") as caught:
        manifest.file("worst")
    assert caught.value.code == "no-such-member"


def test_the_length_does_not_depend_on_digests() -> None:
    blank = FileEntry("onnx/model.onnx", 7, "0" * 64)
    assert len(manifest_bytes([blank], {})) == len(manifest_bytes([WEIGHTS], {}))


def test_equal_metadata_gives_equal_bytes() -> None:
    assert manifest_bytes([], {"a": 1, "b": {"c": 2, "d": 3}}) == manifest_bytes([], {"b": {"d": 3, "c": 2}, "a": 1})


def test_the_metadata_of_a_manifest_cannot_be_changed_through_it() -> None:
    manifest = parse_manifest(manifest_bytes([], {"a": [1]}))
    manifest.meta["a"].append(2)
    assert manifest.meta == {"a": [1]}


def test_the_digest_is_that_of_the_bytes() -> None:
    data = manifest_bytes([WEIGHTS], {})
    assert parse_manifest(data).digest == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("meta", [{"a": float("nan")}, {"a": object()}, {"a": "\ud800"}, {(1, 2): 3}])
def test_metadata_that_json_cannot_say_is_refused(meta: dict[str, Any]) -> None:
    with pytest.raises(PackageError, match="metadata") as caught:
        manifest_bytes([], meta)
    assert caught.value.code == "manifest-shape"


def test_metadata_that_contains_itself_is_refused() -> None:
    meta: dict[str, Any] = {}
    meta["meta"] = meta
    with pytest.raises(PackageError) as caught:
        manifest_bytes([], meta)
    assert caught.value.code in {"manifest-shape", "manifest-depth"}


def test_copies_count_in_full() -> None:
    manifest = parse_manifest(manifest_bytes([WEIGHTS, COPY], {}))
    refuse_oversize(manifest, 10, SizeLimits(total_bytes=14))
    with pytest.raises(PackageError, match="14 bytes, more than the 13") as caught:
        refuse_oversize(manifest, 10, SizeLimits(total_bytes=13))
    assert caught.value.code == "expansion"


def test_a_long_quote_is_cut_and_in_ascii() -> None:
    with pytest.raises(PackageError) as caught:
        parse_manifest(b'{"format": "' + "é".encode() * 5000 + b'", "manifest_version": 1, "meta": {}, "files": []}')
    assert str(caught.value).isascii()
    assert len(str(caught.value)) < 200


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
def test_arbitrary_bytes_are_no_manifest(data: bytes) -> None:
    with pytest.raises(PackageError):
        parse_manifest(data)
