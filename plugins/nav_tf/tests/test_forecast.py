"""What will not fit is known before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from nav_tf.forecast import (
    LARGE,
    LIMIT,
    expected_peak,
    refuse_too_large,
    weight_bytes,
)
from navcore import ConversionError, Unavailable


def test_weights_are_the_variables_and_the_constants_of_the_graph(tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"x" * 10)
    (tmp_path / "variables" / "variables.index").write_bytes(b"x" * 5)
    (tmp_path / "variables" / "variables.data-00000-of-00001").write_bytes(b"x" * 300)
    assert weight_bytes(tmp_path) == 310


def test_a_large_model_takes_less_per_byte_than_a_small_one() -> None:
    assert expected_peak(LARGE) < expected_peak(LARGE - 1)
    assert 2e9 < expected_peak(250_000_000) < 3e9


def test_what_fits_passes() -> None:
    refuse_too_large(250_000_000, available=4_000_000_000)


@pytest.mark.parametrize(("weights", "available"), [(250_000_000, 2_000_000_000), (10, 500_000_000)])
def test_too_little_memory_is_unavailable_because_it_may_be_there_later(weights: int, available: int) -> None:
    with pytest.raises(Unavailable, match=r"takes about \d+\.\d GB of memory, and \d\.\d GB are free"):
        refuse_too_large(weights, available)


def test_beyond_two_gigabytes_is_refused_whatever_there_is() -> None:
    with pytest.raises(ConversionError, match=r"has 2\.0 GB of weights"):
        refuse_too_large(LIMIT + 10**8, available=10**12)
