"""``dynamic_shapes_for_export``: related axes in every format, and one clear sentence for each kind of nonsense."""

# ruff: noqa: RUF012  (hooks are plain class attributes here, as users write them)
from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import nn
from torch.export import Dim

from nav_torch import Exportable, TensorType, assert_exportable
from navcore import ExportError, InputError, NavcoreError, SourceError


class Stacked(nn.Module, Exportable):
    """Four frames of audio for each token of text."""

    def forward(self, audio: torch.Tensor, text: torch.Tensor) -> Any:
        return audio.reshape(audio.shape[0], -1, 4).sum(-1) + text, audio * 2

    def input_example(self) -> Any:
        return torch.randn(2, 20), torch.randn(2, 5)

    input_types = {"audio": "batch frames", "text": "batch time"}
    output_types = {"mixed": "batch time", "louder": "batch frames"}

    def dynamic_shapes_for_export(self, use_dynamo: bool = False) -> Any:
        time = Dim("time", min=1, max=300)
        return {**super().dynamic_shapes_for_export(use_dynamo), "audio": {0: "batch", 1: 4 * time},
                "text": {0: Dim("batch"), 1: time}, "louder": {0: "batch", 1: "4*time"}}  # fmt: skip


def variant(shapes: Any, **members: Any) -> Any:
    """A ``Stacked`` whose hook gives ``shapes``."""
    return type("Stacked", (Stacked,), {"dynamic_shapes_for_export": lambda self, use_dynamo: shapes, **members})()


