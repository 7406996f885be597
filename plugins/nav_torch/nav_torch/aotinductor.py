"""AOTInductor packages: native code for one kind of processor, made from an exported program; and their runner."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from nav_torch.blame import blamed
from nav_torch.capture import CAPTURING
from nav_torch.channels_last import channels_last, refuse_without_pictures
from nav_torch.formats import TORCH_EXPORTED, load_exported
from nav_torch.inductor import emulated_bf16, settings, why_no_compiler
from nav_torch.inductor_cache import inductor_cache
from nav_torch.instruction_sets import FACT, compiled_for, metadata_of, refuse_foreign, told_to_inductor
from nav_torch.live import from_array, to_array
from nav_torch.operators import facts_of_program, import_recorded
from nav_torch.products import Computed, Watch, computed_from
from nav_torch.restoring import home, hushed, threads, usable_device
from nav_torch.stored_call import stored_call
from nav_torch.structures import parts
from navcore import (
    ConvertJob,
    Feeds,
    Format,
    InputError,
    Made,
    Runner,
    RunnerJob,
    RuntimeProvider,
    Signature,
    Unavailable,
    converter,
    runner,
)

if TYPE_CHECKING:
    import numpy as np
    import torch


def load_aotinductor(path: Path) -> Any:
    """Open a package as :class:`torch.export.pt2_archive._package.AOTICompiledModel`, a function of tensors.

    Raises :class:`navcore.Unavailable` for one that was compiled for another processor.
    """
    import torch

    refuse_foreign(metadata_of(path), None)
    with inductor_cache(None), hushed():
        return torch._inductor.aoti_load_package(os.fspath(path))


TORCH_AOTINDUCTOR = Format(
    "torch-aotinductor",
    filename="model.pt2",
    summary="AOTInductor, native code for one kind of processor",
    load=load_aotinductor,
)
TORCH_AOTINDUCTOR_CHANNELS_LAST = attrs.evolve(
    TORCH_AOTINDUCTOR,
    name="torch-aotinductor-channels-last",
    family=TORCH_AOTINDUCTOR.family,
    summary="AOTInductor with pictures and convolutions channels-last",
)
TORCH_AOTINDUCTOR_BF16 = attrs.evolve(
    TORCH_AOTINDUCTOR,
    name="torch-aotinductor-bf16",
    family="torch-aotinductor-bf16",  # another promise: nobody who asks for "torch-aotinductor" means this file
    precision="bf16",
    summary="AOTInductor that computes in bfloat16 between inputs and outputs of the source's types",
)


@converter(TORCH_EXPORTED, TORCH_AOTINDUCTOR, cost=4.0, effort="thorough", available=why_no_compiler, imports=CAPTURING)
def torch_aotinductor_from_exportedprogram(job: ConvertJob[None]) -> Made:
    """Compile the exported program; axes move as they do in it."""
    return _made(job)


@converter(
    TORCH_EXPORTED,
    TORCH_AOTINDUCTOR_CHANNELS_LAST,
    cost=4.0,
    effort="thorough",
    available=why_no_compiler,
    imports=CAPTURING,
)
def torch_aotinductor_channels_last_from_exportedprogram(job: ConvertJob[None]) -> Made:
    """The same with pictures and the weights of convolutions channels-last."""
    return _made(job, pictures=True)


@converter(
    TORCH_EXPORTED, TORCH_AOTINDUCTOR_BF16, cost=4.0, effort="thorough", available=why_no_compiler, imports=CAPTURING
)
def torch_aotinductor_bf16_from_exportedprogram(job: ConvertJob[None]) -> Made:
    """The same with matrix products and convolutions in bfloat16, by PyTorch's own rules (autocast)."""
    return _made(job, low=True)


