"""Models, and a way to compile them as the core would: through an exported program, with one cache for all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import torch

from nav_torch import TORCH, TORCH_EXPORTED, exportedprogram_from_torch
from navcore import Artifact, ConvertJob, ExportJob, Made, Runner, RunnerJob
from navcore.evaluation import distance


class Mlp(torch.nn.Module):
    """The place of a largest number is asked of the inputs: among computed ones it would hang on the last bit."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.first = torch.nn.Linear(24, width)
        self.second = torch.nn.Linear(width, 6)

    def forward(self, x: torch.Tensor, weight: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = torch.relu(self.first(x)) * weight.unsqueeze(-1)
        return {"scores": self.second(hidden), "hidden": hidden, "best": x.argmax(-1)}


class Pictures(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 16, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(16)
        self.second = torch.nn.Conv2d(16, 32, 3, stride=2)
        self.head = torch.nn.Linear(32, 5)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.norm(self.first(picture)))
        pooled: torch.Tensor = torch.relu(self.second(hidden)).mean((2, 3))
        result: torch.Tensor = self.head(pooled)
        return result


@attrs.frozen
class Compiled:
    """What a conversion made and told, and the artifact that is run."""

    made: Made
    artifact: Artifact

    def open(self, route: Callable[[Any], Runner], **job: Any) -> Runner:
        return route(RunnerJob(self.artifact, "PyTorchExecutionProvider", None, **job))


def exported(case: Any, folder: Path) -> Artifact:
    """The case as an exported program in the folder."""
    job = ExportJob(
        source=Artifact(TORCH, case.signature, model=case.model, calling="structure"),
        target=TORCH_EXPORTED,
        output=folder / TORCH_EXPORTED.filename,
        signature=case.signature,
        example=case.example,
        options=None,
    )
    made = exportedprogram_from_torch(job)
    assert made is not None
    return made.artifact(TORCH_EXPORTED, case.signature, job.output)


def converted(route: Callable[[Any], Made], source: Artifact, case: Any, folder: Path, cache_dir: Path) -> Compiled:
    """The exported program by a route of AOTInductor's."""
    target = vars(route)["__navcore_routes__"][0].goal
    place = folder / target.name
    place.mkdir()
    job: ConvertJob[None] = ConvertJob(
        source, target, place / target.filename, source.signature, case.example, None, cache_dir=cache_dir
    )
    made = route(job)
    return Compiled(made, made.artifact(target, source.signature, job.output))


BOUNDS = {"fp32": 1e-4, "bf16": 5e-2}
"""Relative L2, as navcore has them."""


def mlp(case: Callable[..., Any]) -> Any:
    torch.manual_seed(0)
    item = {"x": torch.rand(4, 24), "weight": torch.rand(4)}
    return case(Mlp(), item, axes={"x": {0: "batch"}, "weight": {0: "batch"}}, ranges={"batch": (1, 4, 64)})


def pictures(case: Callable[..., Any]) -> Any:
    torch.manual_seed(0)
    item = {"picture": torch.rand(2, 3, 20, 20)}
    return case(Pictures(), item, axes={"picture": {0: "batch"}}, ranges={"batch": (1, 2, 16)})


def assert_near(subject: Any, runner: Any, precision: str, *batches: int) -> None:
    for number, batch in enumerate(batches):
        feeds = subject.feeds(number, batch=batch)
        expected, found = subject.eager(feeds), runner(feeds)
        assert list(found) == list(expected)
        for name, wanted in expected.items():
            assert (found[name].dtype, found[name].shape) == (wanted.dtype, wanted.shape), name
            if wanted.dtype.kind == "f":
                assert distance(wanted, found[name]) <= BOUNDS[precision], (name, batch)
