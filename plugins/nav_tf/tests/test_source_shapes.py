"""What a SavedModel says of its own axes, where it is the source of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import navcore as nav


class Fixed(tf.Module):  # type: ignore[misc]
    @tf.function(input_signature=[tf.TensorSpec([2, 3], tf.float32, name="x")])
    def double(self, x: Any) -> dict[str, Any]:
        return {"y": x * 2}


def test_a_batch_that_the_signature_fixes_is_read_from_it(tmp_path: Path) -> None:
    model = Fixed()
    tf.saved_model.save(model, str(tmp_path / "mine"), signatures={"serving_default": model.double})
    data = [{"x": np.full((2, 3), number, np.float32)} for number in (1, 2)]
    package = nav.run(
        tmp_path / "mine", data, targets="tf-savedmodel", workdir=tmp_path, run_profiling=False, git_info=False
    )
    assert str(package.results[0].status) == "ok"
    samples = package.record.samples
    assert samples is not None
    assert samples.signature.batch_dim is None
    assert samples.notes[0].endswith("Its file gives 'x' the shape (2, 3).")
