"""What a package says of itself: read, bounded and held against what it holds, before a byte of it is written."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import attrs

from navcore.contract import ASSETS
from navcore.errors import OptionError, PackageError
from navcore.package.archive import Manifest, Refusal, read_manifest_with
from navcore.workspace import INPUTS, OUTPUTS, FormatResult, Kind, Record, Samples, read_status, valid_model_name

STATUS = "status.yaml"
NOT_HERE = "its file is not in the package"
_SAMPLE = re.compile(rf"(?:{INPUTS}|{OUTPUTS})/(\w+)/([0-9]+)\.npz")


@attrs.frozen
class Told:
    """A stranger's word: the listing of a package, and what its ``status.yaml`` says. To be shown, not obeyed.

    What may be acted upon comes out of :func:`navcore.planning.obeyed` alone.
    """

    manifest: Manifest
    record: Record

    @property
    def weights(self) -> int:
        """Bytes of all models."""
        return sum(entry.size for entry in self.manifest.files if entry.kind is Kind.MODEL)

    @property
    def holds_samples(self) -> bool:
        """Whether the package brought what its models can be tested with."""
        return self.record.samples is not None and any(entry.kind is Kind.OUTPUT for entry in self.manifest.files)


def read_told(path: Path) -> Told:
    """The listing and the record of the package at ``path``; nothing is extracted.

    Raises :class:`PackageError` with the code of the broken rule.
    """
    manifest, content = read_manifest_with(path, STATUS)
    name = _model_name(path, manifest)
    text = content.decode("utf-8", "replace")
    try:
        record = read_status(text)
    except PackageError as error:
        error.who = f"{path}, {STATUS}"
        raise
    if record.settings.model_name != name:
        what = f"its manifest calls the model {name!r}, its {STATUS} {record.settings.model_name!r}."
        raise PackageError(what, code=Refusal.META.value, who=str(path))
    places = {entry.place for entry in manifest.files}
    if record.samples is not None:
        _refuse_other_samples(path, record.samples, places)
    _refuse_other_assets(path, manifest, record)
    return Told(manifest, attrs.evolve(record, results=tuple(_with_files(row, places) for row in record.results)))


def read_record(path: Path) -> tuple[Record, Manifest]:
    """The record of a package and its listing, for whoever only shows them."""
    told = read_told(path)
    return told.record, told.manifest


def _model_name(path: Path, manifest: Manifest) -> str:
    name = manifest.meta.get("model_name")
    if not isinstance(name, str):
        raise PackageError("it does not say which model it holds.", code=Refusal.META.value, who=str(path))
    try:
        return valid_model_name(name)
    except OptionError as error:
        raise PackageError(error.what, code=Refusal.META.value, who=str(path)) from error


def _refuse_other_samples(path: Path, samples: Samples, places: Collection[str]) -> None:
    """A package has all its samples, each with its output, or none: a test on some of them would say too much."""
    found: dict[str, set[int]] = {}
    for place in places:
        if match := _SAMPLE.fullmatch(place):
            side = place.partition("/")[0]
            found.setdefault(f"{side}/{'profiling' if match[1] == 'performance' else match[1]}", set()).add(
                int(match[2])
            )
    if not found:
        return
    for kind in ("conversion", "correctness", "profiling"):
        count = samples.counts.get(kind, 0)
        inputs, outputs = (found.get(f"{side}/{kind}", set()) for side in (INPUTS, OUTPUTS))
        if not count or inputs != outputs or len(inputs) != count or max(inputs) != count - 1:
            what = (
                f"its {STATUS} speaks of {count} {kind} samples, and it holds {len(inputs)} and {len(outputs)} outputs."
            )
            raise PackageError(what, code=Refusal.CONTENT.value, who=str(path))


def _refuse_other_assets(path: Path, manifest: Manifest, record: Record) -> None:
    """A row declares its assets. A model that the user handed in may keep files of its own in such a folder."""
    declared = {place for row in record.results for place in _places_of_assets(row)}
    handed_in = {row.format.name for row in record.results if not row.route}
    for entry in manifest.files:
        format = entry.place.partition("/")[0]
        if entry.kind is Kind.ASSET and entry.place not in declared and format not in handed_in:
            what = f"it holds the asset {entry.place!a}, which its {STATUS} does not declare."
            raise PackageError(what, code=Refusal.CONTENT.value, who=str(path))


def _places_of_assets(row: FormatResult) -> list[str]:
    return [f"{row.format.name}/{ASSETS}/{name}" for name in row.assets]


def _with_files(row: FormatResult, places: Collection[str]) -> FormatResult:
    """The row as it is, or without the model that it speaks of where the package does not bring all of it."""
    if row.path is None:
        return row
    there = any(place == row.path or place.startswith(f"{row.path}/") for place in places)
    missing = [] if there else [str(row.path)]
    missing += [place for place in _places_of_assets(row) if place not in places]
    if not missing:
        return row
    return attrs.evolve(row, path=None, notes=(*row.notes, f"{NOT_HERE}: {missing[0]}"))
