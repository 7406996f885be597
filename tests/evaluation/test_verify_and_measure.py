"""Artifacts that are known to have fixed an axis, judged on items that move it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import attrs
import numpy as np

from navcore.contract.jobs import Runner
from navcore.contract.signature import Axis, Signature, TensorSpec
from navcore.evaluation.check_requests import VerifySettings
from navcore.evaluation.comparison import Comparison
from navcore.evaluation.verify_and_measure import evaluate
from navcore.registry.registry import Registry
from navcore.workspace.results import Status, Verification

from .given_samples import Stored

MOVING = Signature(
    inputs=(TensorSpec("x", "float32", ("batch", "time")),),
    outputs=(TensorSpec("y", "float32", ("batch", "time")),),
    axes=(Axis("batch", 1, 2, 4), Axis("time", 2, 3, 5)),
)


def fixed_at(axis: int, size: int) -> Signature:
    """The signature that an exporter reports which fixed one axis."""
    shape = tuple(size if index == axis else symbol for index, symbol in enumerate(("batch", "time")))
    specs = tuple(attrs.evolve(spec, shape=shape) for spec in (*MOVING.inputs, *MOVING.outputs))
    return attrs.evolve(MOVING, inputs=specs[:1], outputs=specs[1:])


def asked(label: str, *shape: int, symbol: str | None = None) -> Comparison:
    x = np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)
    size = None if symbol is None else shape[("batch", "time").index(symbol)]
    return Comparison(label, {"x": x}, {"y": 2 * x}, symbol, size)


def verdict(signature: Signature, *given: Comparison) -> Verification:
    runner = Runner(lambda feeds: {"y": 2 * feeds["x"]})
    result = evaluate(
        runner,
        signature,
        MOVING,
        Stored(given),
        Registry((), cast(Any, None)),
        verifying=VerifySettings(),
        measuring=None,
        log_dir=Path(),
    )
    assert result.verification is not None
    return result.verification


def test_a_batch_that_the_exporter_fixed_fails_although_a_stack_of_that_size_is_right() -> None:
    judged = verdict(
        fixed_at(0, 2), asked("correctness sample 0", 1, 3), asked("a stack of 2 samples", 2, 3, symbol="batch")
    )
    assert (judged.status, judged.frozen_axes) == (Status.FAILED, ("batch",))
    assert judged.failure is not None
    assert judged.failure.cause == (
        "The batch axis 'batch' has to move, but the export takes a batch of 2 only: it fails at size 1 in correctness "
        "sample 0 (the export fixes axis 0 of 'x' at 2)."
    )


def test_an_item_of_the_users_that_does_not_fit_a_fixed_axis_fails() -> None:
    judged = verdict(fixed_at(1, 3), asked("correctness sample 0", 1, 3), asked("correctness sample 1", 1, 5))
    assert (judged.status, judged.frozen_axes) == (Status.FAILED, ("time",))
    assert judged.failure is not None
    assert judged.failure.cause == "In correctness sample 1: the export fixes axis 1 of 'x' at 3."


def test_a_probe_of_an_axis_that_no_item_moves_is_left_out_and_counted() -> None:
    judged = verdict(
        fixed_at(1, 3), asked("correctness sample 0", 1, 3), asked("axis time cut to 2", 1, 2, symbol="time")
    )
    assert (judged.status, judged.frozen_axes, judged.compared) == (Status.OK, ("time",), 1)
    assert judged.notes == ("The export fixes axis 1 of 'x' at 3: 1 comparisons of other sizes were left out.",)
