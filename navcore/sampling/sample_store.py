"""Keeps samples in the workspace folder and gives them back as feeds, comparisons and examples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import attrs
import numpy as np

from navcore.contract import Signature, TensorSpec
from navcore.errors import WorkspaceError
from navcore.evaluation import Comparison
from navcore.sampling.batches import repeated, stacked, stacking_key, with_batch, without_batch
from navcore.sampling.input_axes import moving_symbols, symbol_sizes
from navcore.sampling.npz import read_arrays, restored, write_arrays
from navcore.sampling.probe_store import (
    INDEX,
    SEEDED,
    Probe,
    ProbeKind,
    read_feeds,
    read_probes,
    write_index,
    write_probe,
)
from navcore.workspace import INPUTS, OUTPUTS, PRIVATE, PROBES

Array = np.ndarray[Any, Any]
Kind = Literal["conversion", "correctness", "profiling"]

KINDS: tuple[Kind, ...] = ("conversion", "correctness", "profiling")
COMPARED: tuple[Kind | ProbeKind, ...] = ("correctness", "conversion", "item", "stack", "axis")
_UNFINISHED = Path(PRIVATE, "samples-unfinished")
_NONE: Mapping[str, Array] = MappingProxyType({})
_OLD_NAMES = {"profiling": "performance"}  # the reference page speaks of both


@attrs.frozen
class SampleStore:
    """The samples under ``root``, the workspace folder.

    ``model_input/<kind>/<i>.npz`` and ``model_output/<kind>/<i>.npz`` hold arrays by tensor name, cut to one sample
    and without the batch axis. Every array that is given out has its batch axis in place. ``signature`` is always that
    of the source model, whose dtypes tell how stored bits are meant.
    """

    root: Path

    def exists(self) -> bool:
        """Whether there are samples of every kind, each with its outputs, and none of a taking that was cut short."""
        try:
            return not (self.root / _UNFINISHED).exists() and all(self.count(kind) > 0 for kind in KINDS)
        except WorkspaceError:
            return False

    def count(self, kind: str) -> int:
        """How many samples of a kind there are; raises :class:`WorkspaceError` when files are missing in between."""
        inputs, outputs = (self._numbers(side, kind) for side in (INPUTS, OUTPUTS))
        if inputs != list(range(len(inputs))) or inputs != outputs:
            raise WorkspaceError(
                f"The {kind} samples are incomplete: inputs {inputs}, outputs {outputs}.",
                who=str(self.root),
                hint="Take samples again.",
            )
        return len(inputs)

    def write_inputs(self, kind: str, number: int, arrays: Mapping[str, Array]) -> None:
        """Store the inputs of one sample, which have no batch axis any more."""
        write_arrays(self.root / INPUTS / kind / f"{number}.npz", arrays)

    def write_outputs(
        self, kind: str, number: int, arrays: Mapping[str, Array], seeded: Mapping[str, Array] = _NONE
    ) -> None:
        """Store the outputs of one sample, which have no batch axis any more.

        ``seeded`` are those of a source that draws random numbers, which were held.
        """
        held = {SEEDED + name: array for name, array in seeded.items()}
        write_arrays(self.root / OUTPUTS / kind / f"{number}.npz", {**arrays, **held})

    def cut_outputs(self, signature: Signature, kind: str, number: int) -> None:
        """Take the batch axis, of size one, out of outputs that were stored with it."""
        arrays = read_arrays(self._path(OUTPUTS, kind, number))
        plain, seeded = (
            {
                spec.name: without_batch(signature, spec, arrays[before + spec.name])
                for spec in signature.outputs
                if before + spec.name in arrays
            }
            for before in ("", SEEDED)
        )
        self.write_outputs(kind, number, plain, seeded)

    def write_probe(self, number: int, probe: Probe) -> None:
        """Store an item, a stack or an axis probe, with the batch axis in place."""
        write_probe(self.root, number, probe)

    def whole_item(self, signature: Signature, number: int) -> dict[str, Array]:
        """The inputs of an item that was stored as a probe before the source ran on it."""
        return read_feeds(self.root, number, signature.inputs)

    def begin(self) -> None:
        """Mark the samples as unfinished until :meth:`finish`: those of an earlier taking are about to be replaced."""
        (self.root / PRIVATE).mkdir(parents=True, exist_ok=True)
        (self.root / _UNFINISHED).touch()
        (self.root / PROBES / INDEX).unlink(missing_ok=True)

    def finish(self, counts: Mapping[str, int], probes: Sequence[Probe]) -> None:
        """List the probes that were written, and remove the files of an earlier taking that had more samples."""
        for side in (INPUTS, OUTPUTS):
            for kind, count in counts.items():
                for number in self._numbers(side, kind):
                    if number >= count:
                        self._path(side, kind, number).unlink()
        write_index(self.root, probes)
        (self.root / _UNFINISHED).unlink(missing_ok=True)

    def inputs(self, signature: Signature, kind: str, number: int) -> dict[str, Array]:
        """The inputs of one sample as a batch of one."""
        return self._read(INPUTS, kind, number, signature, signature.inputs)

    def outputs(self, signature: Signature, kind: str, number: int) -> dict[str, Array]:
        """The source model's outputs for one sample, as a batch of one."""
        return self._read(OUTPUTS, kind, number, signature, signature.outputs)

    def comparisons(self, signature: Signature, kinds: Sequence[Kind | ProbeKind] = COMPARED) -> Iterator[Comparison]:
        """What a model under test is compared on, read one at a time.

        The correctness and the conversion samples at batch one, items of the dataloader at their own batch, then
        stacks of samples, then probes that differ from a conversion sample in one dynamic axis.
        """
        for kind in kinds:
            if kind in ("item", "stack", "axis"):
                for probe in read_probes(self.root, signature, kind):
                    yield probe.comparison(signature)
                continue
            for number in range(self.count(kind)):
                feeds = self.inputs(signature, kind, number)
                expected, seeded = self.outputs(signature, kind, number), self._seeded(signature, kind, number)
                yield Comparison(f"{kind} sample {number}", feeds, expected, seeded=seeded)

    def conversion_feeds(self, signature: Signature) -> Iterator[dict[str, Array]]:
        """The conversion samples, each as a batch of one."""
        for number in range(self.count("conversion")):
            yield self.inputs(signature, "conversion", number)

    def profiling_feeds(self, signature: Signature, batch_size: int) -> dict[str, Array]:
        """The profiling sample repeated to a batch; a model that does not batch gets it as it is."""
        return repeated(signature, self.inputs(signature, "profiling", 0), batch_size)

    def example(self, signature: Signature) -> dict[str, Array]:
        """Inputs to export with: a batch of at least two, and dynamic axes that cannot be mistaken for each other.

        It is the conversion sample whose dynamic axes are at least 2 and differ most from each other, the largest of
        those; where none is clear, the first correctness sample that is. It is stacked with another sample of equal
        shape where there is one, and else with itself. The batch is 3 where a dynamic axis has size 2 and the range of
        the batch axis allows it.
        """
        chosen = max(self.conversion_feeds(signature), key=lambda feeds: _clarity(signature, feeds))
        if not _clear(signature, chosen):
            others = (self.inputs(signature, "correctness", number) for number in range(self.count("correctness")))
            chosen = next((feeds for feeds in others if _clear(signature, feeds)), chosen)
        if signature.batch_dim is None:
            return chosen
        sizes = _moving_sizes(signature, chosen)
        batch = 3 if 2 in sizes and signature.axis(signature.batch_symbol).maximum > 2 else 2
        partner = self._partner(signature, chosen)
        return repeated(signature, chosen if partner is None else stacked(signature, [chosen, partner]), batch)

    def digest(self, signature: Signature) -> str:
        """SHA-256 over the signature and every stored array: names, dtypes, shapes and bits, not files."""
        sums = hashlib.sha256(json.dumps(attrs.asdict(signature), sort_keys=True).encode())
        for kind in KINDS:
            for number in range(self.count(kind)):
                sums.update(f"{kind} {number}".encode())
                _add(sums, self.inputs(signature, kind, number))
                _add(sums, self.outputs(signature, kind, number))
        for probe in read_probes(self.root, signature):
            sums.update(json.dumps(probe.index_entry()).encode())
            _add(sums, probe.feeds)
            _add(sums, probe.expected)
        return sums.hexdigest()

    def _seeded(self, signature: Signature, kind: str, number: int) -> dict[str, Array]:
        """The outputs while random numbers were held; empty for a source that repeats itself."""
        arrays = read_arrays(self._path(OUTPUTS, kind, number))
        held = {name.removeprefix(SEEDED): array for name, array in arrays.items() if name.startswith(SEEDED)}
        return self._placed(held, f"{OUTPUTS}/{kind}/{number}.npz", signature, signature.outputs) if held else {}

    def _partner(self, signature: Signature, chosen: Mapping[str, Array]) -> dict[str, Array] | None:
        """A sample other than ``chosen`` that can be stacked with it."""
        for kind in KINDS:
            for number in range(self.count(kind)):
                feeds = self.inputs(signature, kind, number)
                if stacking_key(signature, feeds) == stacking_key(signature, chosen) and any(
                    feeds[name].tobytes() != chosen[name].tobytes() for name in feeds
                ):
                    return feeds
        return None

    def _folder(self, side: str, kind: str) -> Path:
        folder = self.root / side / kind
        old = self.root / side / _OLD_NAMES.get(kind, kind)
        return old if not folder.is_dir() and old.is_dir() else folder

    def _path(self, side: str, kind: str, number: int) -> Path:
        return self._folder(side, kind) / f"{number}.npz"

    def _numbers(self, side: str, kind: str) -> list[int]:
        names = (path.stem for path in self._folder(side, kind).glob("*.npz"))
        return sorted(int(name) for name in names if name.isdecimal())

    def _read(
        self, side: str, kind: str, number: int, signature: Signature, specs: Sequence[TensorSpec]
    ) -> dict[str, Array]:
        path = self._path(side, kind, number)
        return self._placed(read_arrays(path), f"{side}/{kind}/{path.name}", signature, specs)

    def _placed(
        self, arrays: Mapping[str, Array], told: str, signature: Signature, specs: Sequence[TensorSpec]
    ) -> dict[str, Array]:
        """The arrays of the file ``told``, with the batch axis in place."""
        missing = [spec.name for spec in specs if spec.name not in arrays]
        if missing:
            raise WorkspaceError(
                f"{told} holds {', '.join(arrays)} and not {', '.join(missing)}.",
                who=str(self.root),
                hint="Take samples again with this model.",
            )
        return {
            spec.name: with_batch(signature, spec, restored(arrays[spec.name], spec.dtype, f"{spec.name!r} in {told}"))
            for spec in specs
        }


