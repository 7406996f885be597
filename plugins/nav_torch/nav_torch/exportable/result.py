"""What ``export`` returns, or raises when the file is not what the model is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from navcore import ExportError, Verification


class _FilesAndDescriptions(NamedTuple):
    files: list[str]
    descriptions: list[str]


class ExportResult(_FilesAndDescriptions):
    """A pair ``(files, descriptions)`` with one entry per exported module.

    ``exporter`` is the way that worked, ``input_names`` and ``output_names`` are those of the file, ``notes`` are
    sentences about it, among them why other ways did not work. ``verification`` holds the measured differences where
    the file was checked, else ``None``. ``parts`` has the results of the parts by name where a model was exported part
    by part; then ``input_names`` are those of the first, ``output_names`` and ``verification`` those of the last.
    """

    exporter: str
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    notes: tuple[str, ...]
    verification: Verification | None
    parts: Mapping[str, ExportResult]

    def __new__(
        cls,
        files: list[str],
        descriptions: list[str],
        *,
        exporter: str = "",
        input_names: tuple[str, ...] = (),
        output_names: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
        verification: Verification | None = None,
        parts: Mapping[str, ExportResult] = MappingProxyType({}),
    ) -> ExportResult:
        pair = super().__new__(cls, files, descriptions)
        pair.exporter, pair.input_names, pair.output_names = exporter, input_names, output_names
        pair.notes, pair.verification, pair.parts = notes, verification, parts
        return pair


class CheckFailed(ExportError):
    """The file does not return what the model returns; ``verification`` holds the measured differences."""

    def __init__(self, what: str, *, verification: Verification, who: str = "", hint: str = "") -> None:
        super().__init__(what, who=who, hint=hint)
        self.verification = verification
