"""Why a recorded row cannot be run here: its source, its file, its plugin, or trust is missing."""

from __future__ import annotations

from navcore.execution import RunContext
from navcore.workspace import FormatResult, RuntimeResult


def why_not(context: RunContext, row: FormatResult, runtime: RuntimeResult, *, trust: bool) -> str:
    """The reason as a sentence without its end, ``""`` where the row can be run."""
    routes = {route.id: route for route in context.registry.routes}
    if row.live and context.source.model is None:
        return "the source model is not in the package"
    if not row.live and (row.path is None or not context.workspace.file(row.path).exists()):
        return "its file is not in the workspace"
    if not (row.live or trust or context.registry.is_data(row.format)):
        return "loading it can execute code: needs trust=True"
    if runtime.route not in routes:
        return f"the plugin of {runtime.route} is not installed"
    return context.registry.unavailable(routes[runtime.route])
