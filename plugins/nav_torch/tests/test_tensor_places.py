"""Where the tensors of files of PyTorch lie: what is at each place is the weight, byte for byte."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from nav_torch import TORCH_EXPORTED, TORCHSCRIPT_SCRIPT, TORCHSCRIPT_TRACE
from nav_torch.tensor_places import member_regions

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(40, 50), torch.nn.ReLU(), torch.nn.Linear(50, 9)).eval()


def trace(path: Path) -> None:
    torch.jit.trace(model(), torch.zeros(2, 40)).save(str(path))


def script(path: Path) -> None:
    torch.jit.script(model()).save(str(path))


def export(path: Path) -> None:
    torch.export.save(torch.export.export(model(), (torch.zeros(2, 40),)), path)


@pytest.mark.parametrize(
    ("write", "form"), [(trace, TORCHSCRIPT_TRACE), (script, TORCHSCRIPT_SCRIPT), (export, TORCH_EXPORTED)]
)
def test_every_weight_is_at_a_place(write: Any, form: Any, tmp_path: Path) -> None:
    path = tmp_path / form.filename
    write(path)
    places = form.regions(path)
    data = path.read_bytes()
    found = {data[offset : offset + size] for offset, size in places[path]}
    assert list(places) == [path]
    assert {weight.detach().numpy().tobytes() for weight in model().state_dict().values()} <= found


def test_what_is_compressed_has_no_place(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("a", b"a" * 9000, zipfile.ZIP_DEFLATED)
        archive.writestr("b", b"b" * 9000, zipfile.ZIP_STORED)
    assert [size for _, size in member_regions(tmp_path / "x.pt")[tmp_path / "x.pt"]] == [9000]


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"no archive")
    with pytest.raises(zipfile.BadZipFile):
        member_regions(tmp_path / "x.pt")
    trace(tmp_path / "y.pt")
    data = (tmp_path / "y.pt").read_bytes()
    (tmp_path / "y.pt").write_bytes(b"XX" + data[2:])
    with pytest.raises(zipfile.BadZipFile, match="no header before"):
        member_regions(tmp_path / "y.pt")
