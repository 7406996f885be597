"""An encoder with caches: its row of the table, and chunk after chunk with the caches fed back."""

# ruff: noqa: RUF012  (hooks are plain class attributes here, as users write them)
from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from nav_torch import Exportable

STEPS, FRAMES = 3, 6


class StreamingEncoder(nn.Module, Exportable):
    """A convolution over the last frames and attention over all earlier states, both kept in caches.

    The caches have the batch second; an export has it first. The first cache of states may be empty.
    """

    def __init__(self, cached: int) -> None:
        super().__init__()
        self.cached = cached
        self.conv = nn.Conv1d(4, 8, 3)
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, chunk: torch.Tensor, last_frames: torch.Tensor, last_states: torch.Tensor) -> Any:
        frames = torch.cat([last_frames.transpose(0, 1), chunk], -1)
        states = torch.relu(self.conv(frames)).transpose(1, 2)
        known = torch.cat([last_states.transpose(0, 1), states], 1)
        now = torch.arange(known.shape[1])
        hidden = now[None] > now[-states.shape[1] :, None]
        scores = self.query(states) @ self.key(known).transpose(1, 2)
        mixed = scores.masked_fill(hidden, -1e4).softmax(-1) @ self.value(known)
        return (states + mixed).transpose(1, 2), frames[..., -2:].transpose(0, 1), known.transpose(0, 1)

    def forward_for_export(self, chunk: torch.Tensor, last_frames: torch.Tensor, last_states: torch.Tensor) -> Any:
        outputs, frames, states = self.forward(chunk, last_frames.transpose(0, 1), last_states.transpose(0, 1))
        return outputs, frames.transpose(0, 1), states.transpose(0, 1)

    def input_example(self) -> Any:
        return torch.randn(2, 4, FRAMES), torch.randn(2, 4, 2), torch.randn(2, self.cached, 8)

    input_types = {"chunk": "batch 4 time", "last_frames": "4 batch 2", "last_states": "cached batch 8"}
    output_types = {"outputs": "batch 8 time", "frames": "4 batch 2", "states": "known batch 8"}
    input_types_for_export = {"chunk": "batch 4 time", "last_frames": "batch 4 2", "last_states": "batch cached 8"}
    output_types_for_export = {"outputs": "batch 8 time", "frames": "batch 4 2", "states": "batch known 8"}


def inputs(batch: int, time: int, cached: int) -> dict[str, torch.Tensor]:
    return {
        "chunk": torch.randn(batch, 4, time),
        "last_frames": torch.randn(batch, 4, 2),
        "last_states": torch.randn(batch, cached, 8),
    }


@pytest.mark.parametrize("cached", [0, 1, 5])
def test_cell(cached: int, column: str, row: Any, check_cell: Any) -> None:
    sizes = ({"batch": 1, "time": 7, "cached": 0}, {"batch": 5, "time": 4, "cached": 9})
    names = ("chunk", "last_frames", "last_states"), ("outputs", "frames", "states")
    check_cell(
        row(
            lambda: StreamingEncoder(cached),
            inputs,
            lambda model, feeds: model.forward_for_export(**feeds),
            *names,
            sizes,
        ),
        column,
    )


class SwitchedEncoder(StreamingEncoder):
    """The same with the caches as an option of the export: without them it hears the whole signal at once."""

    export_config = {"cache_support": False}

    def forward_for_export(self, chunk: torch.Tensor, last_frames: Any = None, last_states: Any = None) -> Any:
        if self.export_config["cache_support"]:
            return super().forward_for_export(chunk, last_frames, last_states)
        no_states = chunk[..., :0].transpose(1, 2)  # of the chunk's own batch, which len() would fix
        return super().forward_for_export(chunk, chunk[..., :2] * 0, torch.cat([no_states, no_states], 2))[0]

    def input_example(self) -> Any:
        return super().input_example() if self.export_config["cache_support"] else (torch.randn(2, 4, FRAMES),)

    @property
    def input_types_for_export(self) -> Any:
        kinds = StreamingEncoder.input_types_for_export
        return kinds if self.export_config["cache_support"] else {"chunk": kinds["chunk"]}

    @property
    def output_types_for_export(self) -> Any:
        kinds = StreamingEncoder.output_types_for_export
        return kinds if self.export_config["cache_support"] else {"outputs": kinds["outputs"]}


@pytest.mark.parametrize("name", ["model.onnx", "model.pt", "model.pt2"])
def test_the_caches_are_switched_by_the_export_config(name: str, tmp_path: Any, run: Any) -> None:
    torch.manual_seed(0)
    model = SwitchedEncoder(1).eval()
    signal = torch.randn(3, 4, STEPS * FRAMES)
    with torch.no_grad():
        whole = model.forward_for_export(signal)
    plain = model.export(tmp_path / name, onnx_opset_version=18)
    torch.testing.assert_close(
        torch.from_numpy(run(tmp_path / name, {"chunk": signal})[0]), whole, rtol=1e-4, atol=1e-5
    )
    model.set_export_config({"cache_support": "True"})
    cached = model.export(tmp_path / f"cached-{name}", onnx_opset_version=18)
    assert (plain.input_names, cached.input_names) == (("chunk",), ("chunk", "last_frames", "last_states"))
    feeds = {"chunk": signal, "last_frames": torch.zeros(3, 4, 2), "last_states": torch.zeros(3, 0, 8)}
    found = run(tmp_path / f"cached-{name}", feeds)
    assert len(found) == 3
    torch.testing.assert_close(torch.from_numpy(found[0]), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cached", [0, 5])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    ("name", "opset"), [("model.onnx", 13), ("model.onnx", 18), ("model.pt", 13), ("model.pt2", 13)]
)
def test_three_chunks_in_a_row_are_the_whole(
    name: str, opset: int, batch: int, cached: int, tmp_path: Any, run: Any
) -> None:
    torch.manual_seed(0)
    model = StreamingEncoder(cached).eval()
    model.export(tmp_path / name, onnx_opset_version=opset)
    signal = torch.randn(batch, 4, STEPS * FRAMES)
    start = torch.zeros(batch, 4, 2), torch.zeros(batch, 0, 8)
    with torch.no_grad():
        whole = model.forward_for_export(signal, *start)
    fed_back, eager, heard = start, start, []
    for chunk in signal.split(FRAMES, -1):
        feeds = dict(zip(("chunk", "last_frames", "last_states"), (chunk, *fed_back), strict=True))
        found = [torch.from_numpy(one) for one in run(tmp_path / name, feeds)]
        with torch.no_grad():
            wanted = model.forward_for_export(chunk, *eager)
        torch.testing.assert_close(tuple(found), wanted, rtol=1e-4, atol=1e-5)
        heard.append(found[0])
        fed_back, eager = tuple(found[1:]), wanted[1:]
    torch.testing.assert_close((torch.cat(heard, -1), *fed_back), whole, rtol=1e-4, atol=1e-5)
