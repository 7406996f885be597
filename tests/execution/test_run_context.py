"""What the steps of a run stand on: which modules may be imported before processes are forked for a route."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import attrs
import pytest

from navcore.contract import Format, Route
from navcore.execution.run_context import imports_of
from navcore.registry import Plugin, Registry
from navcore.testing import toy

NOTHING: Any = None


def registry(framework: str | None) -> Registry:
    """One plugin with an exporter, and a live format that names its framework, or none at all."""
    assert toy.TOY.live is not None
    live = None if framework is None else attrs.evolve(toy.TOY.live, framework=framework)
    route = Route(
        hook="export_model",
        source=Format("a-live", live=live),
        target=Format("a-file"),
        owner="a",
        imports=("json.tool", "jsonschema.cli", "wave"),
    )
    return Registry((Plugin("a", "nav-a", "1", "a", ModuleType("a"), routes=(route,)),), NOTHING)


@pytest.mark.parametrize(("framework", "imported"), [("json", ("json.tool",)), ("", ()), (None, ())])
def test_only_modules_of_the_plugins_own_framework_are_imported_beforehand(
    framework: str | None, imported: tuple[str, ...]
) -> None:
    found = registry(framework)
    assert imports_of(found.routes[0], found) == imported
