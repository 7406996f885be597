"""What a step wrote is accepted whole, or refused with the name of what is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from navcore import Made
from navcore.execution.written_product import why_not_accepted
from navcore.planning import Step
from navcore.testing import toy

ROUTE = toy.levels_from_alpha.__navcore_routes__[0]  # type: ignore[attr-defined]
STEP = Step(ROUTE, toy.ALPHA, toy.LEVELS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.levels").write_text("{}")
    (tmp_path / "model.data").write_text("beside the model")
    (tmp_path / "assets" / "more").mkdir(parents=True)
    return tmp_path


def told(folder: Path, *assets: str) -> str:
    return str(why_not_accepted(STEP, Made(assets=assets), folder) or "")


def test_a_model_with_exactly_its_assets_is_accepted(folder: Path) -> None:
    assert told(folder) == ""
    (folder / "assets" / "more" / "b.txt").write_text("")
    (folder / "assets" / "a.txt").write_text("")
    assert told(folder, "a.txt", "more/b.txt") == ""


def test_without_a_model_there_is_nothing(tmp_path: Path) -> None:
    assert "it reported success and wrote nothing at model.levels" in told(tmp_path)


def test_a_declared_one_that_is_missing_is_named(folder: Path) -> None:
    (folder / "assets" / "a.txt").mkdir()
    assert (
        "(levels_from_alpha): it declared the asset 'a.txt' and did not write it. Write it at job.asset('a.txt')"
        in (told(folder, "a.txt"))
    )


def test_an_undeclared_one_is_named(folder: Path) -> None:
    (folder / "assets" / "more" / ".hidden").write_text("")
    assert "it wrote assets/more/.hidden and did not declare it." in told(folder)


def _file(place: Path) -> None:
    place.symlink_to(place.parent.parent / "model.data")


def _folder(place: Path) -> None:
    place.symlink_to(place.parent / "more")


@pytest.mark.parametrize(("make", "what"), [(_file, "a link"), (_folder, "a link"), (os.mkfifo, "no regular file")])
def test_what_points_elsewhere_is_no_asset(folder: Path, make: Callable[[Path], None], what: str) -> None:
    make(folder / "assets" / "a.txt")
    assert f"the asset 'a.txt' is {what}. Copy the content" in told(folder, "a.txt")


def test_the_folder_of_the_assets_is_a_folder_of_its_own(folder: Path) -> None:
    (folder / "assets" / "more").rmdir()
    (folder / "assets").rmdir()
    (folder / "assets").symlink_to(folder.parent)
    assert "what it left at assets is no folder" in told(folder)
