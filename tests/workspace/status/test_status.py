"""status.yaml comes back as it was written, fits the published schema, and is refused in a sentence when broken."""

from __future__ import annotations

import contextlib
import importlib.resources
import json
import math
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st
from jsonschema import Draft202012Validator

from navcore.contract.formats import Format, JitType
from navcore.contract.profiler_config import ProfilerConfig
from navcore.contract.signature import Axis, Signature, TensorSpec
from navcore.errors import PackageError, WorkspaceError
from navcore.workspace.results import (
    Attempt,
    BatchPerformance,
    Difference,
    Failure,
    FormatResult,
    Outcome,
    RuntimeResult,
    Status,
    Verification,
)
from navcore.workspace.samples import Samples
from navcore.workspace.settings import Settings
from navcore.workspace.status.file import read_status, write_status
from navcore.workspace.status.record import Record, record_from_data, record_to_data
from navcore.workspace.status.yaml_reading import from_yaml
from navcore.workspace.status.yaml_text import to_yaml

from .status_values import everything, places, plain, records, with_value

SCHEMA = json.loads((importlib.resources.files("navcore") / "status.schema.json").read_text())
TORCHSCRIPT = Format(
    "torchscript-trace", family="torchscript", filename="model.pt", jit_type=JitType.TRACE, suffixes=(".pt",)
)
LATENCIES = BatchPerformance(
    batch_size=1, avg_latency=1.5, std_latency=0.1, p50_latency=1.4, p90_latency=1.7, p95_latency=1.9, p99_latency=None,
    throughput=666.7, request_count=90, windows=3, cold_start=11.0, cpu_share=1.9, switches=4.0,
)  # fmt: skip
RECORD = Record(
    uuid="6f1b6f6e-3c8d-4d8a-9d7e-2f1f1b1f0a01",
    timestamp="2026-01-02T03:04:05.000006",
    settings=Settings(
        model_name="encoder",
        targets=("onnx", "torchscript"),
        options={"onnx": {"opset": 17}},
        dynamic_axes={"ids": {0: "batch", 1: "sequence"}},
        axis_ranges={"sequence": (4, 16, 64), "ids": {1: (4, 16, 64)}},
        runtimes={"onnx": ("CPUExecutionProvider",)},
        profiler_config=ProfilerConfig(batch_sizes=[1, 8]),
        device="cpu",
        timeout=60.0,
    ),
    source=Format("torch"),
    source_key="5f" * 32,
    live=True,
    samples=Samples(
        signature=Signature(
            inputs=(TensorSpec("ids", "int64", ("batch", "sequence")), TensorSpec("scale", "float32", (3,))),
            outputs=(TensorSpec("logits", "float32", ("batch", 2)),),
            axes=(Axis("batch", 1, 4, 8), Axis("sequence", 4, 16, 64, declared=True)),
            call={"args": [{"tensor": "ids"}], "kwargs": [["scale", {"tensor": "scale"}], ["fill", {"constant": 0.5}]]},
        ),
        counts={"conversion": 2, "correctness": 10, "profiling": 1},
        batch_size=4,
        noise={"logits": 1e-7},
        rows_independent=True,
        notes=("The loader has 10 items.",),
        digest="ab" * 32,
    ),
    results=(
        FormatResult(
            Format.ONNX,
            Status.OK,
            path="onnx/model.onnx",
            route="torch:onnx_from_torch_dynamo",
            attempts=(
                Attempt(
                    "torch:onnx_from_torch_dynamo",
                    Outcome(Status.OK, 3.2, 10**9, "onnx/onnx_from_torch_dynamo.log"),
                    owner="nav-torch",
                    version="0.1.0",
                ),
            ),
            runtimes=(
                RuntimeResult(
                    "CPUExecutionProvider",
                    Status.OK,
                    route="onnx:run_on_cpu[onnx]",
                    verification=Verification(
                        Status.OK,
                        (Difference("logits", 1e-6, 2e-5, 3e-7, 1.0, 20, 0.25, "correctness sample 3"),),
                        compared=14,
                        precision="fp32",
                        bound=1e-4,
                    ),
                    performance=(LATENCIES,),
                    verified=True,
                    provider="CPUExecutionProvider",
                    precision="fp32",
                    threads=4,
                    outcome=Outcome(Status.OK, 5.0),
                ),
            ),
            facts={"opset": "17"},
            size=4096,
        ),
        FormatResult(
            TORCHSCRIPT,
            Status.FAILED,
            attempts=(Attempt("torch:trace", Outcome(Status.FAILED, failure=Failure("It killed itself.", "crash"))),),
            runtimes=(
                RuntimeResult(
                    "PyTorchExecutionProvider",
                    Status.FAILED,
                    verification=Verification(
                        Status.FAILED,
                        (Difference("logits", math.inf, math.inf, None, None, 20, 0.5),),
                        compared=14,
                        failure=Failure("Output 'logits' is infinite.", "verification"),
                    ),
                ),
                RuntimeResult(
                    "other",
                    Status.UNAVAILABLE,
                    outcome=Outcome(Status.UNAVAILABLE, failure=Failure("no such device", "unavailable")),
                ),
            ),
            failure=Failure("Output 'logits' is infinite.", "verification", "model.py:7", "Look at it."),
        ),
    ),
    environment={"cpu": {"name": "x", "logical_cores": 4}, "python_packages": {"numpy": "2.1"}, "memory": "31.3G"},
    git_info={"repository": "https://example.org/x", "commit": "ab12", "author": None, "email": None},
    navcore_version="0.1.0",
)
WRITTEN = from_yaml(to_yaml(record_to_data(RECORD)))
PLACES = places(WRITTEN)


