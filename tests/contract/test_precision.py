"""A precision is a name that carries its bounds, and a plugin's own one decides as navcore's do."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from navcore import Axis, Comparison, Format, InputError, Precision, Runner, Signature, Status, TensorSpec, verify
from navcore.contract import matching

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
    assert (there, there.relative_l2, there.differing) == (COARSE, 0.2, 0.3)


@pytest.mark.parametrize(
    ("name", "bounds"), [("", (0.1, 0.1)), ("x", (-0.1, 0.1)), ("x", (0.1, 1.5)), ("x", (float("nan"), 0))]
)
def test_what_is_no_precision_is_refused(name: str, bounds: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="is none"):
        Precision(name, *bounds)


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
