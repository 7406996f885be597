"""Shows results and progress to people: the aligned table, and the lines of a run while it works."""

from __future__ import annotations

from navcore.report.console import Console
from navcore.report.table import render_table

__all__ = ["Console", "render_table"]
