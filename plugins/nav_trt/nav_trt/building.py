"""Build one engine from an ONNX file: parse, hold the graph to its promise, give ranges, build, write."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from nav_trt.binding import inputs_by_name, require_same_types
from nav_trt.cuda_libraries import load_cuda_runtime, select_device
from nav_trt.flavours import Flavour, import_flavour
from nav_trt.options import EngineOptions
from nav_trt.parsing import parse
from nav_trt.profiles import add_profile, profile_shapes, written
from nav_trt.typed import computing_types, layers, narrowed, require_quantised, require_type
from navcore import ConversionError, ConvertJob, Made

_LOG = logging.getLogger("nav_trt")


@contextlib.contextmanager
def collecting_later() -> Iterator[None]:
    """Put the garbage collector off while TensorRT works.

    The library holds a lock while it calls its logger. A collection that happens to run in there, and finds the builder
    of an earlier failure, would wait for that lock for ever.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@collecting_later()
def build(job: ConvertJob[EngineOptions], flavour: Flavour, precision: str) -> Made:
    """Write the engine of ``job.source`` to ``job.output``, strongly typed on every version.

    Precision is a property of the ONNX graph: nothing is cast here, except that ``precision="tf32"`` lets float32
    products be computed with 10 bits, which is switched off for every other one.
    Raises :class:`Unavailable` for a missing library or an unquantized graph, :class:`ConversionError` for a graph that
    cannot be built or does not compute in ``precision``, :class:`InputError` for a file that is no ONNX model.
    """
    if flavour.builds_without_device:
        load_cuda_runtime()
    else:
        select_device(job.device)
    trt = import_flavour(flavour)
    notes = narrowed(job.source.file)
    logger = make_logger(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(_typed_flag(trt))
    parse(trt, network, logger, job.source.file)
    _let_attention_decompose(trt, network)
    counts = computing_types(trt, network)
    require_quantised(counts, precision)
    names = [network.get_input(index).name for index in range(network.num_inputs)]
    fed_from = inputs_by_name(names, job.source)
    require_same_types(network, job.signature, fed_from)
    require_type(counts, precision)
    shapes = profile_shapes(network, job.signature, fed_from)
    config = _configured(trt, builder, job.options, tf32=precision == "tf32")
    add_profile(builder, config, shapes)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise _not_built(f"{flavour.title} {trt.__version__}", logger.last_error(), job.options)
    job.output.write_bytes(plan)
    facts = {
        "flavour": flavour.name,
        "version": str(trt.__version__),
        "profile": written(shapes),
        "layers": ", ".join(f"{count} {name}" for name, count in sorted(counts.items())),
        "tf32": "on" if precision == "tf32" else "off",
    }
    return Made(
        calling=job.source.calling,
        notes=notes,
        facts={name: value for name, value in facts.items() if value},
    )


def _not_built(who: str, reason: str, options: EngineOptions) -> ConversionError:
    limited = options.max_workspace_size is not None and "workspace" in reason
    return ConversionError(
        f"{who} could not build the engine: {reason or 'no reason given'}",
        hint=f"max_workspace_size is {options.max_workspace_size} bytes: give more, or no limit."
        if limited
        else "The step's log has the builder's own words.",
    )


def _typed_flag(trt: ModuleType) -> int:
    """Strong typing: asked for up to TensorRT 10, the only kind there is since 11, where the flag is ignored."""
    return 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)


def _let_attention_decompose(trt: ModuleType, network: Any) -> None:
    """Let an Attention operator (opset 23) be computed by its parts where no fused kernel fits its shapes and types.

    Unless it is allowed to, the builder gives up on the whole network. A fused kernel is still preferred.
    """
    boundary = getattr(trt.LayerType, "ATTENTION_INPUT", None)
    for layer in layers(network) if boundary is not None else ():
        if layer.type == boundary:
            # The bindings hand out every layer as the general kind; NVIDIA's samples narrow it in this way.
            layer.__class__ = trt.IAttentionInputLayer
            layer.attention.decomposable = True


def _configured(trt: ModuleType, builder: Any, options: EngineOptions, *, tf32: bool) -> Any:
    config = builder.create_builder_config()
    if tf32:
        config.set_flag(trt.BuilderFlag.TF32)
    else:
        config.clear_flag(trt.BuilderFlag.TF32)  # it is on by default
    if options.max_workspace_size is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.max_workspace_size)
    if options.optimization_level is not None:
        config.builder_optimization_level = options.optimization_level
    return config


def make_logger(trt: ModuleType) -> Any:
    """A logger of ``trt`` that passes messages on to Python's logging and remembers the errors.

    ``last_error()`` is the last one in one line: the library's calls return ``None`` and leave the reason here.
    """
    levels = {
        trt.ILogger.Severity.INTERNAL_ERROR: logging.ERROR,
        trt.ILogger.Severity.ERROR: logging.ERROR,
        trt.ILogger.Severity.WARNING: logging.WARNING,
        trt.ILogger.Severity.INFO: logging.INFO,
    }

    class Logger(trt.ILogger):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            level = levels.get(severity, logging.DEBUG)
            if level == logging.ERROR:
                self.errors.append(" ".join(message.split()))
            _LOG.log(level, "%s", message)

        def last_error(self) -> str:
            return self.errors[-1] if self.errors else ""

    return Logger()
