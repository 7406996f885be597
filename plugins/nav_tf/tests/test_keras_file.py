"""Keras's own files are sources: run, made a SavedModel, and never a way for a file to run code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import navcore as nav

keras = pytest.importorskip("keras")

DATA = [np.random.default_rng(number).normal(size=(2, 4)).astype(np.float32) for number in range(3)]


def small() -> object:
    taken = keras.Input((4,), name="x")
    return keras.Model(taken, keras.layers.Dense(3, activation="relu")(taken))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, while it saves
@pytest.mark.parametrize("name", ["m.keras", pytest.param("m.h5", marks=pytest.mark.nightly)])
def test_a_file_of_keras_reaches_what_the_live_model_reaches(name: str, tmp_path: Path) -> None:
    small().save(tmp_path / name)  # type: ignore[attr-defined]
    package = nav.run(
        tmp_path / name, DATA, targets=["tf-savedmodel"], workdir=tmp_path, run_profiling=False, git_info=False
    )
    assert [(row.format.name, str(row.status)) for row in package.results] == [
        (nav.load_registry().format("tensorflow-keras" if name == "m.keras" else "tensorflow-keras-h5").name, "ok"),
        ("tf-savedmodel", "ok"),
    ]


@pytest.mark.parametrize("name", ["l.keras", "l.h5"])
def test_a_file_that_holds_code_is_refused(name: str, tmp_path: Path) -> None:
    taken = keras.Input((4,))
    keras.Model(taken, keras.layers.Lambda(lambda x: x * 2)(taken)).save(tmp_path / name)
    with pytest.raises(nav.StepError, match=r"holds a Lambda layer, and loading that executes code.*hand over"):
        nav.run(tmp_path / name, DATA, workdir=tmp_path, run_profiling=False, git_info=False)
