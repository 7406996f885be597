"""Casting what PyTorch's two exporters write, and building engines from it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import onnx
import pytest

from nav_onnx.cast_rules import subgraphs
from nav_onnx.casting import Low

from .cast_checks import LOWS, assert_follows, assert_subgraphs_capture, body_nodes, nearly_balanced
from .cast_engines import assert_builds

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


class Branches(nn.Module):  # type: ignore[name-defined, misc]
    """Two ways to go on from a convolution, which both also look back at it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 4)
        self.left, self.right = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)

    def forward(self, x: Any) -> Any:
        seen = torch.relu(self.first(x))
        halves = lambda turned: self.left(turned) + seen  # noqa: E731
        tanh = lambda turned: torch.tanh(self.right(turned)) * seen  # noqa: E731
        return self.last(torch.cond(x.sum() > 0, halves, tanh, (seen * 2,)).mean((2, 3)))


class Turns(nn.Module):  # type: ignore[name-defined, misc]
    """One layer three times over, each time with a look back at the first."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again, self.last = nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(16, 4)

    def forward(self, x: Any) -> Any:
        seen = torch.relu(self.first(x))
        again = lambda count, state: (count + 1, torch.tanh(self.again(state)) + seen)  # noqa: E731
        start = (torch.tensor(0), seen * 2)
        _, state = torch._higher_order_ops.while_loop(lambda count, state: count < 3, again, start)
        return self.last(state)


class Recurrence(Turns):
    """The same layer along a sequence, which gives each of its states."""

    def forward(self, x: Any) -> Any:
        seen = torch.relu(self.first(x)).transpose(0, 1)

        def step(state: Any, one: Any) -> Any:
            state = torch.tanh(self.again(state) + one)
            return state, state * 2

        state, states = torch._higher_order_ops.scan(step, torch.zeros(x.shape[0], 16), seen, dim=0)
        return self.last(state), self.last(states)


class Scripted(Branches):
    """The branches as TorchScript, and then a turn for each row of the batch. What has no type is a tensor there."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        seen = torch.relu(self.first(x))
        if bool(x.sum() > 0):
            turned = self.left(seen * 2)
            state = turned + seen
        else:
            turned = self.right(seen * 2)
            state = torch.tanh(turned) * seen
        for row in range(x.size(0)):
            state = torch.tanh(self.left(state)) + seen * x[row].mean()
        return self.last(state.mean((2, 3)))


class HugeBranches(Huge):
    """The factor is only within the branches, and taken back only after them."""

    def forward(self, x: Any) -> Any:
        seen = torch.relu(self.first(x)) + 1.0
        scaled = torch.cond(x.sum() > 0, lambda one: one * self.factor, lambda one: one * -self.factor, (seen,))
        return self.last(torch.relu(scaled + 1.0) / 1e5)


class ScriptedHugeBranches(Huge):
    """The same as TorchScript."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        seen = torch.relu(self.first(x)) + 1.0
        scaled = seen * self.factor if bool(x.sum() > 0) else seen * -self.factor
        return self.last(torch.relu(scaled + 1.0) / 1e5)


class ScriptedAngles(Turns):
    """Sines, taken within a loop, of angles that float16 knows to a whole radian only."""

    def forward(self, x):  # type: ignore[no-untyped-def]
        state = torch.relu(self.first(x))
        angles = torch.arange(x.size(0)).float()[:, None] * 1.37 + 2000.3
        for turn in range(x.size(0)):
            state = torch.tanh(self.again(state)) + torch.sin(angles + turn)
        return self.last(state)


CONTROL_FLOW: dict[tuple[str, str], tuple[Any, tuple[int, ...], set[str]]] = {
    ("branches", "dynamo"): (Branches, (2, 3, 8, 8), {"If"}),
    ("turns", "dynamo"): (Turns, (2, 8), {"Loop"}),
    ("recurrence", "dynamo"): (Recurrence, (2, 5, 8), {"Scan"}),
    ("huge branches", "dynamo"): (HugeBranches, (2, 8), {"If"}),
    ("scripted", "torchscript"): (Scripted, (2, 3, 8, 8), {"If", "Loop"}),
    ("angles", "torchscript"): (ScriptedAngles, (2, 8), {"Loop"}),
    ("huge branches", "torchscript"): (ScriptedHugeBranches, (2, 8), {"If"}),
}
"""By name and exporter: the model, its input's shape, and what it becomes in ONNX."""


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


