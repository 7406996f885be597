"""Frozen values become plain data that JSON and YAML can hold, and come back equal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import yaml
from cattrs.errors import ClassValidationError
from hypothesis import given, strategies as st

from navcore.contract.formats import Format, JitType
from navcore.contract.jobs import Artifact, Made
from navcore.contract.signature import Axis, Signature, TensorSpec
from navcore.workspace.plain_data import from_data, to_data
from navcore.workspace.results import (
    Attempt,
    BatchPerformance,
    Difference,
    Failure,
    FormatResult,
    Outcome,
    RuntimeResult,
    Status,
)

names = st.text("abcxyz_", min_size=1, max_size=5)
numbers = st.floats(allow_nan=False)
wholes = st.integers(0, 2**64 - 1)  # what the records allow
formats = st.builds(
    Format,
    st.from_regex(r"[a-z0-9][a-z0-9._-]{0,10}", fullmatch=True),
    family=names,
    filename=names,
    jit_type=st.none() | st.sampled_from(JitType),
    precision=st.none() | st.sampled_from(["fp16", "int8"]),
    data_only=st.booleans(),
    suffixes=st.lists(names.map(".".__add__), max_size=2).map(tuple),
)
failures = st.builds(Failure, st.text(), names, st.text(), st.text())
outcomes = st.builds(
    Outcome, st.sampled_from(Status), numbers, st.none() | wholes, names, st.none() | failures, st.booleans()
)
performances = st.builds(
    BatchPerformance,
    st.integers(-1, 64), *[numbers] * 3, *[st.none() | numbers] * 3, numbers, wholes,
    notes=st.lists(st.text(), max_size=2).map(tuple),
)  # fmt: skip
runtimes = st.builds(
    RuntimeResult,
    names,
    st.sampled_from(Status),
    performance=st.lists(performances, max_size=2).map(tuple),
    outcome=st.none() | outcomes,
    verified=st.booleans(),
)
rows = st.builds(
    FormatResult,
    formats,
    st.sampled_from(Status),
    path=st.none() | names,
    attempts=st.lists(st.builds(Attempt, names, outcomes), max_size=2).map(tuple),
    runtimes=st.lists(runtimes, max_size=2).map(tuple),
    facts=st.dictionaries(names, st.text(), max_size=2),
    calling=st.sampled_from(["named", "positional", "structure"]),
)


@given(rows)
def test_a_row_travels_through_json(row: FormatResult) -> None:
    again = from_data(json.loads(json.dumps(to_data(row))), FormatResult)
    assert again == row
    assert again.format.description() == row.format.description(), "formats compare by name alone, so look closer"


@given(
    st.builds(Difference, names, *[st.floats(allow_nan=False)] * 4, st.integers(0, 2**63 - 1), numbers, st.text("abc "))
)
def test_numbers_travel_through_yaml_infinite_ones_too(difference: Difference) -> None:
    assert from_data(yaml.safe_load(yaml.safe_dump(to_data(difference))), Difference) == difference


SIGNATURE = Signature(
    (TensorSpec("x", "float32", ("batch", 3, "length")),),
    (TensorSpec("y", "float32", ("batch", 1)),),
)


def test_sizes_and_symbols_stay_what_they_are() -> None:
    data = to_data(SIGNATURE)
    assert data["inputs"][0]["shape"] == ["batch", 3, "length"]
    assert from_data(json.loads(json.dumps(data)), Signature) == SIGNATURE


def test_axes_travel() -> None:
    signature = attrs.evolve(SIGNATURE, axes=(Axis("batch", 1, 2, 8), Axis("length", 3, 5, 7)))
    assert from_data(json.loads(json.dumps(to_data(signature))), Signature) == signature


def test_an_artifact_travels_with_its_path() -> None:
    artifact = Artifact(Format.ONNX, SIGNATURE, Path("/models/model.onnx"), calling="positional")
    data = to_data(artifact)
    assert data["path"] == "/models/model.onnx"
    again = from_data(json.loads(json.dumps(data)), Artifact)
    assert again == artifact
    assert isinstance(again.path, Path)


def test_what_a_format_can_do_does_not_travel_only_what_it_is() -> None:
    loaded = attrs.evolve(Format.ONNX, load=str, summary="words")
    assert to_data(loaded) == to_data(Format.ONNX)
    assert from_data({"name": "openvino"}, Format).family == "openvino"


@attrs.frozen
class Holder:
    anything: Any
    facts: Mapping[str, str] = attrs.field(factory=dict)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.str_("text"), "text"),
        (JitType.TRACE, "trace"),
        (True, True),
        (None, None),
        ((1, (2, "x")), [1, [2, "x"]]),
        ({1: (2,)}, {"1": [2]}),
        (Path("a/b"), "a/b"),
        (
            Made(notes=("n",), assets=("a",)),
            {"calling": "named", "signature": None, "notes": ["n"], "facts": {}, "assets": ["a"]},
        ),
    ],
)
def test_whatever_a_field_holds_becomes_plain(value: Any, plain: Any) -> None:
    found = to_data(Holder(value))["anything"]
    assert found == plain
    assert type(found) is type(plain)
    assert yaml.safe_load(yaml.safe_dump(found)) == plain


def test_fields_of_another_release_are_passed_over() -> None:
    assert from_data({"cause": "x", "from the future": 1}, Failure) == Failure("x")


@pytest.mark.parametrize("data", [{}, [], "text"])
def test_data_that_is_no_mapping_or_lacks_a_field_is_refused(data: Any) -> None:
    with pytest.raises(ClassValidationError):
        from_data(data, Failure)


@attrs.frozen
class Truths:
    """What options of a plugin may look like."""

    yes: bool
    many: tuple[bool, ...]
    number: int


def test_truths_stay_truths() -> None:
    again = from_data(json.loads(json.dumps(to_data(Truths(True, (False, True), 1)))), Truths)
    assert again == Truths(True, (False, True), 1)
    assert [type(value) for value in (again.yes, *again.many, again.number)] == [bool, bool, bool, int]
