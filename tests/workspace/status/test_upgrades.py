"""A status.yaml of the reference API's own program, format version 0.1.0, is read as what it meant."""

from __future__ import annotations

import contextlib
import importlib.resources
import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from jsonschema import Draft202012Validator

from navcore.contract.formats import JitType
from navcore.contract.profiler_config import MeasurementMode
from navcore.contract.signature import Axis
from navcore.errors import PackageError
from navcore.workspace.results import Status
from navcore.workspace.status.file import read_status
from navcore.workspace.status.record import FORMAT_VERSION, record_to_data
from navcore.workspace.status.upgrades import UPGRADES, upgraded
from navcore.workspace.status.yaml_reading import from_yaml
from navcore.workspace.status.yaml_text import to_yaml

from .status_values import places, plain, with_value

OLD = """\
format_version: 0.1.0
uuid: 5b9f3a2e-ec9b-11ec-8ea0-0242ac120002
git_info: {repository: 'git@example.org:x/y.git', commit: 1f2e3d, author: A. Author, email: a@example.org}
environment:
  cpu: {name: Some CPU, physical_cores: 8, logical_cores: 16, min_frequency: 1200.0, max_frequency: 3600.0}
  memory: 31.3G
  gpu: {name: Some GPU, driver_version: 510.47, memory: 16160 MiB, tdp: 250.00 W, cuda_version: '11.6'}
  os: {name: Linux, platform: Linux-5.4, release: 5.4.0}
  python_version: 3.8.13
  python_packages: {torch: 1.12.0, onnx: 1.11.0}
  libraries: {CUDA_VERSION: 11.7.0}
export_config:
  framework: pytorch
  model_name: navigator_model
  target_formats: [torchscript, onnx, trt]
  sample_count: 100
  batch_dim: 0
  seed: 0
  timestamp: 2022-06-15T12:00:00.123456
  _input_names: [tokens]
  _output_names:
  from_source: true
  max_batch_size: 8
  profiler_config: {batch_sizes: null, measurement_mode: count_windows, measurement_interval: 5000.0,
                    measurement_request_count: 50, stability_percentage: 10.0, max_trials: 10}
  max_workspace_size: 8589934592
  target_precisions: [fp32, fp16]
  precision_mode: single
  trt_dynamic_axes: {tokens: {0: [1, 8, 8], 1: [16, 32, 64]}}
  minimum_segment_size: 3
  target_jit_type: [trace]
  target_device: cuda
  opset: 14
  dynamic_axes: {tokens: {0: batch, 1: sequence}}
  onnx_runtimes: [CPUExecutionProvider, CUDAExecutionProvider]
  atol: 0.001
  rtol:
model_status:
- format: torchscript
  path: torchscript-trace/model.pt
  torch_jit: trace
  precision:
  runtime_results:
  - runtime: PyTorchExecutionProvider
    status: FAIL
    err_msg: {performance: Unable to get stable performance results.}
    tolerance: [{output_name: output__0, atol: 1.0e-06, rtol: 0.0001}]
    performance:
    verified: false
- format: onnx
  path: onnx/model.onnx
  torch_jit:
  precision:
  runtime_results:
  - runtime: CPUExecutionProvider
    status: OK
    err_msg: {}
    tolerance: [{output_name: output__0, atol: 2.0e-06, rtol: 0.0002}]
    performance:
    - {batch_size: 1, avg_latency: 1.5, std_latency: 0.1, p50_latency: 1.4, p90_latency: 1.6, p95_latency: 1.7,
       p99_latency: 2.0, throughput: 666.7, request_count: 50}
    verified: true
  - runtime: CUDAExecutionProvider
    status: FAIL
    err_msg: {correctness: Outputs differ.}
    tolerance:
    performance:
    verified: false
- format: trt
  path:
  torch_jit:
  precision: fp16
  runtime_results:
  - {runtime: TensorrtExecutionProvider, status: FAIL, err_msg: {convert: No GPUs available.}, tolerance: null,
     performance: null, verified: false}
- format: torch-trt
  path:
  torch_jit: trace
  precision: fp32
  runtime_results:
  - {runtime: PyTorchExecutionProvider, status: SKIPPED}
input_metadata: [{name: tokens, shape: [-1, -1], dtype: int64}]
output_metadata: [{name: output__0, shape: [-1, 2], dtype: float32}]
"""
SCHEMA = json.loads((importlib.resources.files("navcore") / "status.schema.json").read_text())


def test_every_older_version_leads_to_the_current_one() -> None:
    assert len({version for version, _ in UPGRADES}) == len(UPGRADES)
    new = upgraded(from_yaml(OLD))
    assert new["format_version"] == FORMAT_VERSION
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(new)] == []