@attrs.frozen
class StoredInputs:
    """The inputs of the correctness and the conversion samples, each a batch of one: read anew at every iteration."""

    store: SampleStore
    signature: Signature

    def __iter__(self) -> Iterator[dict[str, Array]]:
        for kind in ("correctness", "conversion"):
            for number in range(self.store.count(kind)):
                yield self.store.inputs(self.signature, kind, number)


def _moving_sizes(signature: Signature, feeds: Mapping[str, Array]) -> list[int]:
    moving = moving_symbols(signature)
    return [size for symbol, size in symbol_sizes(signature, feeds).items() if symbol in moving]


def _clear(signature: Signature, feeds: Mapping[str, Array]) -> bool:
    """Whether no dynamic axis but the batch axis has size 0 or 1, or the size of another."""
    sizes = _moving_sizes(signature, feeds)
    return all(size >= 2 for size in sizes) and len(set(sizes)) == len(sizes)


def _clarity(signature: Signature, feeds: Mapping[str, Array]) -> tuple[bool, int, int]:
    sizes = _moving_sizes(signature, feeds)
    return all(size >= 2 for size in sizes), len(set(sizes)), sum(array.size for array in feeds.values())


def _add(sums: hashlib._Hash, arrays: Mapping[str, Array]) -> None:
    for name, array in arrays.items():
        sums.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        sums.update(np.asarray(array, order="C").tobytes())
