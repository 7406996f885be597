"""SavedModels as OpenVINO IR: the names that the tensors have elsewhere, and the axes that move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import navcore as nav

from .openvino_models import rows

tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed: pip install 'nav-tf[cpu]'")
keras = pytest.importorskip("keras", reason="Keras is not installed: pip install 'nav-tf[cpu]'")
pytestmark = pytest.mark.slow  # TensorFlow is imported once more for every row
DIRECTLY = "openvino:openvino_from_tf_savedmodel"
Items = Sequence[Mapping[str, np.ndarray]]


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


class OddNames(tf.Module):  # type: ignore[misc]
    """Names that no signature takes as they are, an input without use, and a tensor that is returned twice."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = tf.Variable(drawn(4, 3))

    @tf.function(
        input_signature=[
            {
                "im/x": tf.TensorSpec([None, None, 4], tf.float32),
                "class": tf.TensorSpec([None, 4], tf.float32),
                "plain": tf.TensorSpec([None, 3], tf.float32),
            }
        ]
    )
    def __call__(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        product = tf.matmul(given["im/x"], self.weights)
        return {"z/sum": product, "again": product, "a": given["plain"] * 2}


ODD = [{"im/x": drawn(2, size, 4), "class": drawn(2, 4), "plain": drawn(2, 3)} for size in (3, 5, 6)]


def picture_model() -> Any:
    """Two inputs and two outputs, the first of them pictures of shape ``(batch, 16, 16, 3)``."""
    keras.utils.set_random_seed(0)
    picture, about = keras.Input((16, 16, 3), name="picture"), keras.Input((4,), name="about")
    x = keras.layers.Conv2D(8, 3, activation="relu")(picture)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Concatenate()([x, about])
    return keras.Model([picture, about], {"logits": keras.layers.Dense(5)(x), "age": keras.layers.Dense(1)(x)})


PICTURES = [{"picture": drawn(2, 16, 16, 3), "about": drawn(2, 4) * number} for number in (1, 2, 3)]


def exported(model: Any, data: Items, folder: Path) -> nav.PackageDescriptor:
    return nav.run(model, data, targets=["openvino"], workdir=folder, run_profiling=False, git_info=False)


@pytest.mark.parametrize(("model", "data"), [(OddNames, ODD), (picture_model, PICTURES)])
def test_inputs_and_outputs_keep_their_names_and_every_axis_that_moves(model: Any, data: Items, tmp_path: Path) -> None:
    package = exported(model(), data, tmp_path)
    (row,) = (row for row in package.results if row.format.name == "openvino")
    assert (row.route, row.status) == (DIRECTLY, "ok")
    stored = package.get_model("openvino")
    sizes = {name: port.partial_shape for port in stored.inputs for name in port.get_names()}
    assert set(sizes) == set(data[0])
    for name, array in data[0].items():
        moving = [len({item[name].shape[axis] for item in data}) > 1 or axis == 0 for axis in range(array.ndim)]
        assert [not size.is_static for size in sizes[name]] == moving
    with package.open_runner("openvino", runtime="openvino-cpu") as runner:
        assert runner(data[0]).keys() == model()(data[0]).keys()


def test_a_savedmodel_on_disk_is_a_source_too(tmp_path: Path) -> None:
    folder = tmp_path / "mine.savedmodel"
    picture_model().export(str(folder), verbose=False)
    package = exported(folder, PICTURES, tmp_path / "work")
    assert rows(package)["openvino-cpu"].status == "ok"


def test_a_signature_that_openvino_does_not_read_is_refused_by_name(tmp_path: Path) -> None:
    """OpenVINO reads the default signature of a folder, and no other."""

    class Two(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
        def first(self, x: Any) -> Mapping[str, Any]:
            return {"y": x + 1}

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="other")])
        def second(self, other: Any) -> Mapping[str, Any]:
            return {"z": other * 2}

    model, folder = Two(), tmp_path / "two.savedmodel"
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.first, "second": model.second})
    package = nav.run(
        folder,
        [{"other": drawn(2, 3)}, {"other": drawn(2, 3) + 1}],
        targets=["openvino"],
        options={
            "tf-savedmodel/TensorFlowExecutionProvider": {"signature": "second"},
            "onnx": {"signature": "second"},
        },
        workdir=tmp_path / "work",
        run_profiling=False,
        git_info=False,
    )
    (row,) = (row for row in package.results if row.format.name == "openvino")
    direct = next(one for one in row.attempts if one.route == DIRECTLY)
    assert direct.outcome.failure is not None
    assert "The SavedModel's inputs are x, and the recorded ones are other" in direct.outcome.failure.cause
    assert (row.status, row.route) == ("ok", "openvino:openvino_from_onnx"), "the way over ONNX reads any signature"
