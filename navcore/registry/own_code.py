"""What a plugin's own modules hold while it is being written, so that a result of other code is not taken for its own.

A plugin that is installed has a version. One that is installed in place, or named in ``NAVCORE_EXTRA_PLUGINS``, changes
under one version: its code is what tells its results apart.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from navcore.contract import Route

_INSTALLED = {"site-packages", "dist-packages"}
_CODE = (".py", ".so")
_AT_IMPORT: dict[str, tuple[object, str]] = {}
"""By module: its spec, which is another after a reload, and the digest of the code that this process has imported.

That may be older than what lies on the disk.
"""
_CORE = "navcore"
_Seen: TypeAlias = tuple[str, int, int]
_IMPORTS: dict[_Seen, frozenset[str]] = {}
_DIGESTS: dict[_Seen, bytes] = {}
"""By path, time of the last change and size: a file that has not moved is not read again."""


def code_of(route: Route) -> str:
    """SHA-256 of the modules that the route's plugin is made of, in hexadecimal; ``""`` for one that is installed.

    They are the package of the route's function, or its single module with the modules beside it that it imports. An
    export runs in a process that imported them some time ago: for it they count as they were then, and for what runs
    in a new process as they are now.
    """
    module = _module_of(route)
    if route.hook == "export_model" and module in _AT_IMPORT:
        return _AT_IMPORT[module][1]
    return _digest(module)


def note_import(route: Route) -> None:
    """Remember the code of a route whose module has just been imported, or imported anew."""
    module = _module_of(route)
    spec = getattr(sys.modules.get(module), "__spec__", None)
    if route.hook == "export_model" and (module not in _AT_IMPORT or _AT_IMPORT[module][0] is not spec):
        _AT_IMPORT[module] = (spec, _digest(module))


def _module_of(route: Route) -> str:
    if not route.is_answered:
        return ""
    name = getattr(route.function, "__module__", None) or ""
    top = name.partition(".")[0]
    return name if top == _CORE else top  # what navcore brings for tests and examples is no package of its own


def _digest(module: str) -> str:
    place = _place(module)
    if place is None:
        return ""
    total = hashlib.sha256()
    for path in sorted(_parts(place)):
        total.update(f"{path.relative_to(place.parent)}\0".encode())
        try:
            if (seen := _seen(path)) not in _DIGESTS:
                _DIGESTS[seen] = hashlib.sha256(path.read_bytes()).digest()
        except OSError:
            continue  # an editor replaces it just now
        total.update(_DIGESTS[seen])
    return total.hexdigest()


def _place(module: str) -> Path | None:
    """The folder of a package or the file of a module that is not installed, ``None`` for one that is."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return None
    path = Path(file).absolute()
    libraries = [Path(found) for kind in ("purelib", "platlib", "stdlib") if (found := sysconfig.get_path(kind))]
    if not _INSTALLED.isdisjoint(path.parts) or any(library in path.parents for library in libraries):
        return None
    return path.parent if path.name.startswith("__init__.") else path


def _parts(place: Path) -> Iterator[Path]:
    """Every file of code in a package; or a module and what it imports of the modules beside it, however far."""
    if place.is_dir():
        yield from (path for path in place.rglob("*") if path.suffix in _CODE and path.is_file())
        return
    found, waiting = set[Path](), [place]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for name in _imported(path):
            beside = place.parent / name
            if (module := beside.with_suffix(".py")).is_file():
                waiting.append(module)
            elif (beside / "__init__.py").is_file():
                waiting += [part for part in beside.rglob("*.py") if part not in found]
    yield from found


def _imported(path: Path) -> frozenset[str]:
    """The first parts of the names that a file imports, anywhere in it; read once as long as it stays the same."""
    try:
        key = _seen(path)
        if key not in _IMPORTS:
            _IMPORTS[key] = frozenset(_names(ast.parse(path.read_bytes())))
        return _IMPORTS[key]
    except (OSError, SyntaxError, ValueError):
        return frozenset()


def _seen(path: Path) -> _Seen:
    facts = path.stat()
    return str(path), facts.st_mtime_ns, facts.st_size


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield node.module.partition(".")[0]
