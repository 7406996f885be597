"""OpenVINO IR from a live PyTorch module, for models that ONNX cannot express."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nav_openvino.formats import OPENVINO
from nav_openvino.options import Options
from nav_openvino.silence import openvino, why_no_openvino
from navcore import ExportJob, Format, Signature, exporter

if TYPE_CHECKING:
    import torch

# The format of live modules is nav-torch's, and so is knowing how to handle them: its name alone says what this route
# starts from, and the plan leaves it out where nav-torch is not installed.
TORCH = Format("torch")


@exporter(TORCH, OPENVINO, options=Options, cost=4.0, isolation="fork", available=why_no_openvino)
def openvino_from_torch(job: ExportJob[Options]) -> None:
    """Capture the module with torch.export and translate the graph; the way over ONNX is the cheaper one."""
    import torch

    model = job.source.model
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"a {type(model).__name__} is no torch.nn.Module")
    if job.forked:
        torch.set_num_threads(job.threads)
    with warnings.catch_warnings(), evaluating(model):
        warnings.simplefilter("ignore")  # deprecations that torch and OpenVINO have for each other
        program = captured(model, job.signature, job.example)
        translated = _translated(program, job.signature)
    openvino().save_model(translated, os.fspath(job.output), compress_to_fp16=job.options.fp16)


def captured(model: torch.nn.Module, signature: Signature, example: Mapping[str, Any]) -> torch.export.ExportedProgram:
    """The graph of the module as a function of flat tensors, every axis of the signature as free as the model lets it.

    An axis of size 1 would be taken for one that never moves: the example's is repeated.
    """
    import torch

    class Flat(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: torch.Tensor) -> Any:
            args, kwargs = signature.bind(dict(zip(signature.input_names, tensors, strict=True)))
            result = self.model(*args, **kwargs)
            return tuple(signature.name_outputs(result, _tensor).values())

    tensors, moving = [], []
    for spec in signature.inputs:
        tensor = torch.from_numpy(example[spec.name].copy())
        free = {index for index, size in enumerate(spec.shape) if isinstance(size, str)}
        for index in free:
            if tensor.shape[index] == 1:
                tensor = tensor.repeat_interleave(2, index)
        tensors.append(tensor)
        moving.append(dict.fromkeys(free, torch.export.Dim.AUTO))
    return torch.export.export(Flat().eval(), tuple(tensors), dynamic_shapes=(tuple(moving),), strict=False)


def _tensor(value: Any) -> Any:
    """The value itself where it is a tensor: here the outputs are named and stay what they are."""
    import torch

    return value if isinstance(value, torch.Tensor) else None


def _translated(program: torch.export.ExportedProgram, signature: Signature) -> Any:
    """The OpenVINO model, with the signature's names on its inputs and outputs."""
    openvino()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

    decoder = TorchFXPythonDecoder.from_exported_program(program)
    frontend = FrontEndManager().load_by_framework("pytorch")
    model = frontend.convert(frontend.load(decoder))
    for ports, specs in ((model.inputs, signature.inputs), (model.outputs, signature.outputs)):
        for port, spec in zip(ports, specs, strict=True):
            port.get_tensor().set_names({spec.name})
    model.validate_nodes_and_infer_types()
    return model


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode; the training flag of every submodule comes back as it was."""
    flags = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, flag in flags:
            module.training = flag
