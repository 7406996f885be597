"""Operators that PyTorch does not bring itself: the modules that define those of a stored model are imported again."""

from __future__ import annotations

import importlib
import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from navcore import StepError

if TYPE_CHECKING:
    import torch

FACT = "operators"
"""The fact that names the modules, apart by commas, which have to be imported before the file is loaded."""

_WELL_KNOWN = {
    "quantized_decomposed": "torch.ao.quantization.fx._decomposed",
    "torchao": "torchao",
    "torchaudio": "torchaudio",
    "torchvision": "torchvision",
}
"""By namespace, who defines the operators in it; for files of which nothing was recorded."""
_PYTHON_FILE = re.compile(r"^debug: registered at (.+\.py):\d+$", re.MULTILINE)
_CALLED = re.compile(r"torch\.ops\.(\w+)\.(\w+)")
_UNKNOWN = re.compile(r"(?:Unknown builtin op:|Couldn't find an operator for)\s+(\w+::\w+)")

_Loaded = TypeVar("_Loaded")


def facts_of_program(program: torch.export.ExportedProgram) -> dict[str, str]:
    """What to record of an exported program: who defines the operators that it calls; nothing where PyTorch does."""
    graphs = [part.graph for part in program.graph_module.modules() if hasattr(part, "graph")]
    called = (
        target.name().partition(".")[0]
        for graph in graphs
        for node in graph.nodes
        if callable(getattr(target := node.target, "name", None))
    )
    return _facts(name for name in called if "::" in name)  # operators of higher order have no namespace


def facts_of_script(module: Any) -> dict[str, str]:
    """The same of a TorchScript module."""
    return _facts(_kinds(module.inlined_graph) if hasattr(module, "forward") else ())


def import_recorded(facts: Mapping[str, str]) -> None:
    """Import the modules that the export recorded.

    One that is not there is left to the loading, which says what is missing. Only files whose loading can execute code
    anyway are opened with this, so that a package of a stranger's imports nothing without ``trust=``.
    """
    for name in filter(None, facts.get(FACT, "").split(", ")):
        _import(name)


def loaded(load: Callable[[], _Loaded], called: Callable[[Exception], Iterable[str]]) -> _Loaded:
    """What ``load`` returns, at the second attempt once libraries that everybody knows have defined their operators.

    ``called`` names operators that the file calls (``"library::operator"``), given the error of the first attempt.
    Raises :class:`StepError` that names one which nobody has defined.
    """
    try:
        return load()
    except Exception as error:
        missing = _undefined(called(error))
        if not missing:
            raise
        for namespace in sorted({name.partition("::")[0] for name in missing} & set(_WELL_KNOWN)):
            _import(_WELL_KNOWN[namespace])
        if unknown := _undefined(missing):
            raise StepError(
                f"The file calls the operator {unknown[0]}, which nothing that is imported here defines.",
                hint="Install and import what defines it. A run imports it by itself where an importable module does, "
                "and not the script that was started.",
            ) from error
    return load()


def called_in_program(path: Path) -> list[str]:
    """The operators that a ``.pt2`` file calls, read from the graph in it; none of a file that is no archive."""
    found: dict[str, None] = {}
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if "/models/" in member and member.endswith(".json"):
                text = archive.read(member).decode()
                found |= dict.fromkeys("::".join(match) for match in _CALLED.findall(text))
    return list(found)


def called_in_error(error: Exception) -> list[str]:
    """The operator that TorchScript says it does not know."""
    return _UNKNOWN.findall(str(error))


def _facts(called: Iterable[str]) -> dict[str, str]:
    modules = {module for name in set(called) if (module := _definer(name)) is not None}
    return {FACT: ", ".join(sorted(modules))} if modules else {}


def _kinds(block: Any) -> Iterator[str]:
    for node in block.nodes():
        yield node.kind()
        for inner in node.blocks():
            yield from _kinds(inner)


def _definer(name: str) -> str | None:
    """The module that defines an operator ``"library::operator"``; ``None`` for PyTorch's own, or where none is known.

    Operators of C++ tell no module: those are looked for under the package that is called like their namespace.
    """
    import torch

    namespace = name.partition("::")[0]
    if namespace in ("aten", "prim", "prims", "higher_order") or not _is_defined(name):
        return None
    definition = getattr(sys.modules.get("torch._library.custom_ops"), "OPDEFS", {}).get(name)
    if definition is not None:
        function = getattr(definition, "_init_fn", None)
        return _importable(getattr(function, "__module__", None))
    place = _PYTHON_FILE.search(torch._C._dispatch_dump(name))
    if place is None:
        return namespace if namespace in sys.modules and namespace != "torch" else None
    return _importable(next((key for key, module in list(sys.modules.items()) if _file(module) == place[1]), None))


def _file(module: Any) -> str | None:
    """Where a module came from, read without asking it: one that imports on demand may fail to answer."""
    return getattr(module, "__dict__", {}).get("__file__")


def _importable(module: str | None) -> str | None:
    return None if module in (None, "__main__") else module


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception:  # an absent library, or one that does not fit this PyTorch: loading tells what is missing
        return


def _undefined(names: Iterable[str]) -> list[str]:
    return [name for name in names if not _is_defined(name)]


def _is_defined(name: str) -> bool:
    import torch

    return bool(torch._C._jit_get_schemas_for_operator(name))
