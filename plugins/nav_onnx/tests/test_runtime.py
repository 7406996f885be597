"""What the runner promises: types as they are, names as recorded, wrong inputs named, the real provider reported."""

from __future__ import annotations

import gc
import os
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import nav_onnx
from nav_onnx.session import computed_precision, split_note
from navcore import InputError, OptionError, Runner, RunnerJob, RuntimeProvider, StepError, Unavailable

from .onnx_models import external, graph_model, identity, two_by_two

Job = Callable[..., Any]
ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)


def opened(route: Any, job: RunnerJob[Any]) -> Runner:
    """What the route returns, which is a runner and no plain callable."""
    runner = route(job)
    assert isinstance(runner, Runner)
    return runner


def on_cpu(job: RunnerJob[Any]) -> Runner:
    return opened(nav_onnx.run_on_cpu, job)


@pytest.mark.parametrize(
    ("code", "dtype"),
    [
        (TensorProto.FLOAT, np.float32),
        (TensorProto.FLOAT16, np.float16),
        (TensorProto.DOUBLE, np.float64),
        (TensorProto.INT64, np.int64),
        (TensorProto.BOOL, np.bool_),
        (TensorProto.UINT8, np.uint8),
        (TensorProto.BFLOAT16, ml_dtypes.bfloat16),
        (TensorProto.FLOAT8E4M3FN, ml_dtypes.float8_e4m3fn),
        (TensorProto.FLOAT8E5M2, ml_dtypes.float8_e5m2),
    ],
)
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_every_element_type_goes_in_and_comes_out_unchanged(job: Job, code: int, dtype: Any, rows: int) -> None:
    given = np.ones((rows, 6)).astype(dtype)[:, ::2]  # not contiguous

    with on_cpu(job(identity(code), ["x"], ["y"])) as runner:
        result = runner({"x": given})["y"]

    assert result.dtype == given.dtype
    np.testing.assert_array_equal(result.astype(np.float32), given.astype(np.float32))


def test_a_kernel_that_is_missing_for_bfloat16_is_the_runtimes_lack_and_no_fault_of_the_model(job: Job) -> None:
    model = graph_model(
        [helper.make_node("Gemm", ["a", "b"], ["y"])],
        [("a", TensorProto.BFLOAT16, ["n", 3]), ("b", TensorProto.BFLOAT16, [3, 2])],
        [("y", TensorProto.BFLOAT16, ["n", 2])],
    )
    asked = job(model, ["a", "b"], ["y"])
    specs = {
        name: tuple(attrs.evolve(one, dtype="bfloat16") for one in getattr(asked.signature, name))
        for name in ("inputs", "outputs")
    }
    artifact = attrs.evolve(asked.artifact, signature=attrs.evolve(asked.signature, **specs))

    with pytest.raises(Unavailable, match="has no Gemm for bfloat16 on this device"):
        on_cpu(attrs.evolve(asked, artifact=artifact))


def test_strings_are_tensors_too(job: Job) -> None:
    with on_cpu(job(identity(TensorProto.STRING), ["x"], ["y"])) as runner:
        words = np.array([["a", "b", "c"]])
        assert runner({"x": words})["y"].tolist() == words.tolist()


def test_a_type_that_numpy_lacks_may_stand_beside_ordinary_ones(job: Job) -> None:
    model = graph_model(
        [
            helper.make_node("Cast", ["half"], ["wide"], to=TensorProto.FLOAT),
            helper.make_node("Add", ["wide", "x"], ["y"]),
        ],
        [("half", TensorProto.BFLOAT16, ["n", 3]), ("x", TensorProto.FLOAT, ["n", 3])],
        [("y", TensorProto.FLOAT, ["n", 3])],
    )
    with on_cpu(job(model, ["half", "x"], ["y"])) as runner:
        result = runner({"half": ROWS.astype(ml_dtypes.bfloat16), "x": ROWS})["y"]
        kept = result.copy()
        runner({"half": np.zeros_like(ROWS, ml_dtypes.bfloat16), "x": ROWS})
    gc.collect()

    np.testing.assert_array_equal(result, ROWS * 2)
    np.testing.assert_array_equal(result, kept)
    with pytest.raises(InputError, match="The input 'half' is float32, and the model takes bfloat16"):
        on_cpu(job(model, ["half", "x"], ["y"]))({"half": ROWS, "x": ROWS})


