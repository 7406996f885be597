"""What can be known of Torch-TensorRT where it cannot be imported: every call of ours against its own source.

The package needs a CUDA device to be imported. Its distribution is installed all the same, and here a stand-in takes
its place whose functions have the signatures that the source declares: a keyword that it does not know fails the test.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import attrs
import numpy as np
import pytest
import torch

import nav_trt.torch_compiling
import nav_trt.torch_install
import nav_trt.torch_running
import nav_trt.torch_trt
import navcore
from nav_torch import TORCH_EXPORTED, TORCHSCRIPT_SCRIPT, Reach, hushed, reached
from nav_trt.formats import TORCH_TRT_EXPORTED_FP32, TORCH_TRT_FORMATS
from nav_trt.options import TorchTrtOptions
from nav_trt.torch_bounding import bound, typical
from nav_trt.torch_install import NOT_INSTALLED, load, select_device, why_no_torch_trt
from nav_trt.torch_running import run_torch_trt
from nav_trt.torch_trt import (
    torch_trt_exported_bf16_from_torch_exportedprogram,
    torch_trt_exported_fp16_from_torch_exportedprogram,
    torch_trt_exported_fp32_from_torch_exportedprogram,
    torch_trt_script_fp16_from_torchscript_script,
    torch_trt_script_fp32_from_torchscript_script,
    torch_trt_trace_fp16_from_torch_exportedprogram,
    torch_trt_trace_fp32_from_torch_exportedprogram,
)
from navcore import (
    Artifact,
    Axis,
    ConversionError,
    ConvertJob,
    Made,
    OptionError,
    RunnerJob,
    Signature,
    Status,
    TensorSpec,
    Unavailable,
)

Route = Callable[[ConvertJob[TorchTrtOptions]], Made]
_CALL = {"args": [{"tensor": "x"}, {"tensor": "weight"}], "kwargs": []}
SIGNATURE = Signature(
    (TensorSpec("x", "float32", ("batch", 4)), TensorSpec("weight", "float32", (4,))),
    (TensorSpec("y", "float32", ("batch", 4)),),
    (Axis("batch", 1, 4, 8),),
    call=_CALL,
)
EXAMPLE = {"x": np.arange(8, dtype=np.float32).reshape(2, 4), "weight": np.ones(4, np.float32)}


class Tiny(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.linear(x)) * weight


def source(file: str) -> ast.Module:
    """A file of the installed distribution, which is never imported."""
    spec = importlib.util.find_spec("torch_tensorrt")
    if spec is None or spec.origin is None:
        pytest.skip(NOT_INSTALLED)
    return ast.parse(Path(spec.origin).parent.joinpath(file).read_text())


def declared(file: str, name: str) -> inspect.Signature:
    """The signature of a function as its source declares it."""
    (found,) = (node for node in source(file).body if isinstance(node, ast.FunctionDef) and node.name == name)
    arguments, kind = found.args, inspect.Parameter
    plain = [*arguments.posonlyargs, *arguments.args]
    required = len(plain) - len(arguments.defaults)
    parameters = [
        kind(one.arg, kind.POSITIONAL_OR_KEYWORD, default=kind.empty if index < required else None)
        for index, one in enumerate(plain)
    ]
    parameters += [kind(one.arg, kind.KEYWORD_ONLY, default=None) for one in arguments.kwonlyargs]
    if arguments.kwarg is not None:
        parameters.append(kind(arguments.kwarg.arg, kind.VAR_KEYWORD))
    return inspect.Signature(parameters)


def keywords(file: str, name: str) -> set[str]:
    """The keywords that the constructor of a class reads from its ``**kwargs``: the texts that its code compares."""
    (found,) = (node for node in source(file).body if isinstance(node, ast.ClassDef) and node.name == name)
    (made,) = (node for node in found.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    texts = (node.value for node in ast.walk(made) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {text for text in texts if text.isidentifier()}


def strict(file: str, name: str, calls: list[tuple[str, dict[str, Any]]], answer: Callable[..., Any]) -> Any:
    """A function of the declared signature, whose ``**kwargs`` take nothing, and which notes how it was called."""
    signature = declared(file, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        unknown = set(kwargs) - set(signature.parameters)
        if unknown:
            raise TypeError(f"{name} does not know {sorted(unknown)}")
        given = signature.bind(*args, **kwargs).arguments
        calls.append((name, given))
        return answer(given)

    return call


class Given:
    """An ``Input`` or a ``Device``: the keywords it was made with."""

    allowed: frozenset[str] = frozenset()

    def __init__(self, **given: Any) -> None:
        assert set(given) <= self.allowed
        self.given = given


class Engine(torch.nn.Module):
    """What stands for a segment that TensorRT took."""


@attrs.define
class Stand:
    """Torch-TensorRT's stand-in: ``calls`` as they came, and how many engines a compilation makes."""

    calls: list[tuple[str, dict[str, Any]]] = attrs.field(factory=list)
    engines: int = 2

    def last(self, name: str) -> dict[str, Any]:
        return [given for called, given in self.calls if called == name][-1]

    def compile_program(self, given: dict[str, Any]) -> torch.fx.GraphModule:
        """The program itself with empty engines beside it; with autocast its result is of the low precision."""
        module = given["exported_program"].module()
        for index in range(self.engines):
            module.add_submodule(f"_run_on_acc_{index}", Engine())
        if given["enable_autocast"]:
            output = module.graph.output_node()
            kind = given["autocast_low_precision_type"]
            with module.graph.inserting_before(output):
                low = module.graph.call_function(torch.ops.aten.to.dtype, (output.args[0][0], kind))
            low.meta["val"] = output.args[0][0].meta["val"].to(kind)
            output.args = ((low,),)
            module.recompile()
        return module

    def save(self, given: dict[str, Any]) -> None:
        module, tensors, path = given["module"], given["arg_inputs"], given["file_path"]
        if given["output_format"] == "torchscript":
            torch.jit.save(torch.jit.trace(module, tensors), path)
        else:
            shapes = given["dynamic_shapes"]
            torch.export.save(torch.export.export(module, tensors, dynamic_shapes=shapes, strict=False), path)

    def compile_script(self, given: dict[str, Any]) -> Any:
        found = SimpleNamespace(findAllNodes=lambda kind: [kind] * self.engines)
        module = given["module"]
        return SimpleNamespace(inlined_graph=found, save=module.save)


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Stand:
    """The stand-in, in place of the package, on a machine that passes for one with a device: the CPU."""
    stand = Stand()
    module: Any = ModuleType("torch_tensorrt")
    module.__spec__ = importlib.util.find_spec("torch_tensorrt")
    module.Input = type("Input", (Given,), {"allowed": frozenset(keywords("_Input.py", "Input"))})
    module.Device = type("Device", (Given,), {"allowed": frozenset(keywords("_Device.py", "Device"))})
    module.save = strict("_compile.py", "save", stand.calls, stand.save)
    module.load = strict("_compile.py", "load", stand.calls, lambda given: torch.export.load(given["file_path"]))
    module.dynamo = ModuleType("torch_tensorrt.dynamo")
    module.dynamo.compile = strict("dynamo/_compiler.py", "compile", stand.calls, stand.compile_program)
    scripted = strict("ts/_compiler.py", "compile", stand.calls, stand.compile_script)

    def front(module: Any, ir: str, **kwargs: Any) -> Any:
        assert {"ir", "inputs", "enabled_precisions"} <= set(declared("_compile.py", "compile").parameters)
        assert ir == "torchscript"
        return scripted(module, **kwargs)

    module.compile = front
    module.ENABLED_FEATURES = SimpleNamespace(torchscript_frontend=True)
    runtime: Any = ModuleType("torch_tensorrt.dynamo.runtime")
    runtime.TorchTensorRTModule = Engine
    for name, one in (("torch_tensorrt", module), ("torch_tensorrt.dynamo", module.dynamo)):
        monkeypatch.setitem(sys.modules, name, one)
    monkeypatch.setitem(sys.modules, "torch_tensorrt.dynamo.runtime", runtime)
    monkeypatch.setattr(nav_trt.torch_install, "why_no_device", lambda: None)
    for place in (nav_trt.torch_running, nav_trt.torch_compiling):
        monkeypatch.setattr(place, "select_device", lambda device: torch.device("cpu"))
    return stand


