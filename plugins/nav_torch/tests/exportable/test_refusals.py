"""Bad input: one clear sentence each, naming the class and the hook, before anything was changed or written."""

# ruff: noqa: RUF012  (hooks are plain class attributes here, as users write them)
from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nav_torch import CheckFailed, Exportable, TensorType, get_export_format
from navcore import ExportError, InputError, NavcoreError, OptionError, SourceError


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
    "a number": (Scaler(), {"input_example": 3}, InputError, "The input_example is an int. It has to be a tuple"),
    "a bare array": (Scaler(), {"input_example": ROW.numpy()}, InputError, "is a ndarray. Use torch.from_numpy"),
    "a dict that is an argument": (
        variant(forward=lambda self, more: more["first"]),
        {"input_example": ({"first": ROW},)},
        InputError,
        "missing a required argument: 'more'.*; add an empty dict behind a dict that is an argument itself",
    ),
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
    "types with a key that is no name": (
        variant(input_types={1: "batch 3"}),
        {},
        InputError,
        "Scaler.input_types has the key 1, which is no name",
    ),
    "a type that is none": (
        variant(input_types={"x": 3}),
        {},
        InputError,
        "The type of 'x' is an int. Give a nav_torch.TensorType",
    ),
    "a number as disabled names": (
        variant(disabled_deployment_input_names=3),
        {},
        InputError,
        "Scaler.disabled_deployment_input_names is an int. It has to be a set or list of names",
    ),
    "numbers as disabled names": (
        variant(disabled_deployment_output_names=[3]),
        {},
        InputError,
        "Scaler.disabled_deployment_output_names holds 3, which is no name",
    ),
    "a number as dynamic names": (
        variant(dynamic_axis_names=3),
        {},
        InputError,
        "Scaler.dynamic_axis_names is an int",
    ),
    "ranges that are no mapping": (
        variant(axis_ranges=[1]),
        {},
        InputError,
        "Scaler.axis_ranges is a list. It has to map axes to",
    ),
    "an input module that is none": (
        variant(input_module=None),
        {},
        InputError,
        "Scaler.input_module gives None. It has to give a module",
    ),
    "an output module that is a name": (
        variant(output_module="body"),
        {},
        InputError,
        "Scaler.output_module gives a str. It has to give a module",
    ),
    "a forward that is no method": (
        variant(forward_for_export="body"),
        {},
        InputError,
        "Scaler.forward_for_export is a str. It has to be a method",
    ),
    "replacements that are no mapping": (
        variant(export_replacements=["Linear"]),
        {},
        InputError,
        "Scaler.export_replacements is a list. It has to map names of classes to functions",
    ),
    "a replacement that is no function": (
        variant(export_replacements={"Linear": "body"}),
        {},
        InputError,
        "Scaler.export_replacements has a str for 'Linear'",
    ),
    "a failing replacement": (
        variant(export_replacements={"Linear": failing(ValueError("no"))}),
        {},
        SourceError,
        "The replacement of Linear failed: ValueError: no",
    ),
    "a model that cannot be copied": (
        variant(__deepcopy__=failing(ValueError("no"))),
        {"inplace": False},
        InputError,
        "Scaler cannot be copied, as inplace=False asks: ValueError: no. Leave inplace=False away",
    ),
    "a flag that is a text": (Scaler(), {"set_eval": "False"}, OptionError, "set_eval='False' is a str. Give True or"),
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
    "a number as dynamic axes of a tensor": (
        Scaler(),
        {"dynamic_axes": {"x": 0}},
        OptionError,
        "dynamic_axes gives an int for 'x'. Give a dict from axis to name",
    ),
    "a dynamic axis without a name": (
        Scaler(),
        {"dynamic_axes": {"x": {0: None}}},
        OptionError,
        "dynamic_axes gives None as axis 0 of 'x'",
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
        {"exporter": "dynamo", "onnx_opset_version": 13},
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
    "an output example of another shape": (
        Scaler(),
        {"check_trace": True, "output_example": torch.zeros(5, 3)},
        InputError,
        r"output_example has float32 \[5, 3\] for 'y', and Scaler returns float32 \[2, 3\]",
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
    "supported formats that are none": (
        variant(supported_export_formats=3),
        {},
        InputError,
        "Scaler.supported_export_formats is an int",
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
        ("model", "'.*model' has no extension. It chooses the format: .onnx"),
        ("file/model.onnx", "The folder of '.*file/model.onnx' is a file. Choose another folder"),
        ("folder.onnx", "'.*folder.onnx' is a folder. Give the name of a file"),
        ("m" * 300 + ".onnx", "The file '.*m.onnx' cannot be written: File name too long"),
        ("\0.onnx", "is no name of a file"),
        ("nowhere/model.onnx", "The folder of '.*nowhere/model.onnx' does not exist"),
        (".", "extension"),
    ],
)
def test_files_that_cannot_be_written(name: str, pattern: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.onnx").mkdir()
    called = []
    model = variant(_prepare_for_export=lambda self, **_: called.append(1))
    with pytest.raises(ValueError, match=pattern):
        model.export(str(tmp_path / name))
    assert called == []


@pytest.fixture
def closed_folder(tmp_path: Path) -> Path:
    """A folder in which this process may not create a file; root may everywhere but in the kernel's own."""
    if os.geteuid() == 0:
        return Path("/proc")
    tmp_path.chmod(0o555)
    return tmp_path


def test_a_folder_that_cannot_be_written(closed_folder: Path, same_state: Any) -> None:
    model = variant(_prepare_for_export=failing(AssertionError("too late")))
    with pytest.raises(InputError, match=r"Scaler.export \(arguments\): The .* '.*model.onnx' cannot be written.* per"):
        same_state(model, lambda: model.export(closed_folder / "model.onnx"))


def test_a_folder_that_vanishes_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    with pytest.raises(ExportError, match=r"Scaler.export.*No such file or directory"):
        variant(_prepare_for_export=lambda self, **_: shutil.rmtree(folder)).export(folder / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_hook_that_changes_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    result = variant(_prepare_for_export=lambda self, **_: os.chdir("elsewhere")).export("model.pt")
    assert result.files == ["model.pt"]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["elsewhere", "model.pt"]


@pytest.mark.parametrize("output", [None, 3, b"model.onnx", io.BytesIO()])
def test_an_output_that_is_no_path(output: Any) -> None:
    with pytest.raises(InputError, match=r"The output is .*Give the path of the file"):
        Scaler().export(output)


def test_a_class_that_is_no_module() -> None:
    with pytest.raises(
        InputError, match=r"Plain is no torch.nn.Module. Derive it from both: class Plain\(torch.nn.Mod"
    ):
        type("Plain", (Exportable,), {})().export("model.onnx")


def test_an_init_that_forgot_the_modules() -> None:
    with pytest.raises(InputError, match=r"Scaler.__init__ did not call super\(\).__init__\(\)"):
        variant(__init__=lambda self: None).export("model.onnx")


def test_the_opset_of_the_other_exporter_is_hinted_at(tmp_path: Path) -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.scaled_dot_product_attention(x[None], x[None], x[None])[0]

    with pytest.raises(ExportError, match=r"^Scaler.export: No exporter .*onnx_opset_version=18 lets the dynamo exp"):
        variant(forward=forward).export(tmp_path / "model.onnx", onnx_opset_version=13)


def test_a_model_with_noise_cannot_be_compared(tmp_path: Path) -> None:
    model = variant(forward=lambda self, x: x + torch.randn_like(x))
    with pytest.raises(CheckFailed, match="Scaler returns something else each time, so no file can be compared"):
        model.export(tmp_path / "model.pt", check_trace=True)


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
