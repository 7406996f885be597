"""What a model takes and returns: ordered names, dtypes, and axes that are fixed or move within a range."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

import attrs

from navcore.contract.names import TensorName
from navcore.contract.pytree import Parts, Template, fill_call, flatten_result, no_parts
from navcore.errors import InputError, PluginError

if TYPE_CHECKING:
    import numpy as np

Feeds = Mapping[str, "np.ndarray"]
"""The inputs of one call: input name → host array, the batch axis in place."""
LARGEST_SIZE = (1 << 63) - 1
_DTYPE_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}(\[[a-z0-9]{1,8}\])?")


def dtype_named(name: str) -> np.dtype[Any]:
    """The numpy dtype of that name; ``bfloat16`` and the 8-bit floats are those of ml_dtypes.

    Raises :class:`TypeError` for a name that neither knows.
    """
    import ml_dtypes  # noqa: F401  (registers its dtypes with numpy)
    import numpy as np

    return np.dtype(name)


def _tensor_name(name: str) -> str:
    """A validated name, declared as the text that it is: plugins go on to handle it as text."""
    return TensorName(name)


def _dtype_name(_spec: TensorSpec, _attribute: attrs.Attribute[str], name: str) -> None:
    """Numpy takes much more for a dtype than its name, such as the layout of a record of any size."""
    if not _DTYPE_NAME.fullmatch(name):
        raise InputError(f"{ascii(name)[:80]} is not the name of a dtype.")


def _sizes(shape: Iterable[int | str]) -> tuple[int | str, ...]:
    return tuple(TensorName(size) if isinstance(size, str) else _size(size) for size in shape)


def _size(size: object) -> int:
    if isinstance(size, bool) or not isinstance(size, Integral) or not 0 <= int(size) <= LARGEST_SIZE:
        raise InputError(f"{ascii(size)[:80]} is not the size of an axis.")
    return int(size)


@attrs.frozen
class Axis:
    """A dynamic axis: its symbol, and the smallest, typical and largest size, all inclusive.

    ``declared`` says that the user asked for it: an export that freezes it is then a failure, while an axis that was
    only seen to vary in the data may turn out to be fixed by the model.
    """

    symbol: str = attrs.field(converter=_tensor_name)
    minimum: int
    typical: int
    maximum: int
    declared: bool = False

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.minimum <= self.typical <= self.maximum:
            from navcore.errors import OptionError

            raise OptionError(
                f"The range of axis {self.symbol!r} is ({self.minimum}, {self.typical}, {self.maximum}).",
                hint="Give (minimum, typical, maximum) in rising order.",
            )


@attrs.frozen
class TensorSpec:
    """One input or output. ``shape`` holds a size per fixed axis and a symbol per dynamic axis, batch axis included."""

    name: str = attrs.field(converter=_tensor_name)
    dtype: str = attrs.field(validator=_dtype_name)
    shape: tuple[int | str, ...] = attrs.field(converter=_sizes)

    @property
    def dimensions(self) -> tuple[int, ...]:
        """The shape with −1 for a dynamic axis, as the reference page's metadata writes it."""
        return tuple(-1 if isinstance(size, str) else size for size in self.shape)


@attrs.frozen
class Signature:
    """How a model is called: ordered inputs and outputs, the axes that move, and the structure of the call.

    ``outputs`` is empty until the source has run once. ``batch_dim`` is the axis along which samples are stacked, or
    ``None`` for a model that does not batch. A tensor has a batch axis where its shape has the symbol ``batch_symbol``:
    at ``batch_dim``, or in a tensor of another layout (the state of an LSTM) at an axis of its own.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...] = ()
    axes: tuple[Axis, ...] = ()
    call: Template = attrs.field(factory=lambda: {"args": [], "kwargs": []})
    batch_dim: int | None = 0
    batch_symbol: str = "batch"

    @property
    def input_names(self) -> tuple[str, ...]:
        """The inputs' names, in order."""
        return tuple(spec.name for spec in self.inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The outputs' names, in order."""
        return tuple(spec.name for spec in self.outputs)

    def axis(self, symbol: str) -> Axis:
        """The axis of that symbol; raises :class:`KeyError` for one of which only outputs know."""
        for axis in self.axes:
            if axis.symbol == symbol:
                return axis
        raise KeyError(symbol)

    def batch_axis(self, spec: TensorSpec) -> int | None:
        """The axis along which samples of this tensor are stacked, counted from the front; ``None`` without one."""
        if self.batch_dim is None:
            return None
        rank = len(spec.shape)
        usual = self.batch_dim % rank if -rank <= self.batch_dim < rank else None
        if usual is not None and spec.shape[usual] == self.batch_symbol:
            return usual
        return next((axis for axis, size in enumerate(spec.shape) if size == self.batch_symbol), None)

    def has_batch(self, spec: TensorSpec) -> bool:
        """Whether samples of this tensor are stacked along one of its axes."""
        return self.batch_axis(spec) is not None

    def bind(
        self, feeds: Mapping[str, Any], tensor: Callable[[Any], Any] = lambda array: array
    ) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments of the call; ``tensor`` makes a framework tensor of each array.

        ``feeds`` may hold any value for each input, and ``tensor`` is applied to it: ``bind({name: {0: batch}})`` puts
        the dynamic axes of an input where the call has its tensor, which is what ``torch.export`` takes as
        ``dynamic_shapes``. Raises :class:`KeyError` for an input of which it holds nothing.
        """
        return fill_call(self.call, {name: tensor(feeds[name]) for name in self.input_names})

    def positional(self, feeds: Mapping[str, Any], tensor: Callable[[Any], Any] = lambda array: array) -> list[Any]:
        """The tensors alone, in the order of ``inputs``: how a flattened model is called."""
        return [tensor(feeds[name]) for name in self.input_names]

    def name_outputs(
        self, result: Any, to_array: Callable[[Any], np.ndarray | None], parts: Parts = no_parts
    ) -> dict[str, np.ndarray]:
        """The result's tensors as named arrays: by position under the known output names, else under derived ones.

        ``parts`` tells the structures of a framework (:func:`navcore.contract.flatten_result`). Of a result with more
        tensors than there are outputs those are taken that are called like them. Raises :class:`PluginError` when the
        result does not hold as many tensors as there are outputs, and :class:`SourceError` while they are not known and
        the result holds what is neither a tensor, a constant nor a structure.
        """
        arrays: dict[int, Any] = {}

        def is_tensor(value: Any) -> bool:
            array = to_array(value)
            if array is None:
                return False
            arrays[id(value)] = array
            return True

        leaves = flatten_result(result, is_tensor, parts, wanted=self.output_names)
        names: Sequence[str] = self.output_names or [name for name, _ in leaves]
        if len(names) != len(leaves):
            raise PluginError(
                f"The model returned {len(leaves)} tensors where {len(names)} outputs are declared: {', '.join(names)}."
            )
        return {name: arrays[id(leaf)] for name, (_, leaf) in zip(names, leaves, strict=True)}
