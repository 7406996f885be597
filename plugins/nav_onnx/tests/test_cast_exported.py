"""Casting what PyTorch's two exporters write, and building engines from it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import onnx
import pytest

from nav_onnx.casting import Low, write_cast

from .cast_checks import LOWS, assert_follows

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'nav-torch'")
nn = torch.nn


class Encoder(nn.Module):  # type: ignore[name-defined, misc]
    """One transformer layer with learned positions, written out: exporters differ in what they make of a fused one."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(20, 16), nn.Embedding(12, 16)
        self.query, self.key, self.value = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 16)
        self.norm, self.wide, self.narrow = nn.LayerNorm(16), nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, ids: Any, mask: Any) -> Any:
        hidden = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        heads = [
            one(hidden).reshape(ids.shape[0], -1, 2, 8).transpose(1, 2) for one in (self.query, self.key, self.value)
        ]
        scores = heads[0] @ heads[1].transpose(2, 3) / 8**0.5
        scores = scores + (1.0 - mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        mixed = (torch.softmax(scores, -1) @ heads[2]).transpose(1, 2).reshape(hidden.shape)
        hidden = self.norm(hidden + mixed)
        return hidden + self.narrow(nn.functional.gelu(self.wide(hidden)))


class Pyramid(nn.Module):  # type: ignore[name-defined, misc]
    """Convolutions around a Resize, and the three best of ten."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.second, self.head = nn.Conv2d(8, 4, 3, stride=2, padding=1), nn.Linear(4, 10)

    def forward(self, x: Any) -> Any:
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.first(x))), 2)
        x = nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return tuple(torch.topk(self.head(self.second(x).mean((2, 3))), 3))


class Huge(nn.Module):  # type: ignore[name-defined, misc]
    """A factor that float16 cannot hold, taken back further on, and counted positions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 4)
        self.factor = nn.Parameter(torch.full((8,), 1e5))

    def forward(self, x: Any) -> Any:
        scaled = self.first(x) * self.factor / 1e5
        return self.last(torch.relu(scaled + torch.arange(x.shape[1]).float() * 0.01))


def subject(name: str) -> tuple[Any, dict[str, Any]]:
    torch.manual_seed(0)
    if name == "encoder":
        ids = torch.arange(10).reshape(2, 5)
        return Encoder(), {"ids": ids, "mask": torch.tensor([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]])}
    if name == "pyramid":
        return Pyramid(), {"x": torch.randn(2, 3, 16, 16)}
    if name == "huge":
        return Huge(), {"x": torch.randn(2, 8)}
    layers = nn.Linear(8, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 4)
    return nn.Sequential(*layers), {"input": torch.randn(2, 8)}


SUBJECTS = ("perceptron", "encoder", "pyramid", "huge")
EXPORTERS = ("dynamo", "torchscript")


@pytest.fixture(scope="module", params=[(name, way) for name in SUBJECTS for way in EXPORTERS], ids="-".join)
def exported(request: Any, tmp_path_factory: Any) -> tuple[Path, dict[str, Any]]:
    name, way = request.param
    model, inputs = subject(name)
    path = tmp_path_factory.mktemp(name) / f"{name}.onnx"
    axes: dict[str, Any] = {"opset_version": 17, "dynamic_axes": {one: {0: "batch"} for one in inputs}}
    if way == "dynamo":
        shapes = tuple({0: torch.export.Dim("batch")} for _ in inputs)
        axes = {"opset_version": 18, "dynamic_shapes": shapes, "verbose": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters deprecate one another
        torch.onnx.export(
            model.eval(), tuple(inputs.values()), str(path), input_names=list(inputs), dynamo=way == "dynamo", **axes
        )
    return path, {one: value.numpy() for one, value in inputs.items()}


@pytest.mark.parametrize("low", LOWS)
def test_what_torch_exports_computes_in_16_bits_and_follows_the_source(exported: Any, low: Low) -> None:
    path, feeds = exported
    cast = assert_follows(path, feeds, low)
    heavy = {node.name for node in onnx.load(path).graph.node if node.op_type in ("MatMul", "Gemm", "Conv")}
    assert heavy & set(cast.lowered)
    if path.stem != "huge":
        assert heavy <= set(cast.lowered)


BUILD = """
import json, sys
import tensorrt_rtx as trt
path, shapes = sys.argv[1], json.loads(sys.argv[2])
logger = trt.Logger(trt.Logger.ERROR)
builder = trt.Builder(logger)
network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
parser = trt.OnnxParser(network, logger)
if not parser.parse_from_file(path):
    sys.exit("; ".join(parser.get_error(index).desc() for index in range(parser.num_errors)))
config, profile = builder.create_builder_config(), builder.create_optimization_profile()
for name, shape in shapes.items():
    profile.set_shape(name, *((batch, *shape[1:]) for batch in (1, 2, 4)))
config.add_optimization_profile(profile)
plan = builder.build_serialized_network(network, config)
inner = sorted({network.get_layer(index).get_output(0).dtype.name for index in range(network.num_layers)})
ends = [network.get_input(i) for i in range(network.num_inputs)]
ends += [network.get_output(i) for i in range(network.num_outputs)]
print(json.dumps({"bytes": plan.nbytes if plan else 0, "inner": inner, "ends": [end.dtype.name for end in ends]}))
"""


@pytest.mark.parametrize("low", LOWS)
def test_tensorrt_rtx_builds_a_strongly_typed_engine(exported: Any, low: Low) -> None:
    """Building needs no GPU. Nothing is deserialized and no timing cache attached: both would look for one."""
    if importlib.util.find_spec("tensorrt_rtx") is None:
        pytest.skip("TensorRT-RTX is not installed: pip install tensorrt_rtx")
    path, feeds = exported
    output = path.with_name(f"{path.stem}-engine-{low}.onnx")
    write_cast(path, output, low)
    shapes = json.dumps({name: value.shape for name, value in feeds.items()})

    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(output), shapes], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr[-2000:]
    built = json.loads(done.stdout)
    typed = {"float16": "HALF", "bfloat16": "BF16"}[low]
    assert built["bytes"]
    assert typed in built["inner"]
    assert typed not in built["ends"]
