"""Replace modules that exporters do not understand by ones that they do, found by the name of their class."""

from __future__ import annotations

from nav_torch.replacing.by_name import replace_for_export, replace_modules, simple_replace, swap_modules, wrap_module

__all__ = ["replace_for_export", "replace_modules", "simple_replace", "swap_modules", "wrap_module"]
