"""Records and samples changed at random: each is read as what it says, or refused with a code, in bounded time.

Five seconds by default; ``NAVCORE_FUZZ_SECONDS`` and ``NAVCORE_FUZZ_SEED`` change that.
"""

from __future__ import annotations

import copy
import json
import os
import random
import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from navcore.contract import Name
from navcore.errors import NavcoreError, PackageError, WorkspaceError
from navcore.package.reading import read_told
from navcore.package.report import render_table
from navcore.package.report.html.content import content_of
from navcore.sampling.npz import write_arrays
from navcore.sampling.sample_store import SampleStore
from navcore.workspace.results import FormatResult, RuntimeResult, Status
from navcore.workspace.samples import Samples
from navcore.workspace.status.record import Record
from navcore.workspace.status.variant_config import read_config, write_config
from navcore.workspace.status.yaml_text import to_yaml

from .hostile_records import DATA, RECORD, SIGNATURE, packed

VALUES: list[Any] = [
    None, True, 0, -1, 1 << 62, 1 << 65, 10**300, 1.5, float("nan"), float("inf"), "", "a", "..", "../x", "/etc/passwd",
    "\x1b[31m", "x" * 300, "inf", "1:30:00", [], {}, [[]], {"a": 1}, {"tensor": "x"}, ["x", "y"], {"float": "nan"},
]  # fmt: skip
LINES = [
    "<<: *a",
    "a: &a [1]",
    "x: *a",
    "x: !!python/name:os.system",
    "- 1",
    "---",
    "x: 1:30:00",
    "? [1]",
    "\t",
    "x: |",
    "}",
]
BYTES = [b"\x00", b"PK\3\4", b"PK\1\2", b"PK\5\6", b"\x93NUMPY", b"\xff" * 8, b"(", b"'|O'", b"9999999", b"{", b"../x"]


def spots_in(document: Any) -> list[tuple[Any, Any]]:
    spots: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        value = waiting.pop()
        keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
        spots += [(value, key) for key in keys]
        waiting += [value[key] for key in keys]
    return spots