def _made(job: ConvertJob[None], *, low: bool = False, pictures: bool = False) -> Made:
    import torch

    import_recorded(job.source.facts)
    program = load_exported(job.source.file)
    if job.device is not None and home(program.module()) != (place := str(usable_device(job.device))):
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, place)
    device = torch.device(home(program.module()))
    signature, reordered = _own_order(job, program)
    _give_example(program, job)
    if pictures:
        _lay_channels_last(program)
    if low:
        _keep_types_of_outputs(program)
    watch = Watch()
    with (
        inductor_cache(job.cache_dir),
        threads(job.threads),
        hushed(),
        torch.no_grad(),
        torch.autocast(device.type, torch.bfloat16) if low else nullcontext(),
        blamed("torch._inductor.aoti_compile_and_package"),
    ):
        torch._inductor.aoti_compile_and_package(
            program, package_path=os.fspath(job.output), inductor_configs=_told_to_inductor(watch)
        )
    drop_sources(job.output)
    computed = watch.computed()
    if low and computed.name != "bf16":
        raise Unavailable(f"bfloat16 is asked for, and nothing in the model is computed in it: {_said(computed)}.")
    facts = {
        **facts_of_program(program),
        **computed.fact(),
        FACT: compiled_for(metadata_of(job.output)),
        "torch": str(torch.__version__),
    }
    return Made("positional", signature if reordered else None, _notes(computed, device.type, facts, low=low), facts)


def _told_to_inductor(watch: Watch) -> dict[str, Any]:
    """Inductor's settings for a package. It tries what the processor can do for them, which it keeps in its cache."""
    return {
        **settings(),
        **told_to_inductor(),
        "cpp.dynamic_threads": True,  # else it has for good the threads of this process
        # To precompile headers does not pay for two files, and these lie outside the cache: a compiler that is killed
        # would leave them half written for everybody.
        "cpp_cache_precompile_headers": False,
        "aot_inductor.precompile_headers": False,
        "aot_inductor.enable_line_tables": False,
        "aot_inductor.check_lowerbound": False,  # a bound of 2 means "not looked at 0 and 1"
        "post_grad_custom_pre_pass": lambda graph: watch.look_at(graph),  # inductor would copy what a method is of
    }


def drop_sources(path: Path) -> None:
    """Take out of a package the sources of its code, which nobody loads: they hold the compiler's whole command."""
    lighter = path.with_suffix(".lighter")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(lighter, "w") as copy:
        for member in archive.infolist():
            if not member.filename.endswith((".cpp", ".h")):
                with archive.open(member) as content, copy.open(member, "w") as place:
                    shutil.copyfileobj(content, place)
    lighter.replace(path)


def _said(computed: Computed) -> str:
    return str(computed) if computed.name else "nothing is computed in a floating-point type"


def _notes(computed: Computed, device: str, facts: Mapping[str, str], *, low: bool) -> tuple[str, ...]:
    notes = [f"Compiled for {facts[FACT]}."]
    if low:
        notes += [f"{computed}.", *filter(None, (emulated_bf16(device),))]
    return tuple(notes)


def _own_order(job: ConvertJob[None], program: torch.export.ExportedProgram) -> tuple[Signature, bool]:
    """The signature with the inputs as the program has them, and whether that is another order than it had.

    A file that was the source of the run is called by its own names; what is compiled takes tensors by position.
    """
    signature = job.signature
    if job.source.calling != "named":
        return signature, False
    names = stored_call(program, program.module()).inputs
    by_name = {spec.name: spec for spec in signature.inputs}
    if set(names) != set(by_name):  # the data's names are others, in the file's order
        return signature, False
    return attrs.evolve(signature, inputs=tuple(by_name[name] for name in names)), True


def _give_example(program: torch.export.ExportedProgram, job: ConvertJob[None]) -> None:
    """Inductor compiles by example, and a file may have been saved without one."""
    if program.example_inputs is None:
        device = home(program.module())
        tensors = {name: from_array(job.example[name], device) for name in job.signature.input_names}
        program.example_inputs = stored_call(program, program.module()).bind(tensors)


def _lay_channels_last(program: torch.export.ExportedProgram) -> None:
    """Turn pictures over where they come in, and the weights of convolutions in the file."""
    import torch

    refuse_without_pictures(program.parameters())
    for weight in program.parameters():
        if (layout := channels_last(weight)) is not None:
            weight.data = weight.data.contiguous(memory_format=layout)
    graph = program.graph
    taken = set(program.graph_signature.user_inputs)
    for node in [one for one in graph.nodes if one.op == "placeholder" and one.name in taken]:
        value = node.meta.get("val")
        layout = channels_last(value) if isinstance(value, torch.Tensor) else None
        if layout is not None:
            users = list(node.users)
            with graph.inserting_after(node):
                turned = graph.call_function(torch.ops.aten.contiguous.default, (node,), {"memory_format": layout})
            turned.meta = {**node.meta, "val": value.contiguous(memory_format=layout)}
            for user in users:
                user.replace_input_with(node, turned)
    program.graph_module.recompile()


