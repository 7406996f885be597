"""What can be said of a visit to a machine with a card where there is none: what is listed, explained and refused."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest


@pytest.fixture(scope="module")
def session() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_session", Path(__file__).with_name("session.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


def case(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(f'<testcase classname="a.b" name="c" time="1.5">{text}</testcase>')


def test_pytests_report_is_read(session: ModuleType) -> None:
    assert session.outcome(case("")) == session.Outcome("a.b::c", "passed", 1.5)
    assert session.outcome(case('<skipped message="no card"/>')).status == "skipped"
    assert session.outcome(case('<failure message="one&#10;two"/>')).reason == "one"
    assert session.outcome(case('<error message="gone"/>')).status == "failed"


def test_on_a_card_a_skip_without_a_missing_runtime_is_a_problem(session: ModuleType) -> None:
    passed = session.Outcome("t::passed", "passed", 1.0)
    explained = session.Outcome("t::a", "skipped", 0.0, "this onnxruntime has no CUDAExecutionProvider")
    strange = session.Outcome("t::b", "skipped", 0.0, "PyTorch finds no CUDA device")
    assert session.problems([passed, explained], "H200") == []
    (told,) = session.problems([passed, explained, strange], "H200")
    assert told == "skipped although the card is here: t::b: PyTorch finds no CUDA device"
    assert session.problems([strange], "") == []
    assert "no test passed on the card" in session.problems([explained], "H200")
    assert session.problems([], "") == ["no test was run"]


def test_wheels_are_listed_with_their_sizes_and_what_stays_unseen(session: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "onnx-1-x.whl").write_bytes(b"0" * 2**20)
    (tmp_path / "numpy-2-x.whl").write_bytes(b"0" * 2**21)
    lines = session.listing(tmp_path).splitlines()
    assert lines[:3] == [
        "   2.00 MiB  numpy-2-x.whl",
        "   1.00 MiB  onnx-1-x.whl",
        "   3.00 MiB  in all; 64 MiB can be carried at once",
    ]
    assert any(line.startswith("Unseen: ONNX Runtime's CUDA") for line in lines)
    (tmp_path / "onnxruntime_gpu-1-x.whl").touch()
    assert not any(line.startswith("Unseen: ONNX Runtime's CUDA") for line in session.listing(tmp_path).splitlines())


def test_without_wheels_the_visit_says_how_to_get_them(
    session: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert session.main(["--wheels", str(tmp_path), "--report", str(tmp_path)]) == 2
    assert "Collect them where there is a network" in capsys.readouterr().out


def test_wheels_for_another_python_are_told_before_anything_is_installed(
    session: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    (tmp_path / "onnx-1-cp310-abi3-linux_x86_64.whl").touch()
    (tmp_path / "numpy-2-cp39-cp39-linux_x86_64.whl").touch()
    assert session.main(["--wheels", str(tmp_path), "--report", str(tmp_path)]) == 2
    told = capsys.readouterr().out
    assert f"is for Python 3.9, and this is Python {here}" in told
    assert f"Start the visit with python3.9, or collect with --python {here}." in told


def test_a_python_without_pytorch_is_told_before_anything_is_installed(
    session: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "onnx-1-cp310-abi3-linux_x86_64.whl").touch()
    monkeypatch.setattr(session.importlib.util, "find_spec", lambda _name: None)
    assert "has no PyTorch, and none is brought along" in session.why_unfit(tmp_path)
    monkeypatch.setattr(session.importlib.util, "find_spec", lambda _name: object())
    assert session.why_unfit(tmp_path) == ""


def test_every_file_with_a_test_for_the_card_is_found(session: ModuleType) -> None:
    found = session.marked()
    assert "tests/gpu/test_load_from_cpu.py" in found
    assert "plugins/nav_torch/tests/test_runners.py" in found


def test_what_the_machine_has_is_not_brought(session: ModuleType) -> None:
    names = session.requirements()
    assert any(name.startswith("onnx>=") for name in names)
    assert not any(name.startswith(("torch", "nav-", "navcore")) for name in names)


def test_both_reports_say_the_same(session: ModuleType, tmp_path: Path) -> None:
    machine = {"card": "", "python": "3.12.1", "system": "Linux", "date": "2026-11-30", "versions": {"torch": "2.11"}}
    outcomes = [session.Outcome("t::a", "skipped", 0.0, "no card")]
    session.write(tmp_path, machine, outcomes, [], ["engines"])
    told = json.loads((tmp_path / "gpu-report.json").read_text())
    assert told["tests"] == [{"test": "t::a", "status": "skipped", "seconds": 0.0, "reason": "no card"}]
    text = (tmp_path / "gpu-report.md").read_text()
    assert "**No card**" in text
    assert "0 passed, 0 failed, 1 skipped" in text
    assert "| `t::a` | skipped: no card | 0.0 |" in text
    assert "- Unseen: engines" in text
