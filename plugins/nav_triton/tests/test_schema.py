"""Every configuration that is written is read by Triton's own schema, and holds what was meant.

Back ends that cannot run here are told by rows that are said to have been ok: what is looked at is the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import navcore as nav
from nav_triton import save_repository
from nav_triton.backends import NATIVE, Backend, backend_of
from nav_triton.model_config import Batching, ModelConfig, WarmUp
from nav_triton.tensors import served

from .triton_models import NASTY

pytestmark = pytest.mark.triton

AXES = (nav.Axis("batch", 1, 4, 16), nav.Axis("n", 2, 8, 64))
INPUTS = (nav.TensorSpec("ids", "int64", ("batch", "n")), nav.TensorSpec("mask", "bool", ("batch", "n")))
OUTPUTS = (nav.TensorSpec("output__0", "float32", ("batch", 8)), nav.TensorSpec("output__1", "bfloat16", ("batch",)))
POSITIONS = {"args": [{"tensor": "ids"}, {"tensor": "mask"}], "kwargs": []}
SIGNATURE = nav.Signature(INPUTS, OUTPUTS, AXES, call=POSITIONS)


def parsed(text: str) -> Any:
    """The configuration as Triton's own schema has it; raises for a field or word that it does not know."""
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    return text_format.Parse(text, model_config_pb2.ModelConfig())


def job(family: str, runtime: str, calling: str = "named", signature: nav.Signature = SIGNATURE) -> Any:
    artifact = nav.Artifact(nav.Format(f"{family}-x", family=family), signature, Path("model"), None, calling)  # type: ignore[arg-type]
    return nav.RunnerJob(artifact, runtime, None)


def config(backend: Backend, **settings: Any) -> ModelConfig:
    sides = [served(side, batched=True, indexed=backend.indexed) for side in (INPUTS, OUTPUTS)]
    return ModelConfig("m", backend, *sides, Batching(16, True, 50), **settings)


@pytest.mark.parametrize(("family", "runtime"), NATIVE, ids=lambda part: str(part))
def test_every_back_end_of_triton_s(family: str, runtime: str) -> None:
    native = NATIVE[family, runtime]
    message = parsed(config(native, instances=2, threads=3).text())
    assert message.backend == native.name
    assert message.max_batch_size == 16
    assert message.dynamic_batching.max_queue_delay_microseconds == 50
    assert [(one.count, one.kind == one.KIND_GPU) for one in message.instance_group] == [(2, native.gpu)]
    assert [list(one.dims) for one in message.input] == [[-1], [-1]]
    assert [list(one.dims) for one in message.output] == [[8], [1]]
    assert not message.output[0].HasField("reshape")
    assert message.output[1].HasField("reshape")
    assert list(message.output[1].reshape.shape) == []
    told = {key: value.string_value for key, value in message.parameters.items()}
    assert told == ({native.threads: "3"} if native.threads else {})
    gpu = [one.name for one in message.optimization.execution_accelerators.gpu_execution_accelerator]
    assert gpu == ([native.accelerator] if native.accelerator else [])
    names = [one.name for one in (*message.input, *message.output)]
    indexed = ["ids__0", "mask__1", "output__0", "output__1"]
    assert names == (indexed if native.indexed else ["ids", "mask", "output__0", "output__1"])


def test_types_are_triton_s() -> None:
    from tritonclient.grpc import model_config_pb2 as schema

    message = parsed(config(NATIVE["onnx", "CPUExecutionProvider"]).text())
    types = [one.data_type for one in (*message.input, *message.output)]
    assert types == [schema.TYPE_INT64, schema.TYPE_BOOL, schema.TYPE_FP32, schema.TYPE_BF16]


def test_warm_up() -> None:
    tensors = served(INPUTS, batched=True, indexed=False)
    warm = WarmUp(16, [(tensors[0], "0", (5,)), (tensors[1], "1", (5,))])
    (told,) = parsed(config(NATIVE["onnx", "CPUExecutionProvider"], warm_up=[warm]).text()).model_warmup
    assert told.batch_size == 16
    assert {name: (list(one.dims), one.input_data_file) for name, one in told.inputs.items()} == {
        "ids": ([5], "0"),
        "mask": ([5], "1"),
    }


@pytest.mark.parametrize(
    ("which", "backend"),
    [(which, backend) for which in ("package", "numbers") for backend in ("python", "onnxruntime")]
    + [("alone", "python")],
)
def test_every_file_that_is_written(request: pytest.FixtureRequest, tmp_path: Path, which: str, backend: str) -> None:
    package = request.getfixturevalue(which)
    written = save_repository(package, tmp_path, backend=backend)
    message = parsed((written.folder / "config.pbtxt").read_text())
    signature = package.record.samples.signature
    assert message.name == written.folder.name
    assert tuple(one.name for one in message.input) == signature.input_names
    assert tuple(one.name for one in message.output) == signature.output_names
    sample = next(package.comparisons("profiling")).feeds
    for warm in message.model_warmup:
        for name, one in warm.inputs.items():
            held = (written.folder / "warmup" / one.input_data_file).read_bytes()
            assert np.frombuffer(held, sample[name].dtype).size == sample[name].size
            assert np.prod(one.dims) == sample[name].size


def test_a_name_that_could_end_the_line_is_a_name(numbers: nav.PackageDescriptor, tmp_path: Path) -> None:
    written = save_repository(numbers, tmp_path)
    message = parsed((written.folder / "config.pbtxt").read_text())
    assert [one.name for one in message.input] == ["scale", NASTY]


def chooses(told: Any, wanted: str | None = None, provider: str = "") -> tuple[str, bool, str]:
    backend, note = backend_of(told, provider, wanted)
    return backend.name, backend.gpu, note


def test_which_back_end_serves_which_row() -> None:
    pyt = "PyTorchExecutionProvider"
    assert chooses(job("torchscript", pyt, "positional"), provider="cuda:0") == ("pytorch", True, "")
    assert chooses(job("torchscript", pyt, "structure"), provider="cpu") == ("pytorch", False, "")
    assert chooses(job("trt", "TensorrtExecutionProvider")) == ("tensorrt", True, "")
    assert chooses(job("onnx", "OnnxReferenceEvaluator")) == ("python", False, "")
    assert chooses(job("trt-rtx", "trt-rtx")) == ("python", False, "")
    assert chooses(job("openvino", "openvino-cpu-bf16")) == ("python", False, "")


def test_why_triton_s_own_is_not_taken() -> None:
    name, _, note = chooses(job("openvino", "openvino-cpu"))
    assert name == "python"
    assert "cannot be told to compute in float32" in note
    assert chooses(job("openvino", "openvino-cpu"), "openvino")[0] == "openvino"
    keywords = {"args": [], "kwargs": [["ids", {"tensor": "ids"}], ["mask", {"tensor": "mask"}]]}
    called = attrs.evolve(SIGNATURE, call=keywords)
    script = job("torchscript", "PyTorchExecutionProvider", "structure", called)
    assert "called with keywords" in chooses(script)[2]
    with pytest.raises(nav.OptionError, match="it is called with keywords"):
        chooses(script, "pytorch")
    named = attrs.evolve(SIGNATURE, outputs=(nav.TensorSpec("logits", "float32", ("batch", 8)),))
    assert "returns a structure" in chooses(job("torchscript", "PyTorchExecutionProvider", "structure", named))[2]
    assert "have no names" in chooses(job("onnx", "CPUExecutionProvider", "positional"))[2]