def complaints(data: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(SCHEMA).iter_errors(data)]


def test_every_field_comes_back(tmp_path: Path) -> None:
    write_status(tmp_path / "status.yaml", RECORD)
    assert everything(read_status(tmp_path / "status.yaml")) == everything(RECORD)
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.yaml"]


@hypothesis_settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(records)
def test_any_record_comes_back_and_fits_the_schema(record: Record) -> None:
    data = from_yaml(to_yaml(record_to_data(record)))
    assert complaints(data) == []
    assert everything(record_from_data(data)) == everything(record)


def test_what_is_not_a_number_comes_back_too() -> None:
    odd = Difference("logits", math.nan, -math.inf, math.nan, None, 1, 1.0)
    row = RuntimeResult("x", Status.FAILED, verification=Verification(Status.FAILED, (odd,)))
    record = attrs.evolve(RECORD, results=(FormatResult(Format.ONNX, Status.FAILED, runtimes=(row,)),))
    text = to_yaml(record_to_data(record))
    assert ".nan" not in text
    assert ".inf" not in text
    assert complaints(from_yaml(text)) == []
    verification = read_status(text).results[0].runtimes[0].verification
    assert verification is not None
    back = verification.differences[0]
    assert math.isnan(back.atol)
    assert back.rtol == -math.inf
    assert back.relative_l2 is not None
    assert math.isnan(back.relative_l2)


def test_keys_stand_in_their_order_without_aliases() -> None:
    text = to_yaml(record_to_data(RECORD))
    data = yaml.safe_load(text)
    assert list(data) == [
        "format_version", "uuid", "navcore_version", "git_info", "environment", "source", "export_config",
        "model_status", "ranking", "input_metadata", "output_metadata", "samples",
    ]  # fmt: skip
    assert list(data["model_status"][0])[:6] == [
        "format", "path", "runtime_results", "torch_jit", "precision", "variant"
    ]  # fmt: skip
    assert not [token for token in yaml.scan(text) if isinstance(token, yaml.AnchorToken | yaml.AliasToken)]


