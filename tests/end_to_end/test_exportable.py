"""A run on an ``Exportable`` without a dataloader: its own example, names and axes, and everything that a run does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import navcore as nav
from nav_torch import Exportable, TensorType

QUICK = nav.ProfilerConfig(
    measurement_mode=nav.MeasurementMode.COUNT_WINDOWS, measurement_request_count=5, max_trials=3
)


class Speech(torch.nn.Module, Exportable):
    """Takes keywords only, is exported by another method, and switches something for it."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Conv1d(4, 6, 3, padding=1)
        self.drop = torch.nn.Dropout(0.5)
        self.exported = False

    def forward(self, *, audio: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        return self.drop(self.body(audio))

    def forward_for_export(self, audio_signal: torch.Tensor, length: torch.Tensor) -> Any:
        assert self.exported
        return torch.relu(self.body(audio_signal)), length + 1

    def input_example(self) -> Any:
        return torch.randn(2, 4, 10), torch.tensor([9, 10])

    @property
    def input_types(self) -> Any:
        return {"signal": TensorType("batch", 4, "time"), "length": TensorType("batch")}

    @property
    def output_types(self) -> Any:
        return {"states": TensorType("batch", 6, "time"), "lengths": TensorType("batch")}

    def _prepare_for_export(self, **kwargs: Any) -> None:
        self.exported = True

    def _export_teardown(self) -> None:
        self.exported = False


def test_a_run_without_a_dataloader_takes_what_the_class_says(tmp_path: Path) -> None:
    model = Speech()
    model.body.eval()
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    package = nav.run(
        model,
        workdir=tmp_path,
        profiler_config=QUICK,
        ranking=False,
        targets=("onnx", "torchscript", "torch-exportedprogram"),
    )

    assert {str(format): ok for format, ok in package.get_formats_status().items()} == {
        "onnx": True, "torch-exportedprogram": True, "torchscript-script": True, "torchscript-trace": True,
    }  # fmt: skip
    signature = package.record.samples.signature
    assert (signature.input_names, signature.output_names) == (("signal", "length"), ("states", "lengths"))
    assert [spec.shape for spec in signature.inputs] == [("batch", 4, "time"), ("batch",)]
    assert signature.axis("time").declared
    assert set(package.get_formats_performance()) == set(package.get_formats_status())
    assert type(model) is Speech
    assert "forward" not in vars(model)
    assert (model.training, model.body.training, model.drop.training) == (True, False, True)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not model.exported
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    package.save(tmp_path / "speech.nav")
    loaded = nav.load(tmp_path / "speech.nav", workdir=tmp_path / "again", run_profiling=False)
    assert {str(format): ok for format, ok in loaded.get_formats_status().items()}["onnx"]


def test_names_that_the_caller_gives_win(tmp_path: Path) -> None:
    package = nav.run(
        Speech(), workdir=tmp_path, targets="torchscript-trace", output_names=("a", "b"), run_profiling=False
    )
    assert package.record.samples.signature.output_names == ("a", "b")


def test_a_failing_hook_ends_the_run_and_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    class Failing(Speech):
        def _prepare_for_export(self, **kwargs: Any) -> None:
            super()._prepare_for_export(**kwargs)
            raise RuntimeError("no")

    model = Failing()
    with pytest.raises(nav.SourceError, match=r"Failing\._prepare_for_export failed: RuntimeError: no"):
        nav.run(model, workdir=tmp_path)
    assert model.training
    assert not model.exported


def test_a_model_without_the_mix_in_still_needs_a_dataloader(tmp_path: Path) -> None:
    with pytest.raises(nav.DataloaderError):
        nav.run(torch.nn.Linear(2, 2), workdir=tmp_path)
