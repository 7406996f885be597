"""A batch that this machine could not hold is refused before anything is measured with it."""

from __future__ import annotations

import pytest

from navcore.contract.profiler_config import ProfilerConfig
from navcore.contract.signature import Axis, Signature, TensorSpec
from navcore.errors import OptionError
from navcore.execution.batch_memory import batch_bytes, refuse_batch_beyond_memory

IMAGES = Signature(
    (TensorSpec("image", "float32", ("batch", 3, "side", 100)), TensorSpec("scale", "float16", ("batch",))),
    axes=(Axis("batch", 1, 2, 8), Axis("side", 50, 100, 10**18)),
)


def test_the_bytes_of_a_batch_are_those_of_its_inputs_at_typical_sizes() -> None:
    assert batch_bytes(IMAGES, 1) == 3 * 100 * 100 * 4 + 2
    assert batch_bytes(IMAGES, 7) == 7 * batch_bytes(IMAGES, 1)


def test_a_batch_beyond_the_memory_is_refused_with_what_would_fit() -> None:
    config = ProfilerConfig(batch_sizes=(1, 1_000_000))
    with pytest.raises(OptionError, match=r"batch_sizes has 1000000, .* take 112 GiB; 16 GiB are free here"):
        refuse_batch_beyond_memory(config, IMAGES, 16 << 30)


def test_a_batch_that_fits_is_left_alone_and_so_is_a_machine_that_does_not_tell() -> None:
    refuse_batch_beyond_memory(ProfilerConfig(batch_sizes=(64,)), IMAGES, 16 << 30)
    refuse_batch_beyond_memory(ProfilerConfig(), IMAGES, 16 << 30)
    refuse_batch_beyond_memory(ProfilerConfig(batch_sizes=(1_000_000,)), IMAGES, None)
