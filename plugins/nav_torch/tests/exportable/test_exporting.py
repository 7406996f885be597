"""What the arguments of ``export`` do, what it leaves behind, and what it never changes."""

# ruff: noqa: RUF012  (hooks are plain class attributes here, as users write them)
from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from nav_torch import CheckFailed, Exportable, TensorType, assert_exportable
from navcore import ExportError, OptionError, SourceError


class Net(nn.Module, Exportable):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(self.norm(self.body(x)))

    def input_example(self) -> Any:
        return (torch.randn(4, 3),)

    @property
    def input_types(self) -> Any:
        return {"x": TensorType("batch", 3)}

    @property
    def output_types(self) -> Any:
        return {"y": TensorType("batch", 4)}


def dims(value: Any) -> list[Any]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


@pytest.mark.parametrize("opset", [13, 18])
def test_axes_have_their_declared_names(opset: int, tmp_path: Path) -> None:
    Net().export(tmp_path / "a.onnx", onnx_opset_version=opset)
    graph = onnx.load(tmp_path / "a.onnx").graph
    assert (dims(graph.input[0]), dims(graph.output[0])) == (["batch", 3], ["batch", 4])


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"use_dynamic_axes": False}, [4, 3]),
        ({"dynamic_axes": {"x": {0: "rows"}}}, ["rows", 3]),
        ({"dynamic_axes": {"x": [0]}}, ["batch", 3]),
        ({"dynamic_axes": {"x": [-2]}}, ["batch", 3]),
        ({"dynamic_axes": {}}, [4, 3]),
    ],
)
def test_dynamic_axes_as_asked(arguments: Any, shape: Any, tmp_path: Path) -> None:
    Net().export(tmp_path / "a.onnx", **arguments)
    assert dims(onnx.load(tmp_path / "a.onnx").graph.input[0]) == shape


def test_only_some_names_may_be_dynamic(tmp_path: Path) -> None:
    class Few(Net):
        dynamic_axis_names = ("time",)

    Few().export(tmp_path / "a.onnx")
    assert dims(onnx.load(tmp_path / "a.onnx").graph.input[0]) == [4, 3]


@pytest.mark.parametrize("opset", [13, 18])
def test_weights_as_asked(opset: int, tmp_path: Path) -> None:
    def inputs_and_weights(**arguments: Any) -> tuple[int, int]:
        Net().export(tmp_path / "a.onnx", onnx_opset_version=opset, **arguments)
        graph = onnx.load(tmp_path / "a.onnx").graph
        onnx.checker.check_model(str(tmp_path / "a.onnx"))
        return len(graph.input), len(graph.initializer)

    inside = inputs_and_weights()
    assert inside[0] == 1
    assert inside[1] > 0
    both = inputs_and_weights(keep_initializers_as_inputs=True, check_trace=True)
    assert both[0] > 1
    assert both[1] > 0
    outside = inputs_and_weights(export_params=False)
    assert outside[0] > 1
    assert outside[1] == 0


def test_constants_are_folded_unless_told_otherwise(tmp_path: Path) -> None:
    class Folding(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ (self.body.weight.t() * 2 + 1)

    counts = []
    for fold in (True, False):
        Folding().export(tmp_path / "a.onnx", do_constant_folding=fold, onnx_opset_version=18)
        counts.append(len(onnx.load(tmp_path / "a.onnx").graph.node))
    assert counts[0] < counts[1]


@pytest.mark.parametrize("name", ["a.onnx", "a.pt", "a.pt2"])
def test_verbose_goes_to_the_log(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, "nav_torch"):
        Net().export(tmp_path / name, verbose=True)
    assert "forward" in caplog.text or "Gemm" in caplog.text
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["a.onnx", "a.pt", "a.pt2"])
@pytest.mark.parametrize("training", [True, False])
def test_modes_and_gradients_come_back(name: str, training: bool, tmp_path: Path, same_state: Any) -> None:
    model = Net().train(training)
    model.drop.train(not training)
    model.body.bias.requires_grad_(False)
    same_state(model, lambda: model.export(tmp_path / name, check_trace=True))


