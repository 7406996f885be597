"""A package goes on as its source does: the same tokens, by transformers' own ``generate``, and the same numbers."""

from __future__ import annotations

import gc
import logging
import socket
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner

import navcore as nav
from nav_huggingface.belongings import Belongings
from nav_huggingface.commands import hub
from nav_huggingface.generating import generates
from nav_huggingface.generator import without_weights
from nav_huggingface.sources import named_source
from navcore import PackageDescriptor

from . import hub_models
from .generating_models import WINDOW, items, model, prompts

LENGTH = 64
GREEDY = {"do_sample": False, "max_new_tokens": LENGTH, "min_new_tokens": LENGTH}

# The exporter behind opset 17 takes a tenth of the time of that behind the newest one; both have to keep what moves.
QUICK = [("gpt2", None), ("gemma", 17), ("t5", 17)]
REST = [("llama", None), ("qwen", None), ("gemma", None), ("t5", None), ("bart", None), ("whisper", None)]


@pytest.fixture(
    scope="module",
    params=[
        *QUICK,
        # Each is a minute of exporting, for what the first three show of the plugin's own code.
        *(pytest.param(one, marks=pytest.mark.nightly) for one in REST),
    ],
    ids=lambda one: f"{one[0]}-{one[1] or 'newest'}",
)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, PackageDescriptor]:
    """A source and the package of it, in ONNX."""
    shape, opset = request.param
    return exported(shape, tmp_path_factory.mktemp("work"), opset=opset)


def exported(shape: str, workdir: Path, **arguments: Any) -> tuple[Any, PackageDescriptor]:
    source = model(shape)
    words = {"target_formats": "onnx", "runtimes": "CPUExecutionProvider", "name": shape, **arguments}
    return source, nav.huggingface.export(
        source, items(source), workdir=workdir, run_profiling=False, disable_git_info=True, **words
    )


def steps(answering: Any, given: dict[str, Any], **settings: Any) -> tuple[torch.Tensor, np.ndarray]:
    """The tokens that are generated, and the logits of each step, of shape (steps, batch, vocabulary)."""
    told = {"return_dict_in_generate": True, "output_logits": True, **GREEDY, **settings}
    found = answering.generate(**given, **told)
    return found.sequences, torch.stack(found.logits).numpy()


@pytest.mark.parametrize("size", [1, 3])
def test_greedy_search_finds_the_tokens_of_the_source(both: tuple[Any, PackageDescriptor], size: int) -> None:
    source, package = both
    given = prompts(source, size)
    arguments = {"force_unique_generate_call": True} if source.config.model_type == "whisper" else {}
    expected, numbers = steps(source, given, **arguments)
    found, answered = steps(nav.huggingface.generator(package, "onnx"), given, **arguments)
    assert numbers.shape[:2] == (LENGTH, size)
    assert len(set(expected[0].tolist())) >= 8, "a source that says one word again and again proves nothing"
    assert torch.equal(found, expected)
    np.testing.assert_allclose(answered, numbers, rtol=1e-3, atol=1e-3)


def test_the_axes_of_the_cache_are_linked(both: tuple[Any, PackageDescriptor]) -> None:
    _, package = both
    assert package.record.samples is not None
    signature = package.record.samples.signature
    shapes = {spec.name: spec.shape for spec in (*signature.inputs, *signature.outputs)}
    side = "decoder." if "past_key_values.0.encoder.key" in shapes else ""
    for layer in (0, 1):
        for part in ("key", "value"):
            before = shapes[f"past_key_values.{layer}.{side}{part}"]
            after = shapes[f"present.{layer}.{side}{part}"]
            assert (before[0], before[2], after[0], after[2]) == ("batch", "cache", "batch", "cache + tokens")
            assert before[1::2] == after[1::2]
    mask = "decoder_attention_mask" if side else "attention_mask"
    assert shapes[mask] == ("batch", "cache + tokens")
    assert shapes["logits"][:2] == ("batch", "tokens")
    axes = {axis.symbol: (axis.minimum, axis.maximum) for axis in signature.axes}
    assert axes["cache"][0] == 0
    assert axes["tokens"][0] == 1
    assert axes["cache"][1] > 1


