"""TorchScript files are sources under each of their endings; what only looks like one is refused unread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import navcore as nav

DATA = [np.random.default_rng(number).normal(size=(2, 4)).astype(np.float32) for number in range(3)]


def small() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh()).eval()


def write(path: Path, how: str) -> Path:
    model: Any = torch.jit.script(small()) if how == "script" else torch.jit.trace(small(), torch.from_numpy(DATA[0]))
    model.save(str(path))
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.jit, which the files are made with
@pytest.mark.parametrize(("name", "how"), [("m.pt", "script"), ("m.ts", "trace"), ("m.jit", "trace")])
def test_a_file_of_torchscript_is_a_source(name: str, how: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, how)
    package = nav.run(
        path, DATA, targets="torchscript-script", workdir=tmp_path / "work", run_profiling=False, git_info=False
    )
    (row,) = package.results
    assert (row.format.family, str(row.status)) == ("torchscript", "ok")
    assert not package.record.live
    loaded = package.get_model(row.format)
    expected = torch.jit.load(str(path))(torch.from_numpy(DATA[0]))
    assert torch.equal(loaded(torch.from_numpy(DATA[0])), expected)


@pytest.mark.parametrize("content", ["weights", "module"])
def test_weights_and_pickled_modules_are_refused_unread(content: str, tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.save(small().state_dict() if content == "weights" else small(), path)
    with pytest.raises(nav.InputError, match=r"m\.pt is no TorchScript file.*hand over the live module"):
        nav.run(
            path, DATA, targets="torchscript-script", workdir=tmp_path / "work", run_profiling=False, git_info=False
        )
