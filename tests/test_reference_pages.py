"""The API reference has every public name once, and every distribution the changelog that the release page names."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import navcore

ROOT = Path(__file__).parent.parent
PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))


def test_every_public_name_stands_in_the_reference_once() -> None:
    pages = "\n".join(page.read_text() for page in (ROOT / "docs" / "reference").glob("*.md"))
    assert Counter(re.findall(r"^::: navcore\.([\w.]+)$", pages, re.MULTILINE)) == Counter(public_names())


def public_names() -> set[str]:
    """What the page "Public names" lists: ``navcore.__all__``, and by dotted names what only plugins need."""
    listed = re.findall(r"^\| `navcore\.(\w+\.\w+)` \|", (ROOT / "docs" / "public-names.md").read_text(), re.MULTILINE)
    return {*navcore.__all__, *listed}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_plugin_has_a_changelog_of_its_own(plugin: str) -> None:
    page = (ROOT / "docs" / "releasing.md").read_text()
    assert f"`plugins/{plugin}/CHANGELOG.md`" in page
    assert f"`plugins/{plugin}/{plugin}/__init__.py`" in page
    text = (ROOT / "plugins" / plugin / "CHANGELOG.md").read_text()
    assert text.startswith(f"# Changelog of {plugin.replace('_', '-')}\n")
    assert "\n## Unreleased\n" in text
