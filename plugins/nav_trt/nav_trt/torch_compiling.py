"""Put TensorRT engines into a stored PyTorch model with Torch-TensorRT, and write what comes out."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import attrs

from nav_trt.options import TorchTrtOptions
from nav_trt.torch_bounding import Bounded, bound, frozen, inputs, typical
from nav_trt.torch_install import import_torch_tensorrt, select_device, versions
from navcore import ConversionError, ConvertJob, Made, NavcoreError, Signature, Unavailable

if TYPE_CHECKING:
    import torch

UNVERIFIED = "Torch-TensorRT is written from its documentation; this project's tests have never executed it."
_LOW = {"fp16": "float16", "bf16": "bfloat16"}
_ENGINE_MODULES = ("TorchTensorRTModule", "PythonTorchTensorRTModule")


def write_exported(job: ConvertJob[TorchTrtOptions], precision: str) -> Made:
    """Write an ExportedProgram; which axes move is read back from the file."""
    from nav_torch import reached, settled

    place = select_device(job.device)
    torch_tensorrt = import_torch_tensorrt()
    with _converting("Torch-TensorRT"):
        bounded = bound(job, place, typical(job))
        module, engines = compile_program(torch_tensorrt, job, bounded, place, precision)
        torch_tensorrt.save(
            module,
            str(job.output),
            output_format="exported_program",
            arg_inputs=bounded.tensors,
            dynamic_shapes=bounded.shapes,
        )
        found = reached(torch_tensorrt.load(str(job.output)), job.signature)
    kept = settled(job.signature, found, "Torch-TensorRT", strict=False)
    return _made(job, precision, engines, signature=kept.signature, notes=(*_autocast_notes(precision), *kept.notes))


def write_traced(job: ConvertJob[TorchTrtOptions], precision: str) -> Made:
    """Write TorchScript that was recorded from the compiled model, every axis fixed at the example's size."""
    signature, notes = frozen(job)
    job = attrs.evolve(job, signature=signature)
    place = select_device(job.device)
    torch_tensorrt = import_torch_tensorrt()
    with _converting("Torch-TensorRT"):
        bounded = bound(job, place, job.example)
        module, engines = compile_program(torch_tensorrt, job, bounded, place, precision)
        torch_tensorrt.save(module, str(job.output), output_format="torchscript", arg_inputs=bounded.tensors)
    return _made(job, precision, engines, signature=signature, notes=(*_autocast_notes(precision), *notes))


def write_scripted(job: ConvertJob[TorchTrtOptions], precision: str) -> Made:
    """Write TorchScript that the TorchScript frontend made from the scripted model."""
    import torch

    from nav_torch import load_torchscript

    _require_positions(job.signature)
    place = select_device(job.device)
    torch_tensorrt = import_torch_tensorrt()
    if not torch_tensorrt.ENABLED_FEATURES.torchscript_frontend:
        raise Unavailable("This build of Torch-TensorRT has no TorchScript frontend; use torch-trt-exported-fp32.")
    options = job.options
    kinds = {"fp32": {torch.float32}, "fp16": {torch.float16}}[precision]
    with _converting("Torch-TensorRT's TorchScript frontend"):
        compiled = torch_tensorrt.compile(
            load_torchscript(job.source.file, str(place)).eval(),
            ir="torchscript",
            inputs=inputs(torch_tensorrt, job.signature),
            enabled_precisions=kinds | ({torch.float32} if options.precision_mode == "hierarchy" else set()),
            device=torch_tensorrt.Device(gpu_id=place.index),
            disable_tf32=precision == "fp32",
            workspace_size=options.max_workspace_size or 0,
            min_block_size=options.min_block_size,
            truncate_long_and_double=True,
        )
        engines = len(compiled.inlined_graph.findAllNodes("tensorrt::execute_engine"))
        _require_engines(engines, options.min_block_size)
        # `torch_tensorrt.save` refuses every ScriptModule.
        torch.jit.save(compiled, str(job.output))
    return _made(job, precision, engines, notes=("Inside the engines 64-bit numbers are computed with 32 bits.",))


def _require_positions(signature: Signature) -> None:
    """The frontend describes inputs as a flat list: neither keywords nor nested or constant arguments."""
    call = signature.call
    if call["kwargs"] or not all("tensor" in node for node in call["args"]):
        raise ConversionError(
            "Torch-TensorRT's TorchScript frontend takes tensors by position only, and this model is called otherwise.",
            hint="Yield tuples of tensors from the dataloader, or use torch-trt-exported-fp32.",
        )