@pytest.fixture
def job(tmp_path: Path) -> ConvertJob[TorchTrtOptions]:
    auto = torch.export.Dim.AUTO
    path = tmp_path / "source.pt2"
    program = torch.export.export(Tiny(), (torch.ones(3, 4), torch.ones(4)), dynamic_shapes=({0: auto}, None))
    torch.export.save(program, path)
    artifact = Artifact(TORCH_EXPORTED, SIGNATURE, path, calling="positional")
    return ConvertJob(artifact, TORCH_TRT_EXPORTED_FP32, tmp_path / "model.pt2", SIGNATURE, EXAMPLE, TorchTrtOptions())


@pytest.fixture
def scripted(job: ConvertJob[TorchTrtOptions], tmp_path: Path) -> ConvertJob[TorchTrtOptions]:
    path = tmp_path / "source.pt"
    with hushed():
        torch.jit.script(Tiny()).save(str(path))
    artifact = Artifact(TORCHSCRIPT_SCRIPT, SIGNATURE, path, calling="structure")
    return attrs.evolve(job, source=artifact, output=tmp_path / "model.pt")


# The stand-in is only worth what its likeness to the source is.


def test_the_names_that_are_imported_are_in_the_source() -> None:
    exports = {
        alias.asname or alias.name
        for node in ast.walk(source("dynamo/runtime/__init__.py"))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert exports & set(nav_trt.torch_compiling._ENGINE_MODULES)
    assert {"torchscript_frontend"} <= {
        node.value for node in ast.walk(source("_features.py")) if isinstance(node, ast.Constant)
    }
    assert {"shape", "min_shape", "opt_shape", "max_shape", "dtype", "name"} <= keywords("_Input.py", "Input")
    assert "gpu_id" in keywords("_Device.py", "Device")


def test_the_frontends_of_torch_tensorrt_forward_what_we_pass() -> None:
    front = declared("_compile.py", "compile")
    assert front.parameters["kwargs"].kind is inspect.Parameter.VAR_KEYWORD
    assert "exported_program" in declared("dynamo/_compiler.py", "compile").parameters


# Arguments


def test_axes_become_the_smallest_the_typical_and_the_largest_shape(
    stand: Stand, job: ConvertJob[TorchTrtOptions]
) -> None:
    torch_trt_exported_fp32_from_torch_exportedprogram(job)
    moving, fixed = (one.given for one in stand.last("compile")["arg_inputs"])
    assert moving == {
        "min_shape": (1, 4),
        "opt_shape": (4, 4),
        "max_shape": (8, 4),
        "dtype": torch.float32,
        "name": "x",
    }
    assert fixed == {"shape": (4,), "dtype": torch.float32, "name": "weight"}


def test_the_program_itself_carries_the_ranges_from_which_profiles_are_made(job: ConvertJob[TorchTrtOptions]) -> None:
    stored = torch.export.load(job.source.file)
    assert reached(stored, SIGNATURE) == {"batch": Reach(0, None)}
    bounded = bound(job, torch.device("cpu"), typical(job))
    assert reached(bounded.program, SIGNATURE) == {"batch": Reach(0, 8)}
    placeholder = next(node for node in bounded.program.graph.nodes if node.name == "x")
    assert placeholder.meta["val"].shape[0].node.hint == 4  # what engines are tuned for


def test_a_typical_size_of_one_is_captured_at_two(job: ConvertJob[TorchTrtOptions]) -> None:
    signature = attrs.evolve(SIGNATURE, axes=(Axis("batch", 1, 1, 2),))
    one = attrs.evolve(job, signature=signature)
    bounded = bound(one, torch.device("cpu"), typical(one))
    assert [tuple(tensor.shape) for tensor in bounded.tensors] == [(2, 4), (4,)]
    assert bounded.program.module()(torch.ones(1, 4), torch.ones(4)).shape == (1, 4)


def test_shapes_follow_what_the_program_takes(stand: Stand, job: ConvertJob[TorchTrtOptions], tmp_path: Path) -> None:
    """Newer releases refuse a shape that the program was not captured for."""
    path = tmp_path / "fixed.pt2"
    torch.export.save(torch.export.export(Tiny(), (torch.ones(4, 4), torch.ones(4))), path)
    fixed = attrs.evolve(job, source=attrs.evolve(job.source, path=path))
    made = torch_trt_exported_fp32_from_torch_exportedprogram(fixed)
    assert stand.last("compile")["arg_inputs"][0].given["shape"] == (4, 4)
    assert made.signature is not None
    assert made.signature.inputs[0].shape == (4, 4)
    assert "Torch-TensorRT: axis 'batch' (wanted 1 to 8) is fixed at 4." in made.notes


def test_no_shape_is_empty(stand: Stand, job: ConvertJob[TorchTrtOptions]) -> None:
    signature = attrs.evolve(SIGNATURE, axes=(Axis("batch", 0, 4, 8),))
    torch_trt_exported_fp32_from_torch_exportedprogram(attrs.evolve(job, signature=signature))
    assert stand.last("compile")["arg_inputs"][0].given["min_shape"] == (1, 4)


@pytest.mark.parametrize(
    ("route", "low"),
    [
        (torch_trt_exported_fp32_from_torch_exportedprogram, None),
        (torch_trt_exported_fp16_from_torch_exportedprogram, torch.float16),
        (torch_trt_exported_bf16_from_torch_exportedprogram, torch.bfloat16),
        (torch_trt_trace_fp32_from_torch_exportedprogram, None),
        (torch_trt_trace_fp16_from_torch_exportedprogram, torch.float16),
    ],
)
def test_precision_is_explicit(
    stand: Stand, job: ConvertJob[TorchTrtOptions], route: Route, low: torch.dtype | None
) -> None:
    made = route(job)
    given = stand.last("compile")
    assert (given["enable_autocast"], given["autocast_low_precision_type"]) == (low is not None, low)
    assert given["disable_tf32"] is (low is None)
    assert "enabled_precisions" not in given
    assert any("Autocast leaves in float32" in note for note in made.notes) is (low is not None)


def test_options_reach_the_compiler(stand: Stand, job: ConvertJob[TorchTrtOptions]) -> None:
    torch_trt_exported_fp32_from_torch_exportedprogram(
        attrs.evolve(job, options=TorchTrtOptions(max_workspace_size=2**20, min_block_size=1))
    )
    given = stand.last("compile")
    assert (given["workspace_size"], given["min_block_size"]) == (2**20, 1)
    assert not Path(given["timing_cache_path"]).parent.exists()


# Results


@pytest.mark.parametrize(
    "route",
    [
        torch_trt_exported_fp32_from_torch_exportedprogram,
        torch_trt_exported_fp16_from_torch_exportedprogram,
        torch_trt_exported_bf16_from_torch_exportedprogram,
    ],
)
def test_an_exported_program_keeps_its_axes_and_its_result_types(
    stand: Stand, job: ConvertJob[TorchTrtOptions], route: Route
) -> None:
    made = route(job)
    assert (made.calling, made.signature) == ("positional", SIGNATURE)
    assert made.notes[0].endswith("this project's tests have never executed it.")
    assert made.facts["engines"] == "2"
    assert set(made.facts) <= {"engines", "tf32", "torch_tensorrt", "tensorrt"}
    result = load(job.output)(torch.ones(5, 4), torch.ones(4))
    assert (result.shape, result.dtype) == ((5, 4), torch.float32)


def test_a_recorded_call_is_fixed_at_the_example(stand: Stand, job: ConvertJob[TorchTrtOptions]) -> None:
    job = attrs.evolve(job, output=job.output.with_name("model.pt"))
    made = torch_trt_trace_fp16_from_torch_exportedprogram(job)
    assert made.signature is not None
    assert [spec.shape for spec in made.signature.inputs] == [(2, 4), (4,)]
    assert made.signature.axes == ()
    assert "torch.jit.trace: axis 'batch' (wanted 1 to 8) is fixed at 2." in made.notes
    assert all("shape" in one.given for one in stand.last("compile")["arg_inputs"])
    assert stand.last("save")["output_format"] == "torchscript"


def test_a_recorded_call_refuses_an_axis_that_the_user_declared(stand: Stand, job: ConvertJob[TorchTrtOptions]) -> None:
    signature = attrs.evolve(SIGNATURE, axes=(Axis("batch", 1, 4, 8, declared=True),))
    with pytest.raises(ConversionError, match="have to move: 'batch'"):
        torch_trt_trace_fp32_from_torch_exportedprogram(attrs.evolve(job, signature=signature))


@pytest.mark.parametrize(
    "route", [torch_trt_exported_fp32_from_torch_exportedprogram, torch_trt_trace_fp32_from_torch_exportedprogram]
)
def test_no_engine_is_a_failure(stand: Stand, job: ConvertJob[TorchTrtOptions], route: Route) -> None:
    stand.engines = 0
    with pytest.raises(ConversionError, match=r"made no engine.*Lower min_block_size \(it is 5\)"):
        route(job)
    assert not job.output.exists()


def test_an_error_of_the_compiler_becomes_one_sentence(
    stand: Stand, job: ConvertJob[TorchTrtOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_given: Any) -> Any:
        raise RuntimeError("no builder\nand a page more")

    monkeypatch.setattr(
        sys.modules["torch_tensorrt.dynamo"], "compile", strict("dynamo/_compiler.py", "compile", [], broken)
    )
    with pytest.raises(ConversionError, match=r"Torch-TensorRT failed: RuntimeError: no builder\."):
        torch_trt_exported_fp32_from_torch_exportedprogram(job)


# TorchScript


@pytest.mark.parametrize("mode", ["single", "hierarchy"])
def test_the_torchscript_frontend_is_told_everything(
    stand: Stand, scripted: ConvertJob[TorchTrtOptions], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.jit, "save", lambda module, path: module.save(path))
    monkeypatch.setattr(nav_trt.torch_trt, "torch_tensorrt_version", lambda: "2.12.1")
    job = attrs.evolve(scripted, options=TorchTrtOptions(precision_mode=mode))
    made = torch_trt_script_fp16_from_torchscript_script(job)
    given = stand.last("compile")
    assert given["enabled_precisions"] == {torch.float16} | ({torch.float32} if mode == "hierarchy" else set())
    assert given["truncate_long_and_double"] is True
    assert given["inputs"][0].given["min_shape"] == (1, 4)
    assert (made.calling, made.facts["engines"]) == ("structure", "2")
    assert job.output.exists()


def test_torchscript_without_an_engine_is_a_failure(stand: Stand, scripted: ConvertJob[TorchTrtOptions]) -> None:
    stand.engines = 0
    with pytest.raises(ConversionError, match="made no engine"):
        torch_trt_script_fp32_from_torchscript_script(scripted)


def test_fp16_is_refused_where_the_frontend_takes_no_precision(
    scripted: ConvertJob[TorchTrtOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nav_trt.torch_trt, "torch_tensorrt_version", lambda: "2.13.0")
    with pytest.raises(Unavailable, match=r"^The TorchScript frontend takes no precision since Torch-TensorRT 2\.13"):
        torch_trt_script_fp16_from_torchscript_script(scripted)


def test_a_build_without_the_frontend_is_unavailable(stand: Stand, scripted: ConvertJob[TorchTrtOptions]) -> None:
    sys.modules["torch_tensorrt"].ENABLED_FEATURES.torchscript_frontend = False  # type: ignore[attr-defined]
    with pytest.raises(Unavailable, match="no TorchScript frontend"):
        torch_trt_script_fp32_from_torchscript_script(scripted)


@pytest.mark.parametrize(
    "call",
    [
        {"args": [], "kwargs": [["x", {"tensor": "x"}], ["weight", {"tensor": "weight"}]]},
        {"args": [{"tuple": [{"tensor": "x"}, {"tensor": "weight"}]}], "kwargs": []},
        {"args": [{"tensor": "x"}, {"tensor": "weight"}, {"constant": 1}], "kwargs": []},
    ],
)
def test_torchscript_takes_tensors_by_position_only(
    scripted: ConvertJob[TorchTrtOptions], call: dict[str, Any]
) -> None:
    job = attrs.evolve(scripted, signature=attrs.evolve(SIGNATURE, call=call))
    with pytest.raises(ConversionError, match="by position only"):
        torch_trt_script_fp32_from_torchscript_script(job)


# Running


@pytest.mark.parametrize(
    ("route", "file"),
    [
        (torch_trt_exported_fp16_from_torch_exportedprogram, "model.pt2"),
        (torch_trt_trace_fp16_from_torch_exportedprogram, "model.pt"),
    ],
)
def test_what_was_written_runs_by_name(stand: Stand, job: ConvertJob[TorchTrtOptions], route: Route, file: str) -> None:
    job = attrs.evolve(job, output=job.output.with_name(file))
    made = route(job)
    artifact = Artifact(job.target, made.signature or SIGNATURE, job.output, calling=made.calling, facts=made.facts)
    with run_torch_trt(RunnerJob(artifact, "pyt", None)) as runner:
        found = runner(EXAMPLE)
    expected = torch.export.load(job.source.file).module()(*(torch.from_numpy(EXAMPLE[name]) for name in EXAMPLE))
    np.testing.assert_allclose(found["y"], expected.detach().numpy(), rtol=2e-3, atol=2e-3)
    assert found["y"].dtype == np.float32
    assert runner.precision is None


def test_engines_of_another_major_version_are_refused(
    stand: Stand, job: ConvertJob[TorchTrtOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nav_trt.torch_running, "recorded_version", lambda flavour: "11.0.0")
    artifact = Artifact(job.target, SIGNATURE, job.output, facts={"tensorrt": "10.16.1"})
    with pytest.raises(navcore.errors.StepError, match=r"10\.16\.1.*11\.0\.0"):
        run_torch_trt(RunnerJob(artifact, "pyt", None))


@pytest.mark.parametrize("device", ["cpu", "cuda:one", "nonsense"])
def test_other_devices_are_refused(device: str) -> None:
    with pytest.raises(OptionError, match="runs on a CUDA device"):
        select_device(device)


# Options, probes, plans


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_workspace_size": 0}, "max_workspace_size is 0"),
        ({"min_block_size": 0}, "min_block_size is 0"),
        ({"precision_mode": "mixed"}, "has no precision_mode 'mixed'"),
        ({"precision_mode": "double"}, "precision_mode is 'double'"),
    ],
)
def test_options_are_checked(given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        TorchTrtOptions(**given)


def test_a_mode_without_effect_is_said(stand: Stand, job: ConvertJob[TorchTrtOptions]) -> None:
    options = TorchTrtOptions(precision_mode="hierarchy")
    made = torch_trt_exported_fp32_from_torch_exportedprogram(attrs.evolve(job, options=options))
    assert "precision_mode 'hierarchy' adds nothing to fp32, the widest type." in made.notes


def test_the_device_is_missed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nav_trt.torch_install, "why_no_device", lambda: "no CUDA device")
    monkeypatch.setattr(nav_trt.torch_install, "_found", lambda module: False)
    assert why_no_torch_trt() == "no CUDA device"


@pytest.mark.parametrize(
    ("missing", "versions", "reason"),
    [
        ("torch_tensorrt", {}, NOT_INSTALLED),
        ("nav_torch", {"torch-tensorrt": "2.13.0"}, "nav-torch is not installed"),
        ("", {"torch-tensorrt": "2.10.0"}, "Torch-TensorRT 2.10.0 is installed, and nav-trt needs 2.11 or newer"),
        ("", {"torch-tensorrt-rtx": "2.14.0"}, "torch-tensorrt-rtx is installed, whose engines are for TensorRT-RTX"),
        ("", {"torch-tensorrt": "2.11.0+cu130"}, None),
        ("", {}, None),
    ],
)
def test_each_reason_is_one_line(
    monkeypatch: pytest.MonkeyPatch, missing: str, versions: dict[str, str], reason: str | None
) -> None:
    monkeypatch.setattr(nav_trt.torch_install, "why_no_device", lambda: None)
    monkeypatch.setattr(nav_trt.torch_install, "_found", lambda module: module != missing)
    monkeypatch.setattr(nav_trt.torch_install, "_recorded", versions.get)
    found = why_no_torch_trt()
    assert found is None if reason is None else found is not None and found.startswith(reason)


def test_without_a_device_every_row_says_so() -> None:
    if why_no_torch_trt() != "no CUDA device":
        pytest.skip("this machine has a CUDA device")
    names = [format.name for format in TORCH_TRT_FORMATS]
    later = {one.target.name: one.needs for one in navcore.plan("torch", targets=names).later}
    assert set(later) == set(names)
    assert all("no CUDA device" in needs for needs in later.values()), later
    by_default = {one.target.name for one in navcore.plan("torch").later}
    assert by_default & set(names) == {"torch-trt-exported-fp32", "torch-trt-exported-fp16"}


def test_importing_the_routes_imports_no_framework() -> None:
    code = (
        "import sys, nav_trt.torch_trt as t; t.why_no_torch_trt(); print({'torch', 'torch_tensorrt'} & {*sys.modules})"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert ended.stdout == "set()\n"


@pytest.mark.gpu
@pytest.mark.tensorrt
def test_a_tiny_model_is_compiled_and_verified(tmp_path: Path) -> None:
    """The real thing, on machines that have it."""
    reason = why_no_torch_trt()
    if reason is not None:
        pytest.skip(reason)
    names = ["torch-trt-exported-fp32", "torch-trt-exported-fp16"]
    data = [(torch.randn(1, 4), torch.ones(4)) for _ in range(5)]
    package = navcore.run(
        Tiny(),
        data,
        targets=names,
        options={name: {"min_block_size": 1} for name in names},
        workdir=tmp_path / "work",
    )
    rows = {row.format.name: row for row in package.results}
    assert {rows[name].status for name in names} == {Status.OK}, str(package)