def test_training_mode_is_exported_as_it_is(tmp_path: Path, run: Any, same_state: Any) -> None:
    model = Net()
    model.drop.p = 0.0
    x = torch.randn(6, 3) * 5
    with torch.no_grad():
        statistics = model.norm.running_mean.clone()
        wanted = nn.functional.batch_norm(model.body(x), None, None, model.norm.weight, model.norm.bias, True)
    for name in ("a.onnx", "a.pt"):
        same_state(model, lambda name=name: model.export(tmp_path / name, set_eval=False))
        np.testing.assert_allclose(run(tmp_path / name, {"x": x})[0], wanted.numpy(), rtol=1e-4, atol=1e-4)
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        saved = torch.jit.load(tmp_path / "a.pt")
    assert torch.equal(saved.norm.running_mean, statistics)


def test_dropout_in_training_mode_drops(tmp_path: Path, run: Any) -> None:
    model = Net()
    for name in ("a.onnx", "a.pt"):
        model.export(tmp_path / name, set_eval=False)
        outputs = run(tmp_path / name, {"x": torch.randn(64, 3)})[0]
        assert 0.2 < float((outputs == 0).mean()) < 0.8


@pytest.mark.parametrize("stage", ["input_example", "_prepare_for_export", "forward", "_export_teardown"])
@pytest.mark.parametrize("name", ["a.onnx", "a.pt2"])
def test_a_failure_anywhere_leaves_nothing(stage: str, name: str, tmp_path: Path, same_state: Any) -> None:
    def hook(self: Any, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no")

    model = type("Failing", (Net,), {stage: hook})()
    (tmp_path / name).write_text("an earlier file")
    with pytest.raises(SourceError):
        same_state(model, lambda: model.export(tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "an earlier file"


def test_an_interrupt_leaves_nothing_either(tmp_path: Path, same_state: Any) -> None:
    class Interrupted(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if torch.compiler.is_exporting():
                raise KeyboardInterrupt
            return super().forward(x)

    model = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        same_state(model, lambda: model.export(tmp_path / "a.pt2"))
    assert list(tmp_path.iterdir()) == []


def test_hooks_are_called_once_children_first_and_torn_down_last_first(tmp_path: Path) -> None:
    events: list[str] = []

    class Part(nn.Module, Exportable):
        def __init__(self, name: str, *children: nn.Module) -> None:
            super().__init__()
            self.title, self.parts = name, nn.ModuleList(children)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for part in self.parts:
                x = part(x)
            return x * 2

        def input_example(self) -> Any:
            return torch.randn(2, 3)

        def _prepare_for_export(self, **kwargs: Any) -> None:
            events.append(f"{self.title} {kwargs.get('noreplace', False)}")

        def _export_teardown(self) -> None:
            events.append(f"{self.title} done")

    leaf = Part("leaf")
    model = Part("top", Part("left", leaf), Part("right", leaf))
    model.export(tmp_path / "a.pt")
    assert events == [
        "leaf True", "left True", "right True", "top False",
        "top done", "right done", "left done", "leaf done",
    ]  # fmt: skip


def test_what_a_hook_changes_stays_unless_a_copy_is_exported(tmp_path: Path) -> None:
    class Switched(Net):
        def _prepare_for_export(self, **kwargs: Any) -> None:
            self.drop = nn.Identity()

    model = Switched()
    model.export(tmp_path / "a.pt", inplace=False)
    assert isinstance(model.drop, nn.Dropout)
    model.export(tmp_path / "a.pt")
    assert isinstance(model.drop, nn.Identity)
    assert model.drop.training


def test_types_may_be_set_up_by_the_hook(tmp_path: Path) -> None:
    class Late(Net):
        def _prepare_for_export(self, **kwargs: Any) -> None:
            self.late = "x"

        @property
        def input_types(self) -> Any:
            return {self.late: ("batch", 3)}

    assert Late().export(tmp_path / "a.pt").input_names == ("x",)


@pytest.mark.parametrize("opset", [13, 18])
def test_an_input_that_the_model_does_not_use_is_no_matter_for_the_check(opset: int, tmp_path: Path) -> None:
    class Ignoring(Net):
        def forward(self, x: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
            return super().forward(x)

        def input_example(self) -> Any:
            return torch.randn(4, 3), torch.ones(4)

        input_types = {"x": ("batch", 3), "length": ("batch",)}

    result = Ignoring().export(tmp_path / "a.onnx", onnx_opset_version=opset, check_trace=True)
    assert result.verification is not None
    assert set(result.input_names) == {value.name for value in onnx.load(tmp_path / "a.onnx").graph.input}


def test_a_dict_of_wanted_outputs_goes_by_name(tmp_path: Path) -> None:
    class Two(nn.Module, Exportable):
        def forward(self, x: torch.Tensor) -> Any:
            return {"double": x * 2, "same": x}

        input_types = {"x": ("batch", 3)}
        output_types = {"double": ("batch", 3), "same": ("batch", 3)}

    x = torch.randn(2, 3)
    Two().export(tmp_path / "a.pt", (x,), {"same": x, "double": x * 2}, check_trace=True)
    with pytest.raises(CheckFailed):
        Two().export(tmp_path / "a.pt", (x,), {"double": x, "same": x * 2}, check_trace=True)


@pytest.mark.parametrize("name", ["a.onnx", "a.pt", "a.pt2"])
def test_the_callers_modes_are_no_matter(name: str, tmp_path: Path, same_state: Any) -> None:
    with torch.inference_mode():
        born_frozen = Net()
    same_state(born_frozen, lambda: born_frozen.export(tmp_path / name, check_trace=True))
    model = Net()
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        same_state(model, lambda: model.export(tmp_path / name, check_trace=True))
        assert torch.is_autocast_enabled("cpu")


def test_a_name_in_place_of_a_list_of_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Single(Net):
        supported_export_formats = "onnx"
        dynamic_axis_names = "batch"
        disabled_deployment_output_names = "z"
        input_names = "x"

        output_types = {"y": ("batch", 4), "z": ("batch", 4)}

    Single().export(tmp_path / "a.onnx")
    assert dims(onnx.load(tmp_path / "a.onnx").graph.input[0]) == ["batch", 3]
    model = Single()
    model.dynamic_axis_names = "time"
    model.export(tmp_path / "a.onnx")
    assert "Single.dynamic_axis_names lists time, which no type declares; declared are: batch" in caplog.text


def test_a_subclass_may_export_forward_again(tmp_path: Path, run: Any) -> None:
    class Short(Net):
        def forward_for_export(self, x: torch.Tensor) -> torch.Tensor:
            return x * 100

    class Long(Short):
        forward_for_export = None

    model, x = Long().eval(), torch.randn(2, 3)
    model.export(tmp_path / "a.pt", check_trace=True)
    np.testing.assert_allclose(run(tmp_path / "a.pt", {"x": x})[0], model(x).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_without_types_names_come_from_the_signature_and_a_warning_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Untyped(nn.Module, Exportable):
        def forward(self, x: torch.Tensor, pair: Any) -> Any:
            return x + pair[0], pair[1]

    result = Untyped().export(
        tmp_path / "a.onnx", (torch.randn(2, 3), (torch.randn(2, 3), torch.randn(2, 3))), check_trace=True
    )
    assert (result.input_names, result.output_names) == (("x", "pair_1", "pair_2"), ("output_0", "output_1"))
    assert "Untyped has no input_types: the inputs are named by the parameters" in caplog.text
    assert dims(onnx.load(tmp_path / "a.onnx").graph.input[0]) == [2, 3]


@pytest.mark.parametrize("name", ["a.onnx", "a.pt", "a.pt2"])
def test_a_users_output_example_judges_the_example_alone(name: str, tmp_path: Path) -> None:
    model = Net().eval()
    example = torch.randn(4, 3)
    with torch.no_grad():
        right = model(example)
    result = model.export(tmp_path / name, (example,), right, check_trace=True)
    assert result.verification is not None
    assert result.verification.compared == 2
    with pytest.raises(CheckFailed, match=r"output 'y' differ by more than check_tolerance=0.01 in the input example"):
        model.export(tmp_path / name, (example,), (right + 1,), check_trace=True)


def test_a_failed_check_has_the_measured_differences(tmp_path: Path) -> None:
    model = Net().eval()
    example = torch.randn(4, 3)
    with torch.no_grad():
        wrong = model(example) + 0.5
    with pytest.raises(CheckFailed, match=r"Largest differences: 'y' absolute 0\.5, relative ") as caught:
        model.export(tmp_path / "a.onnx", (example,), wrong, check_trace=True)
    assert caught.value.verification.differences[0].atol == pytest.approx(0.5, rel=1e-3)
    assert model.export(tmp_path / "a.onnx", (example,), wrong, check_trace=True, check_tolerance=0.6).files


def test_the_check_runs_at_other_sizes_by_the_models_own_example(tmp_path: Path) -> None:
    asked = []

    class Sized(Net):
        def input_example(self, max_batch: int = 2) -> Any:
            asked.append(max_batch)
            return (torch.randn(max_batch, 3),)

    result = Sized().export(tmp_path / "a.pt", check_trace=True)
    assert asked == [2, 3]
    assert result.verification is not None
    assert result.verification.compared == 2


def test_a_models_unit_test_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    model = Net()
    assert_exportable(model)
    assert_exportable(model, (".onnx",), sizes=[{"batch": 1}, {"batch": 9}], options={"onnx_opset_version": 18})

    class Small(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * min(len(x), 8)

        output_types = {"y": ("batch", 3)}

    small = Small()
    ranges = {"batch": (2, 4, 8)}
    with pytest.raises(CheckFailed, match="in further example 1 of batch 6"):
        assert_exportable(small, (".pt",), sizes=[{"batch": 6}], options={"axis_ranges": ranges})
    with pytest.raises(
        OptionError, match=r"sizes names 'time', which is no dynamic axis of an input of Net. Dynamic axes"
    ):
        assert_exportable(model, sizes=[{"time": 4}])
    with pytest.raises(OptionError, match="The size of axis 'batch' is '4'"):
        assert_exportable(model, sizes=[{"batch": "4"}])  # type: ignore[dict-item]


def test_every_dynamic_axis_is_moved_by_the_check(tmp_path: Path) -> None:
    class BatchOnly(nn.Module, Exportable):
        """Its example can be had with another batch only, and a recording freezes the other axis."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * len(x[0])

        def input_example(self, max_batch: int = 2) -> Any:
            return (torch.randn(max_batch, 5),)

        input_types = {"x": "batch time"}
        output_types = {"y": "batch time"}

    with pytest.raises(
        CheckFailed, match=r"differ by more than check_tolerance=0\.01 in an example of batch 2, time 10"
    ):
        BatchOnly().export(tmp_path / "a.pt", check_trace=True)
    with pytest.raises(CheckFailed, match="in an example of batch 2, time 10"):
        BatchOnly().export(tmp_path / "a.pt", check_trace=[(torch.randn(7, 5),)])
    BatchOnly().export(tmp_path / "a.pt2")  # a strict capture follows a size that is read as a number
    exported = torch.export.load(tmp_path / "a.pt2").module()
    assert torch.equal(exported(torch.ones(3, 9)), torch.full((3, 9), 9.0))


def test_integers_have_to_be_equal(tmp_path: Path) -> None:
    class Counting(nn.Module, Exportable):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1000

        def input_example(self) -> Any:
            return (torch.arange(3),)

        input_types = {"x": TensorType("batch", dtype="int64")}
        output_types = {"y": TensorType("batch", dtype="int64")}

    with pytest.raises(CheckFailed, match="3 of 3 elements of output 'y' differ by more than 0 in the input example"):
        Counting().export(tmp_path / "a.pt", output_example=torch.arange(3) + 1001, check_trace=True)


def test_ranges_are_kept(tmp_path: Path) -> None:
    class Bounded(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.shape[0] <= 6
            return super().forward(x)

    Bounded().export(tmp_path / "a.pt2", axis_ranges={"batch": (2, 4, 6)}, check_trace=True)
    with pytest.raises(ExportError, match=r"axis 'batch' \(wanted 2 to 8\) moves from 0 to 6 only"):
        Bounded().export(tmp_path / "b.pt2", axis_ranges={"batch": (2, 4, 8)})


def test_onnx_without_a_runtime_is_not_checked_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NAVCORE_DISABLE_PLUGINS", "onnx")
    result = Net().export(tmp_path / "a.onnx", check_trace=True)
    assert result.verification is None
    assert "a.onnx could not be checked" in caplog.text


def test_weights_beyond_one_file_lie_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Any) -> None:
    monkeypatch.setattr("nav_torch.onnx_dynamo.SINGLE_FILE_LIMIT", 0)  # in place of two gigabytes of weights

    class Large(Net):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(3, 600)
            self.norm = nn.BatchNorm1d(600)

        output_types = {"y": ("batch", 600)}

    model = Large().eval()
    model.export(tmp_path / "a.onnx", onnx_opset_version=18, check_trace=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "a.onnx.data"]
    x = torch.randn(2, 3)
    np.testing.assert_allclose(run(tmp_path / "a.onnx", {"x": x})[0], model(x).detach().numpy(), rtol=1e-4, atol=1e-5)


MOST_COPIES = 4.5
"""Weights that may be in memory besides the model's own: torch's exporter alone has three, and the check one more."""


def peak_memory(*, afresh: bool = False) -> int:
    """The most memory in bytes that this process had since it was asked for ``afresh``, at that moment what it has."""
    if afresh:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


@pytest.mark.slow
@pytest.mark.parametrize("opset", [pytest.param(13, marks=pytest.mark.nightly), 18])
def test_more_than_two_gigabytes(opset: int, tmp_path: Path, run: Any) -> None:
    class Big(nn.Module, Exportable):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.zeros(2_200_000, 256))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.table[x] + 1

        def input_example(self) -> Any:
            return (torch.arange(3),)

        input_types = {"x": TensorType("batch", dtype="int64")}
        output_types = {"y": ("batch", 256)}

    model = Big()
    before = peak_memory(afresh=True)
    model.export(tmp_path / "a.onnx", onnx_opset_version=opset, check_trace=True)
    weights = model.table.nbytes
    assert peak_memory() - before < MOST_COPIES * weights
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "a.onnx.data"]
    assert (tmp_path / "a.onnx").stat().st_size < 1_000_000
    assert (run(tmp_path / "a.onnx", {"x": torch.tensor([7, 2_199_999])})[0] == 1).all()


def test_a_scripted_class_keeps_its_forward(tmp_path: Path, run: Any) -> None:
    class Two(Net):
        def forward_for_export(self, x: torch.Tensor) -> torch.Tensor:
            return x * 100

        output_types = {"y": ("batch", 3)}

    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.script(Net())
    model, sibling = Two().eval(), Two().eval()
    x = torch.randn(4, 3)
    for arguments in ({"try_script": True}, {}):
        result = model.export(tmp_path / "a.pt", **arguments)
        assert result.exporter == ("torch.jit.script" if arguments else "torch.jit.trace"), result.notes
        np.testing.assert_allclose(run(tmp_path / "a.pt", {"x": x})[0], (x * 100).numpy())
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        again = torch.jit.script(sibling)
    torch.testing.assert_close(again(x), sibling(x))


def test_a_forward_for_export_may_call_forward(tmp_path: Path, run: Any) -> None:
    class Around(Net):
        def forward_for_export(self, x: torch.Tensor) -> torch.Tensor:
            return self.forward(x) + self(x)

    model = Around().eval()
    x = torch.randn(2, 3)
    for name in ("a.onnx", "a.pt", "a.pt2"):
        model.export(tmp_path / name)
        np.testing.assert_allclose(
            run(tmp_path / name, {"x": x})[0], (2 * model(x)).detach().numpy(), rtol=1e-4, atol=1e-5
        )


def test_an_instance_runs_while_its_sibling_is_exported(tmp_path: Path) -> None:
    first, second = Net().eval(), Net().eval()
    x = torch.randn(4, 3)
    wanted = second(x)
    problems: list[str] = []
    done = threading.Event()

    def keep_running() -> None:
        while not done.is_set():
            if type(second) is not Net or not torch.equal(second(x), wanted):
                problems.append("changed")

    thread = threading.Thread(target=keep_running)
    thread.start()
    try:
        first.export(tmp_path / "a.onnx", check_trace=True)
        first.export(tmp_path / "a.pt2", check_trace=True)
    finally:
        done.set()
        thread.join()
    assert problems == []


def test_importing_the_mix_in_imports_no_framework() -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom nav_torch import Exportable, TensorType, replace_for_export\n"
        "class Declared(Exportable):\n    input_types = {'x': TensorType('batch', 3)}\n"
        "print({'torch', 'onnx', 'onnxruntime', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
