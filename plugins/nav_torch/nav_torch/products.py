"""What a compiled graph computes in: read from its matrix products and convolutions, never from what was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    import torch

_PRODUCTS = frozenset({
    "aten.mm", "aten.addmm", "aten.bmm", "aten.baddbmm", "aten.linear", "aten.matmul", "aten.convolution",
    "aten.mkldnn_rnn_layer", "aten._thnn_fused_lstm_cell", "mkl._mkl_linear", "mkldnn._linear_pointwise",
    "mkldnn._convolution_pointwise", "mkldnn._convolution_pointwise_", "mkldnn._convolution_transpose_pointwise",
    "onednn.qlinear_pointwise", "onednn.qconv_pointwise", "onednn.qconv2d_pointwise", "aten._int_mm",
})  # fmt: skip
_ATTENTION = "aten._scaled_dot_product_"
# What moves numbers about or changes how they are stored, and computes nothing.
_MOVES = frozenset({
    "prims.convert_element_type", "prims.inductor_force_stride_order", "aten._to_copy", "aten.clone", "aten.permute",
    "aten.view", "aten.reshape", "aten.expand", "aten.unsqueeze", "aten.squeeze", "aten.cat", "aten.slice",
    "aten.select", "aten.index", "aten.embedding", "aten.constant_pad_nd", "aten.copy_", "aten.full", "aten.split",
    "aten.as_strided", "aten.alias", "aten.gather",
})  # fmt: skip
_NAMES = {
    "torch.float64": "fp64", "torch.float32": "fp32", "torch.float16": "fp16", "torch.bfloat16": "bf16",
    "torch.int8": "int8", "torch.uint8": "int8",
}  # fmt: skip
_COARSEST_FIRST = ("int8", "bf16", "fp16", "fp32", "fp64")
FACT = "computed_in"
"""The fact that says how many products are computed in which precision: ``bf16 12, fp32 2``."""


@attrs.frozen
class Computed:
    """How many operations are computed in which precision: matrix products and convolutions, without any all others."""

    operations: Counter[str] = attrs.field(factory=Counter)
    products: bool = True

    @property
    def name(self) -> str | None:
        """The coarsest of the precisions; ``None`` where nothing is computed with numbers that have one."""
        return next((one for one in _COARSEST_FIRST if self.operations[one]), None)

    def __str__(self) -> str:
        """For a note: ``12 of 14 matrix products and convolutions are computed in bf16``."""
        what = "matrix products and convolutions" if self.products else "operations"
        return f"{self.operations[self.name or '']} of {self.operations.total()} {what} are computed in {self.name}"

    def fact(self) -> dict[str, str]:
        """What to record of it."""
        told = ", ".join(f"{name} {count}" for name, count in sorted(self.operations.items()))
        return {FACT: told if self.products else f"no products; {told}"}


def computed_from(facts: Mapping[str, str]) -> Computed:
    """What :meth:`Computed.fact` recorded; nothing where it is not there, or not to be understood."""
    said = facts.get(FACT, "")
    products, _, rest = said.rpartition("; ")
    pairs = [part.split(" ") for part in (rest or said).split(", ")]
    found = {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}
    return Computed(Counter(found), not products)


class Watch:
    """Looks at every graph that inductor is given, before it makes code of it; ``graphs`` counts them."""

    def __init__(self) -> None:
        self.graphs = 0
        self._products: Counter[str] = Counter()
        self._others: Counter[str] = Counter()

    def look(self, module: torch.fx.GraphModule) -> None:
        """Count what is in a graph."""
        self.graphs += 1
        for part in module.modules():
            if (graph := getattr(part, "graph", None)) is not None:
                self.look_at(graph)

    def look_at(self, graph: torch.fx.Graph) -> None:
        """The same of a graph alone."""
        for operator, precision in _operations(graph):
            kind = self._products if operator in _PRODUCTS or operator.startswith(_ATTENTION) else self._others
            kind[precision] += 1

    def computed(self) -> Computed:
        """What has been seen so far. 8 bits are a precision in products only: others may pick bytes out of pictures."""
        if self._products:
            return Computed(self._products.copy())
        others = self._others.copy()
        del others["int8"]
        return Computed(others, products=False)


def _operations(graph: torch.fx.Graph) -> Iterator[tuple[str, str]]:
    """Every operation that computes, with the precision of the numbers that come in."""
    for node in graph.nodes:
        operator = str(node.target).rpartition(".")[0]
        if node.op != "call_function" or operator in _MOVES:
            continue
        kinds = (_NAMES.get(str(getattr(_value(one), "dtype", ""))) for one in node.all_input_nodes)
        precision = next((kind for kind in kinds if kind is not None), None)
        if precision is not None:
            yield operator, precision


def _value(node: torch.fx.Node) -> Any:
    value = node.meta.get("val")
    return value[0] if isinstance(value, tuple | list) and value else value
