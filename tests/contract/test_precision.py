"""A precision is a name that carries its bounds, and a plugin's own one decides as navcore's do."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from navcore import Axis, Comparison, Format, InputError, Precision, Runner, Signature, Status, TensorSpec, verify
from navcore.contract import is_quantised, matching
from navcore.workspace import from_data, to_data

COARSE = Precision("coarse", relative_l2=0.2, differing=0.3)


def test_it_is_a_name_in_every_other_respect() -> None:
    assert COARSE == "coarse"
    assert hash(COARSE) == hash("coarse")
    assert f"{COARSE}" == "coarse"
    assert repr(COARSE) == "Precision('coarse', relative_l2=0.2, differing=0.3)"


def test_it_cannot_be_changed_and_travels_whole() -> None:
    with pytest.raises(AttributeError):
        COARSE.differing = 0.5
    there = pickle.loads(pickle.dumps(COARSE))
    assert (there, there.bounds) == (COARSE, (0.2, 0.3))


def test_integers_are_told_by_the_table_and_by_a_precision_of_its_own() -> None:
    own = pickle.loads(pickle.dumps(Precision("int4", 0.2, 0.2, quantised=True)))
    assert is_quantised(own)
    assert repr(own) == "Precision('int4', relative_l2=0.2, differing=0.2, quantised=True)"
    names = ("int8", "fp8", "fp32", "nothing", COARSE, None)
    assert [is_quantised(name) for name in names] == [True, False, False, False, False, False]
    with pytest.raises(InputError, match="Give True or False"):
        Precision("int4", 0.2, 0.2, quantised="yes")  # type: ignore[arg-type]


def test_another_one_of_its_name_does_not_change_it() -> None:
    assert Precision(COARSE, 0.4, 0.4).bounds == (0.4, 0.4)
    assert COARSE.bounds == (0.2, 0.3)


def test_a_format_keeps_its_bounds() -> None:
    precision = Format("a-coarse", precision=COARSE).precision
    assert isinstance(precision, Precision)
    assert precision.bounds == (0.2, 0.3)


def test_a_format_of_a_plugin_that_is_not_here_keeps_the_name() -> None:
    told = from_data(to_data(Format("a-coarse", precision=COARSE)), Format)
    assert (told, told.precision) == (Format("a-coarse"), "coarse")


@pytest.mark.parametrize("bounds", [(-0.1, 0.1), (0.1, 1.5), (float("nan"), 0), (0.1, None), ("0.1", 0.1)])
def test_bounds_are_shares(bounds: Any) -> None:
    with pytest.raises(InputError, match=r"is none. It needs a name, and two bounds between 0 and 1"):
        Precision("x", *bounds)


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "a\nb", None, 4])
def test_its_name_is_a_name(name: Any) -> None:
    with pytest.raises(InputError, match="cannot be a name"):
        Precision(name, 0.1, 0.1)


def test_a_format_of_it_is_found_by_its_name() -> None:
    formats = (Format("a-coarse", family="a", precision=COARSE), Format("a-fp32", family="a", precision="fp32"))
    assert matching("a", formats, precision="coarse") == formats[:1]


@pytest.mark.parametrize(("precision", "status"), [(COARSE, Status.OK), ("int8", Status.FAILED)])
def test_its_bounds_decide(precision: str, status: Status) -> None:
    batch = Axis("batch", 1, 2, 4)
    x, y = TensorSpec("x", "float32", ("batch", 8)), TensorSpec("y", "float32", ("batch", 8))
    signature = Signature((x,), (y,), axes=(batch,))
    given = np.linspace(1, 2, 8, dtype=np.float32)[None]
    found = verify(
        Runner(lambda feeds: {"y": feeds["x"] * np.float32(1.15)}),
        [Comparison("sample 0", {"x": given}, {"y": given})],
        signature=signature,
        precision=precision,
    )
    assert found.status == status