@pytest.mark.nightly
@pytest.mark.parametrize("shape", ["gpt2", "gemma", "t5", "whisper"])
def test_other_formats_generate_the_same(shape: str, tmp_path: Path) -> None:
    formats = ("torch-exportedprogram", "torchscript-trace", "openvino")
    source, package = exported(shape, tmp_path, target_formats=formats, runtimes=None)
    given = prompts(source, 3)
    expected = source.generate(**given, **GREEDY)
    for format in formats:
        assert torch.equal(nav.huggingface.generator(package, format).generate(**given, **GREEDY), expected), format


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, PackageDescriptor]:
    return exported("llama", tmp_path_factory.mktemp("causal"), opset=17)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, PackageDescriptor]:
    return exported("bart", tmp_path_factory.mktemp("pair"), opset=17)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_beams": 3, "num_return_sequences": 2},
        {"do_sample": True, "top_k": 20},
        {"use_cache": False},
        {"cache_implementation": "static"},
        {"prefill_chunk_size": 3},
        {"prompt_lookup_num_tokens": 3},
    ],
    ids=lambda one: next(iter(one)),
)
def test_every_way_of_generating_is_the_source_s(
    causal: tuple[Any, PackageDescriptor], settings: dict[str, Any]
) -> None:
    source, package = causal
    given = prompts(source, 1 if "prompt_lookup_num_tokens" in settings else 3)
    answers = []
    for answering in (source, nav.huggingface.generator(package, "onnx")):
        torch.manual_seed(3)
        answers.append(answering.generate(**given, **{"do_sample": False, "max_new_tokens": 24, **settings}))
    assert torch.equal(*answers)


def test_beams_of_an_encoder_decoder(pair: tuple[Any, PackageDescriptor]) -> None:
    source, package = pair
    given = prompts(source, 3)
    answers = [
        one.generate(**given, num_beams=3, max_new_tokens=24)
        for one in (source, nav.huggingface.generator(package, "onnx"))
    ]
    assert torch.equal(*answers)


def test_a_conversation_goes_on_from_its_cache(causal: tuple[Any, PackageDescriptor]) -> None:
    source, package = causal
    answering = nav.huggingface.generator(package, "onnx")
    given = prompts(source, 2)
    cache = transformers.DynamicCache()
    first = answering.generate(**given, past_key_values=cache, do_sample=False, max_new_tokens=5)
    assert cache.get_seq_length() == first.shape[1] - 1
    more = torch.cat([first, given["input_ids"][:, -3:]], 1)
    mask = torch.cat([given["attention_mask"], torch.ones(2, 8, dtype=torch.int64)], 1)
    again = answering.generate(more, attention_mask=mask, past_key_values=cache, do_sample=False, max_new_tokens=5)
    assert torch.equal(again, source.generate(more, attention_mask=mask, do_sample=False, max_new_tokens=5))


