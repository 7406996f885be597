"""From a dataloader and a model to samples, a complete signature, and comparisons that each test one thing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import pytest

from navcore.contract.signature import Signature
from navcore.errors import DataloaderError, InputError, OptionError, SourceError
from navcore.evaluation.comparison import Comparison
from navcore.sampling.sample_store import SampleStore
from navcore.sampling.settings import SamplingSettings
from navcore.sampling.take import take_samples
from navcore.workspace.samples import Samples

from .conftest import Take, source_of, to_array

Array = np.ndarray[Any, Any]


def drawn(*shape: int, seed: int = 0) -> Array:
    return np.random.RandomState(seed).standard_normal(shape).astype("float32")


def double(x: Array) -> Array:
    return 2 * x


def texts(lengths: tuple[int, ...] = (7, 3, 9), batch: int = 4) -> list[dict[str, Array]]:
    random = np.random.RandomState(0)
    return [{"ids": random.randint(0, 99, (batch, n)), "mask": np.ones((batch, n), "float32")} for n in lengths]


def encoder(ids: Array, mask: Array) -> dict[str, Array]:
    hidden = (ids * mask)[..., None] * np.ones(5, "float32")
    return {"hidden": hidden.astype("float32"), "pooled": hidden.mean(axis=1).astype("float32")}


def outputs(samples: Samples) -> dict[str, tuple[int | str, ...]]:
    return {spec.name: spec.shape for spec in samples.signature.outputs}


def by_label(store: SampleStore, samples: Samples) -> dict[str, Comparison]:
    return {comparison.label: comparison for comparison in store.comparisons(samples.signature)}


def test_a_text_model_from_end_to_end(take: Take, store: SampleStore) -> None:
    samples = take(texts(), encoder, sample_count=2)
    assert outputs(samples) == {"hidden": ("batch", "ids_dim1", 5), "pooled": ("batch", 5)}
    assert samples.counts == {"conversion": 2, "correctness": 2, "profiling": 1}
    assert samples.batch_size == 4
    assert samples.noise == {"hidden": 0.0, "pooled": 0.0}
    assert samples.rows_independent is True
    assert samples.notes == ()
    assert list(by_label(store, samples)) == [
        "correctness sample 0",
        "correctness sample 1",
        "conversion sample 0",
        "conversion sample 1",
        "item 1 of the dataloader, at its own batch of 4",
        "item 2 of the dataloader, at its own batch of 4",
        "a stack of 2 samples",
        "a stack of 4 samples",
        "axis ids_dim1 cut from 9 to 3",
    ]


def test_it_tells_how_far_it_is(take: Take) -> None:
    heard: list[tuple[str, float]] = []
    take(texts(), encoder, sample_count=2, told=lambda text, share: heard.append((text, share)))
    parts = {text: [share for each, share in heard if each == text] for text in dict(heard)}
    assert list(parts) == ["reading the dataloader", "reading the samples", "running the source"]
    assert parts["reading the dataloader"] == [1 / 3, 2 / 3, 1.0]
    assert all(0 <= one < 1 for one in parts["running the source"])
    assert all(shares == sorted(shares) for shares in parts.values())


def test_what_is_expected_is_what_the_source_returns_for_the_feeds(take: Take, store: SampleStore) -> None:
    samples = take(texts(), encoder)
    for comparison in store.comparisons(samples.signature):
        again = encoder(**comparison.feeds)
        assert again.keys() == comparison.expected.keys()
        for name, array in again.items():
            assert np.array_equal(array, comparison.expected[name]), comparison.label


def test_a_stack_holds_different_samples_and_names_the_batch_axis(take: Take, store: SampleStore) -> None:
    samples = take([drawn(1, 3, seed=seed) for seed in range(5)], double)
    stack = by_label(store, samples)["a stack of 2 samples"]
    assert (stack.symbol, stack.size) == ("batch", 2)
    rows = stack.feeds["input__0"]
    assert not np.array_equal(rows[0], rows[1])


def test_items_are_compared_at_their_own_batch_and_a_smaller_last_one_too(take: Take, store: SampleStore) -> None:
    items = [drawn(4, 3, seed=0), drawn(4, 3, seed=1), drawn(2, 3, seed=2)]
    whole = [one for label, one in by_label(store, take(items, double)).items() if label.startswith("item")]
    assert [one.label for one in whole] == [
        "item 0 of the dataloader, at its own batch of 4",
        "item 2 of the dataloader, at its own batch of 2",
    ]
    assert all(one.symbol is None for one in whole)
    assert np.array_equal(whole[1].feeds["input__0"], items[2])
    assert np.array_equal(whole[1].expected["output__0"], double(items[2]))


def test_items_of_one_sample_are_whole_as_they_are(take: Take, store: SampleStore) -> None:
    samples = take([drawn(1, 3, seed=seed) for seed in range(3)], double)
    assert not any(label.startswith("item") for label in by_label(store, samples))


def test_a_stored_source_with_a_fixed_batch_is_taken_as_one_that_does_not_batch(take: Take) -> None:
    def rigid(x: Array) -> Array:
        return x.reshape(2, 3)

    samples = take([drawn(2, 3)], rigid, stored=True)
    assert samples.signature.batch_dim is None
    assert samples.notes[0].startswith(
        "The source model takes a batch of 2 and no other, and is taken as one that does not batch (batch_dim=None)."
    )
    assert "When navcore tried another: " in samples.notes[0]


def test_states_whose_batch_lies_along_another_axis_are_cut_and_stacked_there(take: Take, store: SampleStore) -> None:
    def step(x: Array, state: Array) -> dict[str, Array]:
        return {"y": x + state.sum(axis=0), "next": state * 2}

    items = [{"x": drawn(n, 3, seed=n), "state": drawn(2, n, 3, seed=9 + n)} for n in (2, 3)]
    samples = take(items, step, dynamic_axes={"state": {1: "batch"}})
    assert [spec.shape for spec in samples.signature.outputs] == [("batch", 3), (2, "batch", 3)]
    assert store.inputs(samples.signature, "correctness", 0)["state"].shape == (2, 1, 3)
    assert samples.rows_independent
    stack = by_label(store, samples)["a stack of 2 samples"]
    assert stack.expected["next"].shape == (2, 2, 3)


def test_a_cache_of_length_zero_is_a_sample_like_any_other(take: Take, store: SampleStore) -> None:
    def grow(x: Array, past: Array) -> dict[str, Array]:
        return {"now": np.concatenate([past, x], axis=1)}

    samples = take([{"x": drawn(2, 3, seed=n), "past": np.zeros((2, 0), "float32")} for n in range(2)], grow)
    assert store.inputs(samples.signature, "correctness", 0)["past"].shape == (1, 0)


def test_a_scalar_input_stays_an_array_when_an_axis_is_cut(take: Take, store: SampleStore) -> None:
    """Numpy's indexing makes a number of it, which no runtime takes."""
    items = [{"x": drawn(2, 5), "scale": np.array(2.0, "float32")}]
    seen: list[type] = []

    def scaled(x: Array, scale: Array) -> Array:
        seen.append(type(scale))
        return x * scale

    samples = take(items, scaled, dynamic_axes={"x": {0: "batch", 1: "n"}})
    assert "axis n cut from 5 to 3" in by_label(store, samples)
    assert set(seen) == {np.ndarray}


