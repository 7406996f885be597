"""The live module under torch.compile: its numbers, its precision, its sizes, and what is left afterwards."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nav_torch
from nav_torch import TORCH
from navcore import Artifact, Runner, RunnerJob, StepError, Unavailable
from navcore.evaluation import distance

from .compiling import Mlp, assert_near, mlp, pictures

pytestmark = [pytest.mark.compiler, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def opened(compiler_cache: Path) -> Callable[..., Runner]:
    def go(route: Callable[[Any], Runner], subject: Any, **job: Any) -> Runner:
        artifact = Artifact(TORCH, subject.signature, model=subject.model, calling="structure")
        runtime = vars(route)["__navcore_routes__"][0].runtime
        return route(RunnerJob(artifact, runtime, None, cache_dir=compiler_cache, **job))

    return go


def test_an_mlp_follows_its_batch_and_is_compiled_for_one_and_for_more(
    case: Callable[..., Any], opened: Callable[..., Runner], compiler_cache: Path
) -> None:
    subject = mlp(case)
    environment, helpers = dict(os.environ), threading.active_count()
    with opened(nav_torch.run_torch_compile, subject, threads=1) as runner:
        watch = runner._call.watch
        assert (runner.precision, runner.provider, runner.threads, runner.notes) == ("fp32", "cpu", 1, ())
        assert runner.preparation > 0
        assert watch.graphs == 1
        assert_near(subject, runner, "fp32", 4, 7, 64, 2)
        assert watch.graphs == 1, "another size is no reason to compile anew"
        assert_near(subject, runner, "fp32", 1)
        assert watch.graphs == 2
        assert_near(subject, runner, "fp32", 1, 33, 1, 4)
        assert watch.graphs == 2
    assert dict(os.environ) == environment
    assert any(compiler_cache.rglob("*.so"))
    assert threading.active_count() == helpers
    assert not torch._inductor.config.freezing


def test_it_is_compiled_anew_when_it_is_opened_anew(case: Callable[..., Any], opened: Callable[..., Runner]) -> None:
    """Weights are constants of what was compiled: another runner has to see what they are by then."""
    subject = mlp(case)
    with opened(nav_torch.run_torch_compile, subject) as runner:
        assert_near(subject, runner, "fp32", 4)
    with torch.no_grad():
        subject.model.first.weight.mul_(-1.5)
    with opened(nav_torch.run_torch_compile, subject) as runner:
        assert_near(subject, runner, "fp32", 4)


def test_convolutions_channels_last_leave_the_weights_where_they_were(
    case: Callable[..., Any], opened: Callable[..., Runner]
) -> None:
    subject = pictures(case)
    before = [(weight.data_ptr(), weight.stride()) for weight in subject.model.parameters()]
    with opened(nav_torch.run_torch_compile_channels_last, subject) as runner:
        assert subject.model.second.weight.is_contiguous(memory_format=torch.channels_last)
        assert not subject.model.second.weight.is_contiguous()
        assert_near(subject, runner, "fp32", 2, 1, 5)
    assert [(weight.data_ptr(), weight.stride()) for weight in subject.model.parameters()] == before
    with pytest.raises(Unavailable, match="no convolution"):
        opened(nav_torch.run_torch_compile_channels_last, mlp(case))


def test_bf16_is_read_from_the_graph(case: Callable[..., Any], opened: Callable[..., Runner]) -> None:
    subject = pictures(case)
    with opened(nav_torch.run_torch_compile_bf16, subject) as runner:
        assert runner.precision == "bf16"
        assert runner.notes[0] == "3 of 3 matrix products and convolutions are computed in bf16."
        assert_near(subject, runner, "bf16", 2, 1, 5)
        feeds = subject.feeds(0)
        assert (
            distance(*(next(iter(one(feeds).values())) for one in (subject.eager, runner))) > 1e-5
        )  # no float32 in disguise
    assert subject.model.head.weight.dtype == torch.float32


def test_without_products_there_is_no_bf16(case: Callable[..., Any], opened: Callable[..., Runner]) -> None:
    class Sum(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sin(x) + x

    with pytest.raises(Unavailable, match="nothing in the model is computed in it"):
        opened(nav_torch.run_torch_compile_bf16, case(Sum(), {"x": torch.rand(3, 4)}))


class Breaking(torch.nn.Module):
    """Reads a number in the middle, where dynamo has to let Python go on."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(8, 8)
        self.second = torch.nn.Linear(8, 8)
        self.seen: list[float] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.first(x))
        self.seen.append(hidden.sum().item())
        torch._dynamo.graph_break()
        result: torch.Tensor = self.second(hidden)
        return result


def test_a_model_that_breaks_apart_says_so_and_keeps_nothing(
    case: Callable[..., Any], opened: Callable[..., Runner]
) -> None:
    subject = case(Breaking(), {"x": torch.rand(3, 8)}, axes={"x": {0: "batch"}}, ranges={"batch": (1, 3, 9)})
    with opened(nav_torch.run_torch_compile, subject) as runner:
        assert "graphs" in runner.notes[0]
        assert_near(subject, runner, "fp32", 3, 5)
    seen = len(subject.model.seen)
    with opened(nav_torch.run_torch_compile, subject) as runner:
        assert len(subject.model.seen) == seen, "what it was tried out on is forgotten"
        assert_near(subject, runner, "fp32", 3)


class Sized(torch.nn.Module):
    """Another program for every size."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for number in range(int(x.shape[0])):
            x = x + number
        return x


def test_a_model_that_is_another_one_for_every_size_is_not_run_without_compiling(
    case: Callable[..., Any], opened: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nav_torch.torch_compile, "_MOST_SHAPES", 3)  # sixteen take long
    subject = case(Sized(), {"x": torch.rand(3, 2)}, axes={"x": {0: "batch"}}, ranges={"batch": (1, 3, 64)})

    def at_many_sizes(runner: Runner) -> None:
        for batch in range(3, 12):
            runner(subject.feeds(0, batch=batch))

    with opened(nav_torch.run_torch_compile, subject) as runner:
        with pytest.raises(StepError, match="compiled the model anew 3 times"):
            at_many_sizes(runner)
        assert_near(subject, runner, "fp32", 3)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_torchscript_is_refused(case: Callable[..., Any], opened: Callable[..., Runner]) -> None:
    subject = case(Mlp(), {"x": torch.rand(4, 24), "weight": torch.rand(4)})
    subject.model.second = torch.jit.script(subject.model.second)
    with pytest.raises(Unavailable, match="TorchScript"):
        opened(nav_torch.run_torch_compile, subject)


def test_what_the_user_compiled_still_runs(case: Callable[..., Any], opened: Callable[..., Runner]) -> None:
    subject = mlp(case)
    compiled: list[int] = []

    def counting(module: Any, _examples: Any) -> Any:
        compiled.append(1)
        return module.forward

    users = torch.compile(subject.model, backend=counting, dynamic=True)
    inputs = torch.rand(4, 24), torch.rand(4)
    with torch.no_grad():
        before = users(*inputs)["scores"]
        count = len(compiled)
        with opened(nav_torch.run_torch_compile, subject) as runner:
            assert_near(subject, runner, "fp32", 4)
        np.testing.assert_array_equal(users(*inputs)["scores"].numpy(), before.numpy())
    assert len(compiled) == count, "it was not compiled again"
