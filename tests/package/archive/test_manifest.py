"""The manifest survives the way to bytes and back, and its length is known before the digests are."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from navcore.errors import PackageError
from navcore.package.archive.manifest import FileEntry, manifest_bytes, parse_manifest, refuse_oversize
from navcore.package.archive.size_limits import SizeLimits
from navcore.workspace.kinds import Kind

DIGEST = hashlib.sha256(b"weights").hexdigest()
WEIGHTS = FileEntry("onnx/model.onnx", 7, DIGEST, kind=Kind.MODEL)
COPY = FileEntry("best/model.onnx", 7, DIGEST, same_as="onnx/model.onnx", kind=Kind.MODEL)

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
    blank = attrs.evolve(WEIGHTS, sha256="0" * 64)
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


def listed(name: str, kind: str | None = None, version: int = 2) -> bytes:
    told = {"name": name, "size": 7, "sha256": DIGEST, **({} if kind is None else {"kind": kind})}
    return json.dumps({"format": "nav", "manifest_version": version, "meta": {}, "files": [told]}).encode()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("status.yaml", "record"), ("navigator.log", "record"), ("onnx/config.yaml", "record"),
        ("onnx/x.log", "record"),
        ("onnx/model.onnx", "model"), ("tf-savedmodel/model.savedmodel/variables/x.index", "model"),
        ("model_input/correctness/0.npz", "sample"), ("probes/0.npz", "sample"), ("probes/index.json", "sample"),
        ("model_output/profiling/12.npz", "output"),
        ("onnx/measurements/cpu.npz", "measurement"), ("onnx/assets/calibration.cache", "asset"),
    ],
)  # fmt: skip
def test_every_kind_has_its_places(name: str, kind: str) -> None:
    (entry,) = parse_manifest(listed(name, kind)).files
    assert (entry.kind, entry.place) == (kind, name)


def test_a_manifest_of_version_1_has_kinds_by_place_and_its_probes_move() -> None:
    (status,) = parse_manifest(listed("status.yaml", version=1)).files
    assert (status.kind, status.place) == (Kind.RECORD, "status.yaml")
    (probe,) = parse_manifest(listed(".navcore/probes/0.npz", version=1)).files
    assert (probe.kind, probe.place) == (Kind.SAMPLE, "probes/0.npz")


@pytest.mark.parametrize(
    ("meta", "hint"),
    [
        ({"written_by": "9.1.0"}, "Install navcore 9.1.0, which wrote the package, or a newer one."),
        ({"written_by": "\x1b[31m rm -rf"}, "Install the navcore that wrote the package."),
        ({}, "Install the navcore that wrote the package."),
        ([], "Install the navcore that wrote the package."),
    ],
)
def test_a_manifest_of_the_future_says_which_navcore_it_needs(meta: Any, hint: str) -> None:
    data = json.dumps({"format": "nav", "manifest_version": 4, "meta": meta, "files": []}).encode()
    with pytest.raises(PackageError, match="version 4, and this navcore reads 3 and older ones") as caught:
        parse_manifest(data)
    assert caught.value.code == "manifest-version"
    assert caught.value.hint == hint