def test_samples_of_unequal_shape_are_stacked_from_the_rows_of_one_item(take: Take, store: SampleStore) -> None:
    items = [drawn(12, n) for n in (3, 4, 5)]
    samples = take(items, double)
    large = by_label(store, samples)["a stack of 12 samples"]
    assert large.feeds["input__0"].shape == large.expected["output__0"].shape == (12, 3)
    assert np.array_equal(large.feeds["input__0"][:8], items[0][:8])
    assert np.array_equal(large.feeds["input__0"][8:], items[0][:4])
    with np.load(store.root / "probes/3.npz") as stored:
        assert stored["feeds/input__0"].shape == (8, 3)


def test_samples_whose_unbatched_inputs_differ_are_not_stacked(take: Take, store: SampleStore) -> None:
    items = [{"x": drawn(1, 3, seed=seed), "scale": np.array(seed, "float32")} for seed in range(3)]
    samples = take(items, lambda x, scale: x * scale)
    assert samples.rows_independent is None
    assert "no two different ones of equal shape" in " ".join(samples.notes)


def test_a_probe_varies_one_axis_and_nothing_else(take: Take, store: SampleStore) -> None:
    items = [drawn(1, 6, 8), drawn(1, 4, 9), drawn(1, 6, 5)]
    samples = take(items, double)
    found = list(store.comparisons(samples.signature, ("axis",)))
    assert [(c.symbol, c.size, c.feeds["input__0"].shape) for c in found] == [
        ("input__0_dim1", 4, (1, 4, 8)),
        ("input__0_dim2", 5, (1, 4, 5)),
    ]
    assert np.array_equal(found[0].feeds["input__0"], items[0][:, :4])


