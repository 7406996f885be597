"""Every block of Python of the page "Make your model exportable" runs, in order, as one script."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[4] / "docs" / "exportable.md"


def test_the_page_runs_as_it_is_written(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks))

    done = subprocess.run(
        [sys.executable, "-P", str(script)], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert len(blocks) > 8
    assert "('steps', 'states_1', 'states_2')" in done.stdout
    assert "Encoder exported to ONNX" in done.stdout
    assert "('y', 'total') {'with_length': False, 'scale': 0.5}" in done.stdout
    assert "Largest differences: 'y' absolute" in done.stdout
    written = {path.name for path in tmp_path.iterdir()} - {"page.py"}
    assert written == {
        "encoder.onnx", "encoder.pt", "encoder.ts", "encoder.pt2", "scaled.pt", "recurrent.onnx", "speech.onnx",
        "vocoder.onnx", "aligned.onnx", "aligned.pt2", "counter.onnx", "encoder-asr.onnx", "acoustic_head-asr.onnx",
    }  # fmt: skip
