"""The table of bounds: which row applies to which output."""

from __future__ import annotations

import pytest

from navcore.contract.precision import BOUNDS, known_precision, precision_of
from navcore.evaluation.precision_bounds import coarsest, precision_for


def test_the_table_is_the_documented_one() -> None:
    import navcore.contract.precision

    table = navcore.contract.precision.__doc__ or ""
    rows = {line.split()[0]: line.split()[1:3] for line in table.splitlines() if line.split()[:1] and line[0] != "="}
    documented = {name: rows[name] for name in BOUNDS}
    assert {name: [float(value) for value in row] for name, row in documented.items()} == {
        name: [bound.relative_l2, bound.differing] for name, bound in BOUNDS.items()
    }


def test_coarser_precisions_never_allow_less() -> None:
    order = ["fp64", "fp32", "tf32", "fp16", "bf16", "int8"]
    assert [BOUNDS[name].relative_l2 for name in order] == sorted(BOUNDS[name].relative_l2 for name in order)
    assert [BOUNDS[name].differing for name in order] == sorted(BOUNDS[name].differing for name in order)


@pytest.mark.parametrize(
    ("dtype", "precision"),
    [
        ("float64", "fp64"),
        ("float32", "fp32"),
        ("float16", "fp16"),
        ("bfloat16", "bf16"),
        ("complex64", "fp32"),
        ("float8_e4m3fn", "fp8"),
        ("int64", None),
        ("bool", None),
    ],
)
def test_a_floating_point_dtype_has_a_precision_of_its_own(dtype: str, precision: str | None) -> None:
    assert precision_of(dtype) == precision


def test_an_output_is_held_to_the_declared_precision_unless_its_dtype_is_coarser() -> None:
    assert precision_for("float32", None, None) == "fp32"
    assert precision_for("float32", "fp16", None) == "fp16"
    assert precision_for("float16", "fp32", None) == "fp16"
    assert precision_for("float64", "fp32", None) == "fp32"


def test_an_integer_output_is_held_to_what_the_model_computes_in() -> None:
    assert precision_for("int64", "tf32", "bf16") == "tf32"
    assert precision_for("int64", None, "bf16") == "bf16"
    assert precision_for("int64", None, None) == "fp32"


def test_precisions_may_be_named_as_dtypes() -> None:
    assert known_precision("float16") == "fp16"
    assert known_precision("FP32") == "fp32"
    assert known_precision("posit16") is None
    assert known_precision(None) is None


def test_the_coarsest_of_nothing_is_nothing() -> None:
    assert coarsest([None]) is None
    assert coarsest(["fp32", None, "fp16"]) == "fp16"
