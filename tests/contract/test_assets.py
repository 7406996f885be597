"""Names of assets mean one file on every system, and a job says where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from navcore import ConvertJob, InputError, Made, Signature
from navcore.contract import Artifact
from navcore.testing import toy

MODEL = Path("here/toy-levels/model.levels")


@pytest.mark.parametrize("name", ["levels.json", "tokenizer/vocab.txt", "a b", "v1.2+cpu", "_x", "auxiliary"])
def test_a_name_is_kept_as_it_is(name: str) -> None:
    made = Made(assets=(name,))
    assert made.assets == (name,)
    assert made.artifact(toy.LEVELS, Signature(()), MODEL).assets == {name: MODEL.parent / "assets" / name}


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../model", "a/../b", "a//b", "a\\b", ".hidden", "C:x", "é", "a.", "a ", "aux.json", 3]
)
def test_what_is_no_name_on_every_system_is_refused_by_name(name: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be the name of an asset") as caught:
        Made(assets=("fine", name))
    assert ascii(name) in str(caught.value)
    with pytest.raises(InputError):
        job(tmp_path).asset(name)
    assert list(tmp_path.iterdir()) == []


def test_one_name_as_text_and_two_that_differ_in_case_are_refused() -> None:
    with pytest.raises(InputError, match=r"Give a tuple of names: assets=\('levels',\)"):
        Made(assets="levels")
    with pytest.raises(InputError, match="'Levels' and 'levels' are one on some systems"):
        Made(assets=("Levels", "levels"))


def job(folder: Path) -> ConvertJob[None]:
    source = Artifact(toy.ALPHA, Signature(()), folder / "model.toy")
    return ConvertJob(source, toy.LEVELS, folder / "model.levels", Signature(()), {"x": np.ones(1)}, None)


def test_a_job_says_where_an_asset_is_written(tmp_path: Path) -> None:
    path = job(tmp_path).asset("tokenizer/vocab.txt")
    assert path == tmp_path / "assets" / "tokenizer" / "vocab.txt"
    path.write_text("a b c")
