"""Whatever a model changes in itself or around itself during a run or an export, it answers afterwards as if untouched.

Each kind of state is a model whose answers tell how often it was called, or with how much. A twin that nobody exported
is the measure.
"""

from __future__ import annotations

import contextlib
import copy
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from torch import nn

import navcore
from nav_torch import (
    TORCH,
    exportedprogram_from_torch,
    onnx_from_torch_torchscript,
    run_torch,
    torchscript_trace_from_torch,
)
from nav_torch.remembering import remembered
from navcore import Artifact, ExportError, RunnerJob

KINDS: dict[str, type[nn.Module]] = {}


def kind(told: str) -> Callable[[type[nn.Module]], type[nn.Module]]:
    """List a model under what it keeps."""

    def add(model: type[nn.Module]) -> type[nn.Module]:
        KINDS[told] = model
        return model

    return add


@kind("a number")
class Number(nn.Module):
    calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x * self.calls


@kind("an attribute that comes")
class Coming(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if hasattr(self, "seen"):
            return x * 2
        self.seen = True
        return x


@kind("an attribute that goes")
class Going(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not hasattr(self, "first"):
            return x * 2
        del self.first
        return x


@kind("a buffer that grows, and how long it is")
class Growing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.most = 1
        self.register_buffer("steps", torch.arange(1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] > self.most:
            self.most = x.shape[-1]
            self.steps = torch.arange(self.most)
        return x + self.steps[: x.shape[-1]] * len(self.steps)


@kind("a buffer that shrinks")
class Shrinking(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("left", torch.ones(9))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.left = self.left[1:]
        return x * len(self.left)


@kind("a buffer that is written into")
class Written(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x * self.calls


@kind("a buffer that is resized where it is")
class Resized(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            self.table.resize_(len(self.table) + 1).fill_(1.0)
        return x * len(self.table)


@kind("a buffer that is made late")
class LateBuffer(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if "shift" not in self._buffers:
            self.register_buffer("shift", x.detach().clone())
        return x - self.shift.numel()


@kind("a tensor that is no buffer")
class PlainTensor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.sum = torch.zeros(2, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.sum.add_(x.detach()[:2, :4])
        return x + self.sum.mean()


@kind("a small weight that is written into")
class WrittenWeight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.Parameter(torch.zeros(()), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.steps.data.add_(1)
        return x * self.steps


@kind("a weight whose memory is exchanged")
class Exchanged(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.scale.data = self.scale.data * 2
        return x * self.scale


@kind("a list")
class Listed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.past: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.past.append(x.detach())
        return x * len(self.past)


@kind("a dict in a list")
class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.caches: list[dict[str, list[int]]] = [{"sizes": []}]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.caches[0]["sizes"].append(1)
        return x * len(self.caches[0]["sizes"])


@kind("the order of a dict")
class Ordered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.order = OrderedDict(a=1.0, b=2.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.order.move_to_end(next(iter(self.order)))
        return x * next(iter(self.order.values()))


@kind("a set and a deque")
class SetAndDeque(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[int] = set()
        self.last: deque[int] = deque(maxlen=3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.add(len(self.seen))
        self.last.append(1)
        return x * len(self.seen) + len(self.last)


class Cache:
    """An object of the user's own, as language models keep."""

    __slots__ = ("keys", "length")

    def __init__(self) -> None:
        self.keys, self.length = {"first": torch.zeros(1)}, 0


@kind("an object with slots")
class OwnObject(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cache = Cache()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.cache.length += 1
        self.cache.keys["first"] = torch.full((1,), float(self.cache.length))
        return x * self.cache.keys["first"] + self.cache.length


@kind("a namespace, shared by two modules")
class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.state = SimpleNamespace(calls=0)
        self.inner = nn.Identity()
        self.inner.state = self.state

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.state.calls += 1
        return self.inner(x) * self.inner.state.calls


@kind("an array of numpy")
class Array(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.counts = np.zeros(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.counts[1] += 1
        return x * float(self.counts[1])


@kind("a submodule that is made late, with random weights")
class LateModule(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if "layer" not in self._modules:
            self.layer = nn.Linear(4, 3)
        return self.layer(x[..., :4])


@kind("a submodule that is replaced")
class ReplacedModule(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.act: nn.Module = nn.Tanh()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result = self.act(x)
        self.act = nn.ReLU()
        return result


@kind("a hook that adds a hook")
class Hooked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.inner.register_forward_hook(lambda _module, _inputs, result: result * 2)
        return self.inner(x)


@kind("the mode of a submodule")
class Moded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.inner.eval() if self.inner.training else self.inner.train()
        return x * (2 if self.inner.training else 3)


@kind("random numbers of PyTorch")
class Drawing(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.randn(1)


@kind("random numbers of Python and numpy")
class DrawingElsewhere(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * random.random() + float(np.random.rand())


@kind("generators of its own")
class OwnGenerators(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.torch_draws = torch.Generator().manual_seed(1)
        self.python_draws, self.numpy_draws = random.Random(1), np.random.default_rng(1)

    def __deepcopy__(self, memo: Any) -> Any:
        return OwnGenerators()  # a torch.Generator cannot be copied

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        drawn = self.python_draws.random() + float(self.numpy_draws.random())
        return x + torch.rand(1, generator=self.torch_draws) + drawn


@kind("the gradient mode")
class GradientMode(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        recorded = torch.is_grad_enabled()
        torch.set_grad_enabled(not recorded)
        return x * (2 if recorded else 3)


@kind("autocast")
class Autocast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result = self.body(x[..., :4]).float()
        torch.set_autocast_enabled("cpu", not torch.is_autocast_enabled("cpu"))
        return result


@kind("the default dtype")
class DefaultType(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result = (x + torch.zeros(1, 1)) * (2.0 if torch.get_default_dtype() is torch.float32 else 3.0)
        torch.set_default_dtype(torch.float64)
        return result


@kind("a lazy module")
class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LazyLinear(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x[..., :4])


def seeded() -> None:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)


def later_answers(model: nn.Module) -> list[Any]:
    """What the user sees afterwards: two calls of different sizes, and what they leave around the model."""
    answers: list[Any] = []
    for size in (4, 7):
        try:
            answers.append(model(torch.ones(2, size)).tolist())
        except Exception as error:
            answers.append(str(error))
    return [*answers, torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.get_default_dtype()]


def plain() -> None:
    """The modes in which a process begins."""
    torch.set_grad_enabled(True)
    torch.set_autocast_enabled("cpu", False)
    torch.set_default_dtype(torch.float32)
    seeded()


@pytest.fixture(autouse=True)
def plain_afterwards() -> Iterator[None]:
    """The models of this page change what is the process's; nothing of it reaches the next test."""
    yield
    plain()


def twin_answers(model: nn.Module) -> tuple[nn.Module, list[Any]]:
    """The model, and what a twin of it that nobody touches answers."""
    twin = copy.deepcopy(model)
    seeded()
    wanted = later_answers(twin)
    plain()
    return model, wanted


@pytest.mark.parametrize("told", KINDS)
def test_a_call_leaves_no_trace(told: str) -> None:
    seeded()
    model, wanted = twin_answers(KINDS[told]())
    with remembered(model):
        for size in (5, 9, 2):
            later_answers(model) if size == 9 else model(torch.ones(3, max(size, 4)))
    assert later_answers(model) == wanted


DRAWN_ONCE = ("a submodule that is made late, with random weights", "a lazy module")
"""These answer by the random numbers of their first call, which the tests make the same for it and its twin."""


@pytest.mark.parametrize("told", [told for told in KINDS if told not in DRAWN_ONCE])
def test_a_call_changes_the_answers_where_nobody_remembers(told: str) -> None:
    """What the other tests stand on: each kind would be noticed."""
    seeded()
    model, wanted = twin_answers(KINDS[told]())
    model(torch.ones(3, 5))
    assert later_answers(model) != wanted


EXPORTS = [torchscript_trace_from_torch, onnx_from_torch_torchscript, exportedprogram_from_torch]


@pytest.mark.parametrize("route", EXPORTS)
@pytest.mark.parametrize("told", KINDS)
def test_an_export_leaves_no_trace_whether_it_succeeds_or_not(told: str, route: Any, case: Any, export: Any) -> None:
    seeded()
    fresh = KINDS[told]()
    subject = case(copy.deepcopy(fresh), {"x": torch.ones(3, 5)}, {"x": {0: "batch"}})
    plain()
    model, wanted = twin_answers(fresh)
    with contextlib.suppress(ExportError):
        export(route, attrs.evolve(subject, model=model))
    assert later_answers(model) == wanted


@pytest.mark.parametrize("told", KINDS)
def test_a_run_leaves_no_trace(told: str, case: Any) -> None:
    seeded()
    fresh = KINDS[told]()
    subject = case(copy.deepcopy(fresh), {"x": torch.ones(3, 5)})
    plain()
    model, wanted = twin_answers(fresh)
    artifact = Artifact(TORCH, subject.signature, model=model, calling="structure")
    with run_torch(RunnerJob(artifact, "torch", None, "cpu")) as runner:
        runner(subject.example)
        runner({"x": np.ones((3, 9), np.float32)})
    assert later_answers(model) == wanted


class Positions(nn.Module):
    """Keeps a table as long as the longest input it has seen, and how long that is."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 2
        self.register_buffer("steps", torch.arange(2), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] > self.most:
            self.most = x.shape[-1]
            self.steps = torch.arange(self.most)
        return x + self.steps[: x.shape[-1]]


def test_a_growing_model_comes_through_a_whole_run(tmp_path: Path) -> None:
    model, wanted = twin_answers(Positions().eval())
    data = [torch.randn(2, size) for size in (4, 6)]
    package = navcore.run(model, data, workdir=tmp_path / "w", targets=["torchscript-trace"], run_profiling=False)
    assert package.get_status("torchscript-trace")
    assert (model.most, len(model.steps)) == (2, 2)
    assert later_answers(model) == wanted


def test_what_fails_to_be_put_back_does_not_keep_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Number()

    def broken() -> Any:
        return [lambda: 1 / 0]

    monkeypatch.setattr("nav_torch.remembering._surroundings", broken)
    with pytest.raises(ZeroDivisionError), remembered(model):
        model(torch.ones(1))
    assert "calls" not in vars(model)


def test_large_weights_are_not_copied() -> None:
    model = nn.Linear(300, 300)
    with remembered(model), torch.no_grad():
        model.weight.zero_()
        model.bias.zero_()
    assert not model.weight.any()
    assert model.bias.all()
