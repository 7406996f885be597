"""Which opset is written when none is asked for."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from nav_torch.opset import DYNAMO, TORCHSCRIPT, OnnxOptions, chosen_opset, opset_of_release
from navcore import Unavailable


@pytest.mark.parametrize(
    ("release", "opset"),
    [("1.10.0", 14), ("1.14.1", 18), ("1.16.3", 19), ("1.20.0", 21), ("1.22.1", 22), ("1.23.0rc1", 23), ("2.0.0", 23)],
)
def test_a_release_of_onnx_runtime_supports_an_opset(release: str, opset: int) -> None:
    assert opset_of_release(release) == opset


def _install(monkeypatch: pytest.MonkeyPatch, found: dict[str, str]) -> None:
    def version(name: str) -> str:
        if name not in found:
            raise PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr("nav_torch.opset.version", version)


def test_without_a_runtime_it_is_the_exporters_own(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, {})
    assert chosen_opset(OnnxOptions(), DYNAMO) == 23
    assert chosen_opset(OnnxOptions(), TORCHSCRIPT) == 20


def test_an_older_runtime_sets_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, {"onnxruntime-gpu": "1.17.1"})
    assert chosen_opset(OnnxOptions(), DYNAMO) == 20
    assert chosen_opset(OnnxOptions(opset=22), DYNAMO) == 22


def test_a_runtime_older_than_the_exporter_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch, {"onnxruntime": "1.12.0"})
    with pytest.raises(Unavailable, match="ONNX Runtime reads up to 15"):
        chosen_opset(OnnxOptions(), DYNAMO)
    assert chosen_opset(OnnxOptions(), TORCHSCRIPT) == 15
