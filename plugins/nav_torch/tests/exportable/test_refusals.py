"""Bad input: one clear sentence each, naming the class and the hook, before anything was changed or written."""

# ruff: noqa: RUF012  (hooks are plain class attributes here, as users write them)
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nav_torch import Exportable, TensorType, get_export_format
from navcore.errors import ExportError, InputError, NavcoreError, OptionError, SourceError


class Scaler(nn.Module, Exportable):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor, shift: torch.Tensor | None = None) -> torch.Tensor:
        return self.body(x) if shift is None else self.body(x) + shift

    def input_example(self) -> Any:
        return (torch.randn(2, 3),)

    input_types = {"x": TensorType("batch", 3)}
    output_types = {"y": TensorType("batch", 3)}


def variant(**members: Any) -> Any:
    """A ``Scaler`` with other hooks."""
    return type("Scaler", (Scaler,), members)()


def failing(error: Exception) -> Any:
    def hook(self: Any, *_: Any, **__: Any) -> Any:
        raise error

    return hook


ROW = torch.randn(2, 3)
WRONG_TYPES = "Scaler.input_types declares 'x' as "
CASES: dict[str, tuple[Any, dict[str, Any], type[NavcoreError], str]] = {
    "no example": (
        type("Bare", (nn.Linear, Exportable), {})(3, 3),
        {},
        InputError,
        "Bare has no input_example, and no input_example= was given",
    ),
    "an example of None": (variant(input_example=lambda self: None), {}, InputError, "Scaler.input_example gives None"),
    "an empty example": (variant(input_example=lambda self: ()), {}, InputError, "Scaler.input_example is empty"),
    "a number": (Scaler(), {"input_example": 3}, InputError, "The input_example is a int"),
    "an array": (
        Scaler(),
        {"input_example": (ROW.numpy(),)},
        InputError,
        "gives 'x' as a numpy.ndarray, .* Use torch.from_numpy",
    ),
    "no tensor": (Scaler(), {"input_example": (None,)}, InputError, "The input_example holds no tensor"),
    "an unknown argument": (
        Scaler(),
        {"input_example": (ROW, {"z": ROW})},
        InputError,
        r"does not fit Scaler.forward\(.*unexpected keyword argument 'z'",
    ),
    "a missing argument": (
        Scaler(),
        {"input_example": ({"shift": ROW},)},
        InputError,
        "does not fit Scaler.forward.*missing a required argument: 'x'",
    ),
    "a dict of other keys": (
        Scaler(),
        {"input_example": (ROW, {1: ROW})},
        InputError,
        "key 1 is no name of an argument. Add an empty dict",
    ),
    "a failing example": (
        variant(input_example=failing(RuntimeError("no luck"))),
        {},
        SourceError,
        "Scaler.input_example failed: RuntimeError: no luck",
    ),
    "an AttributeError in a property": (
        variant(input_types=property(lambda self: self.nowhere)),
        {},
        SourceError,
        "Scaler.input_types failed: AttributeError: .*no attribute 'nowhere'",
    ),
    "a failing hook": (
        variant(_prepare_for_export=failing(ValueError("no"))),
        {},
        SourceError,
        r"Scaler.export \(prepare\): Scaler._prepare_for_export failed: ValueError: no",
    ),
    "a failing teardown": (
        variant(_export_teardown=failing(ValueError("no"))),
        {},
        SourceError,
        "Scaler._export_teardown failed: ValueError: no",
    ),
    "a failing model": (
        variant(forward_for_export=failing(ValueError("no"))),
        {},
        SourceError,
        r"Scaler.forward_for_export failed on x \[2, 3\]: ValueError: no",
    ),
    "too many names": (
        variant(input_types={"x": "batch 3", "shift": "batch 3"}),
        {},
        InputError,
        r"Scaler.input_types declares 2 inputs \(x, shift\), and the example holds 1 tensors \(x\)",
    ),
    "too few names": (
        Scaler(),
        {"input_example": (ROW, ROW)},
        InputError,
        r"declares 1 inputs \(x\), and the example holds 2 tensors \(x, shift\)",
    ),
    "too many output names": (
        variant(output_types={"y": "batch 3", "z": "batch 3"}),
        {},
        InputError,
        r"Scaler.output_types declares 2 outputs \(y, z\), and Scaler returns 1 tensors",
    ),
    "types that are no mapping": (variant(input_types=["x"]), {}, InputError, "Scaler.input_types is a list"),
    "another rank": (
        variant(input_types={"x": "batch"}),
        {},
        InputError,
        WRONG_TYPES + r"\[batch\], but it has 2 axes",
    ),
    "another size": (
        variant(input_types={"x": "batch 4"}),
        {},
        InputError,
        WRONG_TYPES + r"\[batch, 4\], but it is 3 long where 4 is declared",
    ),
    "another dtype": (
        variant(input_types={"x": TensorType("batch", 3, dtype="int64")}),
        {},
        InputError,
        WRONG_TYPES + r"int64 \[batch, 3\], but it has another dtype: it is float32 \[2, 3\]",
    ),
    "another output size": (
        variant(output_types={"y": "batch 5"}),
        {},
        InputError,
        "Scaler.output_types declares 'y' as",
    ),
    "equal names of unequal sizes": (
        variant(input_types={"x": "batch batch"}),
        {},
        InputError,
        "Axis 'batch' is 2 long in 'x' and 3 in 'x'. Equal names mean equal sizes",
    ),
    "an unknown tensor in dynamic_axes": (
        Scaler(),
        {"dynamic_axes": {"z": [0]}},
        OptionError,
        "dynamic_axes names 'z', which is neither",
    ),
    "an unknown axis in dynamic_axes": (
        Scaler(),
        {"dynamic_axes": {"x": {2: "t"}}},
        OptionError,
        "dynamic_axes names axis 2 of 'x', which has 2 axes",
    ),
    "contradictory dynamic axes": (
        Scaler(),
        {"dynamic_axes": {"x": [0]}, "use_dynamic_axes": False},
        OptionError,
        "dynamic_axes was given together with use_dynamic_axes=False",
    ),
    "a range of an unknown axis": (Scaler(), {"axis_ranges": {"t": (1, 2, 3)}}, OptionError, "axis_ranges names 't'"),
    "a range without the example": (
        Scaler(),
        {"axis_ranges": {"batch": (4, 5, 6)}},
        OptionError,
        "Axis 'batch' is 2 long in the example, outside of its range",
    ),
    "no such opset": (
        Scaler(),
        {"onnx_opset_version": 99},
        ExportError,
        "opset 25 and older; 99 was.*opset 23 and older; 99 was",
    ),
    "an opset that is no number": (Scaler(), {"onnx_opset_version": "13"}, OptionError, "'13' is no opset"),
    "an opset of the other exporter": (
        Scaler(),
        {"exporter": "dynamo"},
        NavcoreError,
        "The dynamo exporter writes opset 18 and newer; 13 was asked for",
    ),
    "no such exporter": (Scaler(), {"exporter": "magic"}, OptionError, "Choose one of: auto, torchscript, dynamo"),
    "a negative tolerance": (Scaler(), {"check_tolerance": -1}, OptionError, "check_tolerance=-1 is no tolerance"),
    "training by dynamo": (
        Scaler(),
        {"set_eval": False, "exporter": "dynamo"},
        OptionError,
        "in evaluation mode, which set_eval=False does not want",
    ),
    "a check without weights": (
        Scaler(),
        {"check_trace": True, "export_params": False},
        OptionError,
        "check_trace cannot run a file without weights",
    ),
    "a wrong number of output examples": (
        Scaler(),
        {"check_trace": True, "output_example": (ROW, ROW)},
        InputError,
        "output_example holds 2 tensors, and Scaler returns 1: y",
    ),
    "a check that is a word": (Scaler(), {"check_trace": "yes"}, OptionError, "check_trace is a str"),
    "another example with other inputs": (
        Scaler(),
        {"check_trace": [(torch.randn(2, 4),)]},
        SourceError,
        "Scaler.forward failed on x",
    ),
    "an unsupported format": (
        variant(supported_export_formats=("torchscript",)),
        {},
        InputError,
        "Scaler.supported_export_formats does not list onnx",
    ),
    "axes that the model does not follow": (
        variant(input_types={"x": "batch width"}, output_types={"y": "batch width"}),
        {"check_trace": True},
        SourceError,
        "Scaler declares the axes batch, width dynamic, and Scaler.forward could not be run at other sizes",
    ),
}


