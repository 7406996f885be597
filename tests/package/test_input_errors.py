"""A call that fails for its inputs says which one, whatever the framework says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from navcore.contract.jobs import Runner
from navcore.contract.signature import Axis, Signature, TensorSpec
from navcore.errors import InputError, StepError
from navcore.package.input_errors import complaint, explaining

SIGNATURE = Signature(
    (TensorSpec("ids", "int64", ("batch", 3)), TensorSpec("mask", "float32", ("batch",))),
    (TensorSpec("y", "float32", ("batch",)),),
    (Axis("batch", 1, 2, 8),),
)
IDS, MASK = np.zeros((2, 3), np.int64), np.zeros(2, np.float32)


@pytest.mark.parametrize(
    ("feeds", "sentence"),
    [
        ([IDS, MASK], "A runner takes a mapping from input name to array, not a list."),
        ({}, "The input 'ids' is missing; the model takes ids, mask, and was given none."),
        ({"idx": IDS, "mask": MASK}, "The input 'ids' is missing; the model takes ids, mask, and was given idx, mask."),
        ({"ids": IDS.tolist(), "mask": MASK}, "The input 'ids' is a list, not a numpy array."),
        ({"ids": IDS.astype(np.int32), "mask": MASK}, "The input 'ids' is int32, and the model takes int64."),
        ({"ids": IDS[:, :2], "mask": MASK}, "The input 'ids' has shape (2, 2), and the model takes (batch, 3)."),
        ({"ids": IDS, "mask": MASK[None]}, "The input 'mask' has shape (1, 2), and the model takes (batch,)."),
    ],
)
def test_the_first_input_that_is_not_what_the_model_takes_is_named(feeds: Any, sentence: str) -> None:
    told = complaint(feeds, SIGNATURE)
    assert told is not None
    assert told.what == sentence


def test_nothing_is_said_of_inputs_that_are_right() -> None:
    assert complaint({"ids": IDS, "mask": MASK}, SIGNATURE) is None


def test_an_input_that_the_model_does_not_have_is_refused_before_the_call() -> None:
    def call(_feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        raise AssertionError("many frameworks take what they do not know, in silence")

    with pytest.raises(InputError, match="The model has no input 'more'; it takes ids, mask"):
        explaining(Runner(call), SIGNATURE)({"ids": IDS, "mask": MASK, "more": MASK})


def test_the_frameworks_own_words_stay_the_cause() -> None:
    def call(_feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        raise RuntimeError("expected scalar type Long but found Int")

    runner = explaining(Runner(call), SIGNATURE)
    with pytest.raises(InputError, match="'ids' is int32") as caught:
        runner({"ids": IDS.astype(np.int32), "mask": MASK})
    assert "expected scalar type" in str(caught.value.__cause__)
    with pytest.raises(RuntimeError, match="expected scalar type"):
        runner({"ids": IDS, "mask": MASK})


def test_what_a_runner_says_in_a_sentence_of_its_own_passes() -> None:
    def call(_feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        raise StepError("The engine does not take it.")

    with pytest.raises(StepError, match="The engine does not take it"):
        explaining(Runner(call), SIGNATURE)({})


def test_the_rest_of_the_runner_is_as_it_was() -> None:
    runner = Runner(lambda feeds: feeds, provider="p", precision="fp16", threads=3, notes=("n",), inputs=("x",))
    told = explaining(runner, SIGNATURE)
    shown = (told.provider, told.precision, told.threads, told.notes, told.inputs)
    assert shown == ("p", "fp16", 3, ("n",), ("x",))
    assert told({"ids": IDS}) == {"ids": IDS}