def test_several_inputs_and_outputs_by_name(job: Job) -> None:
    with on_cpu(job(two_by_two(), ["b", "a"], ["gap", "total"])) as runner:
        result = runner({"b": ROWS, "a": ROWS * 3})

    np.testing.assert_array_equal(result["gap"], ROWS * 2)
    np.testing.assert_array_equal(result["total"], ROWS * 4)


def test_feeds_may_be_any_mapping(job: Job) -> None:
    with on_cpu(job(two_by_two(), ["a", "b"])) as runner:
        result = runner(types.MappingProxyType({"a": ROWS, "b": ROWS}))

    assert set(result) == {"total", "gap"}

    with on_cpu(job(identity(TensorProto.FLOAT), ["x"])) as runner:
        np.testing.assert_array_equal(runner(types.MappingProxyType({"x": ROWS}))["y"], ROWS)
        with pytest.raises(InputError, match="The input 'x' is missing"):
            runner(types.MappingProxyType({}))


def test_an_input_that_the_graph_lost_is_not_fed_and_a_note_says_so(job: Job) -> None:
    with on_cpu(job(identity(TensorProto.FLOAT), ["mask", "x"], ["y"])) as runner:
        np.testing.assert_array_equal(runner({"mask": ROWS, "x": ROWS})["y"], ROWS)
        assert runner.notes == ("The model does not use mask.",)


def test_outputs_with_other_names_are_matched_by_position(job: Job) -> None:
    with on_cpu(job(two_by_two(), ["a", "b"], ["output__0", "output__1"])) as runner:
        result = runner({"a": ROWS * 3, "b": ROWS})

    np.testing.assert_array_equal(result["output__0"], ROWS * 4)
    np.testing.assert_array_equal(result["output__1"], ROWS * 2)


@pytest.mark.parametrize("names", [["gap", "other"], ["only"], ["one", "two", "three"]])
def test_outputs_are_never_swapped_or_cut_by_position(job: Job, names: list[str]) -> None:
    with on_cpu(job(two_by_two(), ["a", "b"], names)) as runner:
        assert list(runner({"a": ROWS, "b": ROWS})) == ["total", "gap"]


def test_inputs_with_other_names_are_matched_by_position_where_the_artifact_says_so(job: Job) -> None:
    names = ["input__0", "input__1"]
    with on_cpu(job(two_by_two(), names, calling="positional")) as runner:
        np.testing.assert_array_equal(runner({"input__0": ROWS * 3, "input__1": ROWS})["gap"], ROWS * 2)
        with pytest.raises(InputError, match="The input 'input__1' is missing; the model takes input__0, input__1"):
            runner({"input__0": ROWS})

    with pytest.raises(StepError, match="The model takes a, b, and its recorded inputs are input__0, input__1"):
        on_cpu(job(two_by_two(), names))


@pytest.mark.parametrize(
    ("feeds", "sentence"),
    [
        ({}, r"^The input 'x' is missing; the model takes x\.$"),
        (
            {"x": ROWS.astype(np.float64)},
            r"^The input 'x' is float64, and the model takes float32\. Convert it first\.$",
        ),
        ({"x": ROWS.astype(ml_dtypes.bfloat16)}, r"^The input 'x' is bfloat16, and the model takes float32\."),
        ({"x": ROWS[0]}, r"^The input 'x' has shape \(3,\), and the model takes \(n, 3\)\.$"),
        ({"x": ROWS[:, :2]}, r"^The input 'x' has shape \(2, 2\), and the model takes \(n, 3\)\.$"),
        ({"x": np.float32(1)}, r"^The input 'x' is a float32, not a numpy array\.$"),
        ({"x": ROWS, "z": ROWS}, r"^The model has no input 'z'; it takes x\.$"),
    ],
)
def test_a_wrong_input_is_named_in_one_sentence(job: Job, feeds: dict[str, Any], sentence: str) -> None:
    with on_cpu(job(identity(TensorProto.FLOAT), ["x"])) as runner:
        with pytest.raises(InputError, match=sentence):
            runner(feeds)
        np.testing.assert_array_equal(runner({"x": ROWS})["y"], ROWS)


