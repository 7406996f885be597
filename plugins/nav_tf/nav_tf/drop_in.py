"""A stored model in place of its source: a callable that is called as the source is, and returns what it returns."""

from __future__ import annotations

import contextlib
import inspect
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from nav_tf.calls import call_model, input_names, is_keras
from nav_tf.live import from_array, is_tensor, parts, to_array
from navcore import Format, InputError, NavcoreError, Signature
from navcore.contract import flatten_result, plain_result, read_call

if TYPE_CHECKING:
    import numpy as np

    from navcore import PackageDescriptor

Fill = Callable[[Mapping[str, Any]], Any]


class _Slot(str):
    """The name of an output, where its tensor stands in a result."""

    __slots__ = ()


class PackageCallable:
    """A stored model of a package that stands where its source stood; see :func:`as_callable`.

    Called as the source is. ``close()``, the end of a ``with`` block, and the end of the object release the model.
    """

    def __init__(
        self,
        runner: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]],
        signature: Signature,
        fill: Fill,
        parameters: Sequence[str],
        ignored: Sequence[str],
        close: Callable[[], None],
        inputs: Sequence[str] = (),
    ) -> None:
        self._runner = runner
        self._signature = signature
        self._fill = fill
        self._parameters = tuple(parameters)
        self._ignored = frozenset(ignored)
        self._inputs = tuple(inputs)
        self._dtypes = {spec.name: spec.dtype for spec in signature.inputs}
        self._finalizer = weakref.finalize(self, close)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The source's arguments in, its result out. Raises :class:`TypeError` for what was not there at the export.

        All inputs may be keywords too, as in an item of the data, also where the source takes them in one mapping.
        """
        import tensorflow as tf

        asked = {name: value for name, value in kwargs.items() if name not in self._ignored}
        args, named = self._as_in_an_item(args, asked)
        parameters = () if not args and set(named) == set(self._dtypes) else self._parameters
        tensors = read_call(self._signature.call, args, named, _is_given, parameters)
        feeds, floats = {}, None
        for name, tensor in tensors.items():
            array = tensor.numpy() if is_tensor(tensor) else tensor
            if array.dtype.name != self._dtypes[name]:
                floats = floats or (tf.as_dtype(array.dtype) if tf.as_dtype(array.dtype).is_floating else None)
                array = _cast(array, self._dtypes[name], name)
            feeds[name] = array
        outputs = {name: tf.convert_to_tensor(array) for name, array in self._runner(feeds).items()}
        if floats is not None:
            outputs = {name: tf.cast(one, floats) if one.dtype.is_floating else one for name, one in outputs.items()}
        return self._fill(outputs)

    def _as_in_an_item(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """The call as the data made it: a functional model takes all its inputs in one mapping or list."""
        call = self._signature.call
        if len(args) != 1 or len(call["args"]) == 1:
            return args, kwargs
        (given,) = args
        if isinstance(given, Mapping) and not call["args"]:
            return (), {**given, **kwargs}
        if isinstance(given, list | tuple) and len(given) == len(self._dtypes):
            if call["args"]:
                return tuple(given), kwargs
            names = self._inputs or tuple(name for name, _ in call["kwargs"])
            return (), {**dict(zip(names, given, strict=True)), **kwargs}
        return args, kwargs

    def close(self) -> None:
        """Release the model."""
        self._finalizer()

    def __enter__(self) -> PackageCallable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def as_callable(
    package: PackageDescriptor,
    format: Format | str,
    *,
    jit_type: str | None = None,
    precision: str | None = None,
    runtime: str | None = None,
    threads: int | None = None,
    like: Callable[..., Any] | None = None,
    result: Callable[..., Any] | None = None,
    ignored: Sequence[str] = (),
) -> PackageCallable:
    """A callable that runs a stored model of ``package`` and stands where its source stood.

    It takes the source's arguments, tensors or arrays, and returns the source's result as eager tensors. Where a
    floating-point input comes in another floating-point type it is converted, and the results are in that type. Memory
    is shared where the runtime and TensorFlow allow. It computes no gradients and is no part of a graph.

    Args:
        package: of a run, or loaded.
        format: which model; ``jit_type``, ``precision`` and ``runtime`` as for ``package.open_runner``.
        jit_type: see ``format``.
        precision: see ``format``.
        runtime: see ``format``; by default the fastest that is ok.
        threads: compute threads, by default the runtime's own choice.
        like: the source, or a callable like it, whose ``call`` tells the names of parameters, so that arguments may be
            given by position or by name. By default the package's own source, as long as it lives.
        result: makes the result of the outputs, which it gets as keywords. Without it and without a living source the
            names of the outputs tell: ``output__0`` is a tensor, ``output__0``, ``output__1`` a tuple, else a dict.
        ignored: names of arguments that the application passes, whose values change nothing here (``training``).

    Raises what ``package.open_runner`` raises, and :class:`InputError` when results like the source's cannot be made.
    """
    source = _source_of(package)
    job = package.runner_job(format, jit_type, precision, runtime)
    samples = package.record.samples
    signature = job.signature if samples is None else samples.signature
    fill: Fill = plain_result
    if result is not None:
        fill = _called(result)
    elif source is not None:
        fill = _learned(package, source, signature)
    stack = contextlib.ExitStack()
    runner = stack.enter_context(package.open_runner(job.artifact.format, runtime=job.runtime, threads=threads))
    known = source if like is None else like
    inputs = input_names(known) if is_keras(known) else ()
    return PackageCallable(runner, signature, fill, _parameters(known), ignored, stack.close, inputs)


def _is_given(value: Any) -> bool:
    import numpy as np

    return is_tensor(value) or isinstance(value, np.ndarray)


def _cast(array: np.ndarray, wanted: str, name: str) -> np.ndarray:
    """The array in the model's dtype. Raises :class:`TypeError` where that would change what it is."""
    import tensorflow as tf

    given, target = tf.as_dtype(array.dtype), tf.as_dtype(wanted)
    if (given.is_floating and target.is_floating) or (given.is_integer and target.is_integer):
        return array.astype(target.as_numpy_dtype)
    raise TypeError(f"{name} is {array.dtype}, and the model takes {wanted}")


