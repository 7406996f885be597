"""A stored model in place of its source: a module that is called as the source is, and returns what it returns."""

from __future__ import annotations

import contextlib
import functools
import inspect
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from nav_torch.live import from_array, host_array, is_tensor
from nav_torch.result_shape import Fill, shape_of
from navcore import Format, NavcoreError, Signature
from navcore.contract import plain_result, read_call

if TYPE_CHECKING:
    import numpy as np
    import torch

    from navcore import PackageDescriptor


def as_module(
    package: PackageDescriptor,
    format: Format | str,
    *,
    jit_type: str | None = None,
    precision: str | None = None,
    runtime: str | None = None,
    threads: int | None = None,
    like: torch.nn.Module | type[torch.nn.Module] | None = None,
    result: Callable[..., Any] | None = None,
    ignored: Sequence[str] = (),
) -> torch.nn.Module:
    """A module that runs a stored model of ``package`` and stands where its source stood.

    It takes the source's arguments and returns the source's result: tensors on the device of the first one that was
    handed in, of the dtypes that the source has for them; where a floating-point input comes in another floating-point
    type it is converted, and the results are in that type. Memory is shared where the runtime allows. It computes no
    gradients.

    Args:
        package: of a run, or loaded.
        format: which model; ``jit_type``, ``precision`` and ``runtime`` as for ``package.open_runner``.
        jit_type: see ``format``.
        precision: see ``format``.
        runtime: see ``format``; by default the fastest that is ok.
        threads: compute threads, by default the runtime's own choice.
        like: the source, or a module or class like it: its ``forward`` tells the names of parameters, so that
            arguments may be given by position or by name, and a module answers for attributes that this one does not
            have, such as ``config``. By default the package's own source, as long as it lives.
        result: makes the result of the outputs, which it gets as keywords. Without it and without a living source the
            names of the outputs tell: ``output__0`` is a tensor, ``output__0``, ``output__1`` a tuple, else a dict.
        ignored: names of arguments that the application passes, whose values change nothing here (``return_dict``).

    ``close()`` releases the model, and so does the end of the module. Raises what ``package.open_runner`` raises, and
    :class:`InputError` when results like the source's cannot be made. A call raises :class:`TypeError` for arguments
    that were not there, or were others, when the model was exported.
    """
    source = _source_of(package)
    job = package.runner_job(format, jit_type, precision, runtime)
    fill: Fill | None = None
    if result is not None:
        fill = functools.partial(_called_with, result)
    elif source is not None:
        fill = _learned(package, source)
    stack = contextlib.ExitStack()
    runner = stack.enter_context(package.open_runner(job.artifact.format, runtime=job.runtime, threads=threads))
    known = source if like is None else like
    samples = package.record.samples
    signature = job.signature if samples is None else samples.signature
    call = _Call(runner, signature, fill or plain_result, _parameters(known), frozenset(ignored))
    return _class()(call, known if not isinstance(known, type) else None, stack.close)


def _called_with(result: Callable[..., Any], tensors: Mapping[str, Any]) -> Any:
    return result(**tensors)


def _source_of(package: PackageDescriptor) -> Any:
    """The package's own source where it lives and is a module; else ``None``."""
    import torch

    for row in package.results:
        if row.live:
            with contextlib.suppress(NavcoreError):
                model = package.get_model(row.format)
                return model if isinstance(model, torch.nn.Module) else None
    return None


def _parameters(known: Any) -> tuple[str, ...]:
    forward = getattr(known, "forward", None)
    if forward is None:
        return ()
    try:
        names = [
            one.name
            for one in inspect.signature(forward).parameters.values()
            if one.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
        ]
    except (TypeError, ValueError):
        return ()
    return tuple(names[1:] if isinstance(known, type) else names)


def _learned(package: PackageDescriptor, source: Any) -> Fill:
    """The structure of what the source returns for a sample."""
    import torch

    samples = package.record.samples
    assert samples is not None  # the package has a row
    feeds = next(package.comparisons()).feeds
    weight = next((one for one in (*source.parameters(), *source.buffers())), None)
    device = None if weight is None else str(weight.device)
    args, kwargs = samples.signature.bind(feeds, lambda array: from_array(array, device))
    training = source.training
    try:
        source.eval()
        with torch.no_grad():
            return shape_of(source(*args, **kwargs), samples.signature.output_names)
    finally:
        source.train(training)