def dims(values: Any) -> list[list[Any]]:
    return [[dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values]


@pytest.mark.parametrize(
    "options", [{"onnx_opset_version": 13}, {"onnx_opset_version": 18, "exporter": "dynamo"}], ids=["13", "18"]
)
def test_onnx_says_how_axes_are_related(options: Any, tmp_path: Path, run: Any) -> None:
    Stacked().export(tmp_path / "a.onnx", check_trace=True, **options)
    graph = onnx.load(tmp_path / "a.onnx").graph
    assert dims(graph.input) == [["batch", "4*time"], ["batch", "time"]]
    assert dims(graph.output) == [["batch", "time"], ["batch", "4*time"]]
    audio, text = torch.randn(3, 36), torch.randn(3, 9)
    for found, wanted in zip(
        run(tmp_path / "a.onnx", {"audio": audio, "text": text}), Stacked()(audio, text), strict=True
    ):
        torch.testing.assert_close(torch.from_numpy(found), wanted)


def test_an_exported_program_holds_its_callers_to_the_relation(tmp_path: Path) -> None:
    result = Stacked().export(tmp_path / "a.pt2", check_trace=True)
    assert result.notes == ()  # strict mode needs to know the relation
    module = torch.export.load(tmp_path / "a.pt2").module()
    assert module(torch.randn(3, 36), torch.randn(3, 9))[0].shape == (3, 9)
    with pytest.raises(AssertionError, match="Guard failed"):
        module(torch.randn(3, 32), torch.randn(3, 9))


@pytest.mark.parametrize("time", [0, 1])
def test_an_example_as_small_as_a_constant(time: int) -> None:
    example = torch.randn(1, 4 * time), torch.randn(1, time)
    shapes = {"audio": {0: "batch", 1: "4*time"}, "text": {0: "batch", 1: "time"}, "louder": {0: "batch", 1: "4*time"}}
    model = variant(shapes, input_example=lambda self: example, forward=lambda self, audio, text: (text + 1, audio * 2))
    assert_exportable(model, sizes=[{"batch": 3, "time": 7}], options={"onnx_opset_version": 18})


def test_a_relation_to_an_axis_that_no_input_has(tmp_path: Path, run: Any) -> None:
    class Halved(nn.Module, Exportable):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(-1, 2).sum(-1)

        input_example = property(lambda self: (torch.randn(8),))
        input_types = {"x": ("width",)}
        output_types = {"y": ("half",)}

        def dynamic_shapes_for_export(self, use_dynamo: bool = False) -> Any:
            half = Dim("half")
            return {"x": {0: 2 * half}, "y": {0: half}}

    for name in ("a.onnx", "a.pt", "a.pt2"):
        Halved().export(tmp_path / name, onnx_opset_version=18, check_trace=True)
        assert run(tmp_path / name, {"x": torch.ones(14)})[0].tolist() == [2.0] * 7
    assert dims(onnx.load(tmp_path / "a.onnx").graph.input) == [["2*half"]]


@pytest.mark.parametrize(
    ("name", "arguments", "dynamo"),
    [
        ("a.pt2", {}, True),
        ("a.onnx", {"onnx_opset_version": 18}, True),
        ("a.onnx", {"onnx_opset_version": 13}, False),
        ("a.pt", {}, False),
    ],
)
def test_the_hook_is_told_who_captures(name: str, arguments: Any, dynamo: bool, tmp_path: Path) -> None:
    told = []
    hook = {"dynamic_shapes_for_export": lambda self, use_dynamo: told.append(use_dynamo)}
    type("Stacked", (Stacked,), {**hook, "output_types": Stacked.output_types})().export(tmp_path / name, **arguments)
    assert told == [dynamo]


def test_arguments_of_the_call_come_before_the_hook(tmp_path: Path) -> None:
    model = variant(3)
    model.export(tmp_path / "a.onnx", use_dynamic_axes=False)
    model.export(tmp_path / "b.onnx", dynamic_axes={"audio": {0: "rows"}, "text": {0: "rows"}})
    assert dims(onnx.load(tmp_path / "a.onnx").graph.input) == [[2, 20], [2, 5]]
    assert dims(onnx.load(tmp_path / "b.onnx").graph.input) == [["rows", 20], ["rows", 5]]


def test_by_default_it_is_what_the_types_say() -> None:
    class Plain(Stacked):
        input_types: Any = {"audio": TensorType("batch", "frames"), "states": ("1 batch 4", "1 batch 4")}
        dynamic_axis_names = ("batch",)
        dynamic_shapes_for_export = Exportable.dynamic_shapes_for_export

    assert Plain().dynamic_shapes_for_export(True) == {
        "audio": {0: "batch"}, "states_1": {1: "batch"}, "states_2": {1: "batch"}, "mixed": {0: "batch"},
        "louder": {0: "batch"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("shapes", "wanted"),
    [
        (None, [["batch", "frames"], ["batch", "time"]]),
        ({}, [["batch", "frames"], ["batch", "time"]]),
        ({"audio": None}, [[2, 20], ["batch", "time"]]),
        ({"audio": {0: Dim.AUTO, 1: Dim.STATIC}, "text": {0: Dim.DYNAMIC, 1: None}}, [["batch", 20], ["batch", 5]]),
        ({"audio": [0], "text": [-2]}, [["batch", 20], ["batch", 5]]),
        (
            {"audio": {0: "rows", 1: 20}, "text": {0: "rows", 1: 5}, "louder": {}, "mixed": {}},
            [["rows", 20], ["rows", 5]],
        ),
    ],
)
def test_sizes_in_every_spelling(shapes: Any, wanted: Any, tmp_path: Path) -> None:
    outputs = {"mixed": "batch ?", "louder": "batch ?"}
    variant(shapes, output_types=outputs).export(tmp_path / "a.onnx", onnx_opset_version=13)
    assert dims(onnx.load(tmp_path / "a.onnx").graph.input) == wanted


HOOK = "Stacked.dynamic_shapes_for_export "
NONSENSE: dict[str, tuple[Any, type[NavcoreError], str]] = {
    "a list": ([1], InputError, "gives a list. It has to map names of tensors to {axis: size}"),
    "an unknown tensor": ({"z": {0: "b"}}, InputError, "names 'z', which is neither an input nor an output. They"),
    "a text for a tensor": ({"audio": "batch"}, InputError, "gives a str for 'audio'. It has to map"),
    "an axis too many": ({"audio": {2: "t"}}, InputError, "names axis 2 of 'audio', which has 2 axes"),
    "an axis by name": ({"audio": {"time": None}}, InputError, "names axis 'time' of 'audio'"),
    "a float": ({"audio": {0: 2.5}}, InputError, "gives a float as axis 0 of 'audio'. It has to map"),
    "a flag": ({"audio": {0: True}}, InputError, "gives a bool as axis 0 of 'audio'"),
    "no name": ({"audio": {0: "my axis"}}, InputError, "calls axis 0 of 'audio' 'my axis'. Give a name"),
    "another size": ({"audio": {1: 21}}, InputError, "fixes axis 1 of 'audio' at 21, and it is 20 long in the example"),
    "a wrong relation": (
        {"audio": {1: "3*time + 2"}, "text": {1: "time"}, "mixed": {}, "louder": {}},
        InputError,
        r"does not fit the example: Axis 'time' is 6 long in 'audio' and 5 in 'text'",
    ),
    "a relation without a solution": (
        {"audio": {1: 3 * Dim("time")}},
        InputError,
        r"does not fit the example: Axis '3\*time' is 20 long in 'audio', which no time gives",
    ),
    "an example out of range": (
        {"audio": {0: Dim("rows", min=4, max=8)}},
        InputError,
        "lets axis 'rows' be from 4 to 8, and it is 2 long in the example",
    ),
    "two ranges of one name": (
        {"audio": {0: Dim("rows", max=8)}, "text": {0: Dim("rows", max=9)}},
        InputError,
        "gives axis 'rows' different ranges: 0 to 8 and 0 to 9. Make one Dim",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(NONSENSE))
def test_nonsense(case: str, tmp_path: Path, same_state: Any) -> None:
    shapes, kind, pattern = NONSENSE[case]
    model = variant(shapes)
    with pytest.raises(kind, match=HOOK + pattern) as caught:
        same_state(model, lambda: model.export(tmp_path / "a.pt2"))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_hook_that_fails(tmp_path: Path) -> None:
    class Failing(Stacked):
        def dynamic_shapes_for_export(self, use_dynamo: bool = False) -> Any:
            raise KeyError("time")

    with pytest.raises(SourceError, match=r"Failing.dynamic_shapes_for_export failed: KeyError: 'time'"):
        Failing().export(tmp_path / "a.onnx")


def test_a_dim_wider_than_the_model_is_an_error(tmp_path: Path) -> None:
    class Positions(nn.Module, Exportable):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("table", torch.randn(12))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.get_buffer("table")[: x.shape[1]]

        input_example = property(lambda self: (torch.randn(2, 5),))
        input_types = output_types = {"x": "batch time"}

        def dynamic_shapes_for_export(self, use_dynamo: bool = False) -> Any:
            return {"x": {1: Dim("time", max=40)}}

    with pytest.raises(ExportError, match=r"'time' \(wanted 0 to 40\) moves from 0 to 12 only"):
        Positions().export(tmp_path / "a.pt2")
