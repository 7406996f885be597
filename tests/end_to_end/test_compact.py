"""A compact package of real formats: smaller, and the same to the byte when it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

import navcore as nav

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("nav_torch", reason="nav-torch is not installed")
pytest.importorskip("nav_onnx", reason="nav-onnx is not installed")

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> nav.PackageDescriptor:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Embedding(2000, 64), torch.nn.Linear(64, 300), torch.nn.ReLU(), torch.nn.Linear(300, 64)
    )
    batches = [torch.randint(0, 2000, (2, 7)) for _ in range(3)]
    return nav.run(
        model.eval(), batches, targets=["onnx", "torchscript-trace", "torch-exportedprogram"], run_profiling=False,
        workdir=tmp_path_factory.mktemp("compact"), model_name="embedding",
    )  # fmt: skip


def test_a_compact_package_is_smaller_and_gives_back_every_byte(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    assert all(package.get_formats_status().values())
    package.save(tmp_path / "plain.nav")
    package.save(tmp_path / "compact.nav", compact=True)
    weights = sum(tensor.numel() * 4 for tensor in package.get_model("torch").state_dict().values())
    plain, compact = ((tmp_path / f"{name}.nav").stat().st_size for name in ("plain", "compact"))
    assert plain > 3 * weights
    assert compact < 1.4 * weights  # ONNX has the linear layers transposed, whose weights are a quarter of all
    package.save(tmp_path / "again.nav", compact=True)
    assert (tmp_path / "again.nav").read_bytes() == (tmp_path / "compact.nav").read_bytes()

    loaded = nav.load(tmp_path / "compact.nav", tmp_path / "there", run_profiling=False, trust=True)
    assert all(loaded.get_formats_status().values())
    for row in package.results:
        if row.path is not None:
            assert (loaded.workspace / row.path).read_bytes() == (package.workspace / row.path).read_bytes()
