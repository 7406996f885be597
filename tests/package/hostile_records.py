"""Packages that are well-formed outside and hostile inside: what ``status.yaml`` says, and what it says of the files.

``told()`` is a correct package; each case of ``CASES`` differs from it in one point and names the code of the refusal.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from navcore.contract.formats import Format
from navcore.contract.profiler_config import ProfilerConfig
from navcore.contract.signature import Axis, Signature, TensorSpec
from navcore.workspace.plain_data import to_data
from navcore.workspace.ranking import PairedRatio, Ranking
from navcore.workspace.results import Attempt, FormatResult, Outcome, RuntimeResult, Status
from navcore.workspace.samples import Samples
from navcore.workspace.settings import Settings
from navcore.workspace.status.record import Record, record_to_data
from navcore.workspace.status.yaml_text import to_yaml

from .archive.hostile import manifest, package

OUTSIDE = ("../../x", "..", "/etc/passwd", "a/b", "a\\b", "", "a\nb", "\x1b[31mred", "a\u202eb", "x" * 600)
"""What is no name of anything that a path could be built from."""
UPWARDS = ("../../x", "..", "a/../b", "", "a\nb", "\x1b[31mred", "x" * 600)
"""What is no name of a tensor."""

SIGNATURE = Signature(
    (TensorSpec("x", "float32", ("batch", 3)),),
    (TensorSpec("y", "float32", ("batch", 3)),),
    (Axis("batch", 1, 2, 4),),
    {"args": [{"tensor": "x"}], "kwargs": []},
)
RECORD = Record(
    uuid="7d6a2f4e-3c0b-4a55-9d5c-6a4f1b1f7b11",
    timestamp="2026-01-02T03:04:05.000006",
    settings=Settings(
        targets=("onnx",), options={"onnx": {"opset": 17}, "onnx/cpu": {"threads": 2}}, input_names=("x",),
        dynamic_axes={"x": {0: "batch"}}, axis_ranges={"batch": (1, 2, 4)}, runtimes={"onnx": ("cpu",)},
        device="cuda:0", prefer={"onnx": "nav-torch"}, profiler_config=ProfilerConfig(),
    ),
    source=Format("torch"),
    source_key="a" * 64,
    live=True,
    samples=Samples(
        SIGNATURE, {"conversion": 1, "correctness": 2, "profiling": 1}, 2, {"y": 0.0}, True, (), "b" * 64
    ),
    results=(
        FormatResult(Format("torch"), Status.OK, live=True, runtimes=(RuntimeResult("eager", Status.OK),)),
        FormatResult(
            Format("onnx", filename="model.onnx"), Status.OK, "onnx/model.onnx", "torch:onnx", "torch",
            signature=SIGNATURE, attempts=(Attempt("torch:onnx", Outcome(Status.OK, log="onnx/export.log")),),
            runtimes=(RuntimeResult("cpu", Status.OK, "onnx:cpu[onnx]", outcome=Outcome(Status.OK)),),
        ),
    ),
    environment={},
    git_info=dict.fromkeys(("repository", "commit", "author", "email")),
    navcore_version="0.1.0",
    ranking=Ranking(
        ("torch", "eager"), True, (PairedRatio("onnx", "cpu", 1, 2.0, 1.9, 2.1, 9),), 7, 0.25, 90.0, 12.0, True  # type: ignore[arg-type]
    ),
)  # fmt: skip
DATA: Mapping[str, Any] = record_to_data(RECORD)
META: Mapping[str, Any] = {"model_name": "navigator_model", "uuid": RECORD.uuid, "made_by": "0.1.0"}
FILES: Mapping[str, bytes] = {
    "onnx/model.onnx": b"\x08\x07weights" * 20,
    **{
        f"model_{side}/{kind}/{number}.npz": f"{side}{kind}{number}".encode()
        for side in ("input", "output")
        for kind, count in (("conversion", 1), ("correctness", 2), ("profiling", 1))
        for number in range(count)
    },
}


@attrs.frozen
class Case:
    """A hostile package and the code of the refusal that it must meet."""

    title: str
    code: str
    data: bytes = attrs.field(repr=False)


def packed(status: str | bytes, files: Mapping[str, bytes] = FILES, meta: Mapping[str, Any] = META) -> bytes:
    content = status if isinstance(status, bytes) else status.encode()
    everything = {"status.yaml": content, **files}
    return package(everything, manifest(everything, meta=dict(meta)))


def told(change: Callable[[Any], object] = lambda _data: None, **parts: Any) -> bytes:
    """The package whose record was changed in place."""
    data = copy.deepcopy(dict(DATA))
    change(data)
    return packed(to_yaml(data), **parts)


def put(*path: Any) -> Callable[[Any], Callable[[Any], object]]:
    """For a place in the record: what puts a value there."""

    def change_to(value: Any) -> Callable[[Any], object]:
        def change(data: Any) -> None:
            place = data
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value

        return change

    return change_to


def rename(*path: Any) -> Callable[[str], Callable[[Any], object]]:
    """For a key of a mapping in the record: what calls it something else."""

    def change_to(name: str) -> Callable[[Any], object]:
        def change(data: Any) -> None:
            place = data
            for step in path[:-1]:
                place = place[step]
            place[name] = place.pop(path[-1])

        return change

    return change_to


ROW = ("model_status", 1)
NAMES: Mapping[str, Callable[[str], Callable[[Any], object]]] = {
    "runtime": put(*ROW, "runtime_results", 0, "runtime"),
    "format": put(*ROW, "variant", "name"),
    "family": put(*ROW, "format"),
    "file of the format": put(*ROW, "variant", "filename"),
    "precision": put(*ROW, "precision"),
    "source": put("source", "name"),
    "file of the source": put("source", "filename"),
    "profiler": put("export_config", "profiler"),
    "device": put("export_config", "target_device"),
    "target": put("export_config", "target_formats", 0),
    "preferred plugin": put("export_config", "prefer", "onnx"),
    "preferred target": rename("export_config", "prefer", "onnx"),
    "limited runtime": put("export_config", "runtimes", "onnx", 0),
    "limited format": rename("export_config", "runtimes", "onnx"),
    "option": rename("export_config", "options", "onnx", "opset"),
    "model": put("export_config", "model_name"),
}
TENSORS: Mapping[str, Callable[[str], Callable[[Any], object]]] = {
    "input": put("input_metadata", 0, "name"),
    "output": put("output_metadata", 0, "name"),
    "symbol of a shape": put("input_metadata", 0, "axes", 0),
    "symbol of an axis": put("samples", "signature", "axes", 0, "symbol"),
    "batch symbol": put("samples", "signature", "batch_symbol"),
    "asked input name": put("export_config", "_input_names", 0),
    "asked dynamic axis": rename("export_config", "dynamic_axes", "x"),
    "asked symbol": put("export_config", "dynamic_axes", "x", "0"),
    "asked range": rename("export_config", "axis_ranges", "batch"),
    "input of a row": put(*ROW, "signature", "inputs", 0, "name"),
}
VALUES: tuple[tuple[str, Callable[[Any], object]], ...] = (
    ("path outside", put(*ROW, "path")("../../etc/passwd")),
    ("path absolute", put(*ROW, "path")("/etc/passwd")),
    ("path of another format", put(*ROW, "path")("torch/model.onnx")),
    ("path into the samples", put(*ROW, "path")("model_input/correctness/0.npz")),
    ("path into what is ours", put(*ROW, "path")(".navcore/journal.jsonl")),
    ("path with an empty part", put(*ROW, "path")("onnx//model.onnx")),
    ("log outside", put(*ROW, "attempts", 0, "outcome", "log")("../x.log")),
    ("log of a runtime outside", put(*ROW, "runtime_results", 0, "outcome", "log")("/x.log")),
    ("dtype with a layout", put("input_metadata", 0, "dtype")("f8,(1000000,1000000)f8")),
    ("dtype of objects by its letter", put("input_metadata", 0, "dtype")("O")),
    ("size of an axis below zero", put("input_metadata", 0, "shape", 1)(-7)),
    ("size of an axis beyond 64 bits", put("input_metadata", 0, "shape", 1)(1 << 70)),
    ("range of an axis upside down", put("samples", "signature", "axes", 0, "minimum")(99)),
    ("number of samples below zero", put("samples", "counts", "correctness")(-1)),
    ("batch below zero", put("samples", "batch_size")(-2)),
    ("batch beyond 64 bits", put("samples", "batch_size")(1 << 80)),
    ("batch that is half", put("samples", "batch_size")(1.5)),
    ("batch that is infinite", put("samples", "batch_size")("inf")),
    ("size beyond 64 bits", put(*ROW, "size")(10**300)),
    ("trials none", put("export_config", "profiler_config", "max_trials")(0)),
    ("interval infinite", put("export_config", "profiler_config", "measurement_interval")("inf")),
    ("interval below zero", put("export_config", "profiler_config", "measurement_interval")(-1)),
    ("batch sizes of none", put("export_config", "batch_sizes")([0])),
    ("batch sizes below zero", put("export_config", "batch_sizes")([-5])),
    ("budget infinite", put("export_config", "budget")("inf")),
    ("budget below zero", put("export_config", "budget")(-1)),
    ("threads below zero", put("export_config", "threads")(-1)),
    ("threads without end", put("export_config", "threads")(1 << 40)),
    ("threads that are a list", put("export_config", "threads")([1])),
    ("ratio of a path", put("ranking", "ratios", 0, "format")("../../x")),
    ("ratio of no batch", put("ranking", "ratios", 0, "batch_size")(1 << 80)),
    ("ratio that is text", put("ranking", "ratios", 0, "ratio")("fast")),
    ("ranking of a path", put("ranking", "reference")(["../x", "cpu"])),
    ("ranking that is a list", put("ranking")([])),
    ("mode unknown", put("export_config", "profiler_config", "measurement_mode")("for_ever")),
    ("status unknown", put(*ROW, "status")("FINE")),
    ("calling unknown", put(*ROW, "calling")("eval")),
    ("call of what is no input", put("samples", "signature", "call", "args")([{"tensor": "secret"}])),
    ("call of an unknown part", put("samples", "signature", "call", "args")([{"import": "os"}])),
    ("call of two parts", put("samples", "signature", "call", "args")([{"tensor": "x", "constant": 1}])),
    ("call that is none", put("samples", "signature", "call")([])),
    ("constant that is a mapping", put("samples", "signature", "call", "args")([{"constant": {"a": 1}}])),
    ("two formats of one name", lambda data: data["model_status"].append(copy.deepcopy(data["model_status"][1]))),
    ("two runtimes of one name", lambda data: data["model_status"][1]["runtime_results"].append(
        copy.deepcopy(data["model_status"][1]["runtime_results"][0]))),
    ("two inputs of one name", lambda data: data["input_metadata"].append(copy.deepcopy(data["input_metadata"][0]))),
    ("options that are a list", put("export_config", "options")([1])),
    ("rows that are a mapping", put("model_status")({"a": 1})),
    ("no rows", lambda data: data.pop("model_status")),
    ("no settings", lambda data: data.pop("export_config")),
    ("settings that are text", put("export_config")("all")),
    ("samples that are a number", put("samples")(7)),
    ("runtime of an option that is a path", rename("export_config", "options", "onnx/cpu")("onnx/../../x")),
    ("target of an option that is a path", rename("export_config", "options", "onnx/cpu")("../../x/cpu")),
)  # fmt: skip


def _name_cases() -> list[Case]:
    # An empty name of a target is the family of nothing, and refused as all the others.
    cases = [
        Case(f"{what} {text[:12]!a}", "status-shape", told(change(text)))
        for what, change in NAMES.items()
        for text in OUTSIDE
        if not (what == "model" and text == "")
    ]
    cases += [
        Case(f"{what} {text[:12]!a}", "status-shape", told(change(text)))
        for what, change in TENSORS.items()
        for text in UPWARDS
    ]
    return cases + [Case(what, "status-shape", told(change)) for what, change in VALUES]


def _yaml_cases() -> list[Case]:
    text = to_yaml(DATA)
    merge = "m0: &m0 {k: 1}\n" + "".join(
        f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}\n" for n in range(1, 9)
    )
    unfolded = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
    )
    bad = {
        "merge keys that multiply": merge + text,
        "aliases that multiply": unfolded + text,
        "an alias inside itself": "a: &a [*a]\n" + text,
        "a list of many values": "x: [" + "0," * 400_000 + "0]\n" + text,
        "many small mappings": "x: [" + "{}," * 400_000 + "{}]\n" + text,
        "many documents": text + "---\n" + text,
        "a Python object": "x: !!python/object/apply:os.system [true]\n" + text,
        "a tag of its own": "x: !evil 1\n" + text,
        "a binary": "x: !!binary aGVsbG8=\n" + text,
        "a key twice": text + "uuid: other\n",
        "a key that is a mapping": "? {a: 1}\n: 1\n" + text,
        "an integer of a million digits": "x: " + "9" * 1_000_000 + "\n" + text,
        "a deep list": "x: " + "[" * 5_000 + "]" * 5_000 + "\n" + text,
        "a deep mapping": "x: " + "{a: " * 5_000 + "1" + "}" * 5_000 + "\n" + text,
        "deep dashes": "x:\n" + "- " * 5_000 + "1\n" + text,
        "no mapping": "- 1\n- 2\n",
        "nothing": "",
        "five megabytes": text + "# " + "x" * (5 << 20),
        "a control character": text + "x: \x00\n",
        "an unknown alias": "x: *nowhere\n" + text,
    }
    versions = {"a version of the future": "99.0.0", "a version that never was": "0.3.2", "no version": None}
    latin = text.encode() + b"x: \xff\xfe\n"
    return [
        *(Case(f"status.yaml with {title}", "status-yaml", packed(content)) for title, content in bad.items()),
        *(Case(f"status.yaml of {title}", "status-version", told(put("format_version")(version)))
          for title, version in versions.items()),
        Case("status.yaml that is a number in base 60", "status-yaml", packed("1" + ":1" * 1_000_000)),
        Case("status.yaml that is bytes", "status-yaml", packed(latin[:-9] + b"\x00\x01\x02")),
    ]  # fmt: skip


def _content_cases() -> list[Case]:
    def without(name: str) -> dict[str, bytes]:
        return {key: value for key, value in FILES.items() if key != name}

    nothing = dict(FILES)
    return [
        Case("no status.yaml", "no-such-member", package(nothing, manifest(nothing, meta=dict(META)))),
        Case("an input that is missing", "content", told(files=without("model_input/correctness/1.npz"))),
        Case("an output that is missing", "content", told(files=without("model_output/correctness/1.npz"))),
        Case("a kind of samples that is missing", "content",
             told(files={key: value for key, value in FILES.items() if "profiling" not in key})),
        Case("samples with a hole", "content",
             told(files={**without("model_input/correctness/1.npz"), "model_input/correctness/7.npz": b"x"})),
        Case("one sample more than it says", "content",
             told(files={**FILES, "model_input/correctness/2.npz": b"x", "model_output/correctness/2.npz": b"x"})),
        Case("fewer samples than it says", "content", told(put("samples", "counts", "correctness")(1))),
        Case("meta without a name", "meta", told(meta={})),
        Case("meta with a number as name", "meta", told(meta={**META, "model_name": 7})),
        Case("meta with a path as name", "meta", told(meta={**META, "model_name": "../../x"})),
        Case("meta with another name", "meta", told(meta={**META, "model_name": "other"})),
        Case("meta with a name of control characters", "meta", told(meta={**META, "model_name": "a\x1b[31m"})),
    ]  # fmt: skip


CASES = [*_name_cases(), *_yaml_cases(), *_content_cases()]


def good(path: Path) -> Path:
    """The correct package, at ``path``."""
    path.write_bytes(told())
    return path


def as_json(record: Record) -> str:
    """Everything that a record holds, as text to be searched."""
    return json.dumps(to_data(record.results))
