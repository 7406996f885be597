"""Stores stacks of samples and axis probes: inputs made from samples, with what the source returned for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
import numpy as np

from navcore.contract import Signature, TensorSpec
from navcore.errors import WorkspaceError
from navcore.evaluation import Comparison
from navcore.sampling.batches import repeated
from navcore.sampling.npz import read_arrays, restored, write_arrays
from navcore.workspace import write_text

Array = np.ndarray[Any, Any]
ProbeKind = Literal["stack", "axis"]

FOLDER = Path(".navcore", "probes")
INDEX = "index.json"
_FEEDS, _EXPECTED = "feeds/", "expected/"


@attrs.frozen(eq=False)
class Probe:
    """One extra comparison.

    ``feeds`` hold the distinct samples; a stack repeats them up to ``size`` samples, so that a large batch is not
    stored whole. ``expected`` is what the source returned for the whole. ``symbol`` is the axis that is tested, and
    ``size`` its size.
    """

    kind: ProbeKind
    label: str
    feeds: Mapping[str, Array]
    expected: Mapping[str, Array]
    symbol: str
    size: int

    def whole_feeds(self, signature: Signature) -> dict[str, Array]:
        """The inputs that belong to ``expected``."""
        return repeated(signature, self.feeds, self.size) if self.kind == "stack" else dict(self.feeds)

    def comparison(self, signature: Signature) -> Comparison:
        return Comparison(self.label, self.whole_feeds(signature), self.expected, self.symbol, self.size)

    def index_entry(self) -> dict[str, str | int]:
        return {"kind": self.kind, "label": self.label, "symbol": self.symbol, "size": self.size}


def write_probe(root: Path, number: int, probe: Probe) -> None:
    """Store the arrays of a probe; it counts once it is listed."""
    arrays = {_FEEDS + name: array for name, array in probe.feeds.items()}
    arrays |= {_EXPECTED + name: array for name, array in probe.expected.items()}
    write_arrays(root / FOLDER / f"{number}.npz", arrays)


def write_index(root: Path, probes: Sequence[Probe]) -> None:
    """Say what the stored probes are, in the order of their numbers, and remove the files of others."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.npz"):
        if path.stem.isdecimal() and int(path.stem) >= len(probes):
            path.unlink()
    write_text(folder / INDEX, json.dumps([probe.index_entry() for probe in probes], indent=1))


def read_probes(root: Path, signature: Signature, kind: ProbeKind | None = None) -> Iterator[Probe]:
    """The stored probes (of one kind), read one at a time; none where samples came without probes."""
    index = root / FOLDER / INDEX
    if not index.is_file():
        return
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
        wanted = [(number, entry) for number, entry in enumerate(entries) if kind in (None, entry["kind"])]
    except (ValueError, TypeError, KeyError) as error:
        raise WorkspaceError(
            f"{FOLDER / INDEX} cannot be read: {error}.", who=str(root), hint="Take samples again."
        ) from error
    for number, entry in wanted:
        arrays = read_arrays(root / FOLDER / f"{number}.npz")
        yield Probe(
            kind=entry["kind"],
            label=entry["label"],
            feeds=_part(arrays, _FEEDS, signature.inputs, number),
            expected=_part(arrays, _EXPECTED, signature.outputs, number),
            symbol=entry["symbol"],
            size=entry["size"],
        )


def _part(arrays: Mapping[str, Array], prefix: str, specs: Sequence[TensorSpec], number: int) -> dict[str, Array]:
    told = f"{FOLDER / str(number)}.npz"
    missing = [spec.name for spec in specs if prefix + spec.name not in arrays]
    if missing:
        raise WorkspaceError(f"{told} does not hold {', '.join(missing)}.", hint="Take samples again with this model.")
    return {spec.name: restored(arrays[prefix + spec.name], spec.dtype, f"{spec.name!r} in {told}") for spec in specs}
