"""The CUDA runtime as pip installs it, imitated by a small library of our own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nav_trt.cuda_libraries import select_device
from navcore import OptionError

UNIQUE = "libcudart.so.999"  # a machine with CUDA has the real ones, which come first
FAKE = """
static int device = -1;
int cudaSetDevice(int wanted) { if (wanted > 1) return 101; device = wanted; return 0; }
int current(void) { return device; }
"""


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder for the path of Python that holds a CUDA runtime where CUDA 13's wheel puts it."""
    folder = tmp_path / "nvidia" / "cu13" / "lib"
    folder.mkdir(parents=True)
    source = tmp_path / "runtime.c"
    source.write_text(FAKE)
    name = UNIQUE
    try:
        subprocess.run(
            ["cc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", folder / name, source],
            check=True, capture_output=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("there is no C compiler to build a runtime with")
    return tmp_path


def python(script: str, folder: Path) -> str:
    script = f"from nav_trt import cuda_libraries\ncuda_libraries._RUNTIMES = ({UNIQUE!r},)\n{script}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])}
    ended = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_the_runtime_of_a_wheel_is_found_and_its_device_selected(wheels: Path) -> None:
    script = (
        "from nav_trt.cuda_libraries import load_cuda_runtime, select_device\n"
        "print([select_device(name) for name in ('cuda:1', 'cuda', None, 'cuda:1')], load_cuda_runtime().current())"
    )
    assert python(script, wheels) == "[1, 0, 0, 1] 1"


def test_a_device_that_is_not_there_is_unavailable(wheels: Path) -> None:
    script = (
        "from nav_trt.cuda_libraries import select_device\n"
        "from navcore.errors import Unavailable\n"
        "try: select_device('cuda:7')\n"
        "except Unavailable as error: print(error.what)"
    )
    assert python(script, wheels) == "cuda:7 cannot be used: the CUDA runtime answers with error 101."


def test_polygraphy_gets_the_same_runtime_and_the_environment_stays(wheels: Path) -> None:
    script = (
        "import os\n"
        "before = dict(os.environ)\n"
        "from nav_trt.cuda_libraries import lend_runtime_to_polygraphy, select_device\n"
        "select_device('cuda:1')\n"
        "lend_runtime_to_polygraphy()\n"
        "from polygraphy import cuda\n"
        "print(cuda.wrapper().handle.current(), dict(os.environ) == before)"
    )
    assert python(script, wheels) == "1 True"


@pytest.mark.parametrize("device", ["cpu", "cuda:x", "cuda:-1", "gpu:0"])
def test_what_is_no_cuda_device_is_refused(device: str) -> None:
    with pytest.raises(OptionError, match=f"TensorRT runs on a CUDA device, not on '{device}'"):
        select_device(device)
