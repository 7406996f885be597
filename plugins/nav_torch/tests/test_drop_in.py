"""A stored model stands where its source stood: same call, same result, same tensors."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nav_torch
import navcore as nav
from nav_torch.live import from_array, to_array
from nav_torch.result_shape import shape_of
from nav_torch.structures import parts

torch.manual_seed(0)
ASKED: dict[str, Any] = {"targets": ["onnx"], "run_profiling": False, "git_info": False}


@dataclasses.dataclass
class Answer:
    score: torch.Tensor
    parts: tuple[torch.Tensor, ...]
    kind: str = "answer"


class Scorer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)
        self.config = {"width": 4}

    def forward(self, x: torch.Tensor, mask: torch.Tensor, scale: float = 2.0) -> Answer:
        y = self.layer(x) * mask[:, None] * scale
        return Answer(y.sum(-1), (y, y.argmax(-1)))


def batches(number: int = 4) -> list[dict[str, torch.Tensor]]:
    made = [torch.Generator().manual_seed(one) for one in range(number)]
    return [{"mask": torch.ones(3), "x": torch.randn(3, 4, generator=one)} for one in made]


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer().eval()


@pytest.fixture(scope="module")
def scored(scorer: Scorer, tmp_path_factory: pytest.TempPathFactory) -> nav.PackageDescriptor:
    return nav.run(scorer, batches(), workdir=tmp_path_factory.mktemp("scored"), **ASKED)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> nav.PackageDescriptor:
    model = torch.nn.Linear(4, 3).eval()
    data = [one["x"] for one in batches()]
    targets = ["onnx", "torchscript-trace"]
    return nav.run(model, data, workdir=tmp_path_factory.mktemp("plain"), **{**ASKED, "targets": targets})


def is_like(found: Answer, expected: Answer) -> None:
    assert type(found) is Answer
    assert found.kind == expected.kind
    torch.testing.assert_close(found.score, expected.score)
    torch.testing.assert_close(found.parts, expected.parts)


def test_an_application_swaps_one_line(scorer: Scorer, scored: nav.PackageDescriptor) -> None:
    model = nav_torch.as_module(scored, "onnx")
    assert isinstance(model, torch.nn.Module)
    one = batches()[1]
    expected = scorer(**one)
    for found in (model(**one), model(one["x"], one["mask"]), model(one["x"], mask=one["mask"], scale=None)):
        is_like(found, expected)
    assert model.config == {"width": 4}
    assert list(model.parameters()) == []
    with pytest.raises(AttributeError):
        model.nowhere  # noqa: B018


def test_arguments_that_do_not_fit_are_named(scored: nav.PackageDescriptor) -> None:
    model = nav_torch.as_module(scored, "onnx")
    one = batches()[0]
    with pytest.raises(TypeError, match="argument 'mask' is missing"):
        model(one["x"])
    with pytest.raises(TypeError, match="argument 'scale' was not there when the model was exported"):
        model(**one, scale=3.0)
    with pytest.raises(TypeError, match=r"x is torch.int64, and the model takes torch.float32"):
        model(one["x"].long(), one["mask"])
    is_like(nav_torch.as_module(scored, "onnx", ignored=["scale"])(**one, scale=3.0), model(**one))


@pytest.mark.parametrize("name", ["onnx", "torchscript-trace"])
def test_the_samples_come_out_within_the_row_s_bound(plain: nav.PackageDescriptor, name: str) -> None:
    signature = plain.record.samples.signature
    model = nav_torch.as_module(plain, name)

    def runner(feeds: Any) -> Any:
        args, kwargs = signature.bind(feeds, from_array)
        return signature.name_outputs(model(*args, **kwargs), to_array, parts)

    verdict = nav.verify(runner, plain.comparisons(), signature=signature, inputs=signature.input_names)
    assert (verdict.status, verdict.failure) == (nav.Status.OK, None)
    assert verdict.compared == len(list(plain.comparisons()))


def test_another_floating_point_type_is_kept(plain: nav.PackageDescriptor) -> None:
    model = nav_torch.as_module(plain, "onnx")
    x = batches()[0]["x"]
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        found = model(x.to(dtype))
        assert found.dtype == dtype
        torch.testing.assert_close(found.float(), model(x.to(dtype).float()), rtol=1e-2, atol=1e-2)
    assert model(x).dtype == torch.float32


def test_it_takes_what_needs_gradients_and_gives_none(plain: nav.PackageDescriptor) -> None:
    model = nav_torch.as_module(plain, "onnx")
    x = batches()[0]["x"]
    found = model(x.clone().requires_grad_())
    assert not found.requires_grad
    torch.testing.assert_close(found, model(x.T.contiguous().T))  # of another layout in memory
    torch.testing.assert_close(model((-1j * (1j * x)).real), model(x))


def test_results_are_the_caller_s_to_keep(plain: nav.PackageDescriptor) -> None:
    model = nav_torch.as_module(plain, "onnx")
    first, second = (one["x"] for one in batches(2))
    found = model(first)
    kept = found.clone()
    model(second)
    torch.testing.assert_close(found, kept, rtol=0, atol=0)
    found += 1
    torch.testing.assert_close(model(first), kept, rtol=0, atol=0)


def test_inputs_and_outputs_share_their_memory(plain: nav.PackageDescriptor, monkeypatch: pytest.MonkeyPatch) -> None:
    model = nav_torch.as_module(plain, "onnx")
    seen: dict[str, np.ndarray] = {}
    inner = model._call.runner
    monkeypatch.setattr(model._call, "runner", lambda feeds: seen.setdefault("out", _kept(seen, feeds, inner)))
    x = batches()[0]["x"]
    found = model(x)
    assert seen["x"].ctypes.data == x.data_ptr()
    assert seen["y"].ctypes.data == found.data_ptr()


def _kept(seen: dict[str, Any], feeds: Any, inner: Any) -> Any:
    outputs = inner(feeds)
    (seen["x"],), (seen["y"],) = feeds.values(), outputs.values()
    return outputs


def test_a_package_that_was_loaded_has_no_source(scored: nav.PackageDescriptor, tmp_path: Path) -> None:
    scored.save(tmp_path / "x.nav")
    loaded = nav.load(tmp_path / "x.nav", workdir=tmp_path / "w", run_profiling=False)
    one = batches()[2]
    found = nav_torch.as_module(loaded, "onnx")(**one)
    assert list(found) == ["score", "parts__0", "parts__1"]

    def answer(score: torch.Tensor, parts__0: torch.Tensor, parts__1: torch.Tensor) -> Answer:
        return Answer(score, (parts__0, parts__1))

    model = nav_torch.as_module(loaded, "onnx", like=Scorer, result=answer)
    is_like(model(one["x"], one["mask"]), Scorer.forward(_with_weights(scored), **one))
    with pytest.raises(TypeError, match="argument 'mask' is missing"):  # nobody knows what a position means
        nav_torch.as_module(loaded, "onnx")(one["x"], one["mask"])


def _with_weights(package: nav.PackageDescriptor) -> Any:
    return package.get_model("torch")


def test_it_is_released(plain: nav.PackageDescriptor) -> None:
    model = nav_torch.as_module(plain, "onnx")
    model.close()
    with pytest.raises(RuntimeError, match="was released"):
        model(batches()[0]["x"])


def test_what_cannot_be_opened_is_refused(plain: nav.PackageDescriptor) -> None:
    with pytest.raises(nav.UnknownFormat):
        nav_torch.as_module(plain, "openvino")


def _of_transformers() -> Any:
    return pytest.importorskip("transformers", reason="transformers is not installed")


Pair = namedtuple("Pair", "left right")


@pytest.mark.parametrize(
    "make",
    [
        lambda a, b: (a, [b]),
        lambda a, b: OrderedDict(second=b, first=a),
        lambda a, b: Pair(a, {"deep": (b, None, 3)}),
        lambda a, b: Answer(a, (b,), kind="other"),
        lambda a, b: _of_transformers().modeling_outputs.BaseModelOutput(last_hidden_state=a, hidden_states=(b,)),
    ],
)
def test_a_result_is_filled_anew(make: Any) -> None:
    old, new = (torch.zeros(1), torch.ones(1)), (torch.full((1,), 2.0), torch.full((1,), 3.0))
    result, expected = make(*old), make(*new)
    by_name = {float(tensor): f"t{int(tensor)}" for tensor in old}
    from navcore.contract import flatten_result

    order = [by_name[float(leaf)] for _, leaf in flatten_result(result, torch.is_tensor, parts)]
    found = shape_of(result, tuple(order))({"t0": new[0], "t1": new[1]})
    assert type(found) is type(expected)
    assert found == expected
    assert result == make(*old)


def test_a_result_that_nobody_can_make_is_refused_by_its_class() -> None:
    class Mine:
        pass

    with pytest.raises(nav.InputError, match=r"returns a .*Mine, of which no other can be made.*result="):
        shape_of((torch.zeros(1), Mine()), ("output__0",))


def test_a_pipeline_that_holds_it_works(tmp_path: Path) -> None:
    transformers = _of_transformers()
    config = transformers.BertConfig(
        vocab_size=40, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    model = transformers.BertForSequenceClassification(config).eval()
    vocabulary = tmp_path / "vocab.txt"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "day"]
    vocabulary.write_text("\n".join(words))
    tokenizer = transformers.BertTokenizerFast(vocab=dict(zip(words, range(len(words)), strict=True)))
    texts = ["good day", "bad", "good good bad day", "day bad"]
    data = [dict(tokenizer([text, text], return_tensors="pt")) for text in texts]
    package = nav.run(model, data, workdir=tmp_path / "w", **ASKED)
    swapped = nav_torch.as_module(package, "onnx", ignored=["return_dict", "use_cache"])
    pipelines = [
        transformers.pipeline("text-classification", model=one, tokenizer=tokenizer, top_k=None)
        for one in (model, swapped)
    ]
    for text in texts:
        expected, found = (pipeline([text])[0] for pipeline in pipelines)
        assert [one["label"] for one in found] == [one["label"] for one in expected]
        np.testing.assert_allclose([o["score"] for o in found], [o["score"] for o in expected], rtol=1e-4)
