"""Models that know NeMo's mix-in export by nav_torch's: in one class, in all of them, and as the page says."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import nav_torch
import navcore as nav

STAND_IN = Path(__file__).parent / "stand_in"
PAGE = Path(__file__).parents[4] / "docs" / "nemo.md"
FORMATS = ("model.onnx", "model.pt", "model.pt2")


@pytest.fixture
def nemo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in's models. Importing nav_torch has not imported it."""
    assert not any(name.partition(".")[0] == "nemo" for name in sys.modules)
    monkeypatch.syspath_prepend(STAND_IN)
    yield importlib.import_module("nemo.collections.asr.models")
    for name in [name for name in sys.modules if name.partition(".")[0] == "nemo"]:
        del sys.modules[name]


def mixed_first(model: type) -> Any:
    return type("Mixed", (nav_torch.Exportable, model), {})


def mixed_last(model: type) -> Any:
    return type("Mixed", (model, nav_torch.Exportable), {})


def switched(model: type) -> Any:
    nav_torch.use_for_nemo()
    nav_torch.use_for_nemo()
    return model


WAYS = (mixed_first, mixed_last, switched)
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


def recognised(model: Any, audio: torch.Tensor, length: torch.Tensor) -> np.ndarray:
    """What the whole model returns in the state in which it is exported."""
    checks = sys.modules["nemo.core.classes.common"].typecheck
    checks.set_typecheck_enabled(False)
    try:
        with torch.no_grad():
            return np.asarray(model.eval().forward_for_export(audio, length))
    finally:
        checks.set_typecheck_enabled(True)


@each_way
@pytest.mark.parametrize("name", FORMATS)
def test_a_model_of_two_parts(
    way: Callable[[type], Any], name: str, nemo: Any, tmp_path: Path, run: Callable[..., list[np.ndarray]]
) -> None:
    model = way(nemo.EncDecCTCModel).restore_from("model.nemo")
    result = model.export(str(tmp_path / name), check_trace=True)
    assert result.files == [str(tmp_path / name)]
    assert (result.input_names, result.output_names) == (("audio_signal", "length"), ("logprobs",))
    audio, length = torch.randn(3, 4, 33), torch.tensor([33, 9, 1])
    (found,) = run(tmp_path / name, {"audio_signal": audio, "length": length})
    np.testing.assert_allclose(found, recognised(model, audio, length), rtol=1e-4, atol=1e-4)


@each_way
def test_a_transducer_is_exported_in_parts(way: Callable[[type], Any], nemo: Any, tmp_path: Path) -> None:
    result = way(nemo.EncDecRNNTModel)().export(tmp_path / "asr.onnx", check_trace=True)
    assert not [note for note in result.notes if "chain" in note]
    files, descriptions = result
    assert files == [str(tmp_path / f"{part}-asr.onnx") for part in ("encoder", "decoder_joint")]
    assert [told.partition(" ")[0].rpartition(".")[2] for told in descriptions] == ["Encoder", "Joint"]


@each_way
def test_types_are_checked_again_afterwards(way: Callable[[type], Any], nemo: Any, tmp_path: Path) -> None:
    common = importlib.import_module("nemo.core.classes.common")
    model = way(nemo.EncDecCTCModel)()
    model.export(tmp_path / "model.onnx")
    assert common.is_typecheck_enabled()
    model.encoder.forward = None
    with pytest.raises(nav.NavcoreError):
        model.export(tmp_path / "model.onnx")
    assert common.is_typecheck_enabled()
    common.typecheck.set_typecheck_enabled(False)
    way(nemo.EncDecCTCModel)().export(tmp_path / "model.onnx")
    assert not common.is_typecheck_enabled()


@each_way
def test_a_model_brings_its_own_data_to_a_run(way: Callable[[type], Any], nemo: Any, tmp_path: Path) -> None:
    model = way(nemo.EncDecCTCModel)()
    package = nav.run(model, targets="onnx", workdir=tmp_path, run_profiling=False)
    assert package.get_status("onnx")


@each_way
def test_options_of_one_export_are_not_kept(way: Callable[[type], Any], nemo: Any, tmp_path: Path) -> None:
    model = way(nemo.EncDecCTCModel)()
    model.set_export_config({"beams": 4})
    seen = []
    model.encoder._prepare_for_export = lambda **arguments: seen.append(model.encoder.caching) or prepare()
    prepare = type(model.encoder)._prepare_for_export.__get__(model.encoder)
    model.export(tmp_path / "model.onnx", export_config={"beams": 8, "cache_support": True})
    assert seen == [True]
    assert model.get_export_config() == {"beams": 4}
    assert model.encoder.caching is False


def test_without_mixing_the_function_alone_exports_any_model(nemo: Any, tmp_path: Path) -> None:
    model = nemo.EncDecCTCModel()
    assert model.export("model.onnx") == (["model.onnx"], ["exported by NeMo"])
    assert nav_torch.Exportable.export(model, tmp_path / "model.onnx").files == [str(tmp_path / "model.onnx")]


def test_axes_are_named_and_only_the_batch_is_shared(nemo: Any, tmp_path: Path) -> None:
    nav_torch.Exportable.export(nemo.EncDecCTCModel(), tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx").graph
    axes = {
        one.name: [dim.dim_param or dim.dim_value for dim in one.type.tensor_type.shape.dim]
        for one in (*graph.input, *graph.output)
    }
    assert axes == {
        "audio_signal": ["batch", 4, "audio_signal_time"],
        "length": ["batch"],
        "logprobs": ["batch", "logprobs_time", 3],
    }


def test_where_nemo_is_missing_nothing_can_be_switched() -> None:
    with pytest.raises(nav.Unavailable, match="NeMo is not installed"):
        nav_torch.use_for_nemo()


def test_the_page_runs_as_it_is_written(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "page.py").write_text("\n".join([f"import sys; sys.path.insert(0, {str(STAND_IN)!r})", *blocks]))
    done = subprocess.run(
        [sys.executable, "-P", "page.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr
    written = re.findall(r'export\(.*?"([\w.]+)"', "".join(blocks))
    assert {path.name for path in tmp_path.iterdir()} == {"page.py", *written}
    assert len(written) == 4
