"""What an export did to the axes, told against what was asked."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, strategies as st

from nav_torch.axes import Reach, narrowed, settled
from navcore import Axis, ExportError, Signature, TensorSpec

ASKED = Signature(
    inputs=(TensorSpec("x", "float32", ("batch", "time", 4)),),
    outputs=(TensorSpec("y", "float32", ("batch", "time")),),
    axes=(Axis("batch", 1, 2, 8), Axis("time", 3, 7, 30, declared=True)),
)


def test_free_axes_change_nothing() -> None:
    result = settled(ASKED, {"batch": Reach(0, None), "time": Reach(0, 512)}, "torch.export", strict=True)
    assert (result.signature, result.notes) == (ASKED, ())


def test_a_declared_axis_must_cover_its_range() -> None:
    with pytest.raises(ExportError, match=r"axis 'time' \(wanted 3 to 30\) moves from 0 to 29 only"):
        settled(ASKED, {"time": Reach(0, 29)}, "torch.export", strict=False)


@pytest.mark.parametrize("strict", [True, False])
def test_an_undeclared_axis_is_forgiven_unless_strict(strict: bool) -> None:
    if strict:
        with pytest.raises(ExportError, match="axis 'batch'"):
            settled(ASKED, {"batch": Reach(2, 2)}, "torch.export", strict=True)
        return
    result = settled(ASKED, {"batch": Reach(2, 2)}, "torch.export", strict=False)
    assert result.signature.inputs[0].shape == (2, "time", 4)
    assert result.signature.outputs[0].shape == (2, "time")
    assert result.notes == ("torch.export: axis 'batch' (wanted 1 to 8) is fixed at 2.",)


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_narrowed_axis_stays_within_its_reach_and_in_order(low: int, more: int) -> None:
    free = attrs.evolve(ASKED, axes=(Axis("batch", 0, 20, 80),))
    result = narrowed(free, {"batch": Reach(low, low + more)})
    if more == 0:
        assert result.axes == ()
    else:
        axis = result.axis("batch")
        assert low <= axis.minimum <= axis.typical <= axis.maximum <= low + more


def test_two_uses_of_a_symbol_allow_what_both_allow() -> None:
    assert Reach(2, None).meet(Reach(0, 9)) == Reach(2, 9)
    assert Reach(0, None).meet(Reach(0, None)) == Reach(0, None)
