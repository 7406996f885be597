"""Whether what draws the page is installed; tests that need it are skipped without, with the reason."""

from __future__ import annotations

import pytest


def _missing() -> str:
    try:
        import altair  # noqa: F401
        import jinja2  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        return f"the extra navcore[report] is not installed: {error}"
    return ""


drawing = pytest.mark.skipif(bool(_missing()), reason=_missing() or "it is all there")
