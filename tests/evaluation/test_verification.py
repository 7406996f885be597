"""Verdicts on exports that are right, a little off, wrong, or stuck at one size."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from navcore.contract.jobs import Runner
from navcore.contract.signature import Axis, Feeds, Signature, TensorSpec
from navcore.evaluation.comparison import Comparison
from navcore.evaluation.verification import verify
from navcore.workspace.results import Status, Verification

Array = np.ndarray[Any, Any]
Model = Callable[[Feeds], Mapping[str, Array]]

WEIGHTS = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
SIGNATURE = Signature(
    inputs=(TensorSpec("x", "float32", ("batch", "frames", 8)),),
    outputs=(TensorSpec("y", "float32", ("batch", "frames", 8)),),
    axes=(Axis("batch", 1, 2, 4), Axis("frames", 4, 8, 16)),
)
DECLARED = Signature(
    SIGNATURE.inputs, SIGNATURE.outputs, (Axis("batch", 1, 2, 4), Axis("frames", 4, 8, 16, declared=True))
)


def linear(feeds: Feeds) -> dict[str, Array]:
    return {"y": feeds["x"] @ WEIGHTS}


def draw(*shape: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def compare(source: Model, x: Array, label: str = "correctness sample 0", **about: Any) -> Comparison:
    return Comparison(label, {"x": x}, source({"x": x}), **about)


def samples(source: Model = linear, count: int = 3) -> list[Comparison]:
    return [compare(source, draw(1, 8, 8, seed=seed), f"correctness sample {seed}") for seed in range(count)]


def probes(source: Model = linear) -> list[Comparison]:
    return [
        compare(source, draw(1, size, 8), f"conversion sample of {size} frames", symbol="frames", size=size)
        for size in (4, 16)
    ]


def cause(verdict: Verification) -> str:
    assert verdict.failure is not None
    assert verdict.failure.category == "verification"
    return verdict.failure.cause


def scaled(factor: float) -> Model:
    return lambda feeds: {"y": (linear(feeds)["y"] * factor).astype(np.float32)}


# Numbers, with no tolerance given


def test_an_export_that_is_its_source_passes() -> None:
    verdict = verify(linear, samples(), signature=SIGNATURE)
    assert verdict.status is Status.OK
    assert verdict.failure is None
    assert (verdict.compared, verdict.precision, verdict.bound) == (3, "fp32", 1e-4)
    (found,) = verdict.differences
    assert (found.output, found.elements, found.atol, found.relative_l2, found.worst) == ("y", 192, 0, 0, "")


def test_an_export_that_returns_twice_the_value_fails() -> None:
    verdict = verify(scaled(2), samples(), signature=SIGNATURE)
    assert verdict.status is Status.FAILED
    assert cause(verdict).startswith("The relative L2 difference of output 'y' is 1 in correctness sample")
    assert cause(verdict).endswith("and fp32 explains at most 0.0001.")
    assert verdict.differences[0].relative_l2 == pytest.approx(1)
    assert verdict.differences[0].cosine == pytest.approx(1)


def test_another_order_of_summation_in_float32_passes() -> None:
    def backwards(feeds: Feeds) -> dict[str, Array]:
        return {"y": feeds["x"][..., ::-1] @ WEIGHTS[::-1]}

    verdict = verify(backwards, samples(), signature=SIGNATURE)
    assert verdict.status is Status.OK
    assert 0 < (verdict.differences[0].relative_l2 or 0) < 1e-6


@pytest.mark.parametrize(("precision", "status"), [("fp32", Status.FAILED), ("fp16", Status.OK), ("tf32", Status.OK)])
def test_a_float16_export_passes_where_it_says_so(precision: str, status: Status) -> None:
    def half(feeds: Feeds) -> dict[str, Array]:
        y = feeds["x"].astype(np.float16) @ WEIGHTS.astype(np.float16)
        return {"y": y.astype(np.float32)}

    verdict = verify(half, samples(), signature=SIGNATURE, precision=precision)
    assert verdict.status is status
    assert verdict.precision == precision


def test_gelu_by_tanh_is_not_gelu() -> None:
    """At fp32 the approximation is about twice beyond the bound, on a bare activation of normal inputs."""
    erf = np.vectorize(math.erf)

    def gelu(feeds: Feeds) -> dict[str, Array]:
        x = feeds["x"].astype(np.float64)
        return {"y": (x / 2 * (1 + erf(x / 2**0.5))).astype(np.float32)}

    def by_tanh(feeds: Feeds) -> dict[str, Array]:
        x = feeds["x"].astype(np.float64)
        return {"y": (x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))).astype(np.float32)}

    verdict = verify(by_tanh, samples(gelu), signature=SIGNATURE)
    assert verdict.status is Status.FAILED
    assert 1.5e-4 < (verdict.differences[0].relative_l2 or 0) < 4e-4


def test_a_wrong_sample_among_a_hundred_is_seen() -> None:
    asked: list[Array] = []

    def once(feeds: Feeds) -> Mapping[str, Array]:
        asked.append(feeds["x"])
        return scaled(1.01)(feeds) if len(asked) == 58 else linear(feeds)

    verdict = verify(once, samples(count=100), signature=SIGNATURE)
    assert "correctness sample 57" in cause(verdict)
    assert verdict.differences[0].worst == "correctness sample 57"


def test_rows_in_another_order_are_seen_on_a_stack_of_samples() -> None:
    def permuted(feeds: Feeds) -> dict[str, Array]:
        return {"y": linear(feeds)["y"][::-1]}

    stack = compare(linear, draw(4, 8, 8), "a stack of 4 samples", symbol="batch", size=4)
    assert verify(permuted, samples(), signature=SIGNATURE).status is Status.OK
    verdict = verify(permuted, [*samples(), stack], signature=SIGNATURE)
    assert verdict.status is Status.FAILED
    assert "a stack of 4 samples (axis 'batch' at size 4)" in cause(verdict)
    assert verdict.frozen_axes == ("batch",)


def test_a_source_that_is_noisy_itself_allows_ten_times_its_noise() -> None:
    off = scaled(1.005)
    assert verify(off, samples(), signature=SIGNATURE).status is Status.FAILED
    verdict = verify(off, samples(), signature=SIGNATURE, noise={"y": 1e-3})
    assert verdict.status is Status.OK
    assert verdict.bound == pytest.approx(1e-2)
    too_far = verify(scaled(1.02), samples(), signature=SIGNATURE, noise={"y": 1e-3})
    assert "ten times the source's own noise explains at most 0.01" in cause(too_far)


def test_a_bound_that_was_widened_says_so_with_its_factor() -> None:
    verdict = verify(linear, samples(), signature=SIGNATURE, noise={"y": 1e-3})
    assert verdict.notes == (
        "The bound of output 'y' was widened 100 times, from 0.0001 to 0.01, because the source differs from itself by "
        "0.001.",
    )


def test_means_of_several_runs_find_what_the_noise_of_one_run_hides() -> None:
    """Ten times the noise would let 4 % pass; the mean of 16 runs has a quarter of the noise."""
    random = np.random.default_rng(5)

    def noisy(factor: float) -> Model:
        def run(feeds: Feeds) -> dict[str, Array]:
            y = linear(feeds)["y"] * factor
            return {"y": (y + 0.005 / math.sqrt(2) * np.std(y) * random.standard_normal(y.shape)).astype(np.float32)}

        return run

    def judged(factor: float, runs: int) -> Verification:
        return verify(noisy(factor), samples(), signature=SIGNATURE, noise={"y": 5e-3}, runs=runs)

    assert judged(1.04, runs=1).status is Status.OK
    assert judged(1.04, runs=16).status is Status.FAILED
    faithful = judged(1.0, runs=16)
    assert faithful.status is Status.OK
    assert "means of 16 runs were compared" in faithful.notes[0]


# Outputs in which a wrong number would not show


def test_an_output_without_signal_is_unverified_and_says_what_would_help() -> None:
    """The sigmoid of −20: an export that returns zeros there would be as near as a faithful one."""

    def silent(value: float) -> Model:
        return lambda feeds: {"y": np.full((1, 4), value, np.float32)}

    given = [compare(silent(2e-9), draw(1, 8, 8))]
    for export in (silent(2e-9), silent(0), silent(1.2e-7)):
        verdict = verify(export, given, signature=SIGNATURE)
        assert verdict.status is Status.UNVERIFIED
        assert "output 'y' has no signal on these samples" in cause(verdict).replace("Output", "output")
        assert verdict.failure is not None
        assert "atol=" in verdict.failure.hint
    assert verify(silent(0.5), given, signature=SIGNATURE).status is Status.FAILED
    assert verify(silent(0), given, signature=SIGNATURE, atol=1e-6).status is Status.OK


def test_a_silent_output_does_not_excuse_another_that_is_wrong() -> None:
    def both(factor: float) -> Model:
        return lambda feeds: {"y": linear(feeds)["y"] * factor, "z": np.zeros((1, 4), np.float32)}

    given = [compare(both(1), draw(1, 8, 8))]
    assert verify(both(2), given, signature=SIGNATURE).status is Status.FAILED
    assert verify(both(1), given, signature=SIGNATURE).status is Status.UNVERIFIED


def boxes(score: Callable[[Array], Array], error: float = 0.0) -> Model:
    """Four coordinates of about 300, and a score of about 0.5 beside them."""

    def run(feeds: Feeds) -> dict[str, Array]:
        x = feeds["x"].reshape(-1, 8)
        corners = 300 + 50 * x[:, :4] * (1 + error)
        return {"y": np.concatenate([corners, score(1 / (1 + np.exp(-x[:, 4:5])))], 1).astype(np.float32)}

    return run


def test_a_wrong_column_is_not_hidden_by_larger_ones() -> None:
    flat = Signature(SIGNATURE.inputs, (TensorSpec("y", "float32", ("rows", 5)),), SIGNATURE.axes)
    given = [compare(boxes(lambda score: score), draw(1, 8, 8))]

    def judged(export: Model) -> Verification:
        return verify(export, given, signature=flat, precision="fp16")

    assert judged(boxes(lambda score: score + 0.01, error=1e-3)).status is Status.OK
    verdict = judged(boxes(lambda score: 1 - score))
    assert verdict.status is Status.FAILED
    assert cause(verdict).startswith("Column 4 of output 'y', which is small beside the others, differs by")


def test_a_small_column_may_be_the_rounding_of_large_ones() -> None:
    flat = Signature(SIGNATURE.inputs, (TensorSpec("y", "float32", ("rows", 5)),), SIGNATURE.axes)
    given = [compare(boxes(lambda score: score * 1e-3), draw(1, 8, 8))]
    export = boxes(lambda score: score * 2e-3)
    assert verify(export, given, signature=flat, precision="fp16").status is Status.OK


# What a wrong output looks like


@pytest.mark.parametrize(("frozen", "told"), [(2, "equals row 2"), (-1, "equals row 3"), (None, "is the same")])
def test_any_row_in_every_row_is_called_that(frozen: int | None, told: str) -> None:
    def one_row(feeds: Feeds) -> Mapping[str, Array]:
        y = linear(feeds)["y"]
        row = np.full_like(y[:1], 7) if frozen is None else y[[frozen]]
        return {"y": np.broadcast_to(row, y.shape)}

    given = [compare(linear, draw(4, 8, 8), "item 0", symbol=None)]
    assert cause(verify(one_row, given, signature=SIGNATURE)).startswith(f"Every row of output 'y' {told} in item 0")


@pytest.mark.parametrize(("labels", "is_told"), [([3, 1, 3], False), ([3, 1, 2, 0], True)])
def test_a_label_or_two_that_rounding_made_the_same_are_no_row_in_every_row(labels: list[int], is_told: bool) -> None:
    signature = Signature(SIGNATURE.inputs, (TensorSpec("y", "int64", ("batch",)),), SIGNATURE.axes)
    given = [compare(lambda _feeds: {"y": np.array(labels)}, draw(len(labels), 8, 8), "item 0", symbol=None)]
    verdict = verify(lambda _feeds: {"y": np.full(len(labels), 3)}, given, signature=signature)
    assert verdict.status is Status.FAILED
    assert ("equals row 0" in cause(verdict)) is is_told


def test_a_source_whose_rows_are_alike_has_none_that_is_frozen() -> None:
    alike = [compare(linear, np.repeat(draw(1, 8, 8), 4, axis=0), "item 0")]
    assert "row" not in cause(verify(scaled(2), alike, signature=SIGNATURE))


def test_the_first_row_in_every_row_is_called_that_and_no_fixed_axis() -> None:
    def first_row(feeds: Feeds) -> Mapping[str, Array]:
        y = linear(feeds)["y"]
        return {"y": np.broadcast_to(y[:1], y.shape)}

    stack = compare(linear, draw(4, 8, 8), "a stack of 4 samples", symbol="batch", size=4)
    verdict = verify(first_row, [*samples(), stack], signature=SIGNATURE)
    assert verdict.status is Status.FAILED
    assert cause(verdict).startswith("Every row of output 'y' equals row 0 in a stack of 4 samples")
    assert verdict.frozen_axes == ()
    assert verdict.failure is not None
    assert verdict.failure.hint == ""


def test_swapped_outputs_are_called_that() -> None:
    def pair(feeds: Feeds) -> Mapping[str, Array]:
        y = linear(feeds)["y"]
        return {"y": y, "z": -2 * y}

    def swapped(feeds: Feeds) -> Mapping[str, Array]:
        found = pair(feeds)
        return {"y": found["z"], "z": found["y"]}

    verdict = verify(swapped, samples(pair), signature=SIGNATURE)
    assert cause(verdict).startswith("Output 'y' has the values of 'z' in correctness sample 0")


def test_only_a_small_difference_is_said_to_be_acceptable() -> None:
    for factor, advised in ((1.01, True), (2.0, False)):
        failure = verify(scaled(factor), samples(), signature=SIGNATURE).failure
        assert failure is not None
        assert ("atol=" in failure.hint) is advised


# Order


def test_outputs_in_another_order_fail_although_their_names_are_right() -> None:
    def pair(feeds: Feeds) -> dict[str, Array]:
        return {"y": linear(feeds)["y"], "a": feeds["x"]}

    verdict = verify(lambda feeds: dict(sorted(pair(feeds).items())), samples(pair), signature=SIGNATURE)
    assert cause(verdict) == (
        "In correctness sample 0: the outputs come in the order 'a', 'y' where the source returns 'y', 'a'."
    )


@pytest.mark.parametrize(("call", "status"), [("args", Status.FAILED), ("kwargs", Status.OK)])
def test_inputs_in_another_order_fail_a_source_that_is_called_by_position(call: str, status: Status) -> None:
    both = (*SIGNATURE.inputs, TensorSpec("mask", "float32", ("batch",)))
    template: dict[str, Any] = {"args": [{"tensor": "x"}, {"tensor": "mask"}], "kwargs": []}
    if call == "kwargs":
        template = {"args": [], "kwargs": [["x", {"tensor": "x"}], ["mask", {"tensor": "mask"}]]}
    signature = Signature(both, SIGNATURE.outputs, SIGNATURE.axes, template)
    verdict = verify(linear, samples(), signature=signature, inputs=("mask", "x"))
    assert verdict.status is status


def test_an_unknown_precision_is_held_to_the_dtype_and_named() -> None:
    verdict = verify(linear, samples(), signature=SIGNATURE, precision="posit16")
    assert verdict.precision == "fp32"
    assert any("posit16" in note for note in verdict.notes)


@pytest.mark.parametrize(("value", "other"), [(1.0, np.nan), (np.nan, 1.0), (1.0, np.inf), (np.inf, -np.inf)])
@pytest.mark.parametrize("limit", [None, 1e30, math.inf])
def test_a_stray_nan_or_infinity_fails_whatever_is_tolerated(value: float, other: float, limit: float | None) -> None:
    comparison = Comparison("sample 0", {"x": draw(1)}, {"y": np.array([0.0, value], np.float32)})
    verdict = verify(
        lambda _: {"y": np.array([0.0, other], np.float32)}, [comparison], signature=SIGNATURE, atol=limit, rtol=limit
    )
    assert verdict.status is Status.FAILED
    assert "1 of 2 elements in sample 0" in cause(verdict)


def test_masked_logits_pass_where_the_source_has_the_same_infinity() -> None:
    def masked(feeds: Feeds) -> dict[str, Array]:
        return {"y": np.where(feeds["x"] < 0, np.float32(-np.inf), feeds["x"])}

    assert verify(masked, samples(masked), signature=SIGNATURE).status is Status.OK


# Integer and boolean outputs


def classes(count: int, flipped: int) -> tuple[Model, Model]:
    ids = np.arange(count, dtype=np.int64)
    other = ids.copy()
    other[:flipped] += 1
    return (lambda _: {"y": ids}), (lambda _: {"y": other})


@pytest.mark.parametrize(
    ("precision", "flipped", "status"),
    [
        ("fp32", 4, Status.OK),
        ("fp32", 5, Status.FAILED),
        ("fp16", 40, Status.OK),
        ("fp16", 41, Status.FAILED),
        ("fp64", 0, Status.OK),
        ("fp64", 1, Status.FAILED),
    ],
)
def test_a_share_of_integers_may_differ(precision: str, flipped: int, status: Status) -> None:
    source, export = classes(4000, flipped)
    verdict = verify(export, samples(source, 1), signature=SIGNATURE, precision=precision)
    assert verdict.status is status
    assert verdict.differences[0].differing == flipped / 4000
    assert verdict.bound is None


def test_one_wrong_sample_of_integers_is_not_hidden_by_many_right_ones() -> None:
    source, export = classes(10, 3)
    asked: list[int] = []

    def once(feeds: Feeds) -> Mapping[str, Array]:
        asked.append(1)
        return export(feeds) if len(asked) == 1 else source(feeds)

    verdict = verify(once, samples(source, 400), signature=SIGNATURE)
    assert cause(verdict).startswith("3 of 10 elements of output 'y' differ in correctness sample 0")


def test_booleans_that_are_all_inverted_fail() -> None:
    def positive(feeds: Feeds) -> dict[str, Array]:
        return {"y": feeds["x"] > 0}

    verdict = verify(lambda feeds: {"y": feeds["x"] <= 0}, samples(positive), signature=SIGNATURE)
    assert "192 of 192 elements of output 'y' differ in all comparisons" in cause(verdict)


# The user's own tolerances


def test_a_given_tolerance_accepts_what_the_precision_would_not() -> None:
    verdict = verify(scaled(1.01), samples(), signature=SIGNATURE, atol=1.0)
    assert verdict.status is Status.OK
    assert (verdict.precision, verdict.bound) == ("", None)
    assert verdict.notes[0].startswith("Accepted by the given atol or rtol: the relative L2 difference of output 'y'")


def test_a_given_tolerance_refuses_what_the_precision_would_accept() -> None:
    verdict = verify(scaled(1 + 1e-6), samples(), signature=SIGNATURE, atol=1e-9)
    assert cause(verdict).startswith("The absolute difference of output 'y' is ")
    assert "in correctness sample" in cause(verdict)
    assert cause(verdict).endswith("over atol=1e-09.")


def test_atol_and_rtol_are_enforced_each_on_its_own() -> None:
    verdict = verify(scaled(1.01), samples(), signature=SIGNATURE, atol=1e-9, rtol=1e-9)
    assert "atol=1e-09" in cause(verdict)
    assert any(note.startswith("Also: the relative difference of output 'y' is 0.0099") for note in verdict.notes)
    assert verify(scaled(1.01), samples(), signature=SIGNATURE, rtol=0.01).status is Status.OK
    assert verify(scaled(1.01), samples(), signature=SIGNATURE, rtol=0.0098).status is Status.FAILED


def test_not_a_number_as_a_tolerance_allows_nothing() -> None:
    assert verify(scaled(1.01), samples(), signature=SIGNATURE, atol=math.nan).status is Status.FAILED


def test_a_given_tolerance_does_not_excuse_another_shape() -> None:
    verdict = verify(lambda feeds: {"y": linear(feeds)["y"][..., :1]}, samples(), signature=SIGNATURE, atol=1e9)
    assert verdict.status is Status.FAILED


# Names, dtypes, shapes, exceptions


@pytest.mark.parametrize(
    ("export", "sentence"),
    [
        (lambda feeds: {"z": linear(feeds)["y"]}, "the outputs are 'z' where the source returns 'y'"),
        (lambda feeds: {**linear(feeds), "z": WEIGHTS}, "the outputs are 'y', 'z' where the source returns 'y'"),
        (lambda feeds: {}, "the outputs are none where the source returns 'y'"),
        (lambda feeds: {"y": linear(feeds)["y"].astype(np.float64)}, "output 'y' is float64 where the source"),
        (lambda feeds: {"y": linear(feeds)["y"][0]}, "output 'y' has the shape (8, 8) where the source returns"),
        (lambda feeds: [linear(feeds)["y"]], "PluginError: The runner returned a list instead of arrays by name"),
    ],
)
def test_names_dtypes_and_shapes_come_before_numbers(export: Any, sentence: str) -> None:
    verdict = verify(export, samples(), signature=SIGNATURE)
    assert verdict.status is Status.FAILED
    assert cause(verdict).startswith(f"In correctness sample 0: {sentence}")
    assert verdict.compared == 0


def test_an_exception_of_the_runner_is_a_failure_with_its_line() -> None:
    def broken(feeds: Feeds) -> Mapping[str, Array]:
        raise RuntimeError("shapes do not match\nsomewhere inside")

    assert cause(verify(broken, samples(), signature=SIGNATURE)) == (
        "In correctness sample 0: RuntimeError: shapes do not match."
    )


def test_a_traceback_inside_a_message_is_cut_to_its_last_line() -> None:
    def broken(feeds: Feeds) -> Mapping[str, Array]:
        raise RuntimeError("The operation failed.\nTraceback of TorchScript:\n  line 1\nRuntimeError: sizes differ")

    assert cause(verify(broken, samples(), signature=SIGNATURE)) == (
        "In correctness sample 0: RuntimeError: sizes differ."
    )


def test_what_could_be_measured_is_recorded_beside_a_failure() -> None:
    def fails_on_small(feeds: Feeds) -> Mapping[str, Array]:
        if feeds["x"].shape[0] == 2:
            raise ValueError("no")
        return linear(feeds)

    both = [compare(linear, draw(2, 8, 8), "a pair"), *samples()]
    verdict = verify(fails_on_small, both, signature=SIGNATURE)
    assert cause(verdict) == (
        "The batch axis 'batch' has to move, but the export takes a batch of 1 only: it fails at size 2 in a pair "
        "(ValueError: no)."
    )
    assert verdict.compared == 3
    assert verdict.differences[0].elements == 192


def test_nothing_to_compare_is_not_a_pass() -> None:
    verdict = verify(linear, [], signature=SIGNATURE)
    assert verdict.status is Status.UNVERIFIED
    assert cause(verdict) == "There was no sample to compare on."


def test_a_runner_is_a_callable_like_any_other() -> None:
    with Runner(linear) as runner:
        assert verify(runner, samples(), signature=SIGNATURE).status is Status.OK


# Axes


def fixed_at_8(feeds: Feeds) -> Mapping[str, Array]:
    if feeds["x"].shape[1] != 8:
        raise RuntimeError("expected 8 frames")
    return linear(feeds)


def cut_at_8(feeds: Feeds) -> Mapping[str, Array]:
    return {"y": linear({"x": feeds["x"][:, :8]})["y"]}


def blank_after_8(feeds: Feeds) -> Mapping[str, Array]:
    y = linear(feeds)["y"].copy()
    y[:, 8:] = 0
    return {"y": y}


def test_axes_that_move_are_not_mentioned() -> None:
    verdict = verify(linear, [*samples(), *probes()], signature=DECLARED)
    assert (verdict.status, verdict.frozen_axes, verdict.notes, verdict.compared) == (Status.OK, (), (), 5)


def test_a_frozen_axis_that_the_user_declared_is_a_failure() -> None:
    verdict = verify(fixed_at_8, [*samples(), *probes()], signature=DECLARED)
    assert verdict.status is Status.FAILED
    assert verdict.frozen_axes == ("frames",)
    assert cause(verdict) == (
        "Axis 'frames' was declared dynamic, but the export is fixed: "
        "it fails at size 4 (RuntimeError: expected 8 frames)."
    )


def test_a_frozen_axis_that_was_only_seen_to_vary_is_noted() -> None:
    verdict = verify(fixed_at_8, [*samples(), *probes()], signature=SIGNATURE)
    assert verdict.status is Status.OK
    assert verdict.frozen_axes == ("frames",)
    assert "stays fixed in this export: it fails at size 4" in verdict.notes[0]


def test_another_shape_at_another_size_is_a_frozen_axis_too() -> None:
    verdict = verify(cut_at_8, [*samples(), *probes()], signature=SIGNATURE)
    assert (verdict.status, verdict.frozen_axes) == (Status.OK, ("frames",))
    assert "it fails at size 16 (output 'y' has the shape (1, 8, 8)" in verdict.notes[0]


def test_wrong_numbers_at_another_size_fail_on_any_axis() -> None:
    verdict = verify(blank_after_8, [*samples(), *probes()], signature=SIGNATURE)
    assert verdict.status is Status.FAILED
    assert verdict.frozen_axes == ("frames",)
    assert "conversion sample of 16 frames (axis 'frames' at size 16)" in cause(verdict)


@pytest.mark.parametrize(("batch_dim", "status"), [(0, Status.FAILED), (None, Status.OK)])
def test_a_frozen_batch_axis_fails_a_model_that_batches(batch_dim: int | None, status: Status) -> None:
    def single(feeds: Feeds) -> Mapping[str, Array]:
        if len(feeds["x"]) != 1:
            raise RuntimeError("expected a batch of 1")
        return linear(feeds)

    signature = Signature(SIGNATURE.inputs, SIGNATURE.outputs, SIGNATURE.axes, batch_dim=batch_dim)
    stack = compare(linear, draw(4, 8, 8), "a stack of 4 samples", symbol="batch", size=4)
    verdict = verify(single, [*samples(), stack], signature=signature)
    assert (verdict.status, verdict.frozen_axes) == (status, ("batch",))


def takes_only(batch: int) -> Model:
    def run(feeds: Feeds) -> Mapping[str, Array]:
        if len(feeds["x"]) != batch:
            raise RuntimeError(f"expected a batch of {batch}")
        return linear(feeds)

    return run


def test_an_export_that_takes_none_of_the_users_items_fails_by_its_frozen_batch() -> None:
    """It was made at a batch of two, which occurs nowhere in the data; a stack of two proves nothing about them."""
    stack = compare(linear, draw(2, 8, 8), "a stack of 2 samples", symbol="batch", size=2)
    verdict = verify(takes_only(2), [*samples(), stack], signature=SIGNATURE)
    assert (verdict.status, verdict.frozen_axes) == (Status.FAILED, ("batch",))
    assert cause(verdict) == (
        "The batch axis 'batch' has to move, but the export takes a batch of 2 only: it fails at size 1 in correctness "
        "sample 0 (RuntimeError: expected a batch of 2)."
    )


def test_a_smaller_last_batch_that_alone_does_not_fit_is_named() -> None:
    items = [compare(linear, draw(size, 8, 8), f"item {size} at its own batch of {size}") for size in (4, 3)]
    verdict = verify(takes_only(4), [*samples(), *items], signature=SIGNATURE)
    assert "takes a batch of 4 only: it fails at size 3 in item 3 at its own batch of 3" in cause(verdict)


def test_the_same_fault_of_many_samples_is_told_once() -> None:
    def broken(feeds: Feeds) -> Mapping[str, Array]:
        raise RuntimeError("no")

    verdict = verify(broken, samples(count=9), signature=SIGNATURE)
    assert verdict.notes == (
        "Also: in correctness sample 1: RuntimeError: no.",
        "Also: in correctness sample 2: RuntimeError: no (and 6 more samples).",
    )


def test_every_frozen_axis_is_found_not_only_the_first() -> None:
    def rigid(feeds: Feeds) -> Mapping[str, Array]:
        if feeds["x"].shape != (1, 8, 8):
            raise RuntimeError(f"expected (1, 8, 8), got {feeds['x'].shape}")
        return linear(feeds)

    stack = compare(linear, draw(4, 8, 8), "a stack of 4 samples", symbol="batch", size=4)
    verdict = verify(rigid, [*samples(), *probes(), stack], signature=DECLARED)
    assert verdict.frozen_axes == ("frames", "batch")
    assert any(note.startswith("Also: the batch axis 'batch' has to move") for note in verdict.notes)


def test_an_export_that_is_wrong_anyway_says_nothing_about_axes() -> None:
    def broken(feeds: Feeds) -> Mapping[str, Array]:
        raise RuntimeError("no")

    verdict = verify(broken, [*samples(), *probes()], signature=DECLARED)
    assert verdict.frozen_axes == ()
    assert cause(verdict) == "In correctness sample 0: RuntimeError: no."


def test_an_export_of_which_only_frozen_axes_were_asked_is_unverified() -> None:
    verdict = verify(fixed_at_8, probes(), signature=SIGNATURE)
    assert verdict.status is Status.UNVERIFIED
    assert "nothing could be compared" in cause(verdict).lower()


def test_a_source_that_does_not_repeat_itself_proves_nothing() -> None:
    """Ten times its noise would explain a doubled output, and all zeros as well."""
    verdict = verify(
        lambda feeds: {name: 0 * value for name, value in linear(feeds).items()},
        samples(),
        signature=SIGNATURE,
        noise={"y": 0.3},
    )
    assert verdict.status == Status.UNVERIFIED
    assert "does not repeat itself" in cause(verdict)
    assert verdict.failure is not None
    assert "dropout" in verdict.failure.hint


def test_a_source_that_remembers_is_called_stateful() -> None:
    def judged(export: Model, noise: float) -> Verification:
        return verify(export, samples(), signature=SIGNATURE, noise={"y": noise}, stateful=True)

    assert cause(judged(linear, 0.3)).startswith("The source is stateful: output 'y' differs by 0.3")
    assert cause(judged(scaled(2), 0.0)).endswith("The source is stateful.")
    assert judged(linear, 0.0).status == Status.OK


def test_tolerances_of_the_user_judge_a_noisy_source_all_the_same() -> None:
    verdict = verify(linear, samples(), signature=SIGNATURE, noise={"y": 0.3}, atol=1e-6)
    assert verdict.status == Status.OK


def test_close_holds_every_element_to_its_own_size() -> None:
    source = {"y": np.array([0.0, 1.0, 100.0], np.float32), "n": np.array([1, 1000])}
    comparison = Comparison("the example", {"x": np.zeros(1, np.float32)}, source)

    def verdict(y: list[float], n: list[int]) -> Verification:
        outputs = {"y": np.array(y, np.float32), "n": np.array(n)}
        return verify(lambda feeds: outputs, [comparison], signature=SIGNATURE, close=0.01)

    assert verdict([0.009, 1.019, 101.0], [1, 1000]).status == Status.OK
    assert "2 of 3 elements of output 'y' differ by more than close=0.01 in the example" in cause(
        verdict([0.011, 1.021, 100.0], [1, 1000])
    )
    assert "1 of 2 elements of output 'n' differ by more than 0 in the example" in cause(
        verdict([0.0, 1.0, 100.0], [1, 1001])
    )
    assert "NaN" in cause(verdict([0.0, 1.0, float("nan")], [1, 1000]))
