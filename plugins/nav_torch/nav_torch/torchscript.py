"""Export to TorchScript by compiling or by recording, and run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nav_torch.blame import blamed
from nav_torch.flat import example_tensors, flattened
from nav_torch.formats import TORCH, TORCHSCRIPT_SCRIPT, TORCHSCRIPT_TRACE, load_torchscript
from nav_torch.layouts import inner_tensors
from nav_torch.onnx_layout import layout_of
from nav_torch.operators import facts_of_script, import_recorded
from nav_torch.remembering import remembered
from nav_torch.restoring import exporting, usable_device
from nav_torch.running import module_runner
from nav_torch.subject import subject
from navcore import ExportError, ExportJob, Made, Runner, RunnerJob, RuntimeProvider, exporter, runner

if TYPE_CHECKING:
    import torch


@exporter(TORCH, TORCHSCRIPT_SCRIPT, cost=1.0, isolation="fork")
def torchscript_script_from_torch(job: ExportJob[None]) -> Made:
    """Compile the model's source; the result is called as the model is, with its control flow intact."""
    training = layout_of(job.options).training
    model = subject(job.source.model)
    _refuse_wrapped_weights(model)
    with exporting(model, job.device, job.threads if job.forked else None, training=training):
        scripted = _scripted(model)
        scripted.save(str(job.output))
    return Made(calling="structure", facts=facts_of_script(scripted))


def _refuse_wrapped_weights(model: Any) -> None:
    """Refuse weights of a class of their own, as torchao makes: the compiler reads the memory behind the wrapper."""
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if inner_tensors(tensor) is not None:
            raise ExportError(
                f"torch.jit.script takes {name!r}, a weight of the class {type(tensor).__name__}, for a plain tensor.",
                hint="The exported program looks into that class, and the traced variant may.",
            )


def _scripted(model: Any) -> Any:
    """The compiled module, at the second attempt without the class's properties.

    TorchScript compiles every property of a class, used or not. It also remembers classes: a class of its own keeps
    an instance whose ``forward`` was replaced apart from its siblings.
    """
    import torch

    if isinstance(model, torch.jit.ScriptModule):
        return model
    kind = type(model)
    properties = [name for name in dir(kind) if isinstance(getattr(kind, name, None), property)]
    attempts: list[dict[str, Any]] = [{}, {"__jit_unused_properties__": properties}]
    reasons: list[Exception] = []
    for extra in attempts if properties else attempts[:1]:
        own = type(kind.__name__, (kind,), {"__module__": kind.__module__, **extra})
        object.__setattr__(model, "__class__", own)
        try:
            return torch.jit.script(model)
        except Exception as error:
            reasons.append(error)
        finally:
            object.__setattr__(model, "__class__", kind)
            for module in model.modules():
                module.__dict__.pop("__overloads__", None)  # left behind by the compiler
    with blamed("torch.jit.script", hint="The traced variant does not read the source and may work."):
        raise reasons[0]


@exporter(TORCH, TORCHSCRIPT_TRACE, cost=1.0, isolation="fork")
def torchscript_trace_from_torch(job: ExportJob[None]) -> Made:
    """Record one call; the result takes flat tensors and returns one tensor or a flat tuple."""
    import torch

    training = layout_of(job.options).training
    model = subject(job.source.model)
    with exporting(model, job.device, job.threads if job.forked else None, training=training) as device:
        tensors = example_tensors(job.example, job.signature, device)
        with flattened(model, job.signature) as flat, blamed("torch.jit.trace"):
            with remembered(model):
                traced: Any = torch.jit.trace(flat, tensors, strict=False, check_trace=False)  # type: ignore[no-untyped-call]
            traced.save(str(job.output))
    return Made(calling="positional", facts=facts_of_script(traced))


@runner(TORCHSCRIPT_SCRIPT, TORCHSCRIPT_TRACE, runtime=RuntimeProvider.PYT)
def run_torchscript(job: RunnerJob[None]) -> Runner:
    """Load the file on the job's device (the CPU unless told) and call it."""
    import_recorded(job.artifact.facts)
    device = str(usable_device(job.device or "cpu"))
    model: torch.nn.Module = load_torchscript(job.artifact.file, device)
    return module_runner(job, model, model)