@attrs.define(eq=False, slots=True)
class _Call:
    """Tensors in, result out. ``only`` is the input of a model that takes one tensor by position, ``plain`` its dtype.

    Such a call is the quickest: one plain tensor of that dtype goes through in a few microseconds.
    """

    runner: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
    signature: Signature
    fill: Fill
    parameters: tuple[str, ...]
    ignored: frozenset[str]
    dtypes: Mapping[str, torch.dtype] = attrs.field(init=False)
    only: str | None = attrs.field(init=False)
    plain: torch.dtype | None = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        import torch

        self.dtypes = {spec.name: getattr(torch, spec.dtype) for spec in self.signature.inputs}
        call = self.signature.call
        plain = len(call["args"]) == 1 and not call["kwargs"] and "tensor" in call["args"][0]
        self.only = call["args"][0]["tensor"] if plain else None
        self.plain = None if self.only is None else self.dtypes[self.only]

    def __call__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if self.only is not None and len(args) == 1 and not kwargs and getattr(args[0], "dtype", None) is self.plain:
            try:
                array = args[0].numpy()
            except (AttributeError, RuntimeError, TypeError):  # no tensor, with gradients, or elsewhere
                return self._any(args, kwargs)
            outputs = self.runner({self.only: array})
            return self.fill({name: _tensor(outputs[name]) for name in outputs})
        return self._any(args, kwargs)

    def _any(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if self.only is not None and len(args) == 1 and not kwargs and is_tensor(args[0]):
            tensors = {self.only: args[0]}
        else:
            asked = {name: value for name, value in kwargs.items() if name not in self.ignored}
            tensors = read_call(self.signature.call, args, asked, is_tensor, self.parameters)
        feeds, floats = {}, None
        for name, tensor in tensors.items():
            wanted = self.dtypes[name]
            if tensor.dtype != wanted:
                if tensor.dtype.is_floating_point:
                    floats = floats or tensor.dtype
                tensor = _cast(tensor, wanted, name)
            feeds[name] = _shared(tensor)
        device = next(iter(tensors.values())).device
        outputs = {name: _tensor(array) for name, array in self.runner(feeds).items()}
        if floats is not None or device.type != "cpu":
            outputs = {name: _like(tensor, device, floats) for name, tensor in outputs.items()}
        return self.fill(outputs)


def _cast(tensor: torch.Tensor, wanted: torch.dtype, name: str) -> torch.Tensor:
    """The tensor in the model's dtype. Raises :class:`TypeError` where that would change what it is."""
    import torch

    whole = not (tensor.dtype.is_floating_point or tensor.dtype.is_complex or tensor.dtype == torch.bool)
    same = tensor.dtype.is_floating_point and wanted.is_floating_point
    if same or (whole and not wanted.is_floating_point and wanted != torch.bool and not wanted.is_complex):
        return tensor.to(wanted)
    raise TypeError(f"{name} is {tensor.dtype}, and the model takes {wanted}")


def _shared(tensor: torch.Tensor) -> np.ndarray:
    """The values on the host, in the tensor's own memory where they are there and plain."""
    try:
        return tensor.numpy()
    except (RuntimeError, TypeError):  # it needs gradients, is elsewhere, or numpy does not know its type
        return host_array(tensor)


def _tensor(array: np.ndarray) -> torch.Tensor:
    """A tensor in the array's memory, which is the caller's to keep, where PyTorch can have it so."""
    if array.flags.writeable:
        try:
            return _from_numpy()(array)
        except (TypeError, ValueError):  # a type that numpy alone does not know, or negative strides
            pass
    tensor: torch.Tensor = from_array(array)
    return tensor


@functools.cache
def _from_numpy() -> Callable[[np.ndarray], torch.Tensor]:
    import torch

    return torch.from_numpy


def _like(tensor: torch.Tensor, device: torch.device, floats: torch.dtype | None) -> torch.Tensor:
    return tensor.to(device, floats if tensor.dtype.is_floating_point else None)


@functools.cache
def _class() -> Callable[[_Call, Any, Callable[[], None]], torch.nn.Module]:
    import torch

    class PackageModule(torch.nn.Module):
        """A stored model of a package that stands where its source stood; see :func:`nav_torch.as_module`."""

        def __init__(self, call: _Call, like: Any, close: Callable[[], None]) -> None:
            super().__init__()
            self._call = call
            self._like = (like,)  # in a tuple, so that it is no part of this module
            self._finalizer = weakref.finalize(self, close)
            self.eval()

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            """What the source's ``forward`` takes and returns."""
            return self._call(args, kwargs)

        def close(self) -> None:
            """Release the model."""
            self._finalizer()

        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                like = self.__dict__.get("_like", (None,))[0]
                if like is None or name.startswith("__"):
                    raise
            return getattr(like, name)

    return PackageModule