def test_whoever_loads_the_package_needs_no_hub(
    pair: tuple[Any, PackageDescriptor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, package = pair
    nav.save(package, tmp_path / "pair.nav")
    loaded = nav.load(tmp_path / "pair.nav", workdir=tmp_path / "elsewhere", retest_conversions=False)

    def nobody(*_: object, **__: object) -> None:
        raise AssertionError("a hub was asked")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    answering = nav.huggingface.generator(loaded, "onnx", "CPUExecutionProvider")
    given = prompts(source, 2)
    assert torch.equal(answering.generate(**given, max_new_tokens=8), source.generate(**given, max_new_tokens=8))
    assert answering.generation_config.decoder_start_token_id == source.generation_config.decoder_start_token_id
    assert isinstance(answering, transformers.BartForConditionalGeneration)
    assert all(weight.is_meta for weight in answering.parameters())


def test_a_second_run_makes_nothing_again(pair: tuple[Any, PackageDescriptor]) -> None:
    _, package = pair
    paths = [package.workspace.with_name(f"bart{end}.nav.workspace") / "onnx/model.onnx" for end in ("", "-encoder")]
    before = [path.stat().st_mtime_ns for path in paths]
    exported("bart", package.workspace.parent, opset=17)
    assert [path.stat().st_mtime_ns for path in paths] == before


def test_the_runners_go_with_the_generator(
    pair: tuple[Any, PackageDescriptor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    answering = nav.huggingface.generator(pair[1], "onnx")
    assert len(list(tmp_path.glob("navcore-encoder-*"))) == 1
    gone = weakref.ref(answering)
    del answering
    gc.collect()
    assert gone() is None
    assert not list(tmp_path.glob("navcore-encoder-*"))


def test_what_the_package_cannot_do_is_refused(causal: tuple[Any, PackageDescriptor]) -> None:
    source, package = causal
    answering = nav.huggingface.generator(package, "onnx")
    given = prompts(source, 1)
    sliding = transformers.DynamicCache(config=transformers.MistralConfig(sliding_window=WINDOW, num_hidden_layers=2))
    refused = (
        ({"past_key_values": sliding}, "DynamicSlidingWindowLayer"),
        ({"output_hidden_states": True}, "returns no such thing"),
        ({"inputs_embeds": torch.zeros(1, 3, 32)}, "inputs_embeds was given"),
        ({"input_ids": None}, "takes input_ids"),
    )
    for changes, why in refused:
        with pytest.raises(nav.InputError, match=why):
            answering(**{**given, **changes})
    with pytest.raises(nav.OptionError, match="has no encoder"):
        nav.huggingface.generator(package, "onnx", encoder="onnx")


def test_a_generator_can_be_printed_like_any_model(causal: tuple[Any, PackageDescriptor]) -> None:
    source, package = causal
    answering = nav.huggingface.generator(package, "onnx")
    assert type(source).__name__ in repr(answering)
    assert answering.get_input_embeddings().weight.is_meta


def test_states_of_another_encoder_are_refused(pair: tuple[Any, PackageDescriptor]) -> None:
    source, package = pair
    given = prompts(source, 1)
    states = source.get_encoder()(**given)
    with pytest.raises(nav.InputError, match="encoder_outputs do not hold"):
        nav.huggingface.generator(package, "onnx").generate(encoder_outputs=states, max_new_tokens=3)


def test_the_encoder_has_to_be_there_in_the_format(pair: tuple[Any, PackageDescriptor]) -> None:
    with pytest.raises(nav.PackageIncomplete, match="not there as torchscript-trace"):
        nav.huggingface.generator(pair[1], "onnx", encoder="torchscript-trace")


def test_without_its_cache_a_package_does_not_generate(tmp_path: Path) -> None:
    _, package = exported(
        "gpt2", tmp_path, use_cache=False, target_formats="torchscript", jit_options="trace", runtimes=None
    )
    assert package.record.samples is not None
    assert package.record.samples.signature.output_names == ("logits",)
    with pytest.raises(nav.PackageIncomplete, match="exported without its cache"):
        nav.huggingface.generator(package, "torchscript-trace")


def test_a_class_that_is_none_of_transformers_is_refused() -> None:
    for kind in ("NobodyForCausalLM", "AutoTokenizer", "BertModel"):
        with pytest.raises(nav.InputError, match="generates"):
            without_weights(Belongings(None, None, "text-generation", kind), print)


def test_a_model_that_keeps_no_keys_and_values_is_exported_without(caplog: pytest.LogCaptureFixture) -> None:
    config = transformers.MambaConfig(vocab_size=50, hidden_size=16, state_size=4, num_hidden_layers=1)
    named = named_source(transformers.MambaForCausalLM(config).eval())
    base = [{"input_ids": torch.ones(2, 7, dtype=torch.int64)}]
    with caplog.at_level(logging.WARNING, "nav_huggingface"):
        assert not generates(named, base, None)
    assert "exported without its cache" in caplog.text
    with pytest.raises(nav.OptionError, match="cannot be exported with its cache"):
        generates(named, base, True)


@pytest.mark.parametrize(("base", "why"), [([(torch.ones(2, 3),)], "is a tuple"), ([], "no data")])
def test_data_without_names_are_exported_without(base: Any, why: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "nav_huggingface"):
        assert not generates(named_source(model("llama")), base, None)
    assert why in caplog.text


def test_a_model_that_does_not_generate_is_none_that_does(caplog: pytest.LogCaptureFixture) -> None:
    named = named_source(hub_models.model("BertForMaskedLM"))
    assert not generates(named, [], None)
    assert not caplog.text
    with pytest.raises(nav.OptionError, match="its class does not generate"):
        generates(named, [], True)


def test_from_a_shell_to_a_pipeline_that_writes(tmp_path: Path) -> None:
    source = hub_models.folder(tmp_path / "writer", "GPT2LMHeadModel", bos_token_id=3, eos_token_id=3)
    saved = tmp_path / "writer.nav"
    words = ["export", str(source), "--target", "torchscript-trace", "--no-profiling", "--workdir", str(tmp_path)]
    done = CliRunner().invoke(hub, [*words, "--save", str(saved)])
    assert done.exit_code == 0, done.output
    closed = nav.load(saved, workdir=tmp_path / "closed", retest_conversions=False)
    with pytest.raises(nav.TrustRequired):
        nav.huggingface.generator(closed, "torchscript-trace")
    loaded = nav.load(saved, workdir=tmp_path / "open", retest_conversions=False, trust=True)
    settings = {"max_new_tokens": 12, "do_sample": False}
    expected = transformers.pipeline("text-generation", model=str(source), device="cpu")("whales sing", **settings)
    assert nav.huggingface.pipeline(loaded)("whales sing", **settings) == expected
    with pytest.raises(nav.OptionError, match="no pipeline for 'question-answering'"):
        nav.huggingface.pipeline(loaded, task="question-answering")


def test_a_shell_can_leave_the_cache_away(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def export(*_: object, **arguments: object) -> None:
        asked.append(arguments["use_cache"])
        raise nav.InputError("enough")

    monkeypatch.setattr("nav_huggingface.exporting.export", export)
    for words in (["export", "folder"], ["export", "folder", "--no-cache"]):
        CliRunner().invoke(hub, words)
    assert asked == [None, False]
