"""What is missing is said with what to install, and finding it out imports nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nav_tf import installed
from nav_tf.installed import judged, release, why_no_tensorflow, why_no_tensorrt

_WITHOUT = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hidden())
"""
_LIST = """
from navcore.registry import load_registry
registry = load_registry()
plugin = registry.plugin("tensorflow")
assert plugin is not None and plugin.loaded, plugin
for route in registry.routes:
    if route.owner == "tensorflow":
        print(route.name, "|", registry.unavailable(route))
heavy = {"tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "torch"} & set(sys.modules)
assert not heavy, heavy
"""


def listed(script: str) -> list[str]:
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_listing_the_plugin_imports_no_framework() -> None:
    lines = listed("import sys\n" + _LIST)
    assert "onnx_from_tf_savedmodel | " in lines


def test_without_tensorflow_every_route_says_what_to_install() -> None:
    lines = listed(_WITHOUT + _LIST)
    assert len(lines) >= 7
    assert all("TensorFlow is not installed; pip install 'nav-tf[cpu]'" in line for line in lines)


def test_a_tensorflow_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "version", lambda name: "2.15.1")
    assert why_no_tensorflow() == "TensorFlow 2.15.1 is installed, and nav-tf needs 2.16 or newer"


@pytest.mark.parametrize(("text", "numbers"), [("2.21.0", (2, 21)), ("2.18.0rc1", (2, 18)), ("3", (3,))])
def test_releases_are_compared_by_number(text: str, numbers: tuple[int, ...]) -> None:
    assert release(text) == numbers


def test_from_2_18_there_is_no_tensorrt_and_nobody_has_to_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "version", lambda name: "2.21.0")
    monkeypatch.setattr(installed, "_asked", lambda: pytest.fail("a child was started"))
    assert why_no_tensorrt() == (
        "TensorFlow 2.21 was built without TensorRT (removed in 2.18); use SavedModel → ONNX → TensorRT"
    )


def test_an_older_release_and_a_vendors_build_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "_asked", lambda: "asked")
    for text in ("2.17.1", "2.18.0+nv25.2"):
        monkeypatch.setattr(installed, "version", lambda name, text=text: text)
        assert why_no_tensorrt() == "asked"


def test_the_installed_tensorflow_answers_for_itself() -> None:
    """The question that older releases are asked, put to this one: it has no TensorRT and says so."""
    found = installed._asked()
    assert found is not None
    assert "was built without TensorRT" in found


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"version": "2.16.2", "built": False, "enabled": False, "linked": [0, 0, 0], "devices": 0}, "2.16 was built"),
        (
            {"version": "2.17.1", "built": True, "enabled": False, "linked": [8, 6, 1], "devices": 1},
            "needs the libraries of TensorRT 8.6.1, which are not found",
        ),
        ({"version": "2.17.1", "built": True, "enabled": True, "linked": [8, 6, 1], "devices": 0}, "no CUDA device"),
    ],
)
def test_each_answer_has_its_reason(answer: dict[str, object], reason: str) -> None:
    assert reason in str(judged(answer))


def test_with_library_and_device_it_is_available() -> None:
    assert judged({"version": "2.17.1", "built": True, "enabled": True, "linked": [8, 6, 1], "devices": 1}) is None
