"""config.yaml says what the run really used for one variant, and can be fed back."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings as hypothesis_settings

from navcore.contract.formats import Format, JitType
from navcore.contract.signature import Axis, Signature, TensorSpec
from navcore.errors import PackageError, WorkspaceError
from navcore.workspace.results import FormatResult, RuntimeResult, Status
from navcore.workspace.samples import Samples
from navcore.workspace.settings import Settings
from navcore.workspace.status.record import Record
from navcore.workspace.status.variant_config import VariantConfig, read_config, write_config
from navcore.workspace.status.yaml_text import to_yaml

from .status_values import everything, records, stored_rows

SIGNATURE = Signature(
    inputs=(TensorSpec("ids", "int64", ("batch", "sequence")),),
    outputs=(TensorSpec("logits", "float32", ("batch", 2)),),
    axes=(Axis("batch", 1, 4, 8), Axis("sequence", 4, 16, 64)),
    call={"args": [], "kwargs": [["ids", {"tensor": "ids"}]]},
)
OK = (RuntimeResult("x", Status.OK),)
ONNX = FormatResult(
    Format.ONNX,
    Status.OK,
    path="onnx/model.onnx",
    route="torch:onnx_from_torch_dynamo",
    made_from="torch",
    runtimes=OK,
    facts={"opset": "20"},
)
ENGINE = FormatResult(
    Format("trt-fp16", family="trt", filename="model.plan", precision="fp16"),
    Status.OK,
    path="trt-fp16/model.plan",
    route="trt:trt_fp16_from_onnx",
    made_from="onnx",
    runtimes=OK,
)
TRACE = FormatResult(
    Format("torchscript-trace", family="torchscript", filename="model.pt", jit_type=JitType.TRACE),
    Status.OK,
    path="torchscript-trace/model.pt",
    route="torch:torchscript_by_trace",
    made_from="torch",
    calling="positional",
    runtimes=OK,
    signature=attrs.evolve(SIGNATURE, axes=(Axis("batch", 1, 4, 8),)),
)
RECORD = Record(
    uuid="6f1b6f6e-3c8d-4d8a-9d7e-2f1f1b1f0a01",
    timestamp="2026-01-02T03:04:05.000006",
    settings=Settings(
        model_name="encoder",
        options={
            "onnx/CPUExecutionProvider": {"intra_op_threads": 2},
            "trt": {"precision_mode": "single", "max_workspace_size": 2**33},
            "torchscript": {"strict": False},
        },
        input_names=("ids",),
        runtimes={"onnx": ("CPUExecutionProvider",), "torchscript": ("PyTorchExecutionProvider",)},
        atol=1e-3,
        dynamic_axes={"ids": {0: "batch", 1: "sequence"}},
        axis_ranges={"sequence": (4, 16, 64)},
    ),
    source=Format("torch"),
    source_key="5f" * 32,
    live=True,
    samples=Samples(SIGNATURE, {"correctness": 10}, 4, {"logits": 0.0}, True, (), "ab" * 32),
    results=(FormatResult(Format("torch"), Status.OK, live=True), ONNX, ENGINE, TRACE),
    environment={},
    git_info={},
    navcore_version="0.1.0",
)


def written(tmp_path: Path, row: FormatResult, record: Record = RECORD) -> VariantConfig:
    write_config(tmp_path / "config.yaml", record, row)
    return read_config(tmp_path / "config.yaml")


def test_the_reference_keys_say_what_was_used(tmp_path: Path) -> None:
    write_config(tmp_path / "config.yaml", RECORD, ENGINE)
    data = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert list(data)[1:15] == [
        "model_name", "model_path", "model_format", "model_version", "inputs", "outputs", "target_formats",
        "onnx_opsets", "tensorrt_precisions", "tensorrt_precisions_mode", "tensorrt_explicit_precision",
        "tensorrt_sparse_weights", "tensorrt_max_workspace_size", "variant",
    ]  # fmt: skip
    assert (data["model_name"], data["model_path"]) == ("encoder", "trt-fp16/model.plan")
    assert (data["model_format"], data["model_version"]) == ("trt", "1")
    assert data["inputs"] == {"ids": {"name": "ids", "shape": [-1, -1], "dtype": "int64", "optional": False}}
    assert data["outputs"] == {"logits": {"name": "logits", "shape": [-1, 2], "dtype": "float32", "optional": False}}
    assert data["target_formats"] == ["trt"], "the family, as the reference's command line reads it"
    assert data["tensorrt_precisions"] == ["fp16"]
    assert data["tensorrt_precisions_mode"] == "single"
    assert data["tensorrt_max_workspace_size"] == 2**33
    assert data["tensorrt_sparse_weights"] is None
    assert data["onnx_opsets"] is None


def test_the_opset_is_the_one_that_was_written(tmp_path: Path) -> None:
    other = attrs.evolve(RECORD, settings=attrs.evolve(RECORD.settings, options={"onnx": {"opset": 17}}))
    write_config(tmp_path / "config.yaml", other, ONNX)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["onnx_opsets"] == [20], "and not the one asked for"
    write_config(tmp_path / "config.yaml", RECORD, ONNX)
    data = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert data["onnx_opsets"] == [20]
    assert data["tensorrt_precisions"] is None
    assert data["tensorrt_max_workspace_size"] is None


def test_how_a_variant_is_called_comes_back(tmp_path: Path) -> None:
    config = written(tmp_path, TRACE)
    assert config.variant.description() == TRACE.format.description()
    assert config.calling == "positional"
    assert config.signature == TRACE.signature
    assert (config.route, config.made_from) == ("torch:torchscript_by_trace", "torch")
    assert written(tmp_path, ONNX).signature == SIGNATURE


def test_fed_back_it_asks_for_this_variant_and_what_led_to_it(tmp_path: Path) -> None:
    settings = written(tmp_path, ENGINE).settings()
    assert settings.targets == ("trt-fp16",)
    assert settings.prefer == {"trt-fp16": "trt"}
    assert settings.options == {
        "onnx/CPUExecutionProvider": {"intra_op_threads": 2},
        "trt": {"precision_mode": "single", "max_workspace_size": 2**33},
    }
    assert settings.runtimes == {"onnx": ("CPUExecutionProvider",)}
    for kept in ("model_name", "input_names", "atol", "rtol", "dynamic_axes", "axis_ranges", "batch_dim"):
        assert getattr(settings, kept) == getattr(RECORD.settings, kept)


def test_what_the_route_chose_can_be_pinned(tmp_path: Path) -> None:
    config = written(tmp_path, ONNX)
    assert "onnx" not in config.settings().options
    assert config.settings(pin=("opset", "other")).options["onnx"] == {"opset": 20}
    asked = attrs.evolve(RECORD.settings, options={"onnx": {"opset": 17}})
    config = written(tmp_path, ONNX, attrs.evolve(RECORD, settings=asked))
    assert config.settings(pin=("opset",)).options == {"onnx": {"opset": 17}}


def test_a_source_file_is_not_made_by_anyone(tmp_path: Path) -> None:
    source = FormatResult(Format.ONNX, Status.OK, path="onnx/model.onnx", runtimes=OK)
    asked = attrs.evolve(RECORD.settings, options={**RECORD.settings.options, "onnx": {"opset": 9}})
    record = attrs.evolve(RECORD, source=Format.ONNX, live=False, results=(source,), settings=asked)
    settings = written(tmp_path, source, record).settings()
    assert (settings.targets, settings.prefer) == (("onnx",), {})
    assert list(settings.options) == ["onnx/CPUExecutionProvider"]


def test_a_row_that_does_not_say_what_it_was_made_from_keeps_all_settings(tmp_path: Path) -> None:
    old = attrs.evolve(ENGINE, route="", made_from="")
    assert written(tmp_path, old).asked.options == RECORD.settings.options


@hypothesis_settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(records, stored_rows)
def test_any_variant_comes_back(record: Record, row: FormatResult) -> None:
    signature = row.signature or (record.samples.signature if record.samples else None)
    assume(signature is not None)
    with TemporaryDirectory() as folder:
        config = written(Path(folder), row, record)
    assert everything(config.variant) == everything(row.format)
    assert (config.model_path, config.calling, config.route) == (row.path, row.calling, row.route)
    assert (config.made_from, config.facts, config.signature) == (row.made_from, row.facts, signature)
    asked = config.settings()
    assert asked.targets == (row.format.name,)
    for kept in (
        "model_name", "batch_dim", "dynamic_axes", "axis_ranges", "input_names", "output_names", "device",
        "sample_count", "atol", "rtol", "timeout", "memory_limit",
    ):  # fmt: skip
        assert getattr(asked, kept) == getattr(record.settings, kept)
    for choices in ("options", "runtimes"):
        assert set(getattr(asked, choices)) <= set(getattr(record.settings, choices))


def test_there_is_nothing_to_write_without_a_file_or_a_signature(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="no file"):
        write_config(tmp_path / "config.yaml", RECORD, attrs.evolve(ONNX, path=None))
    with pytest.raises(PackageError, match="no signature"):
        write_config(tmp_path / "config.yaml", attrs.evolve(RECORD, samples=None), ONNX)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"format_version": None}, "config-version", "has no format_version"),
        ({"format_version": "2.0.0"}, "config-version", "install that"),
        ({"model_path": "../x"}, "config-shape", "cannot be a place in a workspace"),
        ({"model_name": "../x"}, "config-shape", "cannot name a folder"),
        ({"calling": "loudly"}, "config-shape", "calling"),
        ({"signature": 7}, "config-shape", "not a mapping"),
        ({"options": []}, "config-shape", "options"),
    ],
)
def test_what_cannot_be_understood_is_refused(tmp_path: Path, change: dict[str, object], code: str, told: str) -> None:
    path = tmp_path / "config.yaml"
    write_config(path, RECORD, ONNX)
    path.write_text(to_yaml({**yaml.safe_load(path.read_text()), **change}))
    with pytest.raises(PackageError, match=told) as caught:
        read_config(path)
    assert caught.value.code == code
    assert caught.value.who == str(path)


def test_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="does not exist"):
        read_config(tmp_path / "config.yaml")


def test_the_page_on_files_names_every_key(tmp_path: Path) -> None:
    write_config(tmp_path / "config.yaml", RECORD, ONNX)
    page = (Path(__file__).parents[3] / "docs" / "files.md").read_text()
    section = page.partition("## config.yaml")[2]
    assert [key for key in yaml.safe_load((tmp_path / "config.yaml").read_text()) if f"`{key}`" not in section] == []
