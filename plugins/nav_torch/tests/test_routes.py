"""Every route on every kind of model: what comes out equals the model at other sizes than the example's."""

from __future__ import annotations

from typing import Any

import onnx
import pytest
import torch
from torch import nn

from nav_torch import (
    exportedprogram_from_torch,
    onnx_from_torch_dynamo,
    onnx_from_torch_static,
    onnx_from_torch_torchscript,
    torchscript_script_from_torch,
    torchscript_trace_from_torch,
)
from navcore import ExportError, Unavailable

FLAT = [
    torchscript_trace_from_torch,
    exportedprogram_from_torch,
    onnx_from_torch_dynamo,
    onnx_from_torch_torchscript,
]
ALL = [torchscript_script_from_torch, *FLAT]
ONNX = [onnx_from_torch_dynamo, onnx_from_torch_torchscript]


class Convolutions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Linear(4, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(image).mean((2, 3)))


class Ordered(nn.Module):
    """Subtraction tells the inputs apart; ``scale`` and ``shift`` are constants of the call."""

    def forward(
        self, first: torch.Tensor, second: torch.Tensor, scale: float = 1.0, shift: float | None = None
    ) -> torch.Tensor:
        result = first * scale - second
        return result if shift is None else result + shift


class Nested(nn.Module):
    def forward(
        self, x: torch.Tensor, states: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        return x + states[0], (states[0] * 2, states[1] - x)


class Named(nn.Module):
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"sum": x.sum(1), "double": x * 2, "again": x}