def test_a_failure_inside_the_graph_is_told_without_lines_of_source_code(job: Job) -> None:
    model = graph_model(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        [("x", TensorProto.FLOAT, ["n", 3]), ("shape", TensorProto.INT64, [2])],
        [("y", TensorProto.FLOAT, ["p", "q"])],
    )
    with on_cpu(job(model, ["x", "shape"])) as runner, pytest.raises(StepError) as caught:
        runner({"x": ROWS, "shape": np.array([5, 5])})

    assert str(caught.value).startswith("ONNX Runtime could not run the model: Non-zero status code")
    assert "ONNXRuntimeError" not in str(caught.value)
    assert ".cc:" not in str(caught.value)


def test_what_is_no_tensor_is_left_out_with_a_note(job: Job) -> None:
    pieces = helper.make_tensor_sequence_value_info("pieces", TensorProto.FLOAT, None)
    model = identity(TensorProto.FLOAT)
    model.graph.node.append(helper.make_node("SplitToSequence", ["x"], ["pieces"], axis=0))
    model.graph.output.append(pieces)

    with on_cpu(job(model, ["x"])) as runner:
        assert list(runner({"x": ROWS})) == ["y"]
        assert runner.notes == ("Left out, being no tensors: pieces.",)

    del model.graph.output[0]
    with pytest.raises(StepError, match="None of the model's outputs is a tensor: pieces"):
        on_cpu(job(model, ["x"]))


def test_the_row_of_a_cpu_run_says_what_was_used(job: Job) -> None:
    with on_cpu(job(two_by_two(), ["a", "b"], threads=2)) as runner:
        assert (runner.provider, runner.precision, runner.threads) == ("CPUExecutionProvider", None, 2)
        assert runner.notes == ()


def test_the_runs_threads_win_over_the_option_and_a_note_says_so(job: Job) -> None:
    with on_cpu(job(two_by_two(), threads=1, intra_op_threads=2)) as runner:
        assert runner.threads == 1
        assert runner.notes == ("intra_op_threads=2 gave way to the run's 1 threads.",)
    with on_cpu(job(two_by_two(), threads=None, intra_op_threads=2)) as runner:
        assert (runner.threads, runner.notes) == (2, ())


@pytest.mark.parametrize("level", ["all", "extended", "basic", "disabled"])
@pytest.mark.parametrize("mode", ["sequential", "parallel"])
def test_every_level_and_mode_computes_the_same(job: Job, level: str, mode: str) -> None:
    with on_cpu(job(two_by_two(), graph_optimization=level, execution_mode=mode)) as runner:
        np.testing.assert_array_equal(runner({"a": ROWS, "b": ROWS})["total"], ROWS * 2)


@pytest.mark.parametrize(
    "options", [{"graph_optimization": "most"}, {"execution_mode": "both"}, {"intra_op_threads": 0}]
)
def test_an_option_outside_its_range_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        nav_onnx.RuntimeOptions(**options)


def test_leaving_the_with_block_ends_the_sessions_threads(job: Job) -> None:
    def threads() -> int:
        return len(os.listdir("/proc/self/task"))

    before = threads()
    with on_cpu(job(two_by_two(), threads=4)) as runner:
        runner({"a": ROWS, "b": ROWS})
        assert threads() == before + 3

    assert threads() == before
    with pytest.raises(RuntimeError, match="released"):
        runner({"a": ROWS, "b": ROWS})


def test_weights_beside_the_file_are_found(job: Job, stored: Callable[[onnx.ModelProto], Path]) -> None:
    path = stored(external("w.bin", length="12"))
    np.array([1, 2, 3], np.float32).tofile(path.parent / "w.bin")

    with on_cpu(job(path, ["x"])) as runner:
        np.testing.assert_array_equal(runner({"x": ROWS})["y"], ROWS + np.array([1, 2, 3]))


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (
            identity(TensorProto.FLOAT, opset=99),
            r"The model uses opset 99 of ai\.onnx, and onnxruntime \S+ knows up to \d+",
        ),
        (
            graph_model([], [], [], ir_version=99),
            r"The model has IR version 99, and onnxruntime \S+ reads up to \d+\. Install a newer onnxruntime",
        ),
        (
            graph_model(
                [helper.make_node("Unheard", ["x"], ["y"])],
                [("x", TensorProto.FLOAT, [1])],
                [("y", TensorProto.FLOAT, [1])],
            ),
            r"^onnxruntime \S+ did not load the model: This is an invalid model\. .* No Op registered for Unheard",
        ),
    ],
)
def test_a_model_that_this_runtime_does_not_read_says_why(job: Job, model: onnx.ModelProto, sentence: str) -> None:
    with pytest.raises(StepError, match=sentence):
        on_cpu(job(model))