def change_values(data: Any, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        spots = spots_in(data)
        holder, key = chance.choice(spots)
        kind = chance.randrange(4)
        if kind == 0 and isinstance(holder, dict):
            holder.pop(key)
        elif kind == 1:
            other, place = chance.choice(spots)
            holder[key] = copy.deepcopy(other[place])
        elif kind == 2 and isinstance(holder, dict):
            holder[chance.choice(["../x", "x", "a/b", "", "\x1b"])] = holder.pop(key)
        else:
            holder[key] = chance.choice(VALUES)


def change_text(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    for _ in range(chance.choice([1, 1, 2])):
        number = chance.randrange(len(lines))
        kind = chance.randrange(4)
        if kind == 0:
            lines.insert(number, " " * chance.choice([0, 2, 4]) + chance.choice(LINES))
        elif kind == 1:
            del lines[number : number + chance.choice([1, 3])]
        elif kind == 2:
            lines[number : number + 2] = reversed(lines[number : number + 2])
        else:
            lines[number] = " " * chance.randrange(6) + lines[number].strip()
    return "\n".join(lines)


def fuzz_status(place: Path, chance: random.Random) -> str:
    data = copy.deepcopy(dict(DATA))
    if chance.random() < 0.7:
        change_values(data, chance)
    text = to_yaml(data)
    if chance.random() < 0.4:
        text = change_text(text, chance)
    path = place / "fuzzed.nav"
    path.write_bytes(packed(text))
    try:
        told = read_told(path)
    except PackageError as error:
        return error.code if str(error).isprintable() else "a character that cannot be seen"
    refuse_paths(told.record)
    text = render_table(told.record.results)
    assert all(character.isprintable() or character == "\n" for character in text)
    content = content_of(told.record, lambda _place: None)
    assert content.answer.sentence.isprintable()
    return "ok"


def refuse_paths(record: Record) -> None:
    """What the rest of navcore builds paths from is a name, in whatever was accepted."""
    for row in record.results:
        assert Name(row.format.name)
        assert Name(row.format.filename)
        assert row.path is None or row.path.split("/")[0] == row.format.name
        for runtime in row.runtimes:
            assert isinstance(runtime.runtime, Name)


def fuzz_config(place: Path, chance: random.Random) -> str:
    path = place / "config.yaml"
    write_config(path, RECORD, RECORD.results[1])
    path.write_text(change_text(path.read_text(), chance))
    try:
        config = read_config(path)
    except PackageError as error:
        return error.code
    assert Name(config.variant.name)
    return "ok"


def written_samples(place: Path) -> SampleStore:
    store = SampleStore(place)
    for kind in ("conversion", "correctness", "profiling"):
        store.write_inputs(kind, 0, {"x": np.ones(3, "float32")})
        store.write_outputs(kind, 0, {"y": np.ones(3, "float32")})
    stack = {"feeds/x": np.ones((2, 3), "float32"), "expected/y": np.ones((4, 3), "float32")}
    write_arrays(place / "probes" / "0.npz", stack)
    entry = {"kind": "stack", "label": "a stack of 4 samples", "symbol": "batch", "size": 4}
    (place / "probes" / "index.json").write_text(json.dumps([entry]))
    return store


def fuzz_samples(place: Path, chance: random.Random) -> str:
    store = written_samples(place / "samples")
    files = sorted(path for path in (place / "samples").rglob("*") if path.is_file())
    path = chance.choice(files)
    if path.name == "index.json" and chance.random() < 0.7:
        index = json.loads(path.read_text())
        change_values(index, chance)
        path.write_text(json.dumps(index))
    else:
        data = bytearray(path.read_bytes())
        for _ in range(chance.choice([1, 1, 3])):
            start = chance.randrange(len(data))
            if chance.random() < 0.5:
                data[start] ^= 1 << chance.randrange(8)
            else:
                data[start : start + chance.choice([0, 1, 8])] = chance.choice(BYTES)
        path.write_bytes(data)
    try:
        for comparison in store.comparisons(SIGNATURE):
            assert sum(array.nbytes for array in comparison.feeds.values()) < 64 << 20
    except WorkspaceError:
        return "samples"
    return "ok"


KINDS: list[Callable[[Path, random.Random], str]] = [fuzz_status, fuzz_status, fuzz_config, fuzz_samples]

COMMON = {
    "fuzz_status ok", "fuzz_status status-yaml", "fuzz_status status-shape",
    "fuzz_config ok", "fuzz_config config-yaml",
    "fuzz_samples ok", "fuzz_samples samples",
}  # fmt: skip
"""What a hundred tries meet; other refusals are too rare for that."""


def test_whatever_a_record_says_it_is_bounded_or_refused(tmp_path: Path) -> None:
    chance = random.Random(int(os.environ.get("NAVCORE_FUZZ_SEED", "0")))
    end = time.monotonic() + float(os.environ.get("NAVCORE_FUZZ_SECONDS", "5"))
    met: Counter[str] = Counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while time.monotonic() < end or met.total() < 100:
        kind, before = chance.choice(KINDS), chance.getstate()
        try:
            met[f"{kind.__name__} {kind(tmp_path, chance)}"] += 1
        except NavcoreError as error:
            raise AssertionError(
                f"{kind.__name__} number {met.total()}: {type(error).__name__} without a code"
            ) from error
        except Exception as error:
            raise AssertionError(f"{kind.__name__} number {met.total()}, from the state {before[1][:2]}") from error
    assert set(met) >= COMMON, met
    assert not any("cannot be seen" in told for told in met), met
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200 << 10  # KiB


def test_the_base_of_the_fuzzing_is_whole(tmp_path: Path) -> None:
    store = written_samples(tmp_path)
    labels = [comparison.label for comparison in store.comparisons(SIGNATURE)]
    assert labels == ["correctness sample 0", "conversion sample 0", "a stack of 4 samples"]
    assert isinstance(RECORD.samples, Samples)
    assert FormatResult(RECORD.source, Status.OK, runtimes=(RuntimeResult("a", Status.OK),)).runtimes[0].runtime == "a"