@pytest.mark.parametrize("case", list(CASES))
def test_bad_input(case: str, tmp_path: Path, same_state: Any) -> None:
    model, arguments, kind, pattern = CASES[case]
    with pytest.raises(kind, match=pattern) as caught:
        same_state(model, lambda: model.export(tmp_path / "model.onnx", **arguments))
    assert list(tmp_path.iterdir()) == []
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("model.tflite", "The extension of '.*model.tflite' is that of no known format. Known: .onnx, .pt, .ts, .pt2"),
        ("model", "The extension of '.*model'"),
        ("nowhere/model.onnx", "The folder of '.*nowhere/model.onnx' does not exist"),
        (".", "extension"),
    ],
)
def test_files_that_cannot_be_written(name: str, pattern: str, tmp_path: Path) -> None:
    called = []
    model = variant(_prepare_for_export=lambda self, **_: called.append(1))
    with pytest.raises(ValueError, match=pattern):
        model.export(str(tmp_path / name))
    assert called == []


def test_set_eval_false_is_no_matter_for_an_exported_program(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="set_eval=False cannot be kept by torch-exportedprogram"):
        Scaler().export(tmp_path / "model.pt2", set_eval=False)


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.onnx", "onnx"), ("a.ONNX", "onnx"), ("a.b.pt", "torchscript"), ("a.Ts", "torchscript"),
     ("a.pt2", "torch-exportedprogram")],
)  # fmt: skip
def test_the_extension_decides(name: str, format: str) -> None:
    assert get_export_format(name).name == format


def test_a_name_of_a_failed_stage_comes_with_its_cause(tmp_path: Path) -> None:
    cause = RuntimeError("deep inside")
    with pytest.raises(SourceError) as caught:
        variant(_prepare_for_export=failing(cause)).export(tmp_path / "model.onnx")
    assert caught.value.__cause__ is cause