def _build_has(provider: RuntimeProvider) -> bool:
    return str(provider) in onnxruntime.get_available_providers()


@pytest.mark.parametrize(
    ("route", "provider"),
    [(nav_onnx.run_on_cuda, RuntimeProvider.CUDA), (nav_onnx.run_on_tensorrt, RuntimeProvider.TRT)],
)
def test_a_silent_fallback_to_the_cpu_is_unavailable(job: Job, route: Any, provider: RuntimeProvider) -> None:
    if _build_has(provider):
        pytest.skip(f"this onnxruntime has {provider}: whether it falls back depends on the machine")
    sentence = f"The session was asked for {provider}, ONNX Runtime answered with CPUExecutionProvider"
    with pytest.raises(Unavailable, match=sentence):
        route(job(two_by_two(), runtime=provider))


@pytest.mark.gpu
@pytest.mark.skipif(not _build_has(RuntimeProvider.CUDA), reason="this onnxruntime has no CUDAExecutionProvider")
def test_cuda_runs_and_says_so(job: Job) -> None:
    reason = nav_onnx.availability.why_no_cuda()
    if reason:
        pytest.skip(reason)
    with opened(nav_onnx.run_on_cuda, job(two_by_two(), ["a", "b"], runtime=RuntimeProvider.CUDA)) as runner:
        np.testing.assert_allclose(runner({"a": ROWS, "b": ROWS})["total"], ROWS * 2)
        assert runner.provider == "CUDAExecutionProvider"


def test_nodes_that_run_elsewhere_are_counted(stored: Callable[[onnx.ModelProto], Path]) -> None:
    settings = onnxruntime.SessionOptions()
    settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    path = os.fspath(stored(two_by_two()))
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    if not hasattr(session, "get_provider_graph_assignment_info"):
        pytest.skip(f"onnxruntime {onnxruntime.__version__} does not tell where nodes run")

    assert split_note(session, "CPUExecutionProvider") is None
    assert split_note(session, "CUDAExecutionProvider") == (
        "Of 2 nodes, 2 on CPUExecutionProvider instead of CUDAExecutionProvider."
    )


class _GpuSession:
    """Stands for a session on a GPU, which this machine may lack: types and settings only."""

    def __init__(self, types: list[str], settings: dict[str, dict[str, str]]) -> None:
        self._types, self._settings = types, settings

    def get_inputs(self) -> list[Any]:
        return [type("Node", (), {"type": name}) for name in self._types]

    def get_outputs(self) -> list[Any]:
        return []

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return self._settings


@pytest.mark.parametrize(
    ("provider", "types", "settings", "precision"),
    [
        (RuntimeProvider.CPU, ["tensor(float)"], {}, None),
        (RuntimeProvider.CUDA, ["tensor(float)"], {"use_tf32": "1"}, "tf32"),
        (RuntimeProvider.CUDA, ["tensor(float)"], {"use_tf32": "0"}, None),
        (RuntimeProvider.CUDA, ["tensor(float16)"], {"use_tf32": "1"}, None),
        (RuntimeProvider.CUDA, ["tensor(double)"], {"use_tf32": "1"}, None),
        (RuntimeProvider.TRT, ["tensor(float)"], {"trt_fp16_enable": "0"}, "tf32"),
        (RuntimeProvider.TRT, ["tensor(float)"], {"trt_fp16_enable": "1"}, "fp16"),
        (RuntimeProvider.TRT, ["tensor(float)"], {"trt_bf16_enable": "True"}, "bf16"),
    ],
)
def test_a_lower_precision_is_never_called_float32(
    provider: RuntimeProvider, types: list[str], settings: dict[str, str], precision: str | None
) -> None:
    session: Any = _GpuSession(types, {str(provider): settings})
    assert computed_precision(session, provider) == precision
