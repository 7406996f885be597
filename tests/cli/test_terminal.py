"""What a person sees: tables that fit a terminal of 80, 100 and 120 columns, and the bars of a run."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import attrs
import pytest

from navcore.package.report.table import terminal_width

pytestmark = pytest.mark.processes

USER_MODULE = """
from navcore.testing.toy import ToyModel, dataloader


def model():
    return ToyModel()
"""
PLUGINS = {"NAVCORE_EXTRA_PLUGINS": "toy=navcore.testing.toy", "NAVCORE_DISABLE_PLUGINS": "torch,onnx"}
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


@attrs.frozen
class Screen:
    """A folder, and a terminal on which ``navcore`` is called in it."""

    folder: Path

    def shows(self, width: int, *words: str, piped: bool = False, **variables: str) -> str:
        """What the terminal receives; ``piped``: standard output goes elsewhere, only standard error comes here."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        known = {name: text for name, text in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        child = subprocess.Popen(
            [sys.executable, "-m", "navcore.cli", *words],
            cwd=self.folder,
            env={**known, "TERM": "xterm", **PLUGINS, **variables},
            stdin=theirs,
            stdout=subprocess.DEVNULL if piped else theirs,
            stderr=theirs if piped else subprocess.DEVNULL,
        )
        os.close(theirs)
        received = bytearray()
        try:
            while chunk := os.read(ours, 1 << 16):
                received += chunk
        except OSError:
            pass  # how Linux says that the other side of a terminal is closed
        finally:
            os.close(ours)
        assert child.wait(60) == 0
        return received.decode().replace("\r\n", "\n")


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Screen:
    folder = tmp_path_factory.mktemp("screen")
    (folder / "mymodel.py").write_text(USER_MODULE)
    return Screen(folder)


@pytest.fixture(scope="module")
def progress(screen: Screen) -> str:
    """What the terminal received while a run was piped elsewhere; it leaves ``model.nav``."""
    data = ("--data", "navcore.testing.toy:dataloader")
    words = ("run", "mymodel:model", *data, "--measurement-interval", "150", "--budget", "3")
    return screen.shows(100, *words, "--save", "model.nav", piped=True)


@pytest.mark.usefixtures("progress")
@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize(
    "words", ["report model.nav", "inspect model.nav", "doctor", "plan toy-live", "formats", "plugins"]
)
def test_no_line_is_longer_than_the_terminal(screen: Screen, words: str, width: int) -> None:
    lines = ESCAPE.sub("", screen.shows(width, *words.split())).split("\n")
    assert len(lines) > 3
    assert [line for line in lines if len(line) > width] == []


@pytest.mark.usefixtures("progress")
def test_each_row_of_a_run_is_one_line_at_eighty_columns(screen: Screen) -> None:
    lines = ESCAPE.sub("", screen.shows(80, "report", "model.nav")).split("\n")
    rows = [line.split() for line in lines[2 : lines.index("")]]
    assert [words[0] for words in rows] == ["toy-live", "2", "toy-alpha", "2", "toy-beta", "2", "toy-gamma", "2"]
    assert any(line.startswith("unavailable  toy-alpha in toy-accelerator: there is no") for line in lines)


@pytest.mark.usefixtures("progress")
def test_no_color_takes_the_colours_and_nothing_else(screen: Screen) -> None:
    coloured, plain = (screen.shows(100, "report", "model.nav", **one) for one in ({}, {"NO_COLOR": "1"}))
    assert "\x1b[32m" in coloured
    assert not re.search(r"\x1b\[[0-9;]*[34][0-9]", plain)
    assert ESCAPE.sub("", coloured) == ESCAPE.sub("", plain)


def test_a_run_shows_bars_and_keeps_a_line_of_each_thing_that_ended(progress: str) -> None:
    seen = ESCAPE.sub("", progress)
    for under_way in ("samples toy-live", "make toy-alpha by alpha_from_toy", "check toy-alpha/toy-runtime"):
        assert re.search(rf"{under_way}[^\n]* ━+ 0:00:", seen), under_way
    assert re.search(r"measuring, at least \d+ s +[━╸╺]+", seen)
    ended = [line for line in progress.split("\n") if " s  check" in line]
    assert len(ended) == 5, "one line for each check, however often its bar was drawn"
    assert "\x1b[?25l" not in progress, "the cursor is never hidden"


def test_what_is_no_terminal_has_no_width(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal_width() is None
