"""AOTInductor packages: what they compute, in what, for which sizes and processors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nav_torch
from nav_torch.instruction_sets import _CAPABILITIES, metadata_of, refuse_foreign
from nav_torch.products import computed_from
from navcore import StepError, Unavailable
from navcore.evaluation import distance

from .compiling import BOUNDS, Compiled, assert_near, converted, exported, mlp, pictures

pytestmark = [pytest.mark.compiler, pytest.mark.slow, pytest.mark.timeout(900)]

Build = Callable[..., Any]
SUBJECTS: dict[str, Build] = {"mlp": mlp, "pictures": pictures}


@pytest.fixture(scope="module")
def shelf() -> dict[tuple[str, str], Compiled]:
    """What has been compiled already: it takes long."""
    return {}


@pytest.fixture
def compiled(
    case: Build,
    compiler_cache: Path,
    shelf: dict[tuple[str, str], Compiled],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Any]:
    """``compiled(route, "mlp")``: the subject, and what the route makes of it."""

    def go(route: Callable[..., Any], name: str, subject: Any = None) -> tuple[Any, Compiled]:
        subject = subject or SUBJECTS[name](case)
        key = (route.__name__, name)
        if key not in shelf:
            folder = tmp_path_factory.mktemp("-".join(key))
            shelf[key] = converted(route, exported(subject, folder), subject, folder, compiler_cache)
        return subject, shelf[key]

    return go


def test_an_mlp_with_a_dict_of_outputs_follows_its_batch(compiled: Build) -> None:
    subject, made = compiled(nav_torch.torch_aotinductor_from_exportedprogram, "mlp")
    assert made.made.facts["torch"] == torch.__version__
    assert "Compiled for" in made.made.notes[0]
    with made.open(nav_torch.run_aotinductor, threads=1) as runner:
        assert (runner.precision, runner.provider, runner.threads) == ("fp32", "cpu", 1)
        assert_near(subject, runner, "fp32", 4, 1, 7, 64)
        answer = runner(subject.feeds(5, batch=3))
        kept = {name: array.copy() for name, array in answer.items()}
        runner(subject.feeds(6, batch=3))
        for name, array in answer.items():
            np.testing.assert_array_equal(array, kept[name])


def test_what_it_was_not_compiled_for_is_refused_and_not_read_beyond_its_end(compiled: Build) -> None:
    subject, made = compiled(nav_torch.torch_aotinductor_from_exportedprogram, "mlp")
    feeds = subject.feeds(0, batch=4)
    before = dict(os.environ)
    with made.open(nav_torch.run_aotinductor) as runner:
        with pytest.raises(Exception, match="24"):
            runner({**feeds, "x": np.zeros((4, 9), np.float32)})
        with pytest.raises(Exception, match="dtype"):
            runner({**feeds, "x": feeds["x"].astype(np.float64)})
        with pytest.raises(Exception, match="equally long"):
            runner({**feeds, "weight": np.zeros(3, np.float32)})
        transposed = np.ascontiguousarray(feeds["x"].T).T
        assert not transposed.flags.c_contiguous
        np.testing.assert_array_equal(runner({**feeds, "x": transposed})["best"], runner(feeds)["best"])
    assert dict(os.environ) == before


def test_convolutions_channels_last(compiled: Build) -> None:
    subject, made = compiled(nav_torch.torch_aotinductor_channels_last_from_exportedprogram, "pictures")
    with made.open(nav_torch.run_aotinductor) as runner:
        assert runner.precision == "fp32"
        assert_near(subject, runner, "fp32", 2, 1, 9)


def test_convolutions_in_bf16_between_inputs_and_outputs_in_float32(compiled: Build) -> None:
    subject, made = compiled(nav_torch.torch_aotinductor_bf16_from_exportedprogram, "pictures")
    assert computed_from(made.made.facts).operations["bf16"] == 3
    with made.open(nav_torch.run_aotinductor) as runner:
        assert runner.precision == "bf16"
        assert runner.notes == ("3 of 3 matrix products and convolutions are computed in bf16.",)
        assert_near(subject, runner, "bf16", 2, 1, 9)
        feeds = subject.feeds(0)
        assert (
            distance(*(next(iter(one(feeds).values())) for one in (subject.eager, runner))) > 1e-5
        )  # it is no float32 in disguise


def test_a_model_without_pictures_has_no_channels_last(compiled: Build) -> None:
    with pytest.raises(Unavailable, match="no convolution"):
        compiled(nav_torch.torch_aotinductor_channels_last_from_exportedprogram, "mlp")


def test_a_model_without_products_has_no_bf16(case: Build, compiled: Build) -> None:
    class Sum(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sin(x) + x

    subject = case(Sum(), {"x": torch.rand(3, 4)})
    with pytest.raises(Unavailable, match="bfloat16 is asked for, and nothing in the model is computed in it"):
        compiled(nav_torch.torch_aotinductor_bf16_from_exportedprogram, "sum", subject)


@pytest.fixture
def package(compiled: Build) -> Compiled:
    _, made = compiled(nav_torch.torch_aotinductor_from_exportedprogram, "mlp")
    assert isinstance(made, Compiled)
    return made


def test_the_threads_are_those_of_the_process_that_runs_it(compiled: Build) -> None:
    """Inductor would build the number of threads that it was compiled with into the loops."""
    _, made = compiled(nav_torch.torch_aotinductor_from_exportedprogram, "mlp")
    with made.open(nav_torch.run_aotinductor, threads=2) as runner:
        assert runner.threads == torch.get_num_threads() == 2


def relabelled(source: Path, target: Path, **told: str) -> Path:
    """A copy of a package that says other things of itself."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith("_metadata.json"):
                content = json.dumps({**json.loads(content), **told}).encode()
            copy.writestr(name, content)
    return target


