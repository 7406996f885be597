"""A strict capture with one ``Dim`` per symbol, and what is captured and said where strict mode fails."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import navcore as nav
from nav_torch import exportedprogram_from_torch, onnx_from_torch_dynamo, onnx_from_torch_static
from nav_torch.axes import Reach
from nav_torch.flat import example_tensors, flattened
from nav_torch.restoring import exporting
from nav_torch.strict import Capture, captured_strictly, shared_dims
from navcore import Axis, ExportError, Signature, TensorSpec


def capture(subject: Any) -> Capture:
    with exporting(subject.model, None, None) as device, flattened(subject.model, subject.signature) as flat:
        tensors = example_tensors(subject.example, subject.signature, device)
        return captured_strictly(flat, tensors, subject.signature)


def input_sizes(program: torch.export.ExportedProgram) -> list[tuple[Any, ...]]:
    nodes = {node.name: node for node in program.graph.nodes}
    return [tuple(nodes[str(name)].meta["val"].shape) for name in program.graph_signature.user_inputs]


def ranges(program: torch.export.ExportedProgram) -> dict[str, tuple[str, str]]:
    """By symbol of the graph, its smallest and largest size."""
    return {str(symbol): (str(r.lower), str(r.upper)) for symbol, r in program.range_constraints.items()}


@pytest.fixture(scope="module")
def bert() -> nn.Module:
    from transformers import BertConfig, BertModel

    sizes = BertConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        vocab_size=50,
        max_position_embeddings=64,
    )
    return BertModel(sizes)


TEXT = {
    "input_ids": torch.randint(0, 50, (2, 7)),
    "attention_mask": torch.ones(2, 7, dtype=torch.int64),
    "token_type_ids": torch.zeros(2, 7, dtype=torch.int64),
}
TEXT_AXES = {name: {0: "batch", 1: "sequence"} for name in TEXT}


def test_bert_has_one_batch_and_one_sequence(bert: nn.Module, case: Any, export: Any) -> None:
    subject = case(bert, TEXT, TEXT_AXES, {"batch": (1, 2, 8), "sequence": (3, 7, 30)}, declared=("sequence",))
    result = export(exportedprogram_from_torch, subject)
    assert result.made.notes == ()
    assert result.signature == subject.signature
    program = torch.export.load(result.path)
    batch, sequence = input_sizes(program)[0]
    assert input_sizes(program) == [(batch, sequence)] * 3
    # Not the 30 of the data: whatever the table of positions holds.
    assert ranges(program) == {str(batch): ("1", "int_oo"), str(sequence): ("1", "64")}


def test_bert_runs_at_every_size_that_it_has_positions_for(bert: nn.Module, case: Any, export: Any) -> None:
    subject = case(bert, TEXT, TEXT_AXES, {"batch": (1, 2, 8), "sequence": (3, 7, 30)})
    module = torch.export.load(export(exportedprogram_from_torch, subject).path).module()
    for batch, sequence in [(1, 1), (1, 64), (9, 3)]:
        ids = torch.randint(0, 50, (batch, sequence))
        texts = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
        with torch.no_grad():
            expected = bert.eval()(**texts).last_hidden_state
            torch.testing.assert_close(module(*texts.values())[0], expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(AssertionError, match="Guard failed"):
        module(*(torch.zeros(2, 65, dtype=torch.int64) for _ in range(3)))


class Apart(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x * 2, y + 1


def test_axes_that_the_model_keeps_apart_are_one_where_the_data_link_them(case: Any) -> None:
    axes = {"x": {0: "batch"}, "y": {0: "batch"}}
    program = capture(case(Apart(), {"x": torch.randn(2, 5), "y": torch.randn(2, 5)}, axes)).program
    (x, _), (y, _) = input_sizes(program)
    assert x == y
    with pytest.raises(AssertionError, match="Guard failed"):
        program.module()(torch.randn(2, 5), torch.randn(3, 5))


class Unreadable(nn.Module):
    """Strict mode does not follow a function that it is told to stay out of."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch._dynamo.graph_break()
        return x + 1


