"""What a hook is handed is told field by field where ``help`` finds it, and the page's bounds are the table's."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from navcore.contract import ConvertJob, ExportJob, ProfileJob, RunnerJob
from navcore.contract.precision import BOUNDS

PAGE = Path(__file__).parents[2] / "docs" / "extension-points.md"


@pytest.mark.parametrize("job", [ExportJob, ConvertJob, RunnerJob, ProfileJob])
def test_every_field_of_a_job_has_its_line(job: type) -> None:
    told = re.findall(r"^ {8}(\w+): \S", job.__doc__ or "", re.MULTILINE)
    assert told == [field.name for field in attrs.fields(job)]


def test_the_page_has_the_bounds_of_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (\S+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(name, f"{one.relative_l2:g}", f"{one.differing:g}") for name, one in BOUNDS.items()]
