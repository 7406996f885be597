"""Which opset is written."""

from __future__ import annotations

import pytest

from nav_tf.opset import OnnxOptions, chosen_opset, opset_of_release
from navcore import OptionError


@pytest.mark.parametrize(("release", "opset"), [("1.31.1", 18), ("1.14.0", 18), ("1.13.1", 17), ("1.11", 14)])
def test_a_release_of_onnx_runtime_reads_up_to(release: str, opset: int) -> None:
    assert opset_of_release(release) == opset


def test_without_a_wish_it_is_the_newest_that_tf2onnx_writes() -> None:
    assert chosen_opset(OnnxOptions()) == 18


def test_a_wish_is_kept() -> None:
    assert chosen_opset(OnnxOptions(opset=13)) == 13


@pytest.mark.parametrize("opset", [8, 24])
def test_what_cannot_be_written_is_refused(opset: int) -> None:
    with pytest.raises(OptionError, match="opsets 9 to 23 can be written"):
        OnnxOptions(opset=opset)