def test_where_strict_mode_fails_the_other_is_taken_and_the_row_says_why(
    case: Any, export: Any, assert_follows: Any
) -> None:
    subject = case(Unreadable(), {"x": torch.randn(2, 3)}, {"x": {0: "batch"}})
    result = export(exportedprogram_from_torch, subject)
    (note,) = result.made.notes
    assert note.startswith("torch.export: captured without strict mode, which fails: Unsupported: ")
    assert_follows(subject, result, {"batch": 1}, {"batch": 5})


class ThroughNumpy(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.sin(x.numpy())) + 1


def test_what_only_strict_mode_captures_is_captured(case: Any, export: Any, assert_follows: Any) -> None:
    subject = case(ThroughNumpy(), {"x": torch.randn(2, 3)}, {"x": {0: "batch"}})
    result = export(exportedprogram_from_torch, subject)
    assert result.made.notes == ()
    assert_follows(subject, result, {"batch": 1}, {"batch": 5})


def test_what_neither_mode_captures_is_an_error(case: Any) -> None:
    class Reading(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum().item() > 0 else -x

    with pytest.raises(ExportError, match=r"torch\.export failed: \w+: "):
        capture(case(Reading(), {"x": torch.randn(2, 3)}, {"x": {0: "batch"}}))


class Reshaped(nn.Module):
    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return x.reshape(x.shape[0], 7) * mask


def test_an_axis_that_the_model_fixes_is_fixed_and_told(case: Any, export: Any, assert_follows: Any) -> None:
    item = {"x": torch.randn(2, 7), "mask": torch.randn(2, 7)}
    axes = {name: {0: "batch", 1: "time"} for name in item}
    subject = case(Reshaped(), item, axes, {"batch": (1, 2, 8), "time": (3, 7, 30)})
    result = export(exportedprogram_from_torch, subject)
    assert [spec.shape for spec in result.signature.inputs] == [("batch", 7), ("batch", 7)]
    assert [axis.symbol for axis in result.signature.axes] == ["batch"]
    assert result.made.notes == ("torch.export: axis 'time' (wanted 3 to 30) is fixed at 7.",)
    assert_follows(subject, result, {"batch": 1}, {"batch": 5})


class Halved(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x.reshape(x.shape[0], -1, 2).sum(-1) + y.reshape(y.shape[0], -1, 2).sum(-1)


def test_a_rule_that_sizes_follow_is_told(case: Any, export: Any, assert_follows: Any) -> None:
    item = {"x": torch.randn(2, 8), "y": torch.randn(2, 8)}
    subject = case(Halved(), item, {name: {0: "batch", 1: "width"} for name in item})
    result = export(exportedprogram_from_torch, subject)
    (note,) = result.made.notes
    assert note.endswith("captured without strict mode, because the model ties its sizes: width = 2*_width.")
    assert_follows(subject, result, {"width": 4}, {"batch": 1, "width": 10})


RELEASED = """
import gc, weakref, torch
from nav_torch.flat import flattened
from nav_torch.restoring import exporting
from nav_torch.strict import captured_strictly
from navcore.contract.signature import Axis, Signature, TensorSpec

call = {"args": [{"tensor": "x"}], "kwargs": []}
signature = Signature((TensorSpec("x", "float32", ("batch", 5)),), axes=(Axis("batch", 1, 2, 8),), call=call)
model = torch.nn.Linear(5, 3).eval()
weight = weakref.ref(model.weight)


def capture(model):
    with exporting(model, None, None), flattened(model, signature) as flat:
        assert captured_strictly(flat, (torch.randn(2, 5),), signature).notes == ()


capture(model)
del model
gc.collect()
assert weight() is None, "the model is still held"
"""


def test_a_strict_capture_does_not_keep_the_model_alive() -> None:
    # In a process of its own: pytest's record of the log holds what PyTorch logged, the model among it.
    done = subprocess.run([sys.executable, "-c", RELEASED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


SHAPED = Signature(
    (TensorSpec("x", "float32", ("in", "in+", "fixed")), TensorSpec("y", "float32", ("in", 3))),
    axes=(Axis("in", 4, 5, 6), Axis("in+", 0, 2, 3), Axis("fixed", 1, 2, 3)),
)


def test_a_dim_covers_what_the_model_takes_under_a_name_of_its_own() -> None:
    dims = shared_dims(SHAPED, {"in": Reach(0, 512), "in+": Reach(0, None), "fixed": Reach(7, 7)})
    assert list(dims) == ["in", "in+"]
    assert (dims["in"].min, dims["in"].max) == (1, 512)
    assert dims["in+"].min == 0
    names = {dim.__name__ for dim in dims.values()}
    assert len(names) == 2
    assert all(name.isidentifier() for name in names)


def test_no_weight_is_copied_on_the_way(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo.variables import builder

    copied: list[torch.Tensor] = []
    real = builder.clone_input

    def noted(tensor: torch.Tensor, *rest: Any, **more: Any) -> Any:
        copied.append(tensor)
        return real(tensor, *rest, **more)

    monkeypatch.setattr(builder, "clone_input", noted)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4)).eval()
    before = builder._clone_input
    assert capture(case(model, {"input": torch.randn(2, 4)}, {"input": {0: "batch"}})).notes == ()
    own = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
    assert copied, "the inputs are copied: what this test looks at is still there"
    assert not own & {id(tensor) for tensor in copied}
    assert builder._clone_input is before


def test_where_they_would_be_copied_and_not_fit_the_capture_is_not_strict(
    case: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._dynamo.variables import builder

    subject = case(nn.Linear(4, 4), {"input": torch.randn(2, 4)}, {"input": {0: "batch"}})
    monkeypatch.setattr("nav_torch.strict.available_memory", lambda: 100)
    assert capture(subject).notes == ()
    monkeypatch.delattr(builder, "_clone_input")
    (note,) = capture(subject).notes
    assert "captured without strict mode, which fails: MemoryError: strict mode copies the weights" in note


class ReadsItsBatch(nn.Module):
    """The batch as a number, which a loose capture pins to the example's and strict mode follows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.conv(image).permute(0, 2, 3, 1).reshape(int(image.shape[0]), -1, 4)


@pytest.mark.parametrize("route", [exportedprogram_from_torch, onnx_from_torch_dynamo])
def test_a_batch_that_is_read_as_a_number_is_offered_to_strict_mode(
    route: Any, case: Any, export: Any, assert_follows: Any
) -> None:
    subject = case(ReadsItsBatch(), {"image": torch.randn(2, 3, 8, 8)}, {"image": {0: "batch"}})
    result = export(route, subject)
    assert result.made.notes == ()
    assert result.signature.inputs[0].shape == ("batch", 3, 8, 8)
    assert_follows(subject, result, {"batch": 1}, {"batch": 2}, {"batch": 5})


class ComparesItsBatch(nn.Module):
    """The batch as a number that is compared, at which a loose capture fails."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image + float(image.shape[0] > 100)


@pytest.mark.parametrize("model", [ComparesItsBatch(), ThroughNumpy()], ids=lambda model: type(model).__name__)
def test_onnx_is_made_of_what_only_strict_mode_captures(
    model: nn.Module, case: Any, export: Any, assert_follows: Any
) -> None:
    name = next(iter(inspect.signature(model.forward).parameters))
    subject = case(model, {name: torch.randn(2, 3)}, {name: {0: "batch"}})
    assert_follows(subject, export(onnx_from_torch_dynamo, subject), {"batch": 1}, {"batch": 5})


class LoopsOverItsBatch(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[row] * (row + 1) for row in range(x.shape[0])])


def test_the_last_resort_is_made_at_the_usual_batch_of_the_data(case: Any, export: Any, assert_follows: Any) -> None:
    subject = case(LoopsOverItsBatch(), {"x": torch.randn(2, 3)}, {"x": {0: "batch"}}, {"batch": (1, 4, 4)})
    result = export(onnx_from_torch_static, subject)
    assert result.signature.inputs[0].shape == (4, 3)
    assert result.made.notes == ("torch.export: axis 'batch' (wanted 1 to 4) is fixed at 4.",)
    assert_follows(subject, result, {"batch": 4})


def test_the_last_resort_is_made_at_the_most_frequent_batch_where_the_run_knows_it(tmp_path: Path) -> None:
    """The median of these batches, 3, occurs but once."""
    data = [torch.randn(size, 3) for size in (1, 4, 3, 4, 1, 4, 2)]
    package = nav.run(LoopsOverItsBatch(), data, targets="onnx", workdir=tmp_path, run_profiling=False)
    assert package.record.samples is not None
    assert package.record.samples.usual_batch == 4
    row = next(row for row in package.results if row.format.name == "onnx")
    assert "the export takes a batch of 4 only" in row.runtimes[0].verification.failure.cause
