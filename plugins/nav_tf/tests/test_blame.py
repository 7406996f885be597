"""Of the many lines of an error, the one that says what is wrong."""

from __future__ import annotations

import pytest

from nav_tf.blame import blamed, cause_line
from navcore import ExportError, OptionError

KERAS = (
    "Exception encountered when calling Lambda.call().\n\n"
    "\x1b[1m'SymbolicTensor' object has no attribute 'numpy'\x1b[0m\n\n"
    "Arguments received by Lambda.call():\n  • inputs=tf.Tensor(shape=(None, 3), dtype=float32)"
)
AUTOGRAPH = (
    'in user code:\n\n    File "model.py", line 4, in call\n        return x.nope\n\n    ValueError: no such thing\n'
)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (AttributeError(KERAS), "AttributeError: 'SymbolicTensor' object has no attribute 'numpy'."),
        (ValueError(AUTOGRAPH), "ValueError: no such thing."),
        (RuntimeError(""), "RuntimeError: no reason given."),
        (
            RuntimeError("{{function_node __wrapped__Add}} sizes differ [Op:AddV2]"),
            "RuntimeError: sizes differ [Op:AddV2].",
        ),
        (KeyError("x" * 1000), f"KeyError: {repr('x' * 1000)[:400]} …"),
    ],
)
def test_the_line_that_matters_is_found(error: Exception, line: str) -> None:
    assert cause_line(error) == line


def test_errors_of_navcore_pass_as_they_are() -> None:
    with pytest.raises(OptionError, match="mine"), blamed(ExportError, "Saving"):
        raise OptionError("mine")


def test_others_become_the_step_that_failed() -> None:
    with (
        pytest.raises(ExportError, match=r"Saving failed: ValueError: no\. Try again\."),
        blamed(ExportError, "Saving", hint="Try again."),
    ):
        raise ValueError("no")
