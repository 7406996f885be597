"""What may lie in a workspace and be packed: every file has a kind, by its place, and what has none stays behind."""

from __future__ import annotations

import re
from enum import StrEnum

from navcore.contract import ASSETS, Name
from navcore.errors import InputError


class Kind(StrEnum):
    """What a file is for."""

    MODEL = "model"
    """A stored model, and files that it refers to: ``<format>/…``."""
    SAMPLE = "sample"
    """Inputs of the source: ``model_input/…``, and ``probes/…``, made from them, with what the source returned."""
    OUTPUT = "output"
    """What the source returned for the samples: ``model_output/…``."""
    RECORD = "record"
    """What is known: ``status.yaml``, each ``config.yaml``, the logs."""
    MEASUREMENT = "measurement"
    """Raw numbers behind a record: ``<format>/measurements/…``."""
    ASSET = "asset"
    """Further files that the maker of a model declared: ``<format>/assets/…``."""


INPUTS, OUTPUTS, PROBES = Name("model_input"), Name("model_output"), Name("probes")
MEASUREMENTS = Name("measurements")
_RECORDS = ("status.yaml", "navigator.log")
_SAMPLE = re.compile(r"(conversion|correctness|profiling|performance)/(0|[1-9][0-9]{0,8})\.npz")
_PROBE = re.compile(r"index\.json|(0|[1-9][0-9]{0,8})\.npz")
_FORMAT = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def kind_of(place: str) -> Kind | None:
    """The kind of a file by its place, relative to the workspace; ``None`` for what does not belong there."""
    if place in _RECORDS:
        return Kind.RECORD
    top, _, rest = place.partition("/")
    if top in (INPUTS, OUTPUTS):
        kind = Kind.SAMPLE if top == INPUTS else Kind.OUTPUT
        return kind if _SAMPLE.fullmatch(rest) else None
    if top == PROBES:
        return Kind.SAMPLE if _PROBE.fullmatch(rest) else None
    return _kind_in_format(rest) if rest and _FORMAT.fullmatch(top) else None


def _kind_in_format(rest: str) -> Kind | None:
    first, slash, inner = rest.partition("/")
    try:
        Name(first)
    except InputError:
        return None
    if not slash and (first == "config.yaml" or first.endswith(".log")):
        return Kind.RECORD
    if inner and first in (MEASUREMENTS, ASSETS):
        return Kind.MEASUREMENT if first == MEASUREMENTS else Kind.ASSET
    return Kind.MODEL