def test_a_package_for_another_processor_is_refused_before_it_is_loaded(package: Compiled, tmp_path: Path) -> None:
    told = metadata_of(package.artifact.file)
    flags = told["NAVCORE_COMPILER_FLAGS"]
    assert package.made.facts["processor"] == f"{told['AOTI_MACHINE']} {told['AOTI_CPU_ISA']}"
    refuse_foreign(told, None)
    refuse_foreign(told, "cpu")
    with zipfile.ZipFile(package.artifact.file) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".cpp")], "with the compiler's command in them"
    has = torch.cpu.get_capabilities()
    lacking = next(flag for flag, name in _CAPABILITIES.items() if not has.get(name, False))
    cases = {
        f"this one has no {lacking}": {"NAVCORE_COMPILER_FLAGS": f"{flags} -m{lacking}"},
        "processors of type sparc": {"AOTI_MACHINE": "sparc"},
        "with PyTorch 1.0": {"NAVCORE_TORCH": "1.0"},
    }
    for number, (reason, labels) in enumerate(cases.items()):
        other = relabelled(package.artifact.file, tmp_path / f"other{number}.pt2", **labels)
        with pytest.raises(Unavailable, match=reason):
            nav_torch.load_aotinductor(other)
    with pytest.raises(Unavailable, match="compiled for the device 'cpu'"):
        refuse_foreign(told, "cuda:0")


def test_another_file_is_no_package(package: Compiled, case: Build, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="is no AOTInductor package"):
        metadata_of(exported(mlp(case), tmp_path).file)
    torn = tmp_path / "torn.pt2"
    torn.write_bytes(package.artifact.file.read_bytes()[:5000])
    with pytest.raises(StepError, match="cannot be read"):
        metadata_of(torn)
    with pytest.raises(StepError, match="AOTInductor package: native code"):
        nav_torch.formats.load_exported(package.artifact.file)


_ELSEWHERE = """
import sys, numpy as np, torch
model = torch._inductor.aoti_load_package(sys.argv[1])
x, weight = (torch.from_numpy(np.load(name)) for name in sys.argv[2:4])
np.save(sys.argv[4], model(x, weight)[0].numpy())
"""


def test_it_is_read_without_navcore_in_another_process_and_folder(
    package: Compiled, case: Build, tmp_path: Path
) -> None:
    subject = mlp(case)
    feeds = subject.feeds(3, batch=5)
    place = tmp_path / "elsewhere"
    place.mkdir()
    shutil.copyfile(package.artifact.file, place / "its.pt2")
    for name in ("x", "weight"):
        np.save(place / f"{name}.npy", feeds[name])
    names = ["its.pt2", "x.npy", "weight.npy", "scores.npy"]
    subprocess.run([sys.executable, "-c", _ELSEWHERE, *names], cwd=place, check=True, timeout=120)
    assert distance(subject.eager(feeds)["scores"], np.load(place / "scores.npy")) <= BOUNDS["fp32"]
