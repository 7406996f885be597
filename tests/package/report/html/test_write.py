"""The page at its place: whole or not at all, and never over another's file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import navcore as nav
from navcore.errors import OptionError, PackageExists
from navcore.package.report.html.write import write_page

from .given_records import made, nothing, record
from .missing_extra import drawing

RECORD = record(made("onnx", 0.0, 1.0))


@drawing
def test_a_page_is_written_and_no_other_file(tmp_path: Path) -> None:
    write_page(tmp_path / "report.html", RECORD, nothing)
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@drawing
def test_a_file_that_is_there_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("somebody's")
    with pytest.raises(PackageExists, match=r"exists\. Give override=True to replace it"):
        write_page(path, RECORD, nothing)
    assert path.read_text() == "somebody's"
    write_page(path, RECORD, nothing, override=True)
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_dangling_link_is_a_file_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "report.html").symlink_to(tmp_path / "nowhere")
    with pytest.raises(PackageExists):
        write_page(tmp_path / "report.html", RECORD, nothing)


@pytest.mark.parametrize("override", [False, True])
def test_a_folder_is_no_file(tmp_path: Path, override: bool) -> None:
    with pytest.raises(OptionError, match="is a folder"):
        write_page(tmp_path, RECORD, nothing, override=override)


def test_no_folder_is_made(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="There is no folder"):
        write_page(tmp_path / "new" / "report.html", RECORD, nothing)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lost", ["altair", "vl_convert", "jinja2"])
def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    for name in [name for name in sys.modules if name.startswith("navcore.package.report.html")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, lost, None)
    with pytest.raises(nav.Unavailable, match=r'pip install "navcore\[report\]"'):
        write_page(tmp_path / "report.html", RECORD, nothing)
    assert list(tmp_path.iterdir()) == []