def compile_program(
    torch_tensorrt: ModuleType, job: ConvertJob[TorchTrtOptions], bounded: Bounded, place: torch.device, precision: str
) -> tuple[torch.fx.GraphModule, int]:
    """The program's graph with engines in it, its results typed as before, and the number of engines, at least one."""
    import torch

    low = getattr(torch, _LOW[precision]) if precision in _LOW else None
    wanted = _result_types(bounded.program)  # before autocast writes into the program's graph
    with tempfile.TemporaryDirectory() as folder:
        module = torch_tensorrt.dynamo.compile(
            bounded.program,
            arg_inputs=inputs(torch_tensorrt, bounded.signature),
            device=torch_tensorrt.Device(gpu_id=place.index),
            disable_tf32=low is None,
            enable_autocast=low is not None,
            autocast_low_precision_type=low,
            workspace_size=job.options.max_workspace_size or 0,
            min_block_size=job.options.min_block_size,
            require_full_compilation=False,
            # By default one file for all users of the machine, which a crash may leave half written.
            timing_cache_path=str(Path(folder, "timing.cache")),
        )
    engines = _count_engines(module)
    _require_engines(engines, job.options.min_block_size)
    if low is not None:
        restore_result_types(module, wanted)
    return module, engines


def _result_types(program: torch.export.ExportedProgram) -> list[torch.dtype | None]:
    nodes = {node.name: node for node in program.graph.nodes}
    names = [name for name in program.graph_signature.user_outputs if name in nodes]
    return [getattr(nodes[str(name)].meta.get("val"), "dtype", None) for name in names]


def restore_result_types(module: torch.fx.GraphModule, wanted: Sequence[torch.dtype | None]) -> None:
    """Cast the results to the types they had: autocast returns them in the low precision.

    Raises :class:`ConversionError` when the graph returns another number of values than ``wanted``.
    """
    import torch

    graph = module.graph
    output = graph.output_node()
    returned: list[torch.fx.Node] = []
    torch.fx.node.map_arg(output.args, returned.append)
    if len(returned) != len(wanted):
        raise ConversionError(
            f"Torch-TensorRT's graph returns {len(returned)} values where the model returns {len(wanted)}."
        )
    kinds = iter(wanted)

    def cast(node: torch.fx.Node) -> torch.fx.Node:
        kind = next(kinds)
        if kind is None or not kind.is_floating_point:
            return node
        with graph.inserting_before(output):
            made = graph.call_function(torch.ops.aten.to.dtype, (node, kind))
        if hasattr(node.meta.get("val"), "to"):
            made.meta["val"] = node.meta["val"].to(kind)
        return made

    output.args = torch.fx.node.map_arg(output.args, cast)
    module.recompile()


def _count_engines(module: torch.nn.Module) -> int:
    """The submodules that are engines; releases up to 2.12 have a second class for them."""
    runtime = importlib.import_module("torch_tensorrt.dynamo.runtime")
    kinds = tuple(getattr(runtime, name) for name in _ENGINE_MODULES if hasattr(runtime, name))
    return sum(isinstance(part, kinds) for part in module.modules())


def _require_engines(engines: int, block: int) -> None:
    if not engines:
        raise ConversionError(
            f"Torch-TensorRT made no engine: it found no {block} connected operators that TensorRT takes.",
            hint=f"Lower min_block_size (it is {block}).",
        )


@contextmanager
def _converting(what: str) -> Iterator[None]:
    """No gradients, no deprecation notices, and every foreign error as one sentence about ``what``."""
    import torch

    from nav_torch import cause_line, hushed

    with ExitStack() as stack:
        stack.enter_context(hushed())
        stack.enter_context(torch.no_grad())
        try:
            yield
        except NavcoreError:
            raise
        except Exception as error:
            raise ConversionError(
                f"{what} failed: {cause_line(error)}", hint="The step's log has the whole of it."
            ) from error


def _autocast_notes(precision: str) -> tuple[str, ...]:
    if precision not in _LOW:
        return ()
    return (f"Autocast leaves in float32 what it holds unsafe in {_LOW[precision]}, whatever precision_mode says.",)


def _made(
    job: ConvertJob[TorchTrtOptions],
    precision: str,
    engines: int,
    *,
    signature: Signature | None = None,
    notes: tuple[str, ...] = (),
) -> Made:
    if precision == "fp32" and job.options.precision_mode == "hierarchy":
        notes = (*notes, "precision_mode 'hierarchy' adds nothing to fp32, the widest type.")
    return Made(
        calling=job.source.calling,
        signature=signature,
        notes=(UNVERIFIED, *notes),
        facts={"engines": str(engines), "tf32": "off" if precision == "fp32" else "on", **versions()},
    )
