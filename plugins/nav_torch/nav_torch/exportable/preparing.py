"""Prepare a model for its export in the order of the reference page, and bring its modes back whatever happens."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from nav_torch.exportable.hooks import blaming, class_name, end_module, has_hook, read_hook, taken, told_error
from nav_torch.restoring import LOGGER_NAME
from navcore import ExportError, NavcoreError

if TYPE_CHECKING:
    pass

_PREPARE = "_prepare_for_export"
_TEARDOWN = "_export_teardown"


@contextmanager
def stage(model: Any, name: str) -> Iterator[None]:
    """Put ``Class.export (stage)`` before every error; what is not navcore's becomes an :class:`ExportError`."""
    caller = f"{class_name(model)}.export"
    who = f"{caller} ({name})"
    try:
        yield
    except NavcoreError as error:
        if not error.who.startswith(caller):
            error.who = f"{who}: {error.who}" if error.who else who
        raise
    except Exception as error:
        raise ExportError(told_error("", error).removeprefix(": "), who=who) from error


@contextmanager
def prepared(model: Any, arguments: Mapping[str, Any], *, set_eval: bool) -> Iterator[None]:
    """The model in evaluation mode without gradients (``set_eval``), after ``_prepare_for_export``.

    Nested modules with the hook come first, children before their parents, each once and with ``noreplace=True``; the
    model's own hook is called last and once. A hook is passed those of ``arguments`` that it takes. What hooks change
    in the model stays, training flags and ``requires_grad`` come back, and ``_export_teardown`` is called on every
    module whose hook was begun, last first. Meanwhile NeMo's check of types is off.
    """
    begun: list[Any] = []
    failed = True
    with _modes_kept(model), nemo_lenient():
        try:
            with stage(model, "prepare"):
                if set_eval:
                    _freeze(model)
                for module in _nested(model):
                    begun.append(module)
                    _call(module, _PREPARE, {**arguments, "noreplace": True})
                begun.append(model)
                _call(model, _PREPARE, arguments)
                if set_eval:
                    _freeze(model)  # modules that the hook brought
            yield
            failed = False
        finally:
            _tear_down(model, begun, quietly=failed)


@contextmanager
def nemo_lenient() -> Iterator[None]:
    """NeMo's ``typecheck`` off, and Lightning's properties as for TorchScript, as NeMo's own export has them.

    Only where the program has imported these: they are never imported here.
    """
    with ExitStack() as stack:
        common = sys.modules.get("nemo.core.classes.common")
        if common is not None:
            before = getattr(common, "is_typecheck_enabled", lambda: True)()
            stack.callback(common.typecheck.set_typecheck_enabled, enabled=before)
            common.typecheck.set_typecheck_enabled(enabled=False)
        lightning = sys.modules.get("lightning.pytorch.core.module")
        scripting = getattr(lightning, "_jit_is_scripting", None)
        if scripting is not None:
            stack.enter_context(scripting())
        yield


def _nested(model: Any) -> list[Any]:
    """The modules below the model that have the hook, children before their parents."""
    found: dict[int, Any] = {}

    def visit(module: Any) -> None:
        for child in module.children():
            visit(child)
            if has_hook(child, _PREPARE):
                found.setdefault(id(child), child)

    visit(model)
    found.pop(id(model), None)
    return list(found.values())


def _call(module: Any, name: str, arguments: Mapping[str, Any]) -> None:
    hook = getattr(module, name)
    with blaming(module, name):
        hook(**taken(hook, arguments))


def _tear_down(model: Any, begun: list[Any], *, quietly: bool) -> None:
    """Call every teardown, also after one that fails; raise the first failure unless ``quietly``."""
    problem: NavcoreError | None = None
    for module in reversed(begun):
        if not has_hook(module, _TEARDOWN):
            continue
        try:
            with stage(model, "teardown"):
                _call(module, _TEARDOWN, {})
        except NavcoreError as error:
            logging.getLogger(LOGGER_NAME).warning("%s", error)
            problem = problem or error
    if problem is not None and not quietly:
        raise problem


def _freeze(model: Any) -> None:
    for part in dict.fromkeys((model, end_module(model, "input"), end_module(model, "output"))):
        part.eval()
        for parameter in part.parameters():
            # Made under inference_mode, it has no gradient, and the flag could not be set back outside of it.
            if parameter.requires_grad and not parameter.is_inference():
                parameter.requires_grad_(False)


@contextmanager
def _modes_kept(model: Any) -> Iterator[None]:
    """Bring back the training flags, ``requires_grad`` and whether gradients are recorded.

    A module that came meanwhile gets the model's flag.
    """
    import torch

    with stage(model, "prepare"):
        ends = [read_hook(model, name, model) for name in ("input_module", "output_module")]
    parts = [part for part in dict.fromkeys((model, *ends)) if isinstance(part, torch.nn.Module)]
    flags = {id(module): (module, module.training) for part in parts for module in part.modules()}
    wanted = [(parameter, parameter.requires_grad) for part in parts for parameter in part.parameters()]
    try:
        with torch.set_grad_enabled(torch.is_grad_enabled()):
            yield
    finally:
        newcomers = [module for part in parts for module in part.modules() if id(module) not in flags]
        for module, flag in flags.values():
            module.training = flag
        for module in newcomers:
            module.training = model.training
        for parameter, flag in wanted:
            if parameter.requires_grad != flag:
                parameter.requires_grad_(flag)
