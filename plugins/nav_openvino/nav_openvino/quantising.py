"""Quantise a stored model to 8 bits, by what NNCF sees of it on the user's samples."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nav_openvino.accuracy import Controlled, quantised_within
from nav_openvino.formats import OPENVINO, OPENVINO_INT8
from nav_openvino.options import Int8Options
from nav_openvino.silence import nncf, openvino, why_no_nncf
from navcore import ConversionError, ConvertJob, Made, converter

if TYPE_CHECKING:
    import numpy as np

    Feeds = Mapping[str, np.ndarray]


# It takes a twentieth to a quarter of what a quick run takes; docs/effort.md has the numbers.
@converter(OPENVINO, OPENVINO_INT8, options=Int8Options, effort="normal", seconds=15.0, available=why_no_nncf)
def openvino_int8_from_openvino(job: ConvertJob[Int8Options]) -> Made:
    """Calibrate on the conversion and correctness samples; weights get a scale for each channel."""
    with on_processors(job.threads):
        ov = openvino()
        model = ov.Core().read_model(os.fspath(job.source.file))
        samples = [fitted(model, feeds) for _, feeds in zip(range(job.options.subset), job.samples, strict=False)]
        settings = settings_for(model, job.options, len(samples))
        controlled = None
        if job.options.metric:
            controlled = quantised_within(model, samples, job.options, settings)
            quantised = controlled.model
        else:
            quantised = nncf().quantize(model, nncf().Dataset(samples), **settings)
        count = quantisers(quantised)
        if not count:
            raise ConversionError(
                "Nothing in this graph was quantised.",
                hint="NNCF quantises matrix products and convolutions; keep_ops and keep_nodes leave some out.",
            )
        ov.save_model(quantised, os.fspath(job.output), compress_to_fp16=False)
    return Made(
        calling=job.source.calling,
        signature=job.signature,
        notes=_notes(len(samples), controlled),
        facts={"nncf": nncf().__version__, "samples": str(len(samples)), "quantisers": str(count)},
    )


def _notes(samples: int, controlled: Controlled | None) -> tuple[str, ...]:
    told = f"Calibrated on {samples} sample{'' if samples == 1 else 's'}."
    return (told,) if controlled is None else (told, str(controlled))


def settings_for(model: Any, options: Int8Options, samples: int) -> dict[str, Any]:
    """The keywords of ``nncf.quantize`` and of its kin with accuracy control."""
    library = nncf()
    transformer = has_attention(model) if options.model_type == "auto" else options.model_type == "transformer"
    presets = {
        "auto": None,
        "performance": library.QuantizationPreset.PERFORMANCE,
        "mixed": library.QuantizationPreset.MIXED,
    }
    kept = library.IgnoredScope(names=list(options.keep_nodes), types=list(options.keep_ops))
    return {
        "preset": presets[options.preset],
        "model_type": library.ModelType.TRANSFORMER if transformer else None,
        "target_device": library.TargetDevice.CPU,
        "subset_size": samples,
        "ignored_scope": kept if options.keep_nodes or options.keep_ops else None,
    }


def has_attention(model: Any) -> bool:
    """Whether an ``openvino.Model`` weighs its own tensors by a softmax: then it is quantised as a transformer."""
    operations = model.get_ops()
    if any(one.get_type_name() == "ScaledDotProductAttention" for one in operations):
        return True
    weighing = [one for one in operations if one.get_type_name() == "Softmax"]
    return any(_reaches_product(one) for one in weighing)


def _reaches_product(node: Any) -> bool:
    """Whether what comes out of the node is a factor of a matrix product, perhaps in another shape or type."""
    for port in node.outputs():
        for target in port.get_target_inputs():
            follower = target.get_node()
            kind = follower.get_type_name()
            if kind == "MatMul" or (kind in ("Reshape", "Convert", "Transpose") and _reaches_product(follower)):
                return True
    return False


def fitted(model: Any, feeds: Feeds) -> dict[str, np.ndarray]:
    """A sample under the graph's own names. Where the graph fixes a size, a sample of size one is repeated to it.

    Raises :class:`ConversionError` for an input that is not in the sample.
    """
    import numpy as np

    found = {}
    for port in model.inputs:
        name = next((one for one in sorted(port.get_names()) if one in feeds), None)
        if name is None:
            raise ConversionError(f"The graph's input {port.any_name} is not among the samples' ({', '.join(feeds)}).")
        array = np.asarray(feeds[name])
        for axis, size in enumerate(port.partial_shape if port.partial_shape.rank.is_static else ()):
            if size.is_static and array.shape[axis] == 1 < size.get_length():
                array = np.repeat(array, size.get_length(), axis)
        found[port.any_name] = array
    return found


def quantisers(model: Any) -> int:
    """How many tensors of an ``openvino.Model`` are rounded to 8 bits on the way; weights are stored so already."""
    return sum(one.get_type_name() == "FakeQuantize" for one in model.get_ops())


@contextmanager
def on_processors(count: int) -> Iterator[Sequence[int]]:
    """Keep this process to as many of its processors: NNCF runs the model, and cannot be told how many threads to use.

    Yields those that it is kept to. A child ends with the step; whoever calls the route in a process of theirs has all
    of them back afterwards.
    """
    before = os.sched_getaffinity(0)
    if count >= len(before):
        yield sorted(before)
        return
    # Steps run side by side, each in a process of its own: they should not all choose the first.
    every = sorted(before)
    start = os.getpid() % len(every)
    chosen = [every[(start + number) % len(every)] for number in range(count)]
    os.sched_setaffinity(0, chosen)
    try:
        yield sorted(chosen)
    finally:
        os.sched_setaffinity(0, before)
