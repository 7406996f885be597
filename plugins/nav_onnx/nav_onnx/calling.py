"""The call of a loaded session: names and dtypes are settled once, so that a call adds almost nothing to the run."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from nav_onnx.complaints import refused_call
from nav_onnx.dtypes import REINTERPRETED, numpy_name
from navcore import Artifact, Feeds, StepError
from navcore.contract import dtype_named

if TYPE_CHECKING:
    import numpy as np
    from onnxruntime import InferenceSession, NodeArg

Call = Callable[[Feeds], Mapping[str, "np.ndarray"]]


@attrs.frozen
class Binding:
    """How a session is fed and what its results are called.

    ``inputs`` are the graph's inputs that are fed, ``fed_from`` the name in the feeds for each of them; ``fetches``
    are the graph's names of the outputs, ``names`` those under which they are returned. ``direct`` says that the
    feeds can be handed over as they are.
    """

    inputs: tuple[NodeArg, ...]
    fed_from: Mapping[str, str]
    outputs: tuple[NodeArg, ...]
    names: tuple[str, ...]
    direct: bool
    notes: tuple[str, ...] = ()

    @property
    def fetches(self) -> list[str]:
        return [node.name for node in self.outputs]

    @property
    def reinterprets(self) -> bool:
        """Whether some tensor is of a type that ONNX Runtime does not exchange with numpy."""
        return any(node.type in REINTERPRETED for node in (*self.inputs, *self.outputs))


def bind(session: InferenceSession, artifact: Artifact) -> Binding:
    """Match the graph's names with the signature's. Raises :class:`StepError` when an input of the graph has no match.

    Inputs that the graph lost on the way (an exporter drops what is not used) are not fed. Inputs are matched by name,
    or by position when the artifact says so; outputs by name, else by position when there are as many.
    """
    known = artifact.signature.input_names
    overridable = [node for node in session.get_overridable_initializers() if node.name in known]
    inputs = (*session.get_inputs(), *overridable)
    names = [node.name for node in inputs]
    fed_from = {name: name for name in names}
    unmatched = [node.name for node in inputs if node.name not in known and not node.type.startswith("optional")]
    if known and unmatched:
        if artifact.calling != "positional" or len(known) != len(names):
            raise StepError(
                f"The model takes {', '.join(names)}, and its recorded inputs are {', '.join(known)}.",
                hint="Pass input_names= with the model's own names.",
            )
        fed_from = dict(zip(names, known, strict=True))
    unused = [name for name in known if name not in fed_from.values()]
    outputs = tuple(node for node in session.get_outputs() if node.type.startswith("tensor("))
    left_out = [node.name for node in session.get_outputs() if not node.type.startswith("tensor(")]
    if not outputs:
        raise StepError(f"None of the model's outputs is a tensor: {', '.join(left_out)}.")
    notes = []
    if unused:
        notes.append(f"The model does not use {', '.join(unused)}.")
    if left_out:
        notes.append(f"Left out, being no tensors: {', '.join(left_out)}.")
    return Binding(
        inputs,
        fed_from,
        outputs,
        _output_names([node.name for node in outputs], artifact.signature.output_names),
        direct=not unused and all(name == source for name, source in fed_from.items()),
        notes=tuple(notes),
    )


def _output_names(graph: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    if len(known) != len(graph) or any(name in known for name in graph):
        # A name that both sides know is trusted over its position: swapping two outputs would be worse than a
        # complaint about their names.
        return tuple(graph)
    return tuple(known)


def make_call(session: InferenceSession, binding: Binding) -> Call:
    """The fastest call that the session's types allow. Bad inputs raise :class:`InputError`, all else StepError."""
    return _through_values(session, binding) if binding.reinterprets else _through_numpy(session, binding)


def _through_numpy(session: InferenceSession, binding: Binding) -> Call:
    # No closure here refers to itself: a cycle would keep the session and its threads beyond the runner's end.
    run, fetches, names = session.run, binding.fetches, binding.names
    inputs, fed_from, pairs = binding.inputs, binding.fed_from, tuple(binding.fed_from.items())

    def call_renaming(feeds: Feeds) -> Mapping[str, np.ndarray]:
        try:
            return dict(zip(names, run(fetches, {name: feeds[source] for name, source in pairs}), strict=True))
        except Exception as error:
            raise refused_call(error, inputs, feeds, fed_from) from error

    def call_direct(feeds: Feeds) -> Mapping[str, np.ndarray]:
        try:
            return dict(zip(names, run(fetches, feeds), strict=True))
        except Exception as error:
            if not isinstance(feeds, dict):  # all that the bindings take; asking before would cost every call
                return call_renaming(feeds)
            raise refused_call(error, inputs, feeds, fed_from) from error

    def call_for_one(feeds: Feeds) -> Mapping[str, np.ndarray]:
        try:
            return {only: run(fetches, feeds)[0]}  # a third of a microsecond less than dict(zip(...))
        except Exception as error:
            if not isinstance(feeds, dict):
                return call_renaming(feeds)
            raise refused_call(error, inputs, feeds, fed_from) from error

    if not binding.direct:
        return call_renaming
    only = names[0]
    return call_for_one if len(names) == 1 else call_direct


def _through_values(session: InferenceSession, binding: Binding) -> Call:
    """By way of ``OrtValue``, some ten times slower: for bfloat16 and 8-bit floats, which numpy does not know."""
    fetches = binding.fetches
    feeders = [(node, binding.fed_from[node.name], _feeder(node)) for node in binding.inputs]
    readers = [(name, _reader(node)) for name, node in zip(binding.names, binding.outputs, strict=True)]

    def call(feeds: Feeds) -> Mapping[str, np.ndarray]:
        try:
            values = {node.name: feed(feeds[source]) for node, source, feed in feeders}
            results = session.run_with_ort_values(fetches, values)
            return {name: read(value) for (name, read), value in zip(readers, results, strict=True)}
        except Exception as error:
            raise refused_call(error, binding.inputs, feeds, binding.fed_from) from error

    return call


def _feeder(node: NodeArg) -> Callable[[np.ndarray], Any]:
    import numpy as np
    from onnxruntime import OrtValue

    code = REINTERPRETED.get(node.type)
    if code is None:
        return lambda array: OrtValue.ortvalue_from_numpy(np.asarray(array, order="C"))
    dtype = dtype_named(numpy_name(node.type))
    bits = np.dtype(f"u{dtype.itemsize}")

    def feed(array: np.ndarray) -> Any:
        if getattr(array, "dtype", None) != dtype:
            raise TypeError(f"{node.name} takes {dtype.name}")  # put into words where the call is caught
        return OrtValue.ortvalue_from_numpy_with_onnx_type(np.asarray(array, order="C").view(bits), code)

    return feed


def _reader(node: NodeArg) -> Callable[[Any], np.ndarray]:
    import numpy as np

    if node.type not in REINTERPRETED:
        return lambda value: np.array(value.numpy())
    dtype = dtype_named(numpy_name(node.type))

    def read(value: Any) -> np.ndarray:
        if value.device_name() != "cpu":
            raise StepError(f"The output {node.name!r} stayed on {value.device_name()}, where it cannot be read.")
        array = np.empty(tuple(value.shape()), dtype)
        ctypes.memmove(array.ctypes.data, value.data_ptr(), array.nbytes)
        return array

    return read
