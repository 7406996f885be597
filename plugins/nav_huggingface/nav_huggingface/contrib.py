"""``nav.contrib``, the reference page's name for what is a plugin here: ``nav.contrib.huggingface``."""

from __future__ import annotations

import nav_huggingface as huggingface

__all__ = ["huggingface"]