def test_what_was_asked_for() -> None:
    record = read_status(OLD)
    settings = record.settings
    assert (record.source.name, record.live, record.timestamp) == ("torch", True, "2022-06-15T12:00:00.123456")
    assert settings.targets == ("torchscript", "onnx", "trt")
    assert settings.input_names == ("tokens",)
    assert settings.output_names is None
    assert settings.options["onnx"] == {"opset": 14}
    assert settings.runtimes == {"onnx": ("CPUExecutionProvider", "CUDAExecutionProvider")}
    assert settings.dynamic_axes == {"tokens": {0: "batch", 1: "sequence"}}
    assert settings.axis_ranges == {"tokens": {0: (1, 8, 8), 1: (16, 32, 64)}}
    assert (settings.atol, settings.rtol, settings.device) == (0.001, None, "cuda")
    assert settings.profiler_config.measurement_mode is MeasurementMode.COUNT_WINDOWS
    assert settings.profiler_config.measurement_request_count == 50
    assert record.git_info["email"] == "a@example.org"
    assert record.environment["gpu"]["name"] == "Some GPU"


def test_onnx() -> None:
    row = read_status(OLD).results[1]
    assert (row.format.name, row.format.family, row.format.filename) == ("onnx", "onnx", "model.onnx")
    assert (row.status, row.path, row.requested, row.calling) == (Status.OK, "onnx/model.onnx", True, "named")
    good, bad = row.runtimes
    assert good.verified
    assert good.verification is not None
    assert good.verification.differences[0].atol == 2e-6
    assert good.verification.notes == ("Of the differences only atol and rtol were recorded.",)
    assert good.performance[0].p99_latency == 2.0
    assert bad.status == Status.FAILED
    assert bad.failure is not None
    assert (bad.failure.cause, bad.failure.category) == ("Outputs differ.", "verification")


def test_torchscript_was_correct_and_only_its_measurement_did_not_settle() -> None:
    row = read_status(OLD).results[0]
    assert (row.format.name, row.format.jit_type, row.calling) == ("torchscript-trace", JitType.TRACE, "positional")
    assert row.status == Status.OK
    assert row.runtimes[0].status == Status.OK
    assert row.runtimes[0].profiling is not None
    assert row.runtimes[0].profiling.failure is not None
    assert row.runtimes[0].profiling.failure.cause == "Unable to get stable performance results."


def test_trt_fp16_says_why_it_is_not_there() -> None:
    row = read_status(OLD).results[2]
    assert (row.format.name, row.format.precision, row.format.filename) == ("trt-fp16", "fp16", "model.plan")
    assert (row.status, row.path) == (Status.FAILED, None)
    assert row.failure is not None
    assert (row.failure.cause, row.failure.category) == ("No GPUs available.", "conversion")


def test_rows_with_missing_keys_are_read() -> None:
    row = read_status(OLD).results[3]
    assert (row.format.name, row.status, row.requested) == ("torch-trt-trace-fp32", Status.SKIPPED, False)


def test_the_signature_is_told_from_the_metadata() -> None:
    samples = read_status(OLD).samples
    assert samples is not None
    assert samples.signature.inputs[0].shape == ("batch", "sequence")
    assert samples.signature.outputs[0].shape == ("batch", 2)
    assert samples.signature.axes == (Axis("batch", 1, 8, 8), Axis("sequence", 16, 32, 64))
    assert samples.signature.call == {"args": [{"tensor": "tokens"}], "kwargs": []}
    assert (samples.batch_size, samples.digest) == (8, "")


def test_it_is_written_as_the_current_version() -> None:
    record = read_status(OLD)
    assert read_status(to_yaml(record_to_data(record))) == record


def test_an_axis_whose_range_was_not_recorded() -> None:
    old = from_yaml(OLD)
    old["export_config"] = {**old["export_config"], "trt_dynamic_axes": None, "dynamic_axes": {"tokens": [0, 1]}}
    samples = read_status(to_yaml(old)).samples
    assert samples is not None
    assert samples.signature.axes == (Axis("batch", 1, 8, 8), Axis("tokens_dim1", 1, 1, 1))


@pytest.mark.parametrize(
    ("framework", "source", "live"),
    [("onnx", "onnx", False), ("tensorflow2", "tensorflow", True), ("jax", "jax", True)],
)
def test_sources(framework: str, source: str, live: bool) -> None:
    record = read_status(OLD.replace("framework: pytorch", f"framework: {framework}"))
    assert (record.source.name, record.live) == (source, live)


def test_count_windows_without_a_count_become_time_windows() -> None:
    record = read_status(OLD.replace("measurement_request_count: 50", "measurement_request_count: null"))
    assert record.settings.profiler_config.measurement_mode is MeasurementMode.TIME_WINDOWS


def test_a_file_with_next_to_nothing_in_it() -> None:
    record = read_status("format_version: 0.1.0\nexport_config: {framework: pytorch}\n")
    assert (record.samples, record.results) == (None, ())


def test_a_damaged_old_file_is_refused() -> None:
    with pytest.raises(PackageError, match="'output_name' is missing") as caught:
        read_status(OLD.replace("output_name", "output"))
    assert caught.value.code == "status-shape"


@settings(deadline=None, max_examples=50)
@given(st.data(), plain)
def test_any_damage_is_refused_or_does_not_matter(data: st.DataObject, value: Any) -> None:
    old = from_yaml(OLD)
    place = data.draw(st.sampled_from(places(old)))
    with contextlib.suppress(PackageError):
        read_status(to_yaml(with_value(old, place, value)))