def test_an_axis_that_two_inputs_share_is_cut_in_both(take: Take, store: SampleStore) -> None:
    samples = take(texts(), encoder)
    probe = by_label(store, samples)["axis ids_dim1 cut from 9 to 3"]
    assert probe.feeds["ids"].shape == probe.feeds["mask"].shape == (1, 3)


def test_a_smallest_size_that_the_source_refuses_is_replaced_by_one_half_way(take: Take, store: SampleStore) -> None:
    def picky(x: Array) -> Array:
        if x.shape[1:] == (2, 8):
            raise ValueError("never seen")
        return x

    samples = take([drawn(1, 6, 8), drawn(1, 2, 5)], picky, dynamic_axes={"input__0": {1: "height", 2: "width"}})
    assert "axis height cut from 6 to 4" in by_label(store, samples)


def test_a_probe_that_the_source_refuses_is_dropped_with_its_reason(take: Take, store: SampleStore) -> None:
    def square(x: Array, y: Array) -> Array:
        if x.shape[1] + y.shape[1] != 10:
            raise ValueError("sizes have to add up")
        total: Array = x.sum(axis=1) + y.sum(axis=1)
        return total

    samples = take([(drawn(1, 4), drawn(1, 6)), (drawn(1, 7), drawn(1, 3))], square)
    assert not list(store.comparisons(samples.signature, ("axis",)))
    assert any("input__0_dim1 was not tested alone" in note and "have to add up" in note for note in samples.notes)


def test_a_declared_axis_is_tested_although_the_data_do_not_vary_it(take: Take, store: SampleStore) -> None:
    samples = take([drawn(1, 8, seed=seed) for seed in (0, 1)], double, dynamic_axes={"input__0": {1: "length"}})
    assert outputs(samples) == {"output__0": ("batch", "length")}
    assert by_label(store, samples)["axis length cut from 8 to 4"].feeds["input__0"].shape == (1, 4)


def test_a_declared_axis_that_cannot_be_tested_is_told(take: Take) -> None:
    samples = take([drawn(1, 1)], double, dynamic_axes={"input__0": {1: "length"}})
    assert any("Axis length was not tested at another size" in note for note in samples.notes)


