"""A stored model stands where its TensorFlow source stood: same call, same result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import navcore as nav
from nav_tf import as_callable
from nav_tf.live import from_array, parts, to_array

ASKED: dict[str, Any] = {"run_profiling": False, "git_info": False}


class Scorer(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.layer = keras.layers.Dense(3)

    def call(self, x: Any, weight: Any, training: bool = False) -> dict[str, Any]:
        y = self.layer(x) * weight[:, None]
        return {"score": tf.reduce_sum(y, -1), "parts": (y, tf.argmax(y, -1))}


def batches(number: int = 4) -> list[dict[str, tf.Tensor]]:
    seeds = [np.random.default_rng(one) for one in range(number)]
    return [
        {"x": tf.constant(one.standard_normal((3, 4)).astype(np.float32)), "weight": tf.ones((3,))} for one in seeds
    ]


@pytest.fixture(scope="module")
def model() -> Scorer:
    keras.utils.set_random_seed(0)
    model = Scorer()
    model(**batches(1)[0])
    return model


@pytest.fixture(scope="module")
def package(model: Scorer, tmp_path_factory: pytest.TempPathFactory) -> nav.PackageDescriptor:
    settings = {**ASKED, "targets": ["tf-savedmodel", "onnx"]}
    return nav.run(model, batches(), workdir=tmp_path_factory.mktemp("work"), **settings)


@pytest.mark.parametrize("name", ["onnx", "tf-savedmodel"])
def test_an_application_swaps_one_line(model: Scorer, package: nav.PackageDescriptor, name: str) -> None:
    one = batches()[1]
    expected = model(**one)
    with as_callable(package, name, ignored=["training"]) as swapped:
        for found in (
            swapped(**one),
            swapped(one["x"], one["weight"]),
            swapped(one["x"], weight=one["weight"], training=True),
        ):
            tf.nest.assert_same_structure(found, expected)
            assert isinstance(found["parts"][0], tf.Tensor)
            tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected)
        with pytest.raises(TypeError, match="argument 'weight' is missing"):
            swapped(one["x"])
    with pytest.raises(RuntimeError, match="was released"):
        swapped(**one)


def test_the_samples_come_out_within_the_row_s_bound(package: nav.PackageDescriptor) -> None:
    signature = package.record.samples.signature
    with as_callable(package, "onnx") as swapped:

        def runner(feeds: Any) -> Any:
            args, kwargs = signature.bind(feeds, lambda array: from_array(array, None))
            return signature.name_outputs(swapped(*args, **kwargs), to_array, parts)

        verdict = nav.verify(runner, package.comparisons(), signature=signature)
    assert (verdict.status, verdict.failure) == (nav.Status.OK, None)


def test_another_floating_point_type_is_kept(package: nav.PackageDescriptor) -> None:
    one = batches()[0]
    with as_callable(package, "onnx") as swapped:
        half = swapped(tf.cast(one["x"], tf.float16), one["weight"])
        assert half["score"].dtype == tf.float16
        assert half["parts"][1].dtype == tf.int64
        with pytest.raises(TypeError, match="x is int32, and the model takes float32"):
            swapped(tf.cast(one["x"], tf.int32), one["weight"])
        tf.nest.map_structure(
            np.testing.assert_array_equal, swapped(**one), swapped(one["x"].numpy(), one["weight"].numpy())
        )


def test_a_package_that_was_loaded_has_no_source(model: Scorer, package: nav.PackageDescriptor, tmp_path: Path) -> None:
    package.save(tmp_path / "x.nav")
    loaded = nav.load(tmp_path / "x.nav", workdir=tmp_path / "w", run_profiling=False)
    one = batches()[2]
    with as_callable(loaded, "onnx") as swapped:
        found = swapped(**one)
        assert set(found) == set(loaded.record.samples.signature.output_names)
    with as_callable(loaded, "onnx", like=model, result=lambda **outputs: sorted(outputs)) as swapped:
        assert swapped(one["x"], one["weight"]) == sorted(found)


@pytest.mark.parametrize("form", ["mapping", "list"])
def test_a_functional_model_takes_all_its_inputs_in_one(form: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    x, weight = keras.Input((4,), name="x"), keras.Input((1,), name="weight")
    inputs = {"x": x, "weight": weight} if form == "mapping" else [x, weight]
    model = keras.Model(inputs, {"score": keras.layers.Dense(3)(x) * weight})
    items = [{"x": one["x"], "weight": one["weight"][:, None]} for one in batches()]
    package = nav.run(model, items, targets=["tf-savedmodel"], workdir=tmp_path, **ASKED)
    given = items[1] if form == "mapping" else [items[1]["x"], items[1]["weight"]]
    expected = model(given)
    with as_callable(package, "tf-savedmodel") as swapped:
        for found in (swapped(given), swapped(**items[1])):
            tf.nest.assert_same_structure(found, expected)
            np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-5, atol=1e-6)
        with pytest.raises(TypeError, match="argument 'weight' is missing"):
            swapped({"x": items[1]["x"]})
