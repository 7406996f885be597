"""Run the live module itself."""

from __future__ import annotations

from contextlib import ExitStack

from nav_torch.formats import TORCH
from nav_torch.remembering import remembered
from nav_torch.restoring import evaluating, placed
from nav_torch.running import module_runner
from nav_torch.subject import refuse_sharded
from navcore import Runner, RunnerJob, RuntimeProvider, runner


@runner(TORCH, runtime=RuntimeProvider.PYT)
def run_torch(job: RunnerJob[None]) -> Runner:
    """Call the module in evaluation mode, as its dataloader's items say.

    Its modes, buffers and device come back on closing. Raises :class:`navcore.ExportError` for a module of which this
    process has only a part of the weights.
    """
    model = job.artifact.model
    refuse_sharded(model)
    with ExitStack() as opening:
        opening.enter_context(evaluating(model))
        opening.enter_context(remembered(model))
        device = opening.enter_context(placed(model, job.device))
        return module_runner(job, model, model, stack=opening.pop_all(), device=device)
