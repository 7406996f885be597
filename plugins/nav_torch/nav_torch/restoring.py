"""Hold a live module in the state that an export or a run needs, and put back what was there, whatever happens."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from nav_torch.remembering import remembered
from nav_torch.subject import unwrapped
from navcore import OptionError, SourceError, Unavailable
from navcore.errors import first_line

if TYPE_CHECKING:
    import torch

LOGGER_NAME = "nav_torch"
_CHATTY = ("torch.onnx", "torch._export", "onnxscript")


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode; the training flag of every submodule comes back as it was.

    A module that ``torch.export`` made was captured in one mode, which it cannot leave.
    """
    flags = [(module, module.training) for module in model.modules()]
    with suppress(NotImplementedError):
        model.eval()
    try:
        yield
    finally:
        for module, flag in flags:
            module.training = flag


def home(model: torch.nn.Module) -> str:
    """The device of the module's first parameter or buffer; ``cpu`` for a module without any."""
    for tensors in (model.parameters(), model.buffers()):
        for tensor in tensors:
            return str(tensor.device)
    return "cpu"


def usable_device(name: str) -> torch.device:
    """The device of that name.

    Raises :class:`OptionError` for none that PyTorch knows, :class:`Unavailable` for one that this machine, or this
    build of PyTorch, does not have.
    """
    import torch

    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise OptionError(f"PyTorch knows no device {name!r}.", hint="Give one such as 'cpu' or 'cuda:0'.") from error
    if device.type == "meta":  # a model that was moved there has lost its weights
        raise OptionError(f"The device {name!r} holds no numbers.", hint="Give one such as 'cpu' or 'cuda:0'.")
    try:
        torch.empty(0, device=device)
    except Exception as error:  # RuntimeError, AssertionError or NotImplementedError, by device and build
        raise Unavailable(f"The device {name!r} cannot be used here: {first_line(error)}") from error
    return device


@contextmanager
def placed(model: torch.nn.Module, device: str | None) -> Iterator[str]:
    """The module on ``device`` (``None``: where it is), moved back afterwards; yields the device for its inputs.

    A module that is spread over several devices stays as it is.
    """
    import torch

    here = home(model)
    if torch.device(here).type == "meta":
        raise SourceError("The model is on the device 'meta', which holds no numbers.", hint="Load its weights first.")
    places = {tensor.device for tensors in (model.parameters(), model.buffers()) for tensor in tensors}
    there = usable_device(device or here)
    now = torch.device(here)
    same = there.type == now.type and there.index in (None, now.index)
    if len(places) != 1 or same:
        yield here if places else str(there)
        return
    try:
        model.to(there)
        yield str(there)
    finally:
        model.to(now)


@contextmanager
def threads(count: int | None) -> Iterator[int]:
    """Compute threads of PyTorch, process-wide, set back afterwards; ``None`` leaves them. Yields the number in use."""
    import torch

    before = torch.get_num_threads()
    if count is None or count == before:
        yield before
        return
    torch.set_num_threads(count)
    try:
        yield count
    finally:
        torch.set_num_threads(before)


@contextmanager
def in_parts() -> Iterator[None]:
    """Attention and transformer layers computed step by step, process-wide, set back afterwards.

    In evaluation mode PyTorch computes each of them by one fused operator, which a record of the call would hold, and
    for which ONNX has nothing.
    """
    import torch

    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


@contextmanager
def hushed() -> Iterator[None]:
    """Keep deprecation notices and progress records of the exporters from the user; the rest goes to our log."""
    import logging

    levels = [(name, logging.getLogger(name).level) for name in _CHATTY]
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for name, _ in levels:
                logging.getLogger(name).setLevel(logging.ERROR)
            yield
    finally:
        for name, level in levels:
            logging.getLogger(name).setLevel(level)
        log = logging.getLogger(LOGGER_NAME)
        for warning in caught:
            if not issubclass(warning.category, DeprecationWarning | FutureWarning):
                log.info("%s:%d: %s", warning.filename, warning.lineno, warning.message)


@contextmanager
def exporting(
    model: torch.nn.Module, device: str | None, count: int | None, *, training: bool = False
) -> Iterator[str]:
    """Everything an export asks of its surroundings at once; yields the device for the example.

    Nothing compiled, no gradients, no autocast (its mixed types make invalid graphs), evaluation mode (``training``
    leaves the mode), no noise. A module made under ``inference_mode`` is exported under it, because its tensors cannot
    be captured outside.
    """
    import torch

    with ExitStack() as stack:
        stack.enter_context(threads(count))
        stack.enter_context(hushed())
        stack.enter_context(remembered(model))
        stack.enter_context(unwrapped(model))
        if not training:
            stack.enter_context(evaluating(model))
        place = stack.enter_context(placed(model, device))
        born_frozen = any(tensor.is_inference() for tensor in _tensors(model))
        stack.enter_context(torch.inference_mode() if born_frozen else torch.no_grad())
        for kind in {"cpu", torch.device(place).type}:
            stack.enter_context(torch.autocast(kind, enabled=False))
        yield place


def _tensors(model: torch.nn.Module) -> Iterator[Any]:
    """The weights and buffers that are there; a lazy module has none yet."""
    import torch

    for tensor in (*model.parameters(), *model.buffers()):
        if not torch.nn.parameter.is_lazy(tensor):
            yield tensor