def test_an_output_axis_that_follows_no_input_has_a_symbol_of_its_own(take: Take) -> None:
    samples = take([drawn(1, 6), drawn(1, 9), drawn(1, 4)], lambda x: (x[:, ::2], x[:, 1::2], x[:, :2], x[:, ::2]))
    assert outputs(samples) == {
        "output__0": ("batch", "output__0_dim1"),
        "output__1": ("batch", "output__1_dim1"),
        "output__2": ("batch", 2),
        "output__3": ("batch", "output__0_dim1"),
    }
    assert "Axis 1 of output output__0 varies and follows no axis of an input." in samples.notes
    assert {axis.symbol for axis in samples.signature.axes} == {"batch", "input__0_dim1"}


def test_a_number_of_rows_that_happens_to_be_the_batch_is_no_batch_axis(take: Take) -> None:
    def detector(x: Array) -> Array:
        return x[x[..., 0] > 0.5]

    items = [np.array([[[1, 2], [0, 0]]]), np.array([[[1, 2], [1, 3]]]), np.array([[[0, 2], [0, 3]]])]
    samples = take(items, detector)
    assert outputs(samples) == {"output__0": ("output__0_dim0", 2)}


def test_outputs_without_a_batch_axis_are_kept_whole(take: Take, store: SampleStore) -> None:
    def model(x: Array) -> dict[str, Array]:
        return {"y": x, "loss": np.array(x.mean()), "w": np.ones(3)}

    samples = take([drawn(3, 4, seed=seed) for seed in (0, 1)], model)
    assert outputs(samples) == {"y": ("batch", 4), "loss": (), "w": (3,)}
    assert store.outputs(samples.signature, "correctness", 0)["w"].shape == (3,)
    assert any("Output loss has no batch axis" in note for note in samples.notes)


def test_a_batch_along_another_axis_of_an_output_is_seen(take: Take) -> None:
    samples = take([drawn(2, 4), drawn(2, 6)], lambda x: {"time_major": x.T, "similar": x @ x.T})
    assert outputs(samples) == {"time_major": ("input__0_dim1", "batch"), "similar": ("batch", "batch")}


def test_output_names_are_given_in_order(take: Take) -> None:
    samples = take([drawn(1, 4)], lambda x: {"a": x, "b": x + 1}, output_names=("first", "second"))
    assert samples.signature.output_names == ("first", "second")


def test_an_output_called_like_an_input_gets_a_name_of_its_own(take: Take) -> None:
    samples = take([{"x": drawn(1, 4)}], lambda x: {"x": x, "y": x + 1})
    assert samples.signature.output_names == ("x_out", "y")


def test_output_names_may_not_repeat_input_names(take: Take) -> None:
    with pytest.raises(InputError, match="share names: x"):
        take([{"x": drawn(1, 4)}], lambda x: x, output_names=("x",))


def test_too_few_output_names_list_both_sides(take: Take) -> None:
    with pytest.raises(InputError, match=r"1 output names \(one\) for the 2 tensors .*\(output__0, output__1\)"):
        take([drawn(1, 4)], lambda x: (x, x), output_names=("one",))


def test_fewer_output_names_choose_among_the_outputs(take: Take, store: SampleStore) -> None:
    samples = take(texts(), encoder, output_names=("pooled",))
    assert outputs(samples) == {"pooled": ("batch", 5)}
    assert all(list(one.expected) == ["pooled"] for one in store.comparisons(samples.signature))


def test_what_no_output_can_be_made_of_is_refused_or_left_out_by_name(take: Take) -> None:
    def remembering(x: Array) -> dict[str, Any]:
        return {"y": x, "memory": object()}

    with pytest.raises(SourceError, match="holds a object at 'memory'"):
        take([drawn(2, 3)], remembering)
    assert outputs(take([drawn(2, 3)], remembering, output_names=("y",))) == {"y": ("batch", 3)}