def _keep_types_of_outputs(program: torch.export.ExportedProgram) -> None:
    """Give out every output in the type that it has in the program, whatever is computed in before."""
    import torch
    from torch.export.graph_signature import OutputKind, TensorArgument

    graph = program.graph
    output = graph.output_node()
    results = list(output.args[0])
    for index, spec in enumerate(program.graph_signature.output_specs):
        value = getattr(results[index], "meta", {}).get("val")
        if spec.kind is not OutputKind.USER_OUTPUT or not isinstance(value, torch.Tensor):
            continue
        if value.dtype.is_floating_point:
            with graph.inserting_before(output):
                kept = graph.call_function(torch.ops.aten.to.dtype, (results[index], value.dtype))
            kept.meta = dict(results[index].meta)
            results[index], spec.arg = kept, TensorArgument(name=kept.name)
    output.args = (tuple(results),)
    program.graph_module.recompile()


@runner(TORCH_AOTINDUCTOR, TORCH_AOTINDUCTOR_CHANNELS_LAST, TORCH_AOTINDUCTOR_BF16, runtime=RuntimeProvider.PYT)
def run_aotinductor(job: RunnerJob[None]) -> Runner:
    """Load the package and call it; inputs that it was not compiled for are refused."""
    import torch

    metadata = metadata_of(job.artifact.file)
    refuse_foreign(metadata, job.device)
    import_recorded(job.artifact.facts)
    place = "cpu" if metadata["AOTI_DEVICE_KEY"] == "cpu" else str(usable_device(job.device or "cuda"))
    computed = computed_from(job.artifact.facts)
    with ExitStack() as opening:
        count = opening.enter_context(threads(job.threads))
        with inductor_cache(job.cache_dir), hushed(), blamed("torch._inductor.aoti_load_package"):
            loaded = torch._inductor.aoti_load_package(
                os.fspath(job.artifact.file), device_index=torch.device(place).index or -1
            )
        notes = (f"{computed}.",) if job.artifact.format.precision and computed.name else ()
        return Runner(
            _Called(loaded.loader, job.signature, place),
            close=opening.pop_all().close,
            provider=place,
            precision=computed.name,
            threads=count,
            notes=notes,
        )


class _Called:
    """A loaded package, called with arrays by name, in the order of the signature's inputs.

    Its code has checks of what it is given, which are off unless the environment asks for them when it is first called:
    without them an input of another size would be read beyond its end.
    """

    def __init__(self, loader: Any, signature: Signature, device: str) -> None:
        from torch.utils._pytree import treespec_loads

        self._loader, self._signature = loader, signature
        self._device = None if device == "cpu" else device
        self._outputs = treespec_loads(loader.get_call_spec()[1])
        self._equal = _equal_axes(signature)
        self._checks: Callable[[], Any] = _checked

    def __call__(self, feeds: Feeds) -> Mapping[str, np.ndarray]:
        import torch
        from torch.utils._pytree import tree_unflatten

        for (name, axis), (other, index) in self._equal:
            if feeds[name].shape[axis] != feeds[other].shape[index]:
                raise InputError(f"Axis {axis} of {name!r} and axis {index} of {other!r} have to be equally long.")
        tensors = [from_array(feeds[name], self._device).contiguous() for name in self._signature.input_names]
        with torch.inference_mode(), self._checks():
            results = self._loader.boxed_run(tensors)
        self._checks = nullcontext
        return self._signature.name_outputs(tree_unflatten(results, self._outputs), to_array, parts)


def _equal_axes(signature: Signature) -> Sequence[tuple[tuple[str, int], tuple[str, int]]]:
    """Pairs of axes that share a symbol."""
    places: dict[str, list[tuple[str, int]]] = {}
    for spec in signature.inputs:
        for axis, size in enumerate(spec.shape):
            if isinstance(size, str):
                places.setdefault(size, []).append((spec.name, axis))
    return [(found[0], other) for found in places.values() for other in found[1:]]


@contextmanager
def _checked() -> Iterator[None]:
    name = "AOTI_RUNTIME_CHECK_INPUTS"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
