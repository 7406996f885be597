"""What the options of ``navcore run`` mean to ``navcore.run``."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from navcore.cli.arguments import asked_options, given_arguments


def arguments(*words: str) -> dict[str, Any]:
    """The keyword arguments that these words of a command line make."""
    found: dict[str, Any] = {}

    @click.command()
    @asked_options
    def command(**asked: Any) -> None:
        found.update(given_arguments(asked))

    CliRunner().invoke(command, list(words), catch_exceptions=False, standalone_mode=False)
    return found


def test_nothing_given_leaves_everything_to_the_call() -> None:
    assert arguments() == {}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--prefer onnx=nav-torch --prefer openvino=nav-x", {"prefer": {"onnx": "nav-torch", "openvino": "nav-x"}}),
        ("--input-name a --input-name b --output-name y", {"input_names": ("a", "b"), "output_names": ("y",)}),
        (
            "--dynamic-axis image:0=batch --dynamic-axis image:2=height",
            {"dynamic_axes": {"image": {0: "batch", 2: "height"}}},
        ),
        ("--dynamic-axis tf:x:0=n", {"dynamic_axes": {"tf:x": {0: "n"}}}),
        ("--axis-range batch=1,8,32", {"axis_ranges": {"batch": (1, 8, 32)}}),
        (
            "--axis-range image:0=1,2,3 --axis-range image:2=4,5,6",
            {"axis_ranges": {"image": {0: (1, 2, 3), 2: (4, 5, 6)}}},
        ),
        ("--batch-dim 1", {"batch_dim": 1}),
        ("--batch-dim none", {"batch_dim": None}),
        ("--batch-dim 0", {"batch_dim": 0}),
        ("--profiler trace", {"profiler": "trace"}),
        ("--no-profiling", {"run_profiling": False}),
        ("--batch-size 8 --batch-size 1", {"batch_sizes": (8, 1)}),
        ("--batch-size auto", {"batch_sizes": "auto"}),
        ("--memory-limit 8GiB", {"memory_limit": 8 * 2**30}),
    ],
)
def test_an_option_is_an_argument(words: str, expected: dict[str, Any]) -> None:
    assert arguments(*words.split()) == expected


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--prefer onnx", "is not FORMAT=PLUGIN, for example openvino=nav-openvino"),
        ("--dynamic-axis image=batch", "is not TENSOR:AXIS=SYMBOL, for example image:0=batch"),
        ("--dynamic-axis image:first=batch", "is not TENSOR:AXIS=SYMBOL"),
        ("--axis-range batch=1,8", "is not SYMBOL=MIN,TYPICAL,MAX or INPUT:AXIS=MIN,TYPICAL,MAX"),
        ("--axis-range 1,2,3", "is not SYMBOL=MIN,TYPICAL,MAX"),
        ("--batch-size 0", "'0' is neither a whole number above 0 nor auto"),
        ("--batch-size 8 --batch-size auto", "auto stands alone"),
        ("--batch-dim first", "'first' is neither the number of an axis nor none"),
        ("--batch-dim -1", "'-1' is neither the number of an axis nor none"),
    ],
)
def test_a_slip_gets_one_sentence_with_an_example(words: str, sentence: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        arguments(*words.split())
    assert sentence in str(caught.value)
