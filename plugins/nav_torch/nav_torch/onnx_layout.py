"""What a single ONNX file may be asked for beyond its opset: where the weights are, what is simplified, which mode."""

from __future__ import annotations

import attrs


@attrs.frozen
class OnnxLayout:
    """The wishes of ``torch.onnx.export`` that concern the file alone.

    ``weights=False`` leaves the weights out; they become inputs of the graph. ``weights_as_inputs`` lists them as
    inputs besides, so that a caller may replace them. ``folded`` lets the exporter compute constants beforehand.
    ``training`` exports the model in the mode it is in, dropout and batch statistics included.
    """

    weights: bool = True
    weights_as_inputs: bool = False
    folded: bool = True
    training: bool = False


PLAIN = OnnxLayout()
"""What every run writes: the weights inside, constants folded, evaluation mode."""
