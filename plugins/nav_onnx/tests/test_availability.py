"""The reasons why a runtime is unavailable, on this machine and on machines imitated by folders and child processes."""

from __future__ import annotations

import base64
import ctypes
import hashlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nav_onnx import availability

MISSING = "ONNX Runtime is not installed; pip install 'nav-onnx[cpu]' or 'nav-onnx[gpu]'"


def python(script: str, *folders: Path) -> str:
    """What a fresh interpreter prints; ``folders`` come first on its path."""
    path = os.pathsep.join([*map(str, folders), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def test_here_onnxruntime_is_installed() -> None:
    assert availability.why_no_cpu() is None


@pytest.mark.skipif(has_driver(), reason="this machine has an NVIDIA driver")
def test_without_a_driver_there_is_no_cuda_device() -> None:
    assert availability.why_no_cuda() == "no CUDA device"
    assert availability.why_no_tensorrt() == "no CUDA device"


def test_a_build_without_a_provider_says_which_extra_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    if "onnxruntime-gpu" in {dist.name for dist in importlib.metadata.distributions()}:
        pytest.skip("this onnxruntime has the GPU providers")
    monkeypatch.setattr(availability, "why_no_device", lambda: None)
    template = "the installed onnxruntime has no {}; pip install 'nav-onnx[gpu]'"
    assert availability.why_no_cuda() == template.format("CUDAExecutionProvider")
    assert availability.why_no_tensorrt() == template.format("TensorrtExecutionProvider")


def test_a_gpu_build_without_tensorrt_says_which_library_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capi = tmp_path / "onnxruntime" / "capi"
    capi.mkdir(parents=True)
    (tmp_path / "onnxruntime" / "__init__.py").touch()
    (capi / "libonnxruntime_providers_cuda.so").touch()
    (capi / "libonnxruntime_providers_tensorrt.so").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.setattr(availability, "why_no_device", lambda: None)

    assert availability.why_no_cuda() is None
    try:
        ctypes.CDLL("libnvinfer.so.10")
    except OSError:
        assert "needs libnvinfer.so.10" in (availability.why_no_tensorrt() or "")


FAKE_DRIVER = """
#include <stdlib.h>
int cuInit(unsigned flags) { %s }
int cuDeviceGetCount(int *count) { *count = %d; return 0; }
"""


@pytest.mark.parametrize(
    ("on_init", "devices", "reason"),
    [("return 0;", 1, None), ("return 0;", 0, "no CUDA device"), ("return 100;", 0, "no CUDA device"),
     ("abort();", 0, "no CUDA device")],
    ids=["a device", "no device", "an error", "a crash"],
)  # fmt: skip
def test_the_driver_is_asked_where_it_can_do_no_harm(
    on_init: str, devices: int, reason: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, library = tmp_path / "driver.c", tmp_path / "libcuda.so.1"
    source.write_text(FAKE_DRIVER % (on_init, devices))
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no C compiler to build a driver that misbehaves")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))

    told = python("from nav_onnx import availability; print(availability.why_no_device())", tmp_path)

    assert told == str(reason)


BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "onnxruntime":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Block())
"""


def test_without_onnxruntime_the_plugin_imports_and_every_runtime_names_the_extras() -> None:
    script = BLOCK + (
        "import nav_onnx\n"
        "from navcore.contract import ROUTES_ATTRIBUTE\n"
        "for run in (nav_onnx.run_on_cpu, nav_onnx.run_on_cuda, nav_onnx.run_on_tensorrt):\n"
        "    print(getattr(run, ROUTES_ATTRIBUTE)[0].available())\n"
    )
    assert python(script).splitlines() == [MISSING] * 3


def test_a_package_that_lost_its_files_is_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime").mkdir()  # what uninstalling one of the two leaves: a folder, no module
    script = (
        "import importlib.util, sys\n"
        f"sys.path[:] = [{str(tmp_path)!r}, *(p for p in sys.path if 'site-packages' not in p)]\n"
        "from nav_onnx import availability\n"
        "print(availability.why_no_cpu())\n"
    )
    script = script.replace("from nav_onnx", f"sys.path += {_dependencies(tmp_path)!r}\nfrom nav_onnx")
    assert python(script).startswith("the onnxruntime package is damaged")


def _dependencies(folder: Path) -> list[str]:
    """A folder with links to what the plugin needs at import, and nothing else of this environment."""
    import attr
    import attrs
    import lazy_loader

    links = folder / "dependencies"
    links.mkdir()
    for module in (attr, attrs, lazy_loader):
        assert module.__file__ is not None
        (links / module.__name__).symlink_to(Path(module.__file__).parent)
    return [str(links)]


def test_importing_the_plugin_imports_no_framework() -> None:
    script = (
        "import sys, nav_onnx\n"
        "heavy = {'onnx', 'onnxruntime', 'torch', 'tensorflow', 'tensorrt', 'numpy', 'google.protobuf'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "for probe in (nav_onnx.availability.why_no_cpu, nav_onnx.availability.why_no_cuda):\n"
        "    probe()\n"
        "print('onnxruntime' in sys.modules)\n"
    )
    assert python(script).splitlines() == ["[]", "False"]


def install(folder: Path, name: str, version: str) -> None:
    """Unpack a distribution over whatever is there, as pip does: its own files win, every dist-info stays."""
    described = folder / "onnxruntime" / "capi" / "build_and_package_info.py"
    described.parent.mkdir(parents=True, exist_ok=True)
    (folder / "onnxruntime" / "__init__.py").touch()
    described.write_text(f"package_name = {name!r}\n__version__ = {version!r}\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(described.read_bytes()).digest()).rstrip(b"=").decode()
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text(
        f"onnxruntime/__init__.py,,\nonnxruntime/capi/build_and_package_info.py,sha256={digest},1\n"
    )


@pytest.mark.parametrize("order", [("onnxruntime", "onnxruntime-gpu"), ("onnxruntime-gpu", "onnxruntime")])
def test_two_flavours_in_one_folder_are_told_apart(tmp_path: Path, order: tuple[str, str]) -> None:
    for name in order:
        install(tmp_path, name, "1.31.1")

    assert availability.installed_twice([str(tmp_path)]) == (
        "onnxruntime 1.31.1 and onnxruntime-gpu 1.31.1 are installed into the same folder, and the files of "
        f"{order[1]}, installed last, are the ones that run; uninstall all of them and install one."
    )


def test_two_flavours_whose_records_are_gone_are_still_reported(tmp_path: Path) -> None:
    for name in ("onnxruntime", "onnxruntime-gpu"):
        install(tmp_path, name, "1.31.1")
    for record in tmp_path.glob("*.dist-info/RECORD"):
        record.unlink()

    assert "it cannot be told whose files" in (availability.installed_twice([str(tmp_path)]) or "")


def test_one_flavour_is_nothing_to_report(tmp_path: Path) -> None:
    install(tmp_path, "onnxruntime-gpu", "1.31.1")
    assert availability.installed_twice([str(tmp_path)]) is None
    assert availability.installed_twice([]) is None
