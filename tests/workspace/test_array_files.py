"""Arrays become the bytes of an npz file, whatever they are called, and whenever."""

from __future__ import annotations

import io

import numpy as np

from navcore.workspace.array_files import packed_arrays

ARRAYS = {"file": np.arange(3), "allow_pickle": np.array(["a", "b"]), "1/latencies": np.zeros((0,), np.float32)}


def test_every_name_is_one_array() -> None:
    with np.load(io.BytesIO(packed_arrays(ARRAYS))) as found:
        assert set(found) == set(ARRAYS)
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype


def test_the_same_arrays_are_the_same_bytes() -> None:
    assert packed_arrays(ARRAYS) == packed_arrays(dict(ARRAYS))
