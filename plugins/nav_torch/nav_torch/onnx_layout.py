"""What a single file may be asked for beyond its opset: where the weights are, what is simplified, which mode."""

from __future__ import annotations

import attrs

from nav_torch.opset import OnnxOptions


@attrs.frozen
class OnnxLayout(OnnxOptions):
    """The wishes of ``torch.onnx.export`` that concern the file alone.

    ``weights=False`` leaves the weights out; they become inputs of the graph. ``weights_as_inputs`` lists them as
    inputs besides, so that a caller may replace them. ``folded`` lets the exporter compute constants beforehand.
    ``training`` exports the model in the mode it is in, dropout and batch statistics included, also to TorchScript.
    """

    weights: bool = True
    weights_as_inputs: bool = False
    folded: bool = True
    training: bool = False


PLAIN = OnnxLayout()
"""What every run writes: the weights inside, constants folded, evaluation mode."""


def layout_of(options: object) -> OnnxLayout:
    """The wishes among the options of a job; a run has none."""
    return options if isinstance(options, OnnxLayout) else PLAIN
