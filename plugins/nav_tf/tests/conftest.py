"""Jobs as the core would build them, and the same feeds for a model and for what it became."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # these tests are about the CPU

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnxruntime
import pytest

from nav_tf import TENSORFLOW, TF_SAVEDMODEL, onnx_from_tf_savedmodel, run_savedmodel, tf_savedmodel_from_tensorflow
from nav_tf.calls import call_model
from nav_tf.live import from_array, is_tensor, to_array
from nav_tf.opset import OnnxOptions
from nav_tf.serving import ServingOptions
from navcore import Artifact, Axis, ConvertJob, ExportJob, Format, Made, Runner, RunnerJob, Signature, TensorSpec
from navcore.contract import flatten_call, flatten_result

Arrays = Mapping[str, np.ndarray]


@attrs.frozen(eq=False)
class Case:
    """A model, its signature and an example; sizes of the example tell which output axes follow which symbol."""

    model: Any
    signature: Signature
    example: Arrays

    def feeds(self, seed: int = 0, **sizes: int) -> dict[str, np.ndarray]:
        """Random inputs; every axis that is not named has its typical size."""
        random = np.random.default_rng(seed)
        full = {axis.symbol: axis.typical for axis in self.signature.axes} | sizes
        found = {}
        for spec in self.signature.inputs:
            shape = tuple(full[size] if isinstance(size, str) else size for size in spec.shape)
            whole = spec.dtype.startswith("int")
            found[spec.name] = (
                random.integers(0, 10, shape).astype(spec.dtype)
                if whole
                else random.standard_normal(shape).astype(spec.dtype)
            )
        return found

    def eager(self, feeds: Arrays) -> dict[str, np.ndarray]:
        args, kwargs = self.signature.bind(feeds, from_array)
        return self.signature.name_outputs(call_model(self.model, args, kwargs), to_array)


@pytest.fixture
def case() -> Callable[..., Case]:
    """``case(model, item, axes={"x": {0: "batch"}}, names={"x": "image"}, outputs=("label",))``."""

    def build(
        model: Any,
        item: Any,
        axes: Mapping[str, Mapping[int, str]] = {},
        names: Mapping[str, str] = {},
        outputs: Sequence[str] = (),
    ) -> Case:
        from navcore.contract import rename_tensors

        def counts(value: object) -> bool:
            return is_tensor(value) or isinstance(value, np.ndarray)

        call, leaves = flatten_call(item, counts)
        example = {names.get(name, name): np.asarray(tensor) for name, tensor in leaves}
        call = rename_tensors(call, names)
        symbols = {example[name].shape[index]: symbol for name in axes for index, symbol in axes[name].items()}
        inputs = tuple(
            TensorSpec(name, str(array.dtype), tuple(axes.get(name, {}).get(i, n) for i, n in enumerate(array.shape)))
            for name, array in example.items()
        )
        moving = tuple(Axis(symbol, 1, size, 4 * size) for size, symbol in symbols.items())
        bare = Signature(inputs, axes=moving, call=call)
        args, kwargs = bare.bind(example, from_array)
        found = flatten_result(call_model(model, args, kwargs), is_tensor)
        told = outputs or [name for name, _ in found]
        specs = tuple(
            TensorSpec(name, leaf.dtype.name, tuple(symbols.get(int(size), int(size)) for size in leaf.shape))
            for name, (_, leaf) in zip(told, found, strict=True)
        )
        return Case(model, attrs.evolve(bare, outputs=specs), example)

    return build


@attrs.frozen
class Result:
    """What a route made, and how to call it."""

    made: Made
    path: Path
    target: Format
    signature: Signature
    example: Arrays


@pytest.fixture
def export(tmp_path: Path) -> Callable[[Case], Result]:
    """Save a case as a SavedModel, as the core would."""

    def go(subject: Case) -> Result:
        folder = tmp_path / f"export{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        job = ExportJob(
            source=Artifact(TENSORFLOW, subject.signature, model=subject.model, calling="structure"),
            target=TF_SAVEDMODEL,
            output=folder / TF_SAVEDMODEL.filename,
            signature=subject.signature,
            example=subject.example,
            options=None,
        )
        made = tf_savedmodel_from_tensorflow(job)
        assert made is not None
        return Result(made, job.output, TF_SAVEDMODEL, made.signature or subject.signature, subject.example)

    return go


@pytest.fixture
def convert(tmp_path: Path) -> Callable[..., Result]:
    """Convert a SavedModel to ONNX, as the core would, but in this process."""

    def go(saved: Result, **options: Any) -> Result:
        folder = tmp_path / f"convert{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        job = ConvertJob(
            source=Artifact(TF_SAVEDMODEL, saved.signature, saved.path),
            target=Format.ONNX,
            output=folder / "model.onnx",
            signature=saved.signature,
            example=saved.example,
            options=OnnxOptions(**options),
        )
        made = onnx_from_tf_savedmodel(job)
        assert made is not None
        return Result(made, job.output, Format.ONNX, made.signature or saved.signature, saved.example)

    return go


@pytest.fixture
def open_saved() -> Callable[[Result], Runner]:
    """The plugin's runner of a SavedModel."""

    def go(saved: Result, **job: Any) -> Runner:
        artifact = Artifact(TF_SAVEDMODEL, saved.signature, saved.path)
        opened = run_savedmodel(RunnerJob(artifact, "TensorFlowExecutionProvider", ServingOptions(), **job))
        assert isinstance(opened, Runner)
        return opened

    return go


@pytest.fixture
def open_onnx() -> Callable[[Result], Callable[[Arrays], dict[str, np.ndarray]]]:
    """The file in ONNX Runtime, without any code of the plugin."""

    def go(made: Result) -> Callable[[Arrays], dict[str, np.ndarray]]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(made.path), options, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_outputs()]

        def call(feeds: Arrays) -> dict[str, np.ndarray]:
            kept = {value.name: feeds[value.name] for value in session.get_inputs()}
            return dict(zip(names, session.run(names, kept), strict=True))

        return call

    return go


def relative_l2(expected: np.ndarray, found: np.ndarray) -> float:
    """‖expected − found‖ / ‖expected‖ in double precision."""
    wide = expected.astype(np.float64)
    return float(np.linalg.norm(wide - found.astype(np.float64))) / max(float(np.linalg.norm(wide)), 1e-30)


@pytest.fixture
def assert_follows(open_saved: Any, open_onnx: Any) -> Callable[..., None]:
    """The result equals the eager model at each of the given sizes, within a relative L2 error of 1e-4."""

    def check(subject: Case, result: Result, *sizes: Mapping[str, int]) -> None:
        call = open_onnx(result) if result.target is Format.ONNX else open_saved(result)
        for number, size in enumerate(sizes or ({},)):
            feeds = subject.feeds(number, **size)
            expected, found = subject.eager(feeds), call(feeds)
            assert set(found) == set(expected)
            for name, array in expected.items():
                assert found[name].shape == array.shape, (name, size)
                assert found[name].dtype == array.dtype
                assert relative_l2(array, found[name]) < 1e-4, (name, size)

    return check
