"""An ONNX Runtime session on exactly the provider that was asked for, or an error that says which one came instead."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs

from nav_onnx.complaints import refused_model
from nav_onnx.model_file import refuse_dangerous
from navcore import OptionError, RuntimeProvider, Unavailable
from navcore.contract import harmless

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

_LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "disabled": "ORT_DISABLE_ALL",
}
_ERRORS = 3  # ONNX Runtime's number for the log level at which warnings are left out
_OTHER_FLOATS = {"tensor(float16)", "tensor(bfloat16)", "tensor(double)"}


@attrs.frozen
class RuntimeOptions:
    """What can be set for ONNX Runtime.

    ``graph_optimization`` is how far the graph may be rewritten before it runs: by default ``"all"``, except for a
    float16 graph on the CPU (``"extended"``), since ONNX Runtime 1.31 crashes there on attention at ``"all"``.
    ``intra_op_threads`` applies where the run itself sets no number of threads. ``execution_mode`` says whether
    independent nodes run one after the other. ``provider_options`` go to the provider as they are, such as
    ``{"use_tf32": 0}`` for CUDA.
    """

    graph_optimization: Literal["all", "extended", "basic", "disabled"] | None = None
    intra_op_threads: int | None = attrs.field(default=None, metadata=harmless(1, 64))
    execution_mode: Literal["sequential", "parallel"] = "sequential"
    provider_options: Mapping[str, Any] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.graph_optimization is not None and self.graph_optimization not in _LEVELS:
            raise OptionError(
                f"graph_optimization is {self.graph_optimization!r}.", hint=f"Choose one of: {', '.join(_LEVELS)}."
            )
        if self.execution_mode not in ("sequential", "parallel"):
            raise OptionError(f"execution_mode is {self.execution_mode!r}.", hint="Choose 'sequential' or 'parallel'.")
        if self.intra_op_threads is not None and self.intra_op_threads < 1:
            raise OptionError(f"intra_op_threads is {self.intra_op_threads}.", hint="Give 1 or more.")


def open_session(
    path: Path,
    provider: RuntimeProvider,
    options: RuntimeOptions,
    *,
    threads: int | None,
    device: str | None,
    low: bool = False,
    dtypes: Collection[str] = (),
    quiet: bool = False,
    optimized: Path | None = None,
) -> InferenceSession:
    """Load the file by its path, so that external weights are found.

    On a GPU the nodes that the provider does not take run on the CPU, as they always do; but when the provider itself
    does not come up, ONNX Runtime would quietly hand out a session that is all CPU: that raises :class:`Unavailable`.
    ``low`` says that the graph computes in float16, ``dtypes`` are those of its inputs and outputs. ``quiet`` keeps
    warnings of ONNX Runtime out of the log. ``optimized`` is where the graph goes that really runs, which is quiet too:
    it is read here and thrown away, and the warning not to take it elsewhere is none of the user's business.
    A model that this ONNX Runtime does not load raises :class:`StepError`, a dangerous one :class:`InputError`.
    """
    refuse_dangerous(path)
    import onnxruntime

    if provider is not RuntimeProvider.CPU and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # finds the CUDA libraries that pip installed, which the loader does not
    usual = "extended" if low and provider is RuntimeProvider.CPU else "all"
    settings = _session_options(options, threads, usual, watch=provider is not RuntimeProvider.CPU)
    if quiet or optimized is not None:
        settings.log_severity_level = _ERRORS
    if optimized is not None:
        settings.optimized_model_filepath = os.fspath(optimized)
        settings.add_session_config_entry(
            "session.optimized_model_external_initializers_file_name", f"{optimized.name}.data"
        )
    with warnings.catch_warnings():
        # That a provider is missing is read back below and raised, with the session's own answer.
        warnings.filterwarnings("ignore", message="Specified provider")
        try:
            session = onnxruntime.InferenceSession(
                os.fspath(path), settings, providers=_providers(provider, options, device), enable_fallback=0
            )
        except Exception as error:
            raise refused_model(error, onnxruntime.__version__, dtypes) from error
    session.disable_fallback()
    used = session.get_providers()[0]
    if used != provider:
        raise Unavailable(
            f"The session was asked for {provider}, ONNX Runtime answered with {used}.",
            hint="Its log says which library or device was missing.",
        )
    return session


def _session_options(options: RuntimeOptions, threads: int | None, usual: str, *, watch: bool) -> SessionOptions:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    level = _LEVELS[options.graph_optimization or usual]
    settings.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    if options.execution_mode == "parallel":
        settings.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL
    if threads is not None:
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = threads
    if watch:
        settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return settings


def _providers(provider: RuntimeProvider, options: RuntimeOptions, device: str | None) -> list[Any]:
    given = dict(options.provider_options)
    if provider is RuntimeProvider.CPU:
        return [(str(provider), given)]
    number = (device or "").partition(":")[2]
    place = {"device_id": number} if number.isdigit() else {}
    chain: list[Any] = [(str(provider), {**place, **given})]
    if provider is RuntimeProvider.TRT:
        chain.append((str(RuntimeProvider.CUDA), {"device_id": given["device_id"]} if "device_id" in given else place))
    return [*chain, str(RuntimeProvider.CPU)]


def split_note(session: InferenceSession, provider: str) -> str | None:
    """A sentence when some nodes do not run on ``provider``, or ``None``; an older ONNX Runtime does not tell."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return None
    counts: dict[str, int] = {}
    for part in session.get_provider_graph_assignment_info():
        counts[part.ep_name] = counts.get(part.ep_name, 0) + len(part.get_nodes())
    elsewhere = {name: count for name, count in counts.items() if name != provider}
    if not elsewhere:
        return None
    places = ", ".join(f"{count} on {name}" for name, count in elsewhere.items())
    return f"Of {sum(counts.values())} nodes, {places} instead of {provider}."


def computed_precision(session: InferenceSession, provider: RuntimeProvider) -> str | None:
    """``"tf32"``, ``"fp16"`` or ``"bf16"`` where the provider computes float32 graphs with less, else ``None``.

    CUDA and TensorRT use TF32 on the GPUs that have it unless told otherwise.
    """
    if provider is RuntimeProvider.CPU:
        return None
    settings = session.get_provider_options().get(str(provider), {})

    def switched_on(name: str) -> bool:
        return str(settings.get(name, "0")).lower() in ("1", "true")

    if switched_on("trt_fp16_enable"):
        return "fp16"
    if switched_on("trt_bf16_enable"):
        return "bf16"
    types = {node.type for node in (*session.get_inputs(), *session.get_outputs())}
    return (
        "tf32" if not types & _OTHER_FLOATS and (provider is RuntimeProvider.TRT or switched_on("use_tf32")) else None
    )
