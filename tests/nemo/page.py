"""The blocks of the page "Coming from NeMo", in order, on NeMo itself: `nox --session nemo` runs it."""

from __future__ import annotations

import re
import sys
import tempfile
from contextlib import chdir
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from compare import without_wandb  # type: ignore[import-not-found]
from models import quartznet_ctc  # type: ignore[import-not-found]

PAGE = Path(__file__).parents[2] / "docs" / "nemo.md"


def main() -> None:
    """Raises whatever a block raises."""
    without_wandb()
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        quartznet_ctc().save_to("asr.nemo")
        exec(compile("\n".join(blocks), str(PAGE), "exec"), {"__name__": "page"})
        print(f"{PAGE.name}: {len(blocks)} blocks ran and wrote {', '.join(sorted(map(str, Path().iterdir())))}")


if __name__ == "__main__":
    main()