def _called(result: Callable[..., Any]) -> Fill:
    return lambda tensors: result(**tensors)


def _source_of(package: PackageDescriptor) -> Any:
    """The package's own source where it lives; else ``None``."""
    for row in package.results:
        if row.live:
            with contextlib.suppress(NavcoreError):
                return package.get_model(row.format)
    return None


def _parameters(known: Any) -> tuple[str, ...]:
    """The names of the parameters of a model's ``call``, or of a plain callable."""
    function = next(
        (one for name in ("call", "python_function", "__call__") if (one := getattr(known, name, None))), None
    )
    if function is None:
        return ()
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(
        one.name for one in found if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD and one.name != "self"
    )


def _learned(package: PackageDescriptor, source: Any, signature: Signature) -> Fill:
    """The structure of what the source returns for a sample, as ``tf.nest`` knows it.

    Raises :class:`InputError` for a result with parts that ``tf.nest`` does not look into.
    """
    import tensorflow as tf

    feeds = next(package.comparisons()).feeds
    args, kwargs = signature.bind(feeds, lambda array: from_array(array, None))
    returned = call_model(source, args, kwargs)
    leaves = flatten_result(returned, lambda value: to_array(value) is not None, parts, wanted=signature.output_names)
    names = {id(leaf): _Slot(name) for name, (_, leaf) in zip(signature.output_names, leaves, strict=True)}

    def place(leaf: Any) -> Any:
        return names.get(id(leaf)) if is_tensor(leaf) else leaf

    shape = tf.nest.map_structure(place, returned)
    if {one for one in tf.nest.flatten(shape) if isinstance(one, _Slot)} != set(signature.output_names):
        raise InputError(
            f"The source returns a {type(returned).__qualname__} with tensors that tf.nest does not find.",
            hint="Give result=, a function that makes one of the outputs, which it gets as keywords.",
        )

    def fill(tensors: Mapping[str, Any]) -> Any:
        return tf.nest.map_structure(lambda one: tensors[one] if isinstance(one, _Slot) else one, shape)

    return fill
