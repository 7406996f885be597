"""Export to an ExportedProgram (``.pt2``), and run it."""

from __future__ import annotations

from nav_torch.axes import settled
from nav_torch.blame import blamed
from nav_torch.capture import CAPTURING, reached
from nav_torch.flat import example_tensors, flattened
from nav_torch.formats import TORCH, TORCH_EXPORTED, load_exported
from nav_torch.operators import facts_of_program, import_recorded
from nav_torch.restoring import exporting, home, hushed, usable_device
from nav_torch.running import module_runner
from nav_torch.stored_call import stored_call
from nav_torch.subject import subject
from nav_torch.warming import captured_widely
from navcore import ExportJob, Made, Runner, RunnerJob, RuntimeProvider, exporter, runner


@exporter(TORCH, TORCH_EXPORTED, cost=1.0, isolation="fork", imports=CAPTURING)
def exportedprogram_from_torch(job: ExportJob[None]) -> Made:
    """Capture the model with torch.export; the result takes flat tensors and returns one tensor or a flat tuple.

    Axes that move together share one ``Dim``. The capture is strict, and non-strict where strict mode fails.
    """
    import torch

    model = subject(job.source.model)
    with exporting(model, job.device, job.threads if job.forked else None) as device:
        with flattened(model, job.signature) as flat:
            capture = captured_widely(flat, example_tensors(job.example, job.signature, device), job.signature)
        kept = settled(job.signature, reached(capture.program, job.signature), "torch.export", strict=False)
        with blamed("torch.export.save"):
            torch.export.save(capture.program, job.output)
    return Made(
        calling="positional",
        signature=kept.signature,
        notes=(*kept.notes, *capture.notes),
        facts=facts_of_program(capture.program),
    )


@runner(TORCH_EXPORTED, runtime=RuntimeProvider.PYT, imports=CAPTURING)
def run_exported(job: RunnerJob[None]) -> Runner:
    """Load the file, move it to the job's device (its own unless told), and call it, its guards included.

    A file that is the source of a run is called in the structure that it was exported with.
    """
    from torch.export.passes import move_to_device_pass

    device = None if job.device is None else str(usable_device(job.device))
    with hushed():
        import_recorded(job.artifact.facts)
        program = load_exported(job.artifact.file)
        module = program.module()
        if device is not None and home(module) != device:
            program = move_to_device_pass(program, device)
            module = program.module()
    stored = stored_call(program, module) if job.artifact.calling == "named" else None
    return module_runner(job, module, module, stored=stored)
