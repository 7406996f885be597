"""Stores whole items, stacks of samples and axis probes, each with what the source returned for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs
import numpy as np

from navcore.contract import Signature, TensorName, TensorSpec
from navcore.errors import WorkspaceError
from navcore.evaluation import Comparison
from navcore.sampling.batches import repeated
from navcore.sampling.npz import read_arrays, restored, write_arrays
from navcore.workspace import PROBES, from_data, write_text

Array = np.ndarray[Any, Any]
ProbeKind = Literal["item", "stack", "axis"]

INDEX = "index.json"
LARGEST_INDEX = 1 << 20
LARGEST_STACK = 1 << 20
SEEDED = "seeded/"
"""Before the names of what a source that draws returned while its random numbers were held."""
_FEEDS, _EXPECTED = "feeds/", "expected/"


@attrs.frozen(eq=False)
class Probe:
    """One extra comparison.

    ``feeds`` hold the distinct samples; a stack repeats them up to ``size`` samples, so that a large batch is not
    stored whole. ``expected`` is what the source returned for the whole. ``symbol`` is the axis that is tested, and
    ``size`` its size; an item of the dataloader, whole and at its own batch of ``size``, tests no axis (``""``).
    ``seeded`` is what a source that draws random numbers returned while they were held.
    """

    kind: ProbeKind
    label: str
    feeds: Mapping[str, Array]
    expected: Mapping[str, Array]
    symbol: str
    size: int
    seeded: Mapping[str, Array] = attrs.field(factory=dict)

    def whole_feeds(self, signature: Signature) -> dict[str, Array]:
        """The inputs that belong to ``expected``."""
        return repeated(signature, self.feeds, self.size) if self.kind == "stack" else dict(self.feeds)

    def comparison(self, signature: Signature) -> Comparison:
        symbol, size = (self.symbol, self.size) if self.symbol else (None, None)
        return Comparison(self.label, self.whole_feeds(signature), self.expected, symbol, size, self.seeded)

    def index_entry(self) -> dict[str, str | int]:
        return {"kind": self.kind, "label": self.label, "symbol": self.symbol, "size": self.size}


def write_probe(root: Path, number: int, probe: Probe) -> None:
    """Store the arrays of a probe; it counts once it is listed."""
    arrays = {_FEEDS + name: array for name, array in probe.feeds.items()}
    arrays |= {_EXPECTED + name: array for name, array in probe.expected.items()}
    arrays |= {SEEDED + name: array for name, array in probe.seeded.items()}
    write_arrays(root / PROBES / f"{number}.npz", arrays)


def read_feeds(root: Path, number: int, specs: Sequence[TensorSpec]) -> dict[str, Array]:
    """The inputs of one stored probe, whose expected outputs may still be missing."""
    return _part(read_arrays(root / PROBES / f"{number}.npz"), _FEEDS, specs, number)


def write_index(root: Path, probes: Sequence[Probe]) -> None:
    """Say what the stored probes are, in the order of their numbers, and remove the files of others."""
    folder = root / PROBES
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.npz"):
        if path.stem.isdecimal() and int(path.stem) >= len(probes):
            path.unlink()
    write_text(folder / INDEX, json.dumps([probe.index_entry() for probe in probes], indent=1))


def _symbol(name: str) -> str:
    """The axis that a probe tests; the items of the dataloader test none."""
    return TensorName(name) if name else ""


@attrs.frozen
class _Entry:
    """What the index says of one probe; it may be a stranger's, so its numbers have bounds."""

    kind: ProbeKind
    label: str
    symbol: str = attrs.field(converter=_symbol)
    size: int = attrs.field(validator=[attrs.validators.ge(0), attrs.validators.le(LARGEST_STACK)])


def read_probes(root: Path, signature: Signature, kind: ProbeKind | None = None) -> Iterator[Probe]:
    """The stored probes (of one kind), read one at a time; none where samples came without probes.

    Raises :class:`WorkspaceError` for an index or arrays that cannot be read, or do not fit each other.
    """
    for number, entry in enumerate(_index(root)):
        if kind not in (None, entry.kind):
            continue
        arrays = read_arrays(root / PROBES / f"{number}.npz")
        probe = Probe(
            kind=entry.kind,
            label=entry.label,
            feeds=_part(arrays, _FEEDS, signature.inputs, number),
            expected=_part(arrays, _EXPECTED, signature.outputs, number),
            symbol=entry.symbol,
            size=entry.size,
            seeded=_seeded(arrays, signature.outputs, number),
        )
        _refuse_other_stack(signature, probe, number)
        yield probe


def _index(root: Path) -> tuple[_Entry, ...]:
    index = root / PROBES / INDEX
    if not index.is_file():
        return ()
    try:
        if index.stat().st_size > LARGEST_INDEX:
            raise ValueError(f"it is larger than {LARGEST_INDEX} bytes")
        return from_data(json.loads(index.read_text(encoding="utf-8")), tuple[_Entry, ...])
    except (ValueError, TypeError, KeyError, RecursionError, ExceptionGroup) as error:
        raise WorkspaceError(
            f"{PROBES}/{INDEX} cannot be read: {error}.", who=str(root), hint="Take samples again."
        ) from error


def _refuse_other_stack(signature: Signature, probe: Probe, number: int) -> None:
    """A stack is repeated to its size: what the source returned for it shows whether it ever had that size."""
    if probe.kind != "stack":
        return
    for spec in signature.outputs:
        if (axis := signature.batch_axis(spec)) is not None:
            shape = probe.expected[spec.name].shape
            if len(shape) != len(spec.shape) or shape[axis] != probe.size:
                raise WorkspaceError(
                    f"{PROBES}/{number}.npz is no stack of {probe.size} samples.", hint="Take samples again."
                )


def _seeded(arrays: Mapping[str, Array], specs: Sequence[TensorSpec], number: int) -> dict[str, Array]:
    there = all(SEEDED + spec.name in arrays for spec in specs)
    return _part(arrays, SEEDED, specs, number) if there else {}


def _part(arrays: Mapping[str, Array], prefix: str, specs: Sequence[TensorSpec], number: int) -> dict[str, Array]:
    told = f"{PROBES}/{number}.npz"
    missing = [spec.name for spec in specs if prefix + spec.name not in arrays]
    if missing:
        raise WorkspaceError(f"{told} does not hold {', '.join(missing)}.", hint="Take samples again with this model.")
    return {spec.name: restored(arrays[prefix + spec.name], spec.dtype, f"{spec.name!r} in {told}") for spec in specs}
