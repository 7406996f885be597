"""Models of timm: from a folder that timm wrote, live, and by name; images are prepared as their settings say."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import navcore as nav
from nav_huggingface.making import made_items
from nav_huggingface.sources import named_source
from nav_huggingface.timm_models import timm_name

needs_timm = pytest.mark.skipif(
    importlib.util.find_spec("timm") is None,
    reason="timm is not installed; `nox --session hub` has it, in an environment of its own",
)


@pytest.fixture(scope="module")
def timm() -> Any:
    import timm as module

    return module


@pytest.fixture(scope="module")
def model(timm: Any) -> Any:
    torch.manual_seed(0)
    return timm.create_model("resnet10t", num_classes=5).eval()


@pytest.fixture(scope="module")
def folder(timm: Any, model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models") / "small-resnet"
    timm.models.save_for_hf(model, place)
    return place


@needs_timm
def test_a_folder_alone_makes_a_verified_package(folder: Path, tmp_path: Path) -> None:
    package = nav.huggingface.export(folder, target_formats="onnx", workdir=tmp_path, run_profiling=False)
    assert package.get_status("onnx"), str(package)
    assert package.workspace.name.startswith("small-resnet.")
    settings = json.loads(package.get_assets("onnx")["huggingface/timm.json"].read_text())
    assert settings["input_size"] == [3, 176, 176]


@needs_timm
def test_the_weights_of_a_folder_are_those_that_were_saved(folder: Path, model: Any) -> None:
    found = named_source(folder)
    assert (found.task.name, found.name) == ("image-classification", "small-resnet")
    for name, weight in model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], weight), name


@needs_timm
def test_a_live_model_is_named_by_its_architecture_and_gets_images_of_its_size(model: Any) -> None:
    found = named_source(model)
    assert (found.model, found.name) == (model, "resnet10t")
    items = made_items(found)
    assert {tuple(item["x"].shape) for item in items} == {(2, 3, 176, 176)}
    assert all(item["x"].dtype == torch.float32 for item in items)


@needs_timm
def test_images_are_prepared_by_timm_s_own_transform(timm: Any, model: Any) -> None:
    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    prepared = named_source(model).processor(images=[image])["x"]
    assert torch.equal(prepared[0], transform(Image.fromarray(image)))


@needs_timm
def test_features_are_what_comes_before_the_head(folder: Path) -> None:
    model = named_source(folder, task="feature-extraction").model
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 512)


@needs_timm
def test_what_timm_has_no_models_for_is_refused(folder: Path) -> None:
    with pytest.raises(nav.OptionError, match="task='fill-mask' is none that timm's models are loaded for"):
        named_source(folder, task="fill-mask")


@needs_timm
@pytest.mark.usefixtures("timm")
def test_a_name_is_timm_s_with_and_without_its_organisation() -> None:
    assert timm_name("resnet18") == timm_name("timm/resnet18") == "resnet18"
    assert timm_name("timm/resnet18.a1_in1k") == "resnet18.a1_in1k"
    for other in ("gpt2", "timm/no_such_model", "someone/resnet18", ""):
        assert timm_name(other) is None


@needs_timm
@pytest.mark.usefixtures("timm")
def test_without_a_network_a_name_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(nav.InputError, match="'resnet18' is no folder here and not in the hub's cache"):
        named_source("resnet18")


@needs_timm
@pytest.mark.usefixtures("timm")
def test_an_architecture_that_this_timm_does_not_know_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet0", "pretrained_cfg": {}}))
    with pytest.raises(nav.InputError, match="cannot be loaded: Unknown model"):
        named_source(tmp_path)


def test_where_timm_is_not_installed_a_name_of_its_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(nav.InputError, match=r"is a model of timm, which is not installed. .*nav-huggingface\[timm\]"):
        timm_name("timm/resnet18")
    assert timm_name("resnet18") is None
