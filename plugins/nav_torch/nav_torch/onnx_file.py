"""Check a written ONNX file and read back what it really is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from nav_torch.axes import Settled
from nav_torch.blame import blamed
from nav_torch.onnx_layout import PLAIN, OnnxLayout
from navcore import ExportError, Made, Signature

if TYPE_CHECKING:
    import torch

SINGLE_FILE_LIMIT = 1_900_000_000
"""Bytes of weights up to which a model is one file; a protobuf message ends at 2 GiB."""


_SMALL = 1 << 16
"""Bytes of a weight up to which its values may say something about shapes."""


def weight_bytes(model: torch.nn.Module) -> int:
    """The size of the module's parameters and buffers."""
    tensors = [*model.parameters(), *model.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def data_file(path: Path) -> str:
    """The name of the file beside a large model that holds its weights."""
    return f"{path.name}.data"


def refuse_complex(signature: Signature) -> None:
    """Raise :class:`ExportError` for complex inputs or outputs, before the work: no operator of ONNX has any."""
    sides = (
        ("outputs", signature.outputs, "return torch.view_as_real of it"),
        ("inputs", signature.inputs, "take its real view and call torch.view_as_complex"),
    )
    for kind, specs, real in sides:
        found = [spec for spec in specs if spec.dtype.startswith("complex")]
        if found:
            raise ExportError(
                f"ONNX has no complex {kind}, and {found[0].name!r} is {found[0].dtype}.",
                hint=f"Let the model {real}.",
            )


def read_back(path: Path, settled: Settled, *, opset: int, exporter: str, layout: OnnxLayout = PLAIN) -> Made:
    """Check the file and report it as it is: the opset, the inputs that are left, and the axes.

    Raises :class:`ExportError` when the file is not valid ONNX, is of another opset, or its outputs are not those of
    the signature. The check is the full one, which holds the types and shapes written in the graph against those that
    its operators give; the values of large weights take no part in it.
    """
    import onnx

    model = onnx.load(str(path), load_external_data=False)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value.name for value in model.graph.input if value.name not in weights]
    with blamed("The check of the written ONNX file"):
        onnx.checker.check_model(_without_values(model), full_check=True)
    written = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if written != opset:
        raise ExportError(
            f"The {exporter} exporter wrote opset {written} where {opset} was asked for.",
            hint="Ask for the opset that it writes, or for none.",
        )
    signature = settled.signature
    _refuse_other_outputs(signature, [value.name for value in model.graph.output], exporter)
    if not layout.weights:
        inputs = [name for name in inputs if name in signature.input_names]
    kept, dropped = _inputs_left(signature, inputs, exporter)
    notes = settled.notes
    if dropped:
        notes = (*notes, f"The graph does not use {', '.join(dropped)}, so it has no such input.")
    return Made(
        calling="named",
        signature=attrs.evolve(signature, inputs=kept),
        notes=notes,
        facts={"opset": str(written), "exporter": exporter},
    )


def _without_values(model: Any) -> Any:
    """The model, changed: its large weights are inputs. A check would copy them, several times, and ends at 2 GiB."""
    from onnx import helper

    graph = model.graph
    large = [one for one in graph.initializer if one.data_location or len(one.raw_data) > _SMALL]
    named = {value.name for value in graph.input}
    for tensor in large:
        if tensor.name not in named:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    gone = {tensor.name for tensor in large}
    kept = [one for one in graph.initializer if one.name not in gone]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return model


def _refuse_other_outputs(signature: Signature, found: Sequence[str], exporter: str) -> None:
    if signature.outputs and tuple(found) != signature.output_names:
        raise ExportError(
            f"The {exporter} exporter named the outputs {', '.join(found)} instead of"
            f" {', '.join(signature.output_names)}."
        )


def _inputs_left(signature: Signature, found: Sequence[str], exporter: str) -> tuple[tuple[Any, ...], list[str]]:
    strange = [name for name in found if name not in signature.input_names]
    if strange:
        raise ExportError(f"The {exporter} exporter made inputs that the model does not have: {', '.join(strange)}.")
    kept = tuple(spec for spec in signature.inputs if spec.name in found)
    return kept, [name for name in signature.input_names if name not in found]


def gathered(written: Path, output: Path) -> None:
    """Move a written model to ``output``; weights that lie beside it in many files become one ``.data`` file."""
    import onnx
    from onnx.external_data_helper import uses_external_data

    model = onnx.load(str(written), load_external_data=False)
    if not any(uses_external_data(tensor) for tensor in model.graph.initializer):
        written.replace(output)
        return
    model = onnx.load(str(written))
    onnx.save_model(
        model,
        str(output),
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=data_file(output),
        size_threshold=1024,
    )
