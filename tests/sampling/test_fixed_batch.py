"""A file that fixes the batch says so itself: it is read, told, and what does not fit it is refused in one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from navcore.errors import DataloaderError, OptionError

Array = np.ndarray[Any, Any]


def items(batch: int, count: int = 3) -> list[Array]:
    generator = np.random.default_rng(batch)
    return [generator.normal(size=(batch, 3)).astype(np.float32) for _ in range(count)]


def never_another(batch: int) -> Any:
    """A model that fails the test when it is called with any other batch: nothing is to be found by trying."""

    def model(x: Array) -> Array:
        assert x.shape == (batch, 3)
        return x * 2

    return model


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("sizes", [None, "its own"])
def test_the_batch_of_the_file_is_read_and_told(take: Any, batch: int, sizes: str | None) -> None:
    samples = take(
        items(batch),
        never_another(batch),
        stored=True,
        stored_shapes={"input__0": (batch, None)},
        batch_sizes=(batch,) if sizes else None,
    )
    assert samples.signature.batch_dim is None
    assert samples.signature.inputs[0].shape == (batch, 3)
    assert samples.notes[0] == (
        f"The source model takes a batch of {batch} and no other, and is taken as one that does not batch "
        f"(batch_dim=None). Its file gives 'input__0' the shape ({batch}, ?)."
    )


def test_a_file_whose_batch_moves_batches(take: Any) -> None:
    samples = take(items(2), lambda x: x * 2, stored=True, stored_shapes={"input__0": (None, 3)})
    assert samples.signature.batch_dim == 0
    assert not any("no other" in note for note in samples.notes)


def test_an_input_is_found_by_its_place_where_the_file_knows_none_of_the_names(take: Any) -> None:
    asked = {"stored": True, "input_names": ("mine",), "stored_shapes": {"x": (1, 3)}}
    assert take(items(1), never_another(1), **asked).signature.batch_dim is None


def test_items_of_another_batch_are_refused_with_the_first_of_them(take: Any) -> None:
    mixed = [*items(1, 1), *items(2, 1)]
    with pytest.raises(DataloaderError) as caught:
        take(mixed, never_another(1), stored=True, stored_shapes={"input__0": (1, 3)})
    assert str(caught.value) == (
        "The model takes a batch of 1 and no other (its file gives 'input__0' the shape (1, 3)), and item 1 of the "
        "dataloader has a batch of 2. Yield items with a batch of 1, or export the model again with a batch that may "
        "move."
    )


@pytest.mark.parametrize("shapes", [{"input__0": (1, 3)}, {}])
def test_batch_sizes_that_do_not_fit_are_refused_whether_the_file_tells_or_not(take: Any, shapes: Any) -> None:
    def rigid(x: Array) -> Array:
        return x.reshape(1, 3)

    with pytest.raises(OptionError) as caught:
        take(items(1), rigid, stored=True, stored_shapes=shapes, batch_sizes=(1, 4))
    assert str(caught.value).startswith("batch_sizes is [1, 4], and the model takes a batch of 1 and no other. ")
    assert caught.value.hint == (
        "Give batch_sizes=[1], or leave it out; batch_dim=None says that the model does not batch."
    )
