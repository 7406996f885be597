"""Runners: named arrays in, named arrays out, nothing of the caller's changed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import navcore as nav
from nav_torch import (
    TORCH,
    exportedprogram_from_torch,
    run_exported,
    run_torch,
    run_torchscript,
    torchscript_script_from_torch,
    torchscript_trace_from_torch,
)
from navcore import Artifact, RunnerJob, RuntimeProvider

PAIRS = [
    (torchscript_script_from_torch, run_torchscript),
    (torchscript_trace_from_torch, run_torchscript),
    (exportedprogram_from_torch, run_exported),
]


class Difference(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.scale = nn.Parameter(torch.full((1,), 3.0))

    def forward(self, a: torch.Tensor, b: torch.Tensor, power: int = 1) -> dict[str, torch.Tensor]:
        return {"difference": self.drop((a - b) * self.scale) ** power, "a": a}


@pytest.fixture
def subject(case: Any) -> Any:
    item = {"b": torch.randn(2, 3), "power": 2, "a": torch.randn(2, 3)}
    return case(Difference(), item, {"a": {0: "batch"}, "b": {0: "batch"}})


@pytest.mark.parametrize(("route", "run"), PAIRS)
def test_a_stored_model_runs_as_its_source(route: Any, run: Any, subject: Any, export: Any, open_runner: Any) -> None:
    feeds = subject.feeds(batch=5)
    with open_runner(run, export(route, subject)) as runner:
        found = runner(feeds)
    expected = subject.eager(feeds)
    assert list(found) == ["difference", "a"]
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)
    assert runner.provider == "cpu"


def test_the_source_runs_in_evaluation_mode_and_gets_its_modes_back(subject: Any, open_runner: Any) -> None:
    model = subject.model
    model.train()
    model.drop.eval()
    feeds = subject.feeds(batch=5)
    with open_runner(run_torch, subject) as runner:
        assert not model.training
        found = runner(feeds)
        assert (runner.provider, runner.precision) == ("cpu", "fp32")
    assert (model.training, model.drop.training) == (True, False)
    np.testing.assert_array_equal(found["difference"], subject.eager(feeds)["difference"])


def test_outputs_are_the_callers_to_keep(subject: Any, open_runner: Any) -> None:
    feeds = subject.feeds()
    with open_runner(run_torch, subject) as runner:
        found = runner(feeds)
        found["a"][:] = 0
        assert feeds["a"].any()
        assert runner(feeds)["a"].any()


def test_a_model_that_writes_into_its_inputs_does_not_reach_the_feeds(case: Any, open_runner: Any) -> None:
    class InPlace(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.add_(1)

    subject = case(InPlace(), {"x": torch.zeros(2, 3)})
    feeds = {"x": np.zeros((2, 3), np.float32)}
    feeds["x"].flags.writeable = False
    with open_runner(run_torch, subject) as runner:
        assert runner(feeds)["x" if "x" in subject.signature.output_names else "output__0"].sum() == 6
        assert runner(feeds)["output__0"].sum() == 6


def test_nothing_is_cast_silently(subject: Any, open_runner: Any) -> None:
    feeds = {name: array.astype(np.float64) for name, array in subject.feeds().items()}
    with open_runner(run_torch, subject) as runner:
        assert runner(feeds)["a"].dtype == np.float64


def test_bfloat16_goes_in_and_comes_out(case: Any, open_runner: Any) -> None:
    subject = case(nn.Linear(3, 2).bfloat16(), {"input": torch.randn(2, 3).bfloat16()})
    with open_runner(run_torch, subject) as runner:
        assert runner.precision == "bf16"
        assert runner(subject.feeds())["output__0"].dtype.name == "bfloat16"


@pytest.mark.parametrize("asked", [None, 3])
def test_threads_hold_while_the_runner_is_open(asked: int | None, subject: Any, open_runner: Any) -> None:
    before = torch.get_num_threads()
    with open_runner(run_torch, subject, threads=asked) as runner:
        assert torch.get_num_threads() == (asked or before) == runner.threads
    assert torch.get_num_threads() == before


def test_the_formats_load_what_their_users_expect(subject: Any, export: Any) -> None:
    for route, _ in PAIRS:
        result = export(route, subject)
        assert result.target.load is not None
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            loaded = result.target.load(result.path)
        assert isinstance(loaded, torch.export.ExportedProgram | torch.jit.ScriptModule)


@pytest.mark.gpu
@pytest.mark.parametrize(("route", "run"), PAIRS)
def test_on_cuda(route: Any, run: Any, subject: Any, export: Any, open_runner: Any) -> None:
    result = export(route, subject)
    feeds = subject.feeds(batch=5)
    with open_runner(run, result, device="cuda") as runner:
        found = runner(feeds)
        assert runner.provider.startswith("cuda")
    np.testing.assert_allclose(found["difference"], subject.eager(feeds)["difference"], rtol=1e-3, atol=1e-5)
    with open_runner(run_torch, subject, device="cuda") as runner:
        runner(feeds)
    assert next(subject.model.parameters()).device.type == "cpu"


class Counting(nn.Module):
    """Changes a buffer with every call."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x * self.calls


def test_the_live_runner_leaves_the_buffers_as_they_were(case: Any) -> None:
    model = Counting()
    subject = case(model, torch.ones(2, 3))
    model.calls.zero_()
    job = RunnerJob(Artifact(TORCH, subject.signature, None, model, "structure"), RuntimeProvider.PYT, None)

    with run_torch(job) as runner:
        runner(subject.example)
        runner(subject.example)

    assert float(model.calls) == 0


@pytest.mark.filterwarnings("ignore:.torch.jit.trace:DeprecationWarning")
@pytest.mark.parametrize("name", ["model.pt", "model.ts", "model.jit"])
def test_a_file_of_torchscript_is_a_source(name: str, tmp_path: Path) -> None:
    torch.jit.trace(nn.Linear(3, 2).eval(), torch.zeros(2, 3)).save(tmp_path / name)  # type: ignore[no-untyped-call]
    package = nav.run(tmp_path / name, [torch.ones(2, 3)], targets=[], workdir=tmp_path, run_profiling=False)
    assert [(row.format.family, str(row.status)) for row in package.results] == [("torchscript", "ok")]


@pytest.mark.parametrize("kept", [nn.Linear(3, 2), nn.Linear(3, 2).state_dict()])
def test_a_pickle_is_not_loaded_and_said_to_be_one(kept: Any, tmp_path: Path) -> None:
    torch.save(kept, tmp_path / "model.pt")
    with pytest.raises(nav.InputError, match=r"no TorchScript file: it holds weights, or a pickled module"):
        nav.run(tmp_path / "model.pt", [torch.ones(2, 3)], workdir=tmp_path, run_profiling=False)


@pytest.mark.parametrize(("route", "run"), PAIRS)
@pytest.mark.parametrize(
    ("device", "sentence"),
    [("meta", "The device 'meta' holds no numbers"), ("abacus:9", "PyTorch knows no device 'abacus:9'")],
)
def test_a_file_goes_to_no_device_that_could_not_run_it(
    route: Any, run: Any, device: str, sentence: str, subject: Any, export: Any, open_runner: Any
) -> None:
    result = export(route, subject)
    with pytest.raises(nav.OptionError, match=sentence):
        open_runner(run, result, device=device)
