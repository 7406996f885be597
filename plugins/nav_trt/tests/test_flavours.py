"""The two flavours: what is installed, in which versions, and whose plans are whose."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path
from types import ModuleType

import pytest
import tensorrt_rtx
from hypothesis import given, strategies as st

from nav_trt import flavours
from nav_trt.flavours import RTX, TENSORRT, Flavour, import_flavour, refuse_foreign_plan, why_not_installed
from navcore import StepError, Unavailable

HAS_TENSORRT = why_not_installed(TENSORRT) is None


def test_rtx_is_installed_here_and_is_imported() -> None:
    assert why_not_installed(RTX) is None
    assert import_flavour(RTX) is tensorrt_rtx
    assert flavours.recorded_version(RTX) == tensorrt_rtx.__version__


@pytest.mark.skipif(HAS_TENSORRT, reason="TensorRT is installed here")
def test_what_is_missing_says_how_to_get_it() -> None:
    reason = "TensorRT is not installed; pip install 'nav-trt[tensorrt]'"
    assert why_not_installed(TENSORRT) == reason
    with pytest.raises(Unavailable, match=r"TensorRT is not installed; .*nav-trt\[tensorrt\]"):
        import_flavour(TENSORRT)


@pytest.mark.skipif(HAS_TENSORRT, reason="TensorRT is installed here")
def test_a_folder_of_that_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tensorrt").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "is not installed" in str(why_not_installed(TENSORRT))


@pytest.mark.parametrize(
    ("flavour", "version", "fits"),
    [
        (TENSORRT, "10.2.0", False),
        (TENSORRT, "10.3.0", True),
        (TENSORRT, "11.4.0.1", True),
        (TENSORRT, "12.0.0", False),
        (RTX, "1.3.9", False),
        (RTX, "1.4.0", True),
        (RTX, "1.10.0", True),
        (RTX, "2.0.0", False),
        (RTX, "nonsense", False),
    ],
)
def test_versions_are_held_to_the_range(
    flavour: Flavour, version: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / flavour.module
    package.mkdir()
    (package / "__init__.py").write_text(f"__version__ = {version!r}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, flavour.module, raising=False)
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: version)

    reason = why_not_installed(flavour)
    if fits:
        assert reason is None
        assert import_flavour(flavour).__version__ == version
    else:
        assert reason == f"{flavour.title} {version} is not supported ({flavour.supported}); {flavour.install}"
    sys.modules.pop(flavour.module, None)


def unrecorded(_name: str) -> str:
    raise importlib.metadata.PackageNotFoundError


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("__version__ = '9.1'", r"TensorRT 9\.1 is not supported"),
        ("raise OSError('libnvinfer.so.10: cannot open')", "TensorRT cannot be loaded: OSError: libnvinfer.so.10"),
    ],
)
def test_a_module_without_metadata_is_judged_when_it_is_imported(
    content: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorrt.py").write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "tensorrt", ModuleType("tensorrt"))
    monkeypatch.delitem(sys.modules, "tensorrt")
    monkeypatch.setattr(importlib.metadata, "version", unrecorded)

    assert why_not_installed(TENSORRT) is None
    with pytest.raises(Unavailable, match=told):
        import_flavour(TENSORRT)


def test_the_ranges_read_as_pip_writes_them() -> None:
    assert TENSORRT.supported == ">=10.3,<12"
    assert RTX.supported == ">=1.4,<2"


VERSION = st.tuples(st.integers(1, 12), st.integers(0, 20), st.integers(0, 9)).map(lambda n: ".".join(map(str, n)))


@given(VERSION, VERSION)
def test_plans_stay_within_their_major_version(built: str, here: str) -> None:
    facts = {"flavour": "tensorrt", "version": built}
    if built.split(".")[0] == here.split(".")[0]:
        refuse_foreign_plan(facts, TENSORRT, here)
    else:
        with pytest.raises(StepError, match="does not load plans of another major version"):
            refuse_foreign_plan(facts, TENSORRT, here)


@pytest.mark.parametrize(("built_by", "here"), [(RTX, TENSORRT), (TENSORRT, RTX)])
def test_a_plan_of_the_other_flavour_is_refused(built_by: Flavour, here: Flavour) -> None:
    facts = {"flavour": built_by.name, "version": "1.7.1"}
    with pytest.raises(StepError, match=f"built by {built_by.name} 1.7.1, and {here.name} cannot load it"):
        refuse_foreign_plan(facts, here, "1.7.1")


def test_a_record_without_facts_is_left_to_the_library() -> None:
    refuse_foreign_plan({}, TENSORRT, "11.0.0")
