"""``.pt2`` files that PyTorch wrote are sources, however their model was called when they were made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import navcore as nav


class Scaled(torch.nn.Module):
    def forward(self, x: Any, power: int, *, scale: Any, more: Any = None, mode: str = "sum") -> dict[str, Any]:
        return {"y": x**power * scale + more["bias"] - more["others"][0], "mode": x if mode == "none" else scale}


def item(batch: int) -> dict[str, Any]:
    torch.manual_seed(batch)
    return {
        "x": torch.rand(batch, 3),
        "scale": torch.rand(batch, 3),
        "more": {"bias": torch.rand(batch, 3), "others": [torch.rand(batch, 3)]},
    }


def written(path: Path, *, moving: bool) -> Path:
    given = item(2)
    more = {"bias": given["more"]["bias"], "others": [given["more"]["others"][0], None]}
    batch = {0: torch.export.Dim("batch", min=1, max=64)} if moving else None
    axes = {
        "x": batch, "power": None, "scale": batch, "more": {"bias": batch, "others": [batch, None]}, "mode": None,
    }  # fmt: skip
    program = torch.export.export(
        Scaled(), (given["x"], 2), {"scale": given["scale"], "more": more, "mode": "sum"}, dynamic_shapes=axes
    )
    torch.export.save(program, path)
    return path


def run(path: Path, data: Sequence[Any], tmp_path: Path) -> nav.PackageDescriptor:
    return nav.run(path, data, targets=[], workdir=tmp_path / "work", run_profiling=False, git_info=False)


def test_a_program_of_keywords_structures_and_constants_is_called_as_it_was_made(tmp_path: Path) -> None:
    path = written(tmp_path / "m.pt2", moving=True)
    package = run(path, [item(2), item(3), item(1)], tmp_path)
    assert [str(row.status) for row in package.results] == ["ok"]
    given = item(4)
    expected = Scaled()(given["x"], 2, scale=given["scale"], more=given["more"])
    feeds = dict(
        zip(
            package.record.samples.signature.input_names,  # type: ignore[union-attr]
            (one.numpy() for one in (given["x"], given["scale"], given["more"]["bias"], given["more"]["others"][0])),
            strict=True,
        )
    )
    with package.open_runner("torch-exportedprogram") as runner:
        assert torch.equal(torch.from_numpy(runner(feeds)["y"]), expected["y"])
    package.save(tmp_path / "m.nav")
    loaded = nav.load(tmp_path / "m.nav", workdir=tmp_path / "there", trust=True, run_profiling=False)
    (row,) = loaded.results
    assert (str(row.status), row.elsewhere) == ("ok", False)


def test_tensors_without_names_get_those_of_the_file(tmp_path: Path) -> None:
    program = torch.export.export(torch.nn.Linear(3, 2), (torch.rand(2, 3),))
    torch.export.save(program, tmp_path / "m.pt2")
    package = run(tmp_path / "m.pt2", [torch.rand(2, 3), torch.rand(2, 3)], tmp_path)
    assert package.record.samples is not None
    assert package.record.samples.signature.input_names == ("input",)


def test_a_batch_that_the_file_fixes_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "m.pt2", moving=False)
    package = run(path, [item(2), item(2)], tmp_path)
    assert "The source model takes a batch of 2 and no other" in package.results[0].notes[0]
    with pytest.raises(nav.DataloaderError, match="item 0 of the dataloader has a batch of 3"):
        run(path, [item(3), item(2)], tmp_path)


def test_another_number_of_tensors_is_told_with_the_names(tmp_path: Path) -> None:
    path = written(tmp_path / "m.pt2", moving=True)
    with pytest.raises(
        nav.SourceError, match=r"takes 4 tensors \(x, scale, more_bias, more_others_0\), and .* gives 1"
    ):
        run(path, [torch.rand(2, 3)], tmp_path)