class Mixed(nn.Module):
    def forward(self, x: torch.Tensor, keep: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.where(keep, x, torch.zeros_like(x)), index + 1


BATCH = {"x": {0: "batch"}, "input__0": {0: "batch"}}


@pytest.mark.parametrize("route", ALL)
def test_a_linear_layer(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    subject = case(nn.Linear(5, 3), torch.randn(2, 5), BATCH)
    result = export(route, subject)
    assert result.signature == subject.signature
    assert_follows(subject, result, {"batch": 1}, {"batch": 7})


@pytest.mark.parametrize("route", ALL)
def test_convolutions_over_any_picture(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    axes = {"image": {0: "batch", 2: "height", 3: "width"}}
    ranges = {"batch": (1, 2, 8), "height": (8, 16, 64), "width": (8, 18, 64)}
    subject = case(Convolutions(), {"image": torch.randn(2, 3, 16, 18)}, axes, ranges, declared=("height", "width"))
    result = export(route, subject)
    assert_follows(subject, result, {"batch": 1}, {"height": 8, "width": 11}, {"batch": 3, "height": 30, "width": 64})


@pytest.mark.parametrize("route", ALL)
def test_keywords_in_any_order_with_constants(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    item = {"second": torch.randn(2, 3), "scale": 2.0, "first": torch.randn(2, 3), "shift": None}
    subject = case(Ordered(), item, {"first": {0: "batch"}, "second": {0: "batch"}})
    result = export(route, subject)
    assert result.signature.input_names == ("second", "first")
    assert_follows(subject, result, {"batch": 1}, {"batch": 5})


@pytest.mark.parametrize("route", FLAT)
def test_nested_inputs_and_outputs(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    axes = {name: {0: "batch"} for name in ("input__0", "input__1__0", "input__1__1")}
    subject = case(Nested(), (torch.randn(2, 3), (torch.randn(2, 3), torch.randn(2, 3))), axes)
    result = export(route, subject)
    assert result.signature.output_names == ("output__0", "output__1__0", "output__1__1")
    assert_follows(subject, result, {"batch": 1}, {"batch": 4})


@pytest.mark.parametrize("route", ALL)
def test_a_dict_of_outputs(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    subject = case(Named(), {"x": torch.randn(2, 3)}, BATCH)
    result = export(route, subject)
    assert result.signature.output_names == ("sum", "double", "again")
    assert_follows(subject, result, {"batch": 1}, {"batch": 4})


@pytest.mark.parametrize("route", ALL)
def test_booleans_and_integers(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    item = {
        "x": torch.randn(2, 3),
        "keep": torch.tensor([[True, False, True]] * 2),
        "index": torch.ones(2, dtype=torch.int32),
    }
    subject = case(Mixed(), item, {name: {0: "batch"} for name in item})
    assert_follows(subject, export(route, subject), {"batch": 1}, {"batch": 6})


@pytest.mark.parametrize(
    "route", [torchscript_trace_from_torch, torchscript_script_from_torch, exportedprogram_from_torch]
)
def test_bfloat16(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    subject = case(nn.Linear(5, 3).bfloat16(), {"input": torch.randn(2, 5).bfloat16()}, {"input": {0: "batch"}})
    assert subject.signature.inputs[0].dtype == "bfloat16"
    assert_follows(subject, export(route, subject), {"batch": 1}, {"batch": 6})


@pytest.mark.parametrize("route", [onnx_from_torch_dynamo, onnx_from_torch_torchscript])
def test_bfloat16_in_onnx_is_declared_as_such(route: Any, case: Any, export: Any) -> None:
    subject = case(nn.Linear(5, 3).bfloat16(), {"input": torch.randn(2, 5).bfloat16()}, {"input": {0: "batch"}})
    graph = onnx.load(export(route, subject).path).graph
    kinds = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    assert kinds == {onnx.TensorProto.BFLOAT16}


@pytest.fixture(scope="module")
def bert() -> nn.Module:
    from transformers import BertConfig, BertModel

    sizes = BertConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        vocab_size=50,
        max_position_embeddings=64,
    )
    return BertModel(sizes)


@pytest.mark.parametrize("route", FLAT)
def test_bert_with_shared_batch_and_sequence(
    route: Any, bert: nn.Module, case: Any, export: Any, assert_follows: Any
) -> None:
    item = {
        "token_type_ids": torch.zeros(2, 7, dtype=torch.int64),
        "attention_mask": torch.ones(2, 7, dtype=torch.int64),
        "input_ids": torch.randint(0, 50, (2, 7)),
    }
    axes = {name: {0: "batch", 1: "sequence"} for name in item}
    ranges = {"batch": (1, 2, 8), "sequence": (3, 7, 64)}
    subject = case(_with_two_types(bert), item, axes, ranges, declared=("batch", "sequence"))
    result = export(route, subject)
    assert result.signature.output_names == ("last_hidden_state", "pooler_output")
    assert_follows(subject, result, {"batch": 1, "sequence": 3}, {"batch": 5, "sequence": 64}, tolerance=1e-4)


class _TwoTypes(nn.Module):
    """BERT with type ids and mask folded into their two legal values, so that random integers can feed it."""

    def __init__(self, bert: nn.Module) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor) -> Any:
        return self.bert(
            input_ids=input_ids, attention_mask=(attention_mask > 2).long(), token_type_ids=token_type_ids % 2
        )


def _with_two_types(bert: nn.Module) -> nn.Module:
    return _TwoTypes(bert)


def test_bert_cannot_be_scripted_and_says_why(bert: nn.Module, case: Any, export: Any) -> None:
    subject = case(bert, {"input_ids": torch.randint(0, 50, (2, 7))}, {"input_ids": {0: "batch"}})
    with pytest.raises(ExportError, match=r"torch\.jit\.script failed: \w+: \S.*traced variant"):
        export(torchscript_script_from_torch, subject)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.LSTM(4, 5, num_layers=2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)[0]


LENGTHS = {"batch": (1, 2, 8), "time": (3, 7, 30)}
MOVING = {"x": {0: "batch", 1: "time"}}
RECORDED = [torchscript_script_from_torch, torchscript_trace_from_torch, onnx_from_torch_torchscript]


@pytest.mark.parametrize("route", RECORDED)
def test_recurrent_layers_over_any_length(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    subject = case(Recurrent(), {"x": torch.randn(2, 7, 4)}, MOVING, LENGTHS, declared=("time",))
    assert_follows(subject, export(route, subject), {"time": 3}, {"batch": 3, "time": 30})


@pytest.mark.parametrize("route", [onnx_from_torch_static, exportedprogram_from_torch])
def test_a_declared_axis_that_is_frozen_fails_by_name(route: Any, case: Any, export: Any) -> None:
    subject = case(Recurrent(), {"x": torch.randn(2, 7, 4)}, MOVING, LENGTHS, declared=("time",))
    with pytest.raises(ExportError, match=r"axis 'time' \(wanted 3 to 30\) is fixed at 7"):
        export(route, subject)


def test_an_axis_seen_to_vary_sends_the_dynamo_route_away(case: Any, export: Any) -> None:
    subject = case(Recurrent(), {"x": torch.randn(2, 7, 4)}, MOVING, LENGTHS)
    with pytest.raises(ExportError, match="axis 'time'"):
        export(onnx_from_torch_dynamo, subject)


@pytest.mark.parametrize("route", [onnx_from_torch_static, exportedprogram_from_torch])
def test_an_inferred_axis_that_is_frozen_is_reported(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    subject = case(Recurrent(), {"x": torch.randn(2, 7, 4)}, MOVING, LENGTHS)
    result = export(route, subject)
    assert result.signature.inputs[0].shape == ("batch", 7, 4)
    assert result.signature.outputs[0].shape == ("batch", 7, 5)
    assert [axis.symbol for axis in result.signature.axes] == ["batch"]
    assert "axis 'time' (wanted 3 to 30) is fixed at 7" in result.made.notes[0]
    assert_follows(subject, result, {"batch": 2}, {"batch": 5})


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 if x.shape[1] > 10 else x + 1


def test_an_axis_that_moves_within_narrower_bounds_is_reported(case: Any, export: Any) -> None:
    subject = case(Branching(), {"x": torch.randn(2, 7)}, MOVING, LENGTHS)
    result = export(exportedprogram_from_torch, subject)
    assert result.signature.axis("time").maximum == 10
    assert "moves from 0 to 10 only" in result.made.notes[0]


@pytest.mark.parametrize("route", FLAT)
def test_an_example_of_size_one_still_moves(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    subject = case(nn.Linear(5, 3), {"input": torch.randn(1, 5)}, {"input": {0: "batch"}}, {"batch": (1, 1, 8)})
    assert_follows(subject, export(route, subject), {"batch": 1}, {"batch": 6})


class Partial(nn.Module):
    def forward(self, unused: torch.Tensor, used: torch.Tensor) -> torch.Tensor:
        return used * 3


@pytest.mark.parametrize("route", FLAT)
def test_an_unused_input_does_not_shift_the_others(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    item = {"unused": torch.randn(2, 3), "used": torch.randn(2, 3)}
    subject = case(Partial(), item, {name: {0: "batch"} for name in item})
    assert_follows(subject, export(route, subject), {"batch": 4})


def test_a_dropped_input_is_reported(case: Any, export: Any) -> None:
    item = {"unused": torch.randn(2, 3), "used": torch.randn(2, 3)}
    result = export(onnx_from_torch_torchscript, case(Partial(), item, {name: {0: "batch"} for name in item}))
    assert result.signature.input_names == ("used",)
    assert result.made.notes == ("The graph does not use unused, so it has no such input.",)


class Aliased(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        y = x + 1
        return y, y, x


@pytest.mark.parametrize("route", ALL)
def test_one_tensor_in_several_outputs(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    subject = case(Aliased(), {"x": torch.randn(2, 3)}, BATCH)
    assert_follows(subject, export(route, subject), {"batch": 4})


# --- opsets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "opset"),
    [
        (onnx_from_torch_torchscript, 13),
        (onnx_from_torch_torchscript, 9),
        (onnx_from_torch_torchscript, 21),
        (onnx_from_torch_dynamo, 18),
        (onnx_from_torch_dynamo, 24),
    ],
)
def test_the_opset_asked_for_is_written(route: Any, opset: int, case: Any, export: Any) -> None:
    result = export(route, case(Convolutions(), {"image": torch.randn(2, 3, 8, 8)}), opset=opset)
    assert onnx.load(result.path).opset_import[0].version == opset
    assert result.made.facts["opset"] == str(opset)


def test_by_default_the_newest_that_both_sides_support(case: Any, export: Any, assert_follows: Any) -> None:
    subject = case(Convolutions(), {"image": torch.randn(2, 3, 8, 8)}, {"image": {0: "batch"}})
    found = {route: export(route, subject) for route in ONNX}
    assert [found[route].made.facts["opset"] for route in ONNX] == ["23", "20"]
    for result in found.values():
        assert_follows(subject, result, {"batch": 3})


@pytest.mark.parametrize(("route", "opset"), [(onnx_from_torch_dynamo, 13), (onnx_from_torch_torchscript, 24)])
def test_an_opset_out_of_reach_is_refused_before_any_work(route: Any, opset: int, case: Any, export: Any) -> None:
    class Untouchable(nn.Linear):
        def train(self, mode: bool = True) -> Any:
            raise AssertionError("the model was touched")

    subject = case(nn.Linear(2, 2), torch.randn(2, 2))
    subject.model.__class__ = Untouchable
    with pytest.raises(Unavailable, match=f"writes opset .*{opset} was asked for"):
        export(route, subject, opset=opset)


# --- the written ONNX file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ONNX)
def test_axes_carry_their_symbols_and_no_path_of_ours(route: Any, case: Any, export: Any) -> None:
    subject = case(nn.Linear(5, 3), {"input": torch.randn(2, 5)}, {"input": {0: "batch"}})
    result = export(route, subject)
    graph = onnx.load(result.path).graph
    shapes = [
        [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    ]
    assert shapes == [["batch", 5], ["batch", 3]]
    assert __file__.encode() not in result.path.read_bytes()
    assert sorted(path.name for path in result.path.parent.iterdir()) == ["model.onnx"]


def test_weights_beyond_one_file_go_beside_it(
    case: Any, export: Any, assert_follows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nav_torch.onnx_dynamo.SINGLE_FILE_LIMIT", 1000)
    subject = case(nn.Linear(50, 30), {"input": torch.randn(2, 50)}, {"input": {0: "batch"}})
    result = export(onnx_from_torch_dynamo, subject)
    assert sorted(path.name for path in result.path.parent.iterdir()) == ["model.onnx", "model.onnx.data"]
    assert_follows(subject, result, {"batch": 3})


def test_weights_in_a_file_per_tensor_are_gathered(case: Any, export: Any, assert_follows: Any) -> None:
    from nav_torch.onnx_file import gathered

    subject = case(nn.Linear(50, 30), {"input": torch.randn(2, 50)}, {"input": {0: "batch"}})
    result = export(onnx_from_torch_torchscript, subject)
    scattered = result.path.parent / "parts"
    scattered.mkdir()
    onnx.save_model(
        onnx.load(result.path),
        str(scattered / "model.onnx"),
        save_as_external_data=True,
        all_tensors_to_one_file=False,
        size_threshold=16,
    )
    result.path.unlink()
    assert len(list(scattered.iterdir())) == 3
    gathered(scattered / "model.onnx", result.path)
    assert sorted(path.name for path in result.path.parent.iterdir()) == ["model.onnx", "model.onnx.data", "parts"]
    assert_follows(subject, result, {"batch": 3})


class ReturnsEmbedding(nn.Module):
    """Its output is called like a value that the exporter names itself, after the operator."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 4)

    def forward(self, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"embedding": self.words(ids) * 2}


@pytest.mark.parametrize("route", ONNX)
def test_an_output_called_like_an_inner_value(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    subject = case(ReturnsEmbedding(), {"ids": torch.tensor([[1, 2, 3], [4, 5, 6]])}, {"ids": {0: "batch"}})
    assert_follows(subject, export(route, subject), {"batch": 2}, {"batch": 5})
