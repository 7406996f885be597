"""Packages changed at random: the result equals its manifest, or the package is refused without a trace.

Five seconds in every run of the tests, ten minutes in the session ``nightly`` and with other packages each time;
``NAVCORE_FUZZ_SECONDS`` and ``NAVCORE_FUZZ_SEED`` change that.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import random
import resource
import shutil
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from navcore.errors import PackageError
from navcore.package.archive.manifest import Manifest
from navcore.package.archive.reading import extract_archive, read_manifest
from navcore.package.archive.refusals import Refusal

from .hostile import (
    COMPACT,
    FILES,
    PARTS,
    Part,
    compact_manifest,
    compact_parts,
    entry,
    manifest,
    manifest_part,
    parts,
    zip_bytes,
)

NUMBERS = [0, 1, 2, 18, 180, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF]
VALUES: list[Any] = [None, True, 0, -1, 1 << 62, 1 << 63, 1.5, "", "a", "..", "status.yaml", "a/b", "\ud800", [], {}]
MARKS = [b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"\0" * 8, b"\xff" * 8, b'"size":', b"{", b"\0"]


def _good_document() -> dict[str, Any]:
    alias = entry("onnx/status.yaml", FILES["status.yaml"], same_as="status.yaml")
    return manifest(files=[*manifest()["files"], alias])


def _good_parts(chance: random.Random) -> list[Part]:
    """A good package, half of the time a compact one."""
    if chance.random() < 0.5:
        return parts(document=_good_document())
    alias = entry("onnx/copy.pt", COMPACT["torch/model.pt"], same_as="torch/model.pt")
    return compact_parts(compact_manifest(files=[*compact_manifest()["files"], alias]))


def change_bytes(chance: random.Random) -> bytes:
    data = bytearray(zip_bytes(_good_parts(chance)))
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        start, length = chance.randrange(len(data) + 1), chance.choice([1, 1, 4, 40])
        kind = chance.randrange(5)
        if kind == 0:
            data[start : start + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del data[start : start + length]
        elif kind == 2:
            data[start:start] = data[chance.randrange(len(data) + 1) :][:length]
        elif kind == 3:
            data[start : start + length] = chance.choice(MARKS)
        elif start < len(data):
            data[start] ^= 1 << chance.randrange(8)
    return bytes(data)


def change_headers(chance: random.Random) -> bytes:
    members = _good_parts(chance)
    for _ in range(chance.choice([1, 1, 2])):
        index = chance.randrange(len(members))
        field = chance.choice([field.name for field in attrs.fields(Part) if field.name != "local"])
        value: Any = chance.choice(NUMBERS)
        if isinstance(getattr(members[index], field), bytes):
            value = chance.choice([*MARKS, b"", b"../x", b"status.yaml", chance.randbytes(5)])
        elif field in {"flags", "method", "disk", "mode"}:
            value &= 0xFFFF
        if chance.random() < 0.3 and field in {"name", "flags", "method", "crc", "size", "packed", "extra"}:
            members[index] = attrs.evolve(members[index], local={field: value})
        else:
            members[index] = attrs.evolve(members[index], **{field: value})
    if chance.random() < 0.2:
        members.insert(chance.randrange(len(members) + 1), chance.choice(members))
    if chance.random() < 0.8:
        return zip_bytes(members)
    end: dict[str, Any] = {chance.choice(["count", "here", "size", "offset"]): chance.choice(NUMBERS[:7])}
    return zip_bytes(members, **end)


def change_manifest(chance: random.Random) -> bytes:
    good = _good_parts(chance)
    document: Any = json.loads(good[0].data)
    spots: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        value = waiting.pop()
        keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
        spots += [(value, key) for key in keys]
        waiting += [value[key] for key in keys]
    for _ in range(chance.choice([1, 1, 2])):
        holder, key = chance.choice(spots)
        other_holder, other_key = chance.choice(spots)
        kind = chance.randrange(4)
        if isinstance(holder, dict) and key not in holder:
            continue  # the change before took it away
        if kind == 0 and isinstance(holder, dict):
            holder.pop(key, None)
        elif kind == 1 and isinstance(holder, dict):
            holder[chance.choice(["same_as", "size", "parts", "x"])] = chance.choice(VALUES)
        elif kind == 2 and (other_key in other_holder if isinstance(other_holder, dict) else True):
            holder[key] = copy.deepcopy(other_holder[other_key])
        elif isinstance(holder[key], int):
            holder[key] += chance.choice([-100, -4, -1, 1, 4, 100])
        else:
            holder[key] = chance.choice(VALUES)
    return zip_bytes([manifest_part(document), *good[1:]])


def change_parts(chance: random.Random) -> bytes:
    """Another way to put a file together: most are refused, and what is not has to give the file that is listed."""
    document = compact_manifest()
    told = copy.deepcopy(PARTS)
    for _ in range(chance.choice([1, 1, 2, 3])):
        number = chance.randrange(len(told))
        size = told[number][0]
        kind = chance.randrange(5)
        if kind == 0 and size > 1:  # one part as two: the same bytes
            at = chance.randrange(1, size)
            of = told[number][1:]
            told[number : number + 1] = [[at, *of], [size - at, *of[:1], *(offset + at for offset in of[1:])]]
        elif kind == 1:
            told.insert(chance.randrange(len(told) + 1), chance.choice(told))
        elif kind == 2 and len(told) > 1:
            del told[number]
        elif kind == 3:
            told[number] = [size + chance.choice([-1, 0, 1]), chance.choice([*COMPACT, "x"]), chance.choice([0, 3, 4])]
        else:
            chance.shuffle(told)
    document["files"][2]["parts"] = told
    own = sum(part[0] for part in told if len(part) == 1)
    return zip_bytes(compact_parts(document, b"zipend"[:own] if chance.random() < 0.5 else b"zipend"))


MUTATIONS: list[Callable[[random.Random], bytes]] = [change_bytes, change_headers, change_manifest, change_parts]


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _extract(path: Path, target: Path) -> tuple[Manifest | None, str]:
    try:
        return extract_archive(path, target), "ok"
    except PackageError as error:
        return None, error.code


def _check(data: bytes, place: Path) -> str:
    """Extract ``data``; return the code of the refusal, or ``ok`` after comparing files, manifest and ``zipfile``."""
    path, target = place / "fuzzed.nav", place / "inner" / "out"
    path.write_bytes(data)
    outside = {"fuzzed.nav": data, "precious": b"precious", "inner/precious": b"precious"}
    shown, code = _extract(path, target)
    if shown is None:
        assert code in set(Refusal)
        assert _snapshot(place) == outside
        assert sorted(os.listdir(place / "inner")) == ["precious"]
        return code
    found = {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert not any(path.is_symlink() for path in target.rglob("*"))
    sums = {name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in found.items()}
    assert sums == {listed.name: (listed.size, listed.sha256) for listed in shown.files}
    assert read_manifest(path) == shown
    with zipfile.ZipFile(path) as independent:
        assert independent.testzip() is None
        assert independent.namelist() == ["manifest.json", *(listed.member for listed in shown.stored)]
        whole = [listed.name for listed in shown.stored if not listed.parts]
        assert all(independent.read(name) == found[name] for name in whole)
    shutil.rmtree(target)
    assert _snapshot(place) == outside
    return f"{code}, compact" if any(listed.parts for listed in shown.files) else code


def _fuzz(place: Path, *, seconds: float, seed: int) -> None:
    """Change packages until the time is over; whoever reads of a failure can have the same packages again."""
    (place / "inner").mkdir()
    for folder in (place, place / "inner"):
        (folder / "precious").write_bytes(b"precious")
    seed = int(os.environ.get("NAVCORE_FUZZ_SEED", seed))
    chance = random.Random(seed)
    end = time.monotonic() + float(os.environ.get("NAVCORE_FUZZ_SECONDS", seconds))
    met: Counter[str] = Counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while time.monotonic() < end or met.total() < 300:
        mutation = chance.choice(MUTATIONS)
        data = mutation(chance)
        try:
            met[_check(data, place)] += 1
        except Exception as error:
            kept = place / "failing.nav"
            kept.write_bytes(data)
            raise AssertionError(
                f"{mutation.__name__} number {met.total()} of NAVCORE_FUZZ_SEED={seed}: the package is kept as {kept}"
            ) from error
    assert met["ok"]
    assert met["ok, compact"]
    assert len(met) > 15, met
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 64 << 10  # KiB


def test_the_result_equals_its_manifest_or_there_is_none(tmp_path: Path) -> None:
    _fuzz(tmp_path, seconds=5, seed=0)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_other_packages_each_night(tmp_path: Path) -> None:
    _fuzz(tmp_path, seconds=600, seed=time.time_ns())
