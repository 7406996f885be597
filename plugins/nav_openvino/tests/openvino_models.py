"""A small model of PyTorch's and its data, exported with OpenVINO; tests import it, and so does a child of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import navcore as nav

DATA = [torch.randn(2, 64, generator=torch.Generator().manual_seed(number)) for number in range(4)]


def model() -> torch.nn.Module:
    """Two layers, large enough that a lower precision shows. Its input is float32 of shape ``(batch, 64)``."""
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 8)).eval()


def exported(folder: Path, **settings: Any) -> nav.PackageDescriptor:
    """The model with ``openvino`` as its target, unless the settings say otherwise; nothing is measured."""
    asked = {"targets": ["openvino"], "run_profiling": False, "git_info": False, **settings}
    return nav.run(model(), DATA, workdir=folder, **asked)


def rows(package: nav.PackageDescriptor, name: str = "openvino") -> Mapping[str, Any]:
    """The rows of a format by runtime."""
    (found,) = (row for row in package.results if row.format.name == name)
    return {one.runtime: one for one in found.runtimes}