def test_the_reference_keys_keep_their_meaning() -> None:
    data = record_to_data(RECORD)
    config = data["export_config"]
    assert data["format_version"] == "1.0.0"
    assert config["framework"] == "pytorch"
    assert config["target_formats"] == ["onnx", "torchscript"]
    assert config["timestamp"] == "2026-01-02T03:04:05.000006"
    assert config["max_batch_size"] == 4
    assert config["opset"] == 17
    assert config["onnx_runtimes"] == ["CPUExecutionProvider"]
    assert config["target_jit_type"] == ["trace"]
    assert config["target_precisions"] is None
    assert config["trt_dynamic_axes"] == {"ids": {"0": [1, 4, 8], "1": [4, 16, 64]}}
    assert [(entry["name"], entry["shape"], entry["dtype"]) for entry in data["input_metadata"]] == [
        ("ids", [-1, -1], "int64"), ("scale", [3], "float32")
    ]  # fmt: skip
    onnx, torchscript = data["model_status"]
    assert (onnx["format"], onnx["torch_jit"], onnx["precision"]) == ("onnx", None, None)
    assert (torchscript["format"], torchscript["torch_jit"]) == ("torchscript", "trace")
    row = onnx["runtime_results"][0]
    assert (row["runtime"], row["status"], row["err_msg"], row["verified"]) == ("CPUExecutionProvider", "OK", {}, True)
    assert {key: row["tolerance"][0][key] for key in ("output_name", "atol", "rtol")} == {
        "output_name": "logits", "atol": 1e-6, "rtol": 2e-5
    }  # fmt: skip
    assert list(row["performance"][0])[:9] == [
        "batch_size", "avg_latency", "std_latency", "p50_latency", "p90_latency", "p95_latency", "p99_latency",
        "throughput", "request_count",
    ]  # fmt: skip


def test_the_reasons_stand_under_the_kind_of_step() -> None:
    def errors(**parts: Any) -> Any:
        row = FormatResult(Format.ONNX, Status.FAILED, runtimes=(RuntimeResult("x", Status.FAILED, **parts),))
        entry = record_to_data(attrs.evolve(RECORD, results=(row,)))["model_status"][0]
        return entry["runtime_results"][0]["err_msg"]

    def ended(category: str) -> Outcome:
        return Outcome(Status.FAILED, failure=Failure("why", category))

    assert errors() == {}
    assert errors(outcome=ended("crash")) == {"correctness": "why"}
    assert errors(outcome=ended("export")) == {"export": "why"}
    assert errors(outcome=ended("conversion")) == {"convert": "why"}
    assert errors(profiling=ended("crash")) == {"performance": "why"}
    assert errors(verification=Verification(Status.FAILED, failure=Failure("wrong"))) == {"correctness": "wrong"}


def test_no_name_and_no_address_unless_given() -> None:
    record = attrs.evolve(RECORD, git_info={})
    assert record_to_data(record)["git_info"] == dict.fromkeys(("repository", "commit", "author", "email"))
    named = attrs.evolve(RECORD, git_info={"author": "A. Author"})
    assert read_status(to_yaml(record_to_data(named))).git_info["author"] == "A. Author"


@pytest.mark.parametrize("device", ["cuda:0", "/device:GPU:0", "/job:localhost/replica:0/task:0/device:GPU:0"])
def test_a_device_comes_back_as_its_framework_writes_it(device: str) -> None:
    record = attrs.evolve(RECORD, settings=attrs.evolve(RECORD.settings, device=device))
    assert read_status(to_yaml(record_to_data(record))).settings.device == device


@pytest.mark.parametrize("device", ["/etc/passwd", "/device:../x", "cuda/0", "/device:" + "x" * 600])
def test_a_device_that_is_a_path_is_refused(device: str) -> None:
    record = attrs.evolve(RECORD, settings=attrs.evolve(RECORD.settings, device=device))
    with pytest.raises(PackageError, match="cannot be a name"):
        read_status(to_yaml(record_to_data(record)))


def test_a_source_goes_by_its_own_name_where_the_reference_has_none() -> None:
    for name, word in (("onnx", "onnx"), ("tensorflow", "tensorflow2"), ("jax", "jax")):
        data = record_to_data(attrs.evolve(RECORD, source=Format(name)))
        assert data["export_config"]["framework"] == word


def test_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="does not exist"):
        read_status(tmp_path / "status.yaml")
    with pytest.raises(WorkspaceError, match="cannot be read"):
        read_status(tmp_path)