def export(model: Any, inputs: dict[str, Any], way: str, path: Path) -> tuple[Path, dict[str, Any]]:
    """The file, and the inputs it was made with."""
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


@pytest.fixture(scope="module", params=[(name, way) for name in SUBJECTS for way in EXPORTERS], ids="-".join)
def exported(request: Any, tmp_path_factory: Any) -> tuple[Path, dict[str, Any]]:
    name, way = request.param
    return export(*subject(name), way, tmp_path_factory.mktemp(name) / f"{name}.onnx")


@pytest.fixture(scope="module", params=list(CONTROL_FLOW), ids="-".join)
def steered(request: Any, tmp_path_factory: Any) -> tuple[Path, dict[str, Any], set[str]]:
    kind, shape, operators = CONTROL_FLOW[request.param]
    name, way = request.param
    torch.manual_seed(0)
    model, path = kind().eval(), tmp_path_factory.mktemp("control") / f"{name}.onnx"
    if way == "torchscript":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            model = torch.jit.script(model)
    return *export(model, {"x": torch.randn(shape)}, way, path), operators


@pytest.mark.parametrize("low", LOWS)
def test_what_torch_exports_computes_in_16_bits_and_follows_the_source(exported: Any, low: Low) -> None:
    path, feeds = exported
    cast = assert_follows(path, feeds, low)
    heavy = {node.name for node in onnx.load(path).graph.node if node.op_type in ("MatMul", "Gemm", "Conv")}
    assert heavy & set(cast.lowered)
    if path.stem != "huge":
        assert heavy <= set(cast.lowered)


@pytest.mark.parametrize("low", LOWS)
def test_control_flow_hands_on_float32_and_computes_in_16_bits_within(steered: Any, low: Low) -> None:
    path, feeds, operators = steered
    graph = onnx.load(path).graph
    for sign in (1, -1):  # each takes another branch
        cast = assert_follows(path, {"x": sign * feeds["x"]}, low)
    assert {node.op_type for node in graph.node if any(True for _ in subgraphs(node))} == operators
    assert operators <= {one.op_type for one in cast.kept if one.reason == "holds subgraphs"}
    if path.stem not in ("recurrence", "angles"):  # which hand over all that comes from 16 bits
        assert_subgraphs_capture(cast, operators)
    assert bool(body_nodes(cast)) == ("huge" not in path.stem)  # in which there is nothing but a factor
    heavy = {node.name for node in graph.node if node.op_type in ("Gemm", "Conv", "MatMul")}
    assert heavy & set(cast.lowered)
    if "huge" not in path.stem or low == "bfloat16":
        assert heavy <= set(cast.lowered)


@pytest.mark.parametrize("low", LOWS)
@pytest.mark.parametrize("steered", [key for key in CONTROL_FLOW if "If" in CONTROL_FLOW[key][2]], indirect=True)
def test_a_sum_that_16_bits_cannot_tell_from_zero_still_takes_its_branch(steered: Any, low: Low) -> None:
    path, feeds, _operators = steered
    for sign in (1, -1):
        assert_follows(path, {"x": sign * nearly_balanced(feeds["x"])}, low)


@pytest.mark.parametrize("low", LOWS)
def test_tensorrt_rtx_builds_a_strongly_typed_engine(exported: Any, low: Low) -> None:
    path, feeds = exported
    assert_builds(path, feeds, low)


@pytest.mark.parametrize("low", LOWS)
def test_tensorrt_rtx_builds_an_engine_with_control_flow(steered: Any, low: Low) -> None:
    path, feeds, _operators = steered
    assert_builds(path, feeds, low)
