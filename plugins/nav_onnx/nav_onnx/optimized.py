"""ONNX with its graph rewritten for ONNX Runtime: by its transformer optimiser, and as it optimises graphs itself."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from nav_onnx.availability import why_no_cpu
from nav_onnx.external_data import tensors_and_nodes
from nav_onnx.model_file import ONNX, load_model, model_files
from nav_onnx.proto import read_proto
from nav_onnx.scratch import quiet, scratch_folder
from navcore import ConvertJob, Made, OptionError, StepError, Unavailable, converter
from navcore.errors import first_line

if TYPE_CHECKING:
    from onnx import ModelProto

ONNX_OPTIMIZED = attrs.evolve(
    ONNX,
    name="onnx-optimized",
    family="onnx-optimized",  # it holds operators of ONNX Runtime's own: nobody who asks for "onnx" means this file
    suffixes=(),
    summary="ONNX with the fusions of ONNX Runtime, which alone runs it",
)
KINDS = ("bert", "gpt2", "bart", "t5", "vit")
"""The kinds of transformer whose fusions are tried, unless the user names one; the most fused nodes win."""
_SIGNS = frozenset({"Softmax", "LayerNormalization", "ReduceMean"})  # without these there is nothing to fuse
_OWN_DOMAIN = "com.microsoft"
_EXTERNAL_FROM = "1024"  # bytes; smaller weights stay in the file


@attrs.frozen
class OptimizeRules:
    """What may be set for ``onnx-optimized``.

    ``model_type`` is the kind of transformer, as ONNX Runtime's optimiser names them; ``None`` tries :data:`KINDS`.
    ``num_heads`` and ``hidden_size`` are those of its attention, 0 where the optimiser is to find out. Raises
    :class:`OptionError` for numbers below 0.
    """

    model_type: str | None = None
    num_heads: int = 0
    hidden_size: int = 0

    def __attrs_post_init__(self) -> None:
        for name in ("num_heads", "hidden_size"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name} is {getattr(self, name)}.", hint="Give a size, or 0 to have it found.")


@converter(ONNX, ONNX_OPTIMIZED, options=OptimizeRules, effort="normal", available=why_no_cpu)
def onnx_optimized_from_onnx(job: ConvertJob[OptimizeRules]) -> Made:
    """Fuse what ONNX Runtime's transformer optimiser knows, then save the graph as ONNX Runtime optimises it.

    The level is the highest whose result runs on every machine. Raises :class:`Unavailable` where nothing changes.
    """
    from nav_onnx.model_writing import INLINE_LIMIT, store_model

    with scratch_folder(job.output) as folder:
        model = load_model(job.source.file)
        source = store_model(model, folder / "source.onnx")
        fused, counts, why_not = _fused(model, source, job.options)
        large = sum(file.stat().st_size for file in model_files(source)) >= INLINE_LIMIT
        _saved(store_model(fused, folder / "fused.onnx") if counts else source, job.output, job.threads, large=large)
    before, after = _operators(model), _operators(read_proto(job.output))
    if before == after:
        job.output.unlink()
        raise Unavailable(
            "There is nothing to change: ONNX Runtime keeps every node of this model.", hint="Use the onnx format."
        )
    return Made(
        calling=job.source.calling, notes=(*_told(before, after, counts), *why_not), facts=_facts(before, after)
    )


def _fused(
    model: ModelProto, path: Path, rules: OptimizeRules
) -> tuple[ModelProto, Mapping[str, int], tuple[str, ...]]:
    """The model with the most nodes fused by the transformer optimiser, and how many of which kind these are.

    And a sentence where that optimiser failed at it, whatever kind it was told.
    """
    kinds = KINDS if rules.model_type is None else (rules.model_type,)
    if rules.model_type is None and not _SIGNS & {node.op_type for node in model.graph.node}:
        return model, {}, ()
    failures: list[str] = []
    best, counts = model, Counter[str]()
    with quiet():
        for kind in kinds:
            try:
                found, fusions = _fused_as(kind, path, rules)
            except OptionError:
                raise
            except Exception as error:
                if rules.model_type is not None:
                    raise StepError(
                        f"ONNX Runtime cannot optimise this model as {kind}: {first_line(error)}"
                    ) from error
                failures.append(first_line(error))
                continue
            if fusions.total() > counts.total():
                best, counts = found, fusions
        gc.collect()  # older releases hold temporary folders in cycles, and complain when these are found later
    failed = len(failures) == len(kinds)
    return best, counts, (f"ONNX Runtime's transformer optimiser failed: {failures[0]}",) if failed else ()


def _fused_as(kind: str, path: Path, rules: OptimizeRules) -> tuple[ModelProto, Counter[str]]:
    from onnxruntime.transformers import optimizer

    if kind not in optimizer.MODEL_TYPES:
        raise OptionError(
            f"model_type is {kind!r}.", hint=f"ONNX Runtime knows {', '.join(sorted(optimizer.MODEL_TYPES))}."
        )
    before = _operators(read_proto(path))
    made = optimizer.optimize_model(os.fspath(path.absolute()), kind, rules.num_heads, rules.hidden_size, opt_level=0)
    model: ModelProto = made.model
    new = _operators(model) - before
    return model, Counter({name: count for name, count in new.items() if name.startswith(f"{_OWN_DOMAIN}.")})


def _saved(path: Path, output: Path, threads: int | None, *, large: bool) -> None:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    settings.optimized_model_filepath = os.fspath(output)
    settings.log_severity_level = 3
    if threads is not None:
        settings.intra_op_num_threads = settings.inter_op_num_threads = threads
    if large:
        for key, value in (("file_name", f"{output.name}.data"), ("min_size_in_bytes", _EXTERNAL_FROM)):
            settings.add_session_config_entry(f"session.optimized_model_external_initializers_{key}", value)
    try:
        onnxruntime.InferenceSession(os.fspath(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise StepError(f"ONNX Runtime could not optimise the model: {first_line(error)}") from error


def _operators(model: ModelProto) -> Counter[str]:
    """How often each operator stands in the model, those of ONNX Runtime's own with their domain."""
    nodes = tensors_and_nodes(model)[1]
    return Counter(f"{node.domain}.{node.op_type}" if node.domain == _OWN_DOMAIN else node.op_type for node in nodes)


def _facts(before: Counter[str], after: Counter[str]) -> Mapping[str, str]:
    return {"nodes_before": str(before.total()), "nodes_after": str(after.total())}


def _told(before: Counter[str], after: Counter[str], counts: Collection[str]) -> tuple[str, ...]:
    new = {name.rpartition(".")[2]: after[name] for name in sorted(after) if name.startswith(f"{_OWN_DOMAIN}.")}
    listed = ", ".join(f"{count} {name}" for name, count in new.items())
    by = "ONNX Runtime's transformer optimiser and its graph optimisations" if counts else "its graph optimisations"
    sentence = f"The graph has {after.total()} nodes instead of {before.total()}, by {by}"
    return (f"{sentence}; of ONNX Runtime's own are {listed}." if listed else f"{sentence}.",)