def test_a_torn_file_is_refused_at_every_length(tmp_path: Path) -> None:
    text = to_yaml(record_to_data(RECORD))
    for length in range(0, text.index("\nsamples:"), 97):
        with pytest.raises(PackageError) as caught:
            read_status(text[:length])
        assert caught.value.code in ("status-yaml", "status-version", "status-shape")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("", "status-yaml", "it holds no mapping"),
        ("- 1\n- 2\n", "status-yaml", "it holds no mapping"),
        ("a: b: c\n", "status-yaml", "line 1"),
        ("a: 1\na: 2\n", "status-yaml", "'a' stands twice"),
        ("a: !!python/name:os.system x\n", "status-yaml", "holds a tag"),
        ("a: " + "[" * 20_000, "status-yaml", "nested too deeply"),
        ("a: &a [*a]\n", "status-yaml", "refers to 'a', which is not there"),
        ("a: \0\n", "status-yaml", "control characters are not allowed"),
        ("a: " + "1" * 5000 + "\n", "status-yaml", "more than 400 digits"),
        ("name: CI\non: push\n", "status-version", "has no format_version"),
        ("format_version: 1.1.0\n", "status-version", "Install a newer navcore"),
        ("format_version: 0.3.2\n", "status-version", "no navcore ever wrote"),
        ("format_version: 1.0.0\n", "status-shape", "'export_config' is missing"),
    ],
)
def test_what_is_not_ours_is_refused(text: str, code: str, told: str) -> None:
    with pytest.raises(PackageError, match=told) as caught:
        read_status(text)
    assert caught.value.code == code


def test_aliases_cannot_unfold_to_more_than_memory_holds() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    with pytest.raises(PackageError, match="more than 150000 values"):
        read_status("\n".join(lines))


def changed(*path: str | int, to: Any) -> str:
    data = json.loads(json.dumps(record_to_data(RECORD)))
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return to_yaml(data)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (changed("model_status", 0, "path", to="../../etc/passwd"), "cannot be a place in a workspace"),
        (changed("model_status", 0, "path", to="/etc/passwd"), "cannot be a place in a workspace"),
        (changed("model_status", 0, "attempts", 0, "outcome", "log", to="../x"), "cannot be a place in a workspace"),
        (changed("model_status", 0, "variant", "filename", to="../x"), "cannot be a name"),
        (changed("model_status", 0, "variant", "name", to="../x"), "cannot name a format"),
        (changed("model_status", 1, "variant", "name", to="onnx"), "format 'onnx' stands twice"),
        (changed("model_status", 1, "runtime_results", 1, "runtime", to="PyTorchExecutionProvider"), "stands twice"),
        (changed("export_config", "model_name", to="../x"), "cannot name a folder"),
        (changed("model_status", 0, "status", to="FINE"), "'FINE' is missing or unknown"),
        (changed("model_status", 0, "runtime_results", 0, "performance", 0, "p50_latency", to="fast"), "p50_latency"),
        (changed("input_metadata", 0, "axes", to=["batch"]), "argument 2 is shorter"),
        (changed("export_config", "profiler_config", "max_trials", to=0), "max_trials"),
        (changed("samples", to=7), "not a mapping"),
    ],
)
def test_a_file_from_a_stranger_cannot_name_places_outside(text: str, told: str) -> None:
    with pytest.raises(PackageError, match=told) as caught:
        read_status(text)
    assert caught.value.code == "status-shape"


@hypothesis_settings(deadline=None, max_examples=50)
@given(st.data(), plain)
def test_any_damage_is_refused_or_does_not_matter(data: st.DataObject, value: Any) -> None:
    place = data.draw(st.sampled_from(PLACES))
    with contextlib.suppress(PackageError):
        read_status(to_yaml(with_value(WRITTEN, place, value)))


def test_the_refusal_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "status.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PackageError, match="not text in UTF-8") as caught:
        read_status(path)
    assert caught.value.who == str(path)
    assert caught.value.code == "status-yaml"


def test_the_schema_refuses_what_is_not_there() -> None:
    data = record_to_data(RECORD)
    assert complaints(data) == []
    assert complaints({**data, "extra": 1}) != []
    assert complaints({key: value for key, value in data.items() if key != "uuid"}) != []
    assert complaints({**data, "format_version": "0.1.0"}) != []


def test_the_page_on_files_names_every_key() -> None:
    page = (Path(__file__).parents[3] / "docs" / "files.md").read_text()
    places = [SCHEMA, SCHEMA["properties"]["export_config"], SCHEMA["properties"]["samples"]]
    places += [SCHEMA["$defs"][name] for name in ("format_result", "runtime_result", "difference", "verification")]
    missing = [key for place in places for key in place["properties"] if f"`{key}`" not in page]
    assert missing == []
