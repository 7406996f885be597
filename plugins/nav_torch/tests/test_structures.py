"""Results that hold tensors in objects: dataclasses, views, registered pytrees, the caches of transformers."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from nav_torch import (
    exportedprogram_from_torch,
    onnx_from_torch_dynamo,
    onnx_from_torch_torchscript,
    torchscript_trace_from_torch,
)
from nav_torch.live import is_tensor
from nav_torch.structures import parts
from navcore.contract.pytree import flatten_result

FLAT = [
    torchscript_trace_from_torch, exportedprogram_from_torch, onnx_from_torch_dynamo, onnx_from_torch_torchscript
]  # fmt: skip


@dataclasses.dataclass
class Extra:
    attention: torch.Tensor


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 2)

    def forward(self, x: torch.Tensor) -> Any:
        y = self.linear(x)
        return {"y": y, "extra": Extra(y.softmax(-1)), "views": {"a": y + 1, "b": y - 1}.values()}


@pytest.mark.parametrize("route", FLAT)
def test_every_tensor_in_an_object_is_an_output(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    subject = case(Mixed(), {"x": torch.randn(3, 6)}, {"x": {0: "batch"}})
    result = export(route, subject)
    assert result.signature.output_names == ("y", "extra__attention", "views__0", "views__1")
    assert_follows(subject, result, {"batch": 1}, {"batch": 5})


class Decoder(nn.Module):
    """Llama by its own classes: the cache is made inside and handed out."""

    def __init__(self) -> None:
        from transformers import LlamaConfig, LlamaForCausalLM

        super().__init__()
        sizes = LlamaConfig(
            vocab_size=20,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
        )
        self.model = LlamaForCausalLM(sizes)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        return self.model(input_ids, attention_mask=attention_mask)


CACHED = (
    "logits",
    "past_key_values__key_cache__0",
    "past_key_values__key_cache__1",
    "past_key_values__value_cache__0",
    "past_key_values__value_cache__1",
)


@pytest.mark.parametrize(
    "route", [torchscript_trace_from_torch, exportedprogram_from_torch, onnx_from_torch_torchscript]
)
def test_keys_and_values_of_a_cache_are_outputs(route: Any, case: Any, export: Any, assert_follows: Any) -> None:
    ids = torch.randint(0, 10, (2, 7))
    axes = {name: {0: "batch", 1: "time"} for name in ("input_ids", "attention_mask")}
    item = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    subject = case(Decoder(), item, axes, {"batch": (1, 2, 4), "time": (3, 7, 12)})
    assert subject.signature.output_names == CACHED
    assert subject.signature.outputs[1].shape == ("batch", 4, "time", 4)
    assert_follows(subject, export(route, subject), {"batch": 1}, {"batch": 3, "time": 11})


def test_a_registered_structure_has_the_parts_that_it_was_registered_with() -> None:
    class Boxes:
        def __init__(self, corners: Any, scores: Any) -> None:
            self.corners, self.scores = corners, scores

    torch.utils._pytree.register_pytree_node(
        Boxes, lambda boxes: ([boxes.corners, boxes.scores], None), lambda found, _: Boxes(*found)
    )
    result = {"found": Boxes(torch.ones(1), torch.zeros(1)), "kind": torch.float32}
    assert [name for name, _ in flatten_result(result, is_tensor, parts)] == ["found__0", "found__1"]
