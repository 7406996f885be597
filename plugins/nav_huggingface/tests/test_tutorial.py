"""The tutorial about generation, block by block, as one script in one folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "generation-tutorial.md"


@pytest.mark.slow
def test_the_page_runs_as_it_is_written(tmp_path: Path) -> None:
    page = PAGE.read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (told,) = re.findall(r"^```\n(input_ids .*?)^```", page, re.MULTILINE | re.DOTALL)
    script = tmp_path / "tutorial.py"
    script.write_text("\n".join(blocks))
    done = subprocess.run(
        [sys.executable, "-P", str(script)],
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(blocks) == 6
    assert told in done.stdout
    lines = done.stdout.splitlines()
    assert lines[-3:] == [
        "['whales sing songs that change from year to year', 'the bakery on the corner opens before sunrise']",
        "bring an umbrella it will rain all afternoon",
        "glass is made of sand soda and lime",
    ]
