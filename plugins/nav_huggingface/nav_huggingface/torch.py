"""``nav.contrib.huggingface.torch``, the reference page's module: its ``export`` is that of the plugin."""

from __future__ import annotations

from nav_huggingface.exporting import export

__all__ = ["export"]
