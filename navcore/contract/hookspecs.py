"""The four hooks, and nothing else: what the core asks of plugins.

All are ``firstresult``: exactly the implementation that the plan chose answers, every other returns ``None``. A plugin
implements a hook with ``@navcore.hookimpl`` for the routes that it declares as data, or makes an ordinary function the
implementation for a route of its own with the decorators of :mod:`navcore.contract.decorators`. One that wants to
observe any hook wraps it with ``@navcore.hookimpl(wrapper=True)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import numpy as np

    from navcore.contract.jobs import ConvertJob, ExportJob, Made, ProfileJob, Runner, RunnerJob
    from navcore.contract.routes import Route

PROJECT = "navcore"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec(firstresult=True)
def export_model(job: ExportJob[Any], route: Route) -> Made | None:
    """Export a live model to files under the job's output."""


@hookspec(firstresult=True)
def convert(job: ConvertJob[Any], route: Route) -> Made | None:
    """Convert one stored format to another, in a child process."""


@hookspec(firstresult=True)
def make_runner(job: RunnerJob[Any], route: Route) -> Runner | None:
    """Load a model in a runtime and return it as a runner."""


@hookspec(firstresult=True)
def profile(job: ProfileJob, route: Route) -> np.ndarray | None:
    """Measure one window and return the latency of every call, in milliseconds."""
