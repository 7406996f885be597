"""Capture in strict mode with one ``Dim`` per symbol, and without it where that fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from nav_torch.axes import Reach
from nav_torch.blame import cause_line
from nav_torch.capture import captured, dynamic_shapes, reached
from nav_torch.flat import python_signature
from nav_torch.relations import related_dims
from nav_torch.restoring import LOGGER_NAME
from navcore import ExportError, Signature, available_memory

if TYPE_CHECKING:
    import torch

_FIXES = "Suggested fixes:"


@attrs.frozen(eq=False)
class Capture:
    """A program, and what to tell the user about how it was captured."""

    program: torch.export.ExportedProgram
    notes: tuple[str, ...] = ()


def captured_strictly(flat: torch.nn.Module, tensors: tuple[torch.Tensor, ...], signature: Signature) -> Capture:
    """The graph of the flattened module in strict mode; the non-strict one, with a note, where strict mode fails.

    Strict mode follows a size that the model reads as a number (``int(x.shape[0])``), where the non-strict one pins it
    to the example's; what is pinned is therefore offered to strict mode as free first. Strict mode refuses a ``Dim``
    whose range is wider than the model allows (a sequence without bound over a table of 512 positions), and costs
    three to four times a non-strict capture. The cheap one therefore comes first: it learns the bounds, so that the
    strict one is mostly tried once only, and it is there already when that fails.

    Raises :class:`ExportError` when neither mode captures the model.
    """
    refusal: ExportError | None = None
    loose: torch.export.ExportedProgram | None = None
    reach: dict[str, Reach] = {}
    try:
        loose = captured(flat, tensors, signature)
        reach = reached(loose, signature)
    except ExportError as error:
        refusal = error
    if (program := captured_freely(flat, tensors, signature, reach)) is not None:
        return Capture(program)
    try:
        return Capture(_capture(flat, tensors, signature, reach))
    except Exception as error:
        if loose is None:
            assert refusal is not None, "without a program there is an error"
            raise refusal from error
        return Capture(loose, (_told(error),))


def captured_freest(
    flat: torch.nn.Module, tensors: tuple[torch.Tensor, ...], signature: Signature
) -> torch.export.ExportedProgram:
    """The graph without strict mode, or in it where that leaves axes free which the loose one pins.

    Strict mode also follows where the other fails, as on a size that the model reads as a number to compare it. Raises
    :class:`ExportError` when neither captures the model.
    """
    try:
        program = captured(flat, tensors, signature)
    except ExportError as refusal:
        try:
            return _capture(flat, tensors, signature, {})
        except Exception:
            raise refusal from refusal.__cause__
    free = captured_freely(flat, tensors, signature, reached(program, signature))
    return program if free is None else free


def captured_freely(
    flat: torch.nn.Module, tensors: tuple[torch.Tensor, ...], signature: Signature, reach: Mapping[str, Reach]
) -> torch.export.ExportedProgram | None:
    """The graph in strict mode with axes free that a loose capture pinned: all of them, or the batch axis alone.

    ``None`` where nothing is pinned, or the model really fixes it.
    """
    pinned = [symbol for symbol, reached_sizes in reach.items() if reached_sizes.size is not None]
    batch = [symbol for symbol in pinned if signature.batch_dim is not None and symbol == signature.batch_symbol]
    for freed in dict.fromkeys((tuple(pinned), tuple(batch))):
        if not freed:
            continue
        try:
            return _capture(
                flat, tensors, signature, {symbol: reach[symbol] for symbol in reach if symbol not in freed}
            )
        except Exception as error:
            logging.getLogger(LOGGER_NAME).info("strict capture with %s free: %s", ", ".join(freed), cause_line(error))
    return None


def _capture(
    flat: torch.nn.Module, tensors: tuple[torch.Tensor, ...], signature: Signature, reach: Mapping[str, Reach]
) -> torch.export.ExportedProgram:
    import torch

    shapes = dynamic_shapes(signature, shared_dims(signature, reach))
    with _leaving_nothing(), _sharing_weights(flat):
        return torch.export.export(flat, tensors, dynamic_shapes=shapes, strict=True)


def shared_dims(signature: Signature, reach: Mapping[str, Reach]) -> dict[str, Any]:
    """A ``Dim`` for every input axis symbol that moves, over all sizes that the model takes, not just the data's.

    From 1, unless the axis was asked to reach 0. Symbols that are no Python names, or differ in nothing else, are
    made into distinct identifiers; one that follows from another (``4*time``) is derived from its ``Dim``.
    """
    import torch

    symbols = dict.fromkeys(size for spec in signature.inputs for size in spec.shape if isinstance(size, str))
    names = list(python_signature(tuple(symbols)).parameters)[1:]
    dims: dict[str, Any] = {}
    for symbol, name in zip(symbols, names, strict=True):
        allowed = reach.get(symbol, Reach(0, None))
        if allowed.size is None:
            least = max(allowed.low, min(1, signature.axis(symbol).minimum))
            dims[symbol] = torch.export.Dim(name, min=least, max=allowed.high)
    return related_dims(dims)


def _told(error: Exception) -> str:
    """One sentence on why strict mode failed: the rule that the sizes follow, where that is the reason."""
    _, found, fixes = str(error).partition(_FIXES)
    rules = [line.strip() for line in fixes.strip().split("\n\n")[0].splitlines() if " = Dim(" not in line]
    if found and rules:
        return f"torch.export: captured without strict mode, because the model ties its sizes: {'; '.join(rules)}."
    return f"torch.export: captured without strict mode, which fails: {cause_line(error)}"


@contextmanager
def _sharing_weights(flat: torch.nn.Module) -> Iterator[None]:
    """Let strict mode look at the weights themselves, of all of which it would keep a copy while it captures.

    The copies guard against code that writes into weights while it is captured, which no export survives anyway.
    Raises :class:`MemoryError` where this PyTorch does not let itself be told and the copies would not fit.
    """
    from torch._dynamo.variables import builder

    own = {id(tensor) for tensor in (*flat.parameters(), *flat.buffers())}
    copied = getattr(builder, "_clone_input", None)
    if copied is None:
        _refuse_copies(flat)
        yield
        return
    builder._clone_input = lambda value, *rest: value if id(value) in own else copied(value, *rest)
    try:
        yield
    finally:
        builder._clone_input = copied


def _refuse_copies(flat: torch.nn.Module) -> None:
    needed = sum(tensor.nbytes for tensor in (*flat.parameters(), *flat.buffers()))
    free = available_memory()
    if free is not None and needed > free / 2:
        raise MemoryError(f"strict mode copies the weights ({needed / 1e9:.1f} GB), and {free / 1e9:.1f} GB are free")


@contextmanager
def _leaving_nothing() -> Iterator[None]:
    """Keep a strict capture from printing the failure that is forgiven, and from holding on to the model.

    What strict mode compiles stays in the globals of the function it compiled, a function of torch's own: with it the
    weights would live as long as the process. A table of the last capture's graph, which may name the class of the
    model, is emptied as the next capture would.
    """
    from torch._dynamo import functional_export
    from torch.fx.experimental import proxy_tensor

    kept = vars(functional_export)
    before = set(kept)
    log = logging.getLogger("torch._guards")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
        for name in set(kept) - before:
            if name.startswith("__compiled_fn"):
                del kept[name]
        getattr(proxy_tensor, "_FAKE_TENSOR_ID_TO_PROXY_MAP_FOR_EXPORT", {}).clear()