def test_dynamic_axes_may_name_outputs(take: Take) -> None:
    axes = {"input__0": {0: "batch", 1: "n"}, "output__0": {0: "batch", 1: "half"}}
    samples = take([drawn(1, 6), drawn(1, 9)], lambda x: x[:, ::2], dynamic_axes=axes)
    assert outputs(samples) == {"output__0": ("batch", "half")}


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        ({"input__0": [0, 1], "logits": {0: "batch"}}, r"speaks of 'logits', which is neither an input \(input__0\)"),
        ({"input__0": {1: "n"}, "output__0": {1: "n"}}, "calls axis 1 of output 'output__0' 'n', but it is 3 where"),
        ({"input__0": {1: "n"}, "output__0": {4: "n"}}, "names axis 4 of 'output__0'"),
    ],
)
def test_dynamic_axes_that_contradict_the_outputs_are_refused(take: Take, axes: Any, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        take([drawn(1, 6), drawn(1, 9)], lambda x: x[:, ::2], dynamic_axes=axes)


def test_a_source_that_does_not_take_the_sample_is_told_with_shapes_and_dtypes(take: Take) -> None:
    def failing(ids: Array) -> Array:
        raise ValueError("\nexpected 3 axes\nand more")

    with pytest.raises(SourceError, match=r"failed on conversion sample 0 \(item 0 of the dataloader\)") as caught:
        take([{"ids": np.zeros((1, 4), "int64")}], failing)
    assert "('ids': int64[1, 4]): ValueError: expected 3 axes" in str(caught.value)
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_loader_with_labels_is_told_so_in_one_sentence(take: Take) -> None:
    def model(image: Array) -> Array:
        return image

    with pytest.raises(SourceError) as caught:
        take([(drawn(2, 3), np.zeros(2, "int64"))], model)
    assert caught.value.what.startswith(
        "An item of the dataloader holds 2 values (input__0, input__1), and the model takes 1:"
    )
    assert "drops it" in caught.value.hint
    assert "batch_dim" not in caught.value.hint
    with pytest.raises(SourceError, match="holds 'label', which the model does not take"):
        take([{"image": drawn(2, 3), "label": np.zeros(2, "int64")}], model)


def test_a_loader_that_lacks_an_input_is_told_which(take: Take) -> None:
    def model(image: Array, mask: Array) -> Array:
        return image * mask

    with pytest.raises(SourceError, match=r"also needs 'mask', and an item of the dataloader holds input__0 only"):
        take([drawn(2, 3)], model)


def test_a_complaint_from_inside_the_model_is_not_taken_for_one_about_the_item(take: Take) -> None:
    def inner() -> None: ...

    def model(x: Array) -> Any:
        return inner(x, x, x)  # type: ignore[call-arg]

    with pytest.raises(SourceError, match="failed on conversion sample 0"):
        take([drawn(2, 3)], model)


def test_a_source_that_fails_on_everything_is_not_told_to_stop_batching(take: Take) -> None:
    def failing(x: Array) -> Array:
        raise ValueError("no")

    with pytest.raises(SourceError) as caught:
        take([drawn(4, 3)], failing)
    assert "batch_dim" not in caught.value.hint


@pytest.mark.parametrize("only", [1, 4])
def test_a_source_that_takes_one_batch_size_only_is_told_to_say_so(take: Take, only: int) -> None:
    def rigid(x: Array) -> Array:
        return x.reshape(only, 3)

    with pytest.raises(SourceError, match="pass batch_dim=None"):
        take([drawn(only, 3)], rigid)
    assert outputs(take([drawn(only, 3)], rigid, batch_dim=None)) == {"output__0": (only, 3)}


def test_a_source_whose_batch_stands_elsewhere_in_an_input_is_told_how_to_say_so(take: Take) -> None:
    def recurrent(x: Array, state: Array) -> Array:
        if x.shape[0] != state.shape[1]:
            raise ValueError(f"Expected a state of {x.shape[0]}")
        return x + state.sum(0)

    items = [{"x": drawn(batch, length), "state": drawn(2, batch, 1)} for batch, length in ((2, 5), (4, 6))]
    axes = {"x": {1: "x_dim1"}, "state": {1: "batch"}}
    with pytest.raises(SourceError) as caught:
        take(items, recurrent)
    assert caught.value.hint.endswith(f"say where: dynamic_axes={axes}.")
    assert outputs(take(items, recurrent, dynamic_axes=axes))


def test_a_squeeze_that_drops_the_batch_axis_of_one_sample_is_told(take: Take) -> None:
    with pytest.raises(SourceError, match=r"shape \[3\] for .* and \[2, 3\] for item 0 .*squeeze\(\)"):
        take([drawn(2, 3, 1)], lambda x: x.squeeze())


@pytest.mark.parametrize("result", [None, [], {}, "text", 3.0])
def test_a_source_that_returns_no_tensors_is_refused(take: Take, result: Any) -> None:
    with pytest.raises(SourceError, match="returns no tensors"):
        take([drawn(1, 3)], lambda x: result)


def test_a_source_that_returns_text_is_refused(take: Take) -> None:
    with pytest.raises(SourceError, match="'output__0' as an array of dtype <U3, which is not numeric"):
        take([drawn(1, 3)], lambda x: np.array(["cat"]))


def test_a_source_that_returns_other_outputs_from_call_to_call_is_refused(take: Take) -> None:
    def moody(x: Array) -> dict[str, Array]:
        return {"a": x} if x.shape[1] == 3 else {"b": x}

    with pytest.raises(SourceError, match=r"returns b \(float32\) for correctness .* returned a \(float32\) first"):
        take([drawn(1, 3), drawn(1, 5)], moody)


@pytest.mark.parametrize(("value", "sentence"), [(np.nan, "contains NaN"), (-np.inf, "is infinite throughout")])
def test_a_sample_with_nothing_to_compare_with_is_named(take: Take, value: float, sentence: str) -> None:
    def model(x: Array) -> Array:
        return np.where(x[:, :1] == 7, np.float32(value), x)

    items = [drawn(1, 3), drawn(1, 3, seed=1), np.full((1, 3), 7, "float32")]
    with pytest.raises(InputError, match=rf"Output 'output__0' .* {sentence} for correctness sample 2 \(item 2"):
        take(items, model)


def test_masked_logits_are_allowed_and_told(take: Take) -> None:
    def masked(x: Array) -> Array:
        x[:, 0] = -np.inf
        return x

    samples = take([drawn(2, 3)], masked)
    assert samples.noise == {"output__0": 0.0}
    assert samples.rows_independent is True
    assert any("holds infinite values" in note for note in samples.notes)


def test_a_model_that_changes_its_inputs_does_not_change_the_samples(take: Take, store: SampleStore) -> None:
    def in_place(x: Array) -> Array:
        x += 1
        return x

    item = drawn(2, 3)
    before = item.copy()
    samples = take([item], in_place)
    assert np.array_equal(item, before)
    for comparison in store.comparisons(samples.signature):
        assert np.array_equal(comparison.feeds["input__0"] + 1, comparison.expected["output__0"])


def test_a_model_that_hands_out_one_buffer_is_compared_with_itself_fairly(take: Take) -> None:
    buffer = np.zeros((4, 3), "float32")
    calls: list[int] = []

    def reusing(x: Array) -> Array:
        calls.append(1)
        buffer[: len(x)] = x + len(calls)
        return buffer[: len(x)]

    assert take([drawn(1, 3)], reusing).noise["output__0"] > 0


def test_a_source_that_does_not_repeat_itself_is_measured_and_told(take: Take) -> None:
    random = np.random.RandomState(0)
    samples = take([drawn(2, 100)], lambda x: x * (1 + 0.1 * random.standard_normal(x.shape).astype("float32")))
    assert 0.03 < samples.noise["output__0"] < 0.3
    assert any("does not repeat itself" in note for note in samples.notes)


def test_the_noise_is_that_of_the_sample_with_the_least_in_it(take: Take) -> None:
    """However late it comes: what is drawn beside it is as large as elsewhere, and larger by comparison."""
    random = np.random.RandomState(0)

    def dithered(x: Array) -> Array:
        return (x + 0.01 * random.standard_normal(x.shape)).astype("float32")

    samples = take([*(drawn(1, 400) for _ in range(5)), 0.1 * drawn(1, 400)], dithered)
    assert 0.07 < samples.noise["output__0"] < 0.3  # √2 · 0.01 beside values of 0.1


def test_what_is_expected_of_a_noisy_source_is_the_mean_of_several_runs(take: Take, store: SampleStore) -> None:
    random = np.random.RandomState(0)

    def dithered(x: Array) -> Array:
        return (x + 0.01 * random.standard_normal(x.shape)).astype("float32")

    samples = take([drawn(2, 4000)], dithered)
    assert samples.runs == 16
    once = by_label(store, samples)["item 0 of the dataloader, at its own batch of 2"]
    spread = np.std(once.expected["output__0"] - once.feeds["input__0"])
    assert 0.01 / 5 < spread < 0.01 / 3
    assert take([drawn(2, 4000)], double).runs == 1


def test_a_source_that_remembers_is_named_as_stateful(store: SampleStore) -> None:
    """Its state is reset whenever it is opened, so that one call each shows nothing."""
    fresh = source_of(double)

    def twice(signature: Signature, feeds: Any) -> Any:
        first = fresh(signature, feeds)
        return first, {name: array + 1 for name, array in first.items()}

    def taken(second: Any) -> Samples:
        request = SamplingSettings()
        return take_samples([drawn(2, 3)], request, to_array=to_array, source=fresh, store=store, twice=second)

    samples = taken(twice)
    assert samples.stateful
    assert any(note.startswith("The source model is stateful: the second answer") for note in samples.notes)
    repeating = taken(lambda signature, feeds: (fresh(signature, feeds), fresh(signature, feeds)))
    assert not repeating.stateful


def test_what_a_drawing_source_returns_from_a_seed_is_kept_beside_the_means(store: SampleStore) -> None:
    random = np.random.RandomState()

    def drawing(x: Array) -> Array:
        return (x + 0.1 * random.standard_normal(x.shape)).astype("float32")

    plain = source_of(drawing)

    def seeded(signature: Signature, feeds: Any) -> Any:
        random.seed(5)
        return plain(signature, feeds)

    def taken(source: Any) -> Samples:
        request, data = SamplingSettings(), [drawn(2, 4), drawn(2, 5)]
        return take_samples(data, request, to_array=to_array, source=source, store=store, seeded=seeded)

    samples = taken(plain)
    for comparison in store.comparisons(samples.signature):
        again = seeded(attrs.evolve(samples.signature, outputs=()), comparison.feeds)
        np.testing.assert_array_equal(comparison.seeded["output__0"], again["output__0"])
        assert not np.array_equal(comparison.seeded["output__0"], comparison.expected["output__0"])
    quiet = taken(source_of(double))
    assert not any(comparison.seeded for comparison in store.comparisons(quiet.signature))


def test_a_source_that_mixes_the_rows_of_a_batch_is_told(take: Take, store: SampleStore) -> None:
    samples = take([drawn(3, 5)], lambda x: x - x.mean(axis=0))
    assert samples.rows_independent is False
    assert any("does not treat the samples of a batch independently" in note for note in samples.notes)
    stack = by_label(store, samples)["a stack of 2 samples"]
    assert np.array_equal(stack.expected["output__0"], stack.feeds["input__0"] - stack.feeds["input__0"].mean(axis=0))


def test_an_output_of_another_shape_in_a_stack_is_called_that(take: Take) -> None:
    samples = take([drawn(3, 5)], lambda x: np.tile(x, (1, len(x))))
    assert any("comes out differently (output__0 has another shape)" in note for note in samples.notes)


def test_equal_samples_cannot_tell_whether_rows_are_independent(take: Take) -> None:
    samples = take([np.full((3, 5), 1.0) for _ in range(10)], double)
    assert samples.rows_independent is None


def test_taking_the_same_samples_again_gives_the_same_digest(take: Take, store: SampleStore) -> None:
    first = take(texts(), encoder)
    files = {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}
    assert take(texts(), encoder) == first
    assert {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()} == files
    assert store.digest(first.signature) == first.digest


def test_other_data_another_model_or_another_signature_give_another_digest(take: Take, store: SampleStore) -> None:
    first = take(texts(), encoder)
    changed = texts()
    changed[0]["ids"][0, 0] += 1
    digests = {
        first.digest,
        take(changed, encoder).digest,
        take(texts(), lambda ids, mask: encoder(ids + 1, mask)).digest,
        take(texts(), encoder, output_names=("a", "b")).digest,
    }
    assert len(digests) == 4
    again = take(texts(), encoder)
    renamed = attrs.evolve(again.signature, batch_symbol="n")
    assert store.digest(again.signature) == first.digest != store.digest(renamed)


def test_fewer_samples_leave_no_files_of_the_earlier_taking(take: Take, store: SampleStore) -> None:
    take(texts(), encoder)
    fewer = take([drawn(1, 3)], double)
    assert store.count("correctness") == store.count("conversion") == 1
    assert list(by_label(store, fewer)) == ["correctness sample 0", "conversion sample 0", "a stack of 2 samples"]
    assert sorted(path.name for path in (store.root / "probes").iterdir()) == ["0.npz", "index.json"]


class Changing:
    """A dataloader whose second pass gives other sizes."""

    def __init__(self) -> None:
        self.passes = 0

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[Array]:
        self.passes += 1
        return iter([drawn(1, 3), drawn(1, 3 + self.passes)])


class OneShot:
    """An iterator with a length: it is used up after one pass."""

    def __init__(self) -> None:
        self.items = iter([drawn(1, 3), drawn(1, 3)])

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[Array]:
        return self

    def __next__(self) -> Array:
        return next(self.items)


class Drying(Changing):
    """A dataloader whose second pass is empty."""

    def __iter__(self) -> Iterator[Array]:
        self.passes += 1
        return iter([drawn(1, 3)] * 2 if self.passes == 1 else [])


@pytest.mark.parametrize(
    ("dataloader", "sentence"),
    [
        (Changing(), r"Item 1 .* had 'input__0' of shape \[1, 4\] on the first pass and \[1, 5\] on the second"),
        (OneShot(), "ended after 0 of 2 items. It is gone through twice"),
        (Drying(), "ended after 0 of 2 items"),
    ],
)
def test_a_dataloader_that_changes_between_passes(take: Take, dataloader: Any, sentence: str) -> None:
    with pytest.raises(DataloaderError, match=sentence):
        take(dataloader, double)


class Rewinding(OneShot):
    """An iterator that starts again when it is asked for an iterator."""

    def __iter__(self) -> Iterator[Array]:
        self.items = iter([drawn(1, 3), drawn(1, 3)])
        return self


def test_an_iterator_that_starts_again_is_a_dataloader(take: Take) -> None:
    assert take(Rewinding(), double).counts["correctness"] == 2


def test_items_are_held_one_at_a_time(take: Take) -> None:
    alive: list[int] = []
    most: list[int] = []

    class Counted:
        def __init__(self, seed: int) -> None:
            self.array = drawn(1, 3, seed=seed)
            alive.append(1)

        def __del__(self) -> None:
            alive.pop()

    class Many:
        def __len__(self) -> int:
            return 30

        def __iter__(self) -> Iterator[list[Array]]:
            for seed in range(30):
                item = Counted(seed)
                most.append(len(alive))
                yield [item.array]

    take(Many(), double, sample_count=30)
    assert max(most) <= 2
