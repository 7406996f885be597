"""The workspace's samples: files as the reference page lays them out, batches as the model takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from navcore.contract.signature import dtype_named
from navcore.errors import WorkspaceError
from navcore.sampling.sample_store import SampleStore, StoredInputs
from navcore.sampling.settings import SamplingSettings
from navcore.sampling.take import take_samples

from .conftest import Take, source_of, to_array

Array = np.ndarray[Any, Any]


def numbered(*shape: int, start: float = 0) -> Array:
    return (np.arange(np.prod(shape)).reshape(shape) + start).astype("float32")


def double(x: Array) -> Array:
    return 2 * x


def test_files_lie_where_the_reference_page_says_without_the_batch_axis(take: Take, store: SampleStore) -> None:
    take([numbered(4, 3), numbered(4, 3, start=100)], double)
    found = {str(path.relative_to(store.root)) for path in store.root.glob("model_*/**/*.npz")}
    kinds = ("conversion/0", "correctness/0", "correctness/1", "profiling/0")
    assert found == {f"{side}/{kind}.npz" for side in ("model_input", "model_output") for kind in kinds}
    with np.load(store.root / "model_input/correctness/1.npz") as inputs:
        assert inputs["input__0"].tolist() == [100, 101, 102]
    with np.load(store.root / "model_output/correctness/1.npz") as outputs:
        assert outputs["output__0"].tolist() == [200, 202, 204]


def test_more_than_ten_samples_come_in_numeric_order(take: Take, store: SampleStore) -> None:
    samples = take([numbered(1, 1, start=item) for item in range(12)], double)
    found = [c.feeds["input__0"].item() for c in store.comparisons(samples.signature, ("correctness",))]
    assert found == list(range(12))
    assert [c.expected["output__0"].item() for c in store.comparisons(samples.signature, ("correctness",))] == [
        2 * item for item in range(12)
    ]


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["bool", "int64", "uint8", "float16", "float32", "bfloat16", "float8_e4m3fn"]),
    st.lists(st.integers(0, 3), min_size=0, max_size=2),
    st.sampled_from([0, -1, None]),
    st.integers(1, 3),
)
def test_samples_of_any_dtype_and_shape_come_back(
    tmp_path_factory: pytest.TempPathFactory, dtype: str, shape: list[int], batch_dim: int | None, batch: int
) -> None:
    store = SampleStore(tmp_path_factory.mktemp("store"))
    whole = {0: (batch, *shape), -1: (*shape, batch), None: tuple(shape)}[batch_dim]
    items = [np.full(whole, value).astype(dtype_named(dtype)) for value in (0, 1)]
    request = SamplingSettings(batch_dim=batch_dim)
    identity = source_of(lambda x: (x, np.ones(())))
    samples = take_samples(items, request, to_array=to_array, source=identity, store=store)
    for number, comparison in enumerate(store.comparisons(samples.signature, ("correctness",))):
        x, out = comparison.feeds["input__0"], comparison.expected["output__0"]
        kept = items[number] if batch_dim is None else np.take(items[number], [0], axis=batch_dim)
        assert (x.dtype, x.shape, x.tobytes()) == (kept.dtype, kept.shape, kept.tobytes())
        assert (out.dtype, out.shape, out.tobytes()) == (kept.dtype, kept.shape, kept.tobytes())
        assert comparison.expected["output__1"].shape == ()


def test_profiling_feeds_repeat_one_sample(take: Take, store: SampleStore) -> None:
    signature = take([{"x": numbered(2, 3), "table": numbered(5, 2)}], lambda x, table: x + table.sum()).signature
    feeds = store.profiling_feeds(signature, 4)
    assert feeds["x"].tolist() == [[0, 1, 2]] * 4
    assert feeds["x"].flags.c_contiguous
    assert feeds["table"].shape == (5, 2)


def test_a_model_that_does_not_batch_is_profiled_on_its_sample(take: Take, store: SampleStore) -> None:
    signature = take([numbered(2, 3)], double, batch_dim=None).signature
    assert store.profiling_feeds(signature, 8)["input__0"].shape == (2, 3)
    assert store.example(signature)["input__0"].shape == (2, 3)


def test_the_example_is_a_batch_of_two_different_samples(take: Take, store: SampleStore) -> None:
    signature = take([numbered(1, 3), numbered(1, 3, start=9)], double).signature
    assert store.example(signature)["input__0"].tolist() == [[0, 1, 2], [9, 10, 11]]


def test_the_example_repeats_a_sample_that_is_alone(take: Take, store: SampleStore) -> None:
    signature = take([numbered(1, 3)], double).signature
    assert store.example(signature)["input__0"].tolist() == [[0, 1, 2]] * 2


@pytest.mark.parametrize(
    ("sizes", "example"),
    [
        ([(3, 4), (9, 7), (5, 5)], (2, 9, 7)),  # the largest conversion sample
        ([(1, 9), (4, 4), (5, 3), (2, 9), (1, 1)], (2, 5, 3)),  # the others have axes of size 1, or alike
        ([(2, 5), (2, 1)], (3, 2, 5)),  # a batch of 2 would look like the first axis
        ([(1, 1), (1, 4)], (2, 1, 4)),  # nothing better in the data
    ],
)
def test_the_axes_of_the_example_cannot_be_mistaken_for_each_other(
    take: Take, store: SampleStore, sizes: list[tuple[int, int]], example: tuple[int, ...]
) -> None:
    signature = take([numbered(3, *size) for size in sizes], double, dynamic_axes={"input__0": [1, 2]}).signature
    assert store.example(signature)["input__0"].shape == example


def test_conversion_feeds_have_a_batch_of_one(take: Take, store: SampleStore) -> None:
    signature = take([numbered(3, 5), numbered(3, 2), numbered(3, 4)], double).signature
    assert [feeds["input__0"].shape for feeds in store.conversion_feeds(signature)] == [(1, 5), (1, 2)]


def test_a_store_exists_once_every_kind_has_its_outputs(take: Take, store: SampleStore) -> None:
    assert not store.exists()
    signature = take([numbered(1, 3), numbered(1, 3)], double).signature
    assert store.exists()
    (store.root / "model_output/correctness/0.npz").unlink()
    assert not store.exists()
    with pytest.raises(WorkspaceError, match=r"correctness samples are incomplete: inputs \[0, 1\], outputs \[1\]"):
        next(store.comparisons(signature))


def test_a_taking_that_was_cut_short_does_not_count(take: Take, store: SampleStore) -> None:
    take([numbered(1, 3)], double)
    store.begin()
    assert not store.exists()
    take([numbered(1, 3)], double)
    assert store.exists()


def test_another_model_s_samples_are_refused(take: Take, store: SampleStore) -> None:
    other = take([numbered(1, 3)], double).signature
    take([{"x": numbered(1, 3)}], double)
    with pytest.raises(WorkspaceError, match="holds x and not input__0"):
        store.inputs(other, "correctness", 0)


def test_the_old_name_of_the_profiling_samples_is_read(take: Take, store: SampleStore) -> None:
    signature = take([numbered(1, 3)], double).signature
    for side in ("model_input", "model_output"):
        (store.root / side / "profiling").rename(store.root / side / "performance")
    assert store.exists()
    assert store.profiling_feeds(signature, 2)["input__0"].shape == (2, 3)


def test_samples_without_probes_can_be_compared(take: Take, store: SampleStore) -> None:
    signature = take([numbered(1, 3)], double).signature
    for path in sorted((store.root / "probes").iterdir()):
        path.unlink()
    assert [c.label for c in store.comparisons(signature)] == ["correctness sample 0", "conversion sample 0"]


def test_a_torn_list_of_probes_is_an_error_of_the_workspace(take: Take, store: SampleStore) -> None:
    signature = take([numbered(1, 3)], double).signature
    Path(store.root, "probes/index.json").write_text("[{", encoding="utf-8")
    with pytest.raises(WorkspaceError, match="Take samples again"):
        list(store.comparisons(signature))


def test_the_inputs_that_a_converter_gets_are_read_anew_whenever_it_goes_over_them(
    take: Take, store: SampleStore
) -> None:
    samples = take([numbered(2, 1, start=item) for item in (0, 10, 20)], double)
    inputs = StoredInputs(store, samples.signature)
    rounds = [[feeds["input__0"] for feeds in inputs] for _ in range(2)]
    kinds = ("correctness", "conversion")
    stored = [one.feeds["input__0"].item() for one in store.comparisons(samples.signature, kinds)]
    assert [array.item() for array in rounds[0]] == [array.item() for array in rounds[1]] == stored
    assert {array.shape for array in rounds[0]} == {(1, 1)}
