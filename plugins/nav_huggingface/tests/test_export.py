"""From a folder to a package, by every name of the verb; what is handed in is given back as it was."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner

import nav_huggingface
import navcore as nav
from nav_huggingface.commands import hub

from .hub_models import SENTENCES, model, tokenizer


def test_the_page_s_name_is_the_plugin_s() -> None:
    assert nav.contrib.huggingface.torch.export is nav.huggingface.export is nav_huggingface.export


def test_a_folder_alone_makes_a_verified_package(package: nav.PackageDescriptor, bert: Path) -> None:
    assert package.model_name == bert.name
    made = {format.name: ok for format, ok in package.get_formats_status().items()}
    assert made == {"onnx": True, "openvino": True}
    assert package.record.samples is not None
    signature = package.record.samples.signature
    assert signature.input_names == ("input_ids", "attention_mask", "token_type_ids")
    assert signature.output_names == ("logits",)
    assert all(None not in spec.shape and "batch" in spec.shape for spec in signature.inputs)


def test_the_package_answers_a_text_of_another_length_as_the_model_does(
    package: nav.PackageDescriptor, bert: Path
) -> None:
    source = transformers.AutoModelForSequenceClassification.from_pretrained(bert).eval()
    batch = transformers.AutoTokenizer.from_pretrained(bert)([SENTENCES[0]] * 3, return_tensors="pt")
    with torch.no_grad():
        expected = source(**batch).logits.numpy()
    with package.open_runner("onnx") as runner:
        found = runner({name: tensor.numpy() for name, tensor in batch.items()})["logits"]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_live_model_with_a_dataset_in_the_words_of_0_3(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import datasets

    live = model("DistilBertForTokenClassification")
    live.train()
    before = (live.config.to_dict(), set(vars(live)))

    def preprocess(columns: Any) -> Any:
        return tokenizer()(columns["words"])

    with caplog.at_level(logging.WARNING, "nav_huggingface"):
        package = nav.huggingface.export(
            live, dataset=datasets.Dataset.from_dict({"words": list(SENTENCES)}), processor=tokenizer(),
            dataset_preprocessing_function=preprocess, padding=True, max_sequence_len=32, max_bs=2, onnx_config={},
            target_formats="torchscript", jit_options="trace", runtimes="CPUExecutionProvider", workdir=tmp_path,
            run_profiling=False, name="org/tags",
        )  # fmt: skip
    assert "onnx_config has no effect" in caplog.text
    assert package.get_status("torchscript")
    assert package.workspace.name == "org-tags.nav.workspace"
    assert package.record.samples.signature.input_names == ("input_ids", "attention_mask")
    assert live.training
    assert (live.config.to_dict(), set(vars(live))) == before
    assert "huggingface/tokenizer.json" in package.get_assets("torchscript")


def test_from_a_shell(bert: Path, tmp_path: Path) -> None:
    saved = tmp_path / "tiny.nav"
    words = ["export", str(bert), "--task", "fill-mask", "--target", "torchscript-trace", "--no-profiling"]
    done = CliRunner().invoke(hub, [*words, "--workdir", str(tmp_path), "--save", str(saved)])
    assert done.exit_code == 0, done.output
    assert "torchscript-trace" in done.stdout
    loaded = nav.load(saved, workdir=tmp_path / "loaded", retest_conversions=False)
    note = json.loads(loaded.get_assets("torchscript-trace")["huggingface/navcore.json"].read_text())
    assert note == {"task": "fill-mask", "model": "BertForMaskedLM"}
    refused = CliRunner().invoke(hub, ["export", str(bert), "--save", str(saved)])
    assert (refused.exit_code, "exists" in refused.stderr) == (1, True)


def test_from_a_shell_an_error_is_one_sentence() -> None:
    done = CliRunner().invoke(hub, ["export", "./nothing"])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ./nothing is no folder.")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"dataloader": [], "dataset": {}}, "dataloader and dataset are given"),
        ({"preprocess": dict}, "there is none"),
        ({"max_bs": 0}, "max_bs=0 is no size"),
        ({"max_sequence_len": True}, "max_sequence_len=True is no size"),
        ({"padding": "sideways"}, "padding='sideways' is none"),
        ({"dataset": {}, "preprocess": dict, "dataset_preprocessing_function": dict}, "two words for one thing"),
    ],
)
def test_what_cannot_be_meant_is_refused(bert: Path, arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(nav.OptionError, match=why):
        nav.huggingface.export(bert, **arguments)


def test_another_tokenizer_is_packed_in_place_of_the_first(tmp_path: Path) -> None:
    live = model("DistilBertForTokenClassification")
    told = []
    for limit in (40, 40, 24):
        processor = tokenizer()
        processor.model_max_length = limit
        package = nav.huggingface.export(
            live, processor=processor, max_sequence_len=16, target_formats="torchscript", jit_options="trace",
            workdir=tmp_path, run_profiling=False,
        )  # fmt: skip
        path = package.get_assets("torchscript")["huggingface/tokenizer_config.json"]
        told.append((json.loads(path.read_text())["model_max_length"], path.stat().st_mtime_ns))
    assert [limit for limit, _ in told] == [40, 40, 24]
    assert told[0] == told[1], "with the same tokenizer nothing is made again"
