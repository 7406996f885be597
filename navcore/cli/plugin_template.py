"""Writes the project of a new plugin, one that works and passes the conformance kit as it stands."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from navcore import __version__
from navcore.contract import Format
from navcore.errors import InputError, NavcoreError, OptionError
from navcore.registry import candidates, is_reserved

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_TEMPLATES = "templates/plugin"
_SUFFIX = ".template"


KINDS = ("live", "converter", "source", "runner", "profiler")
"""What a plugin can begin with: the live models of a framework, a format made of another, a file format that runs start
from, a further runtime of a format, a clock."""
_STARTING = ("converter", "runner")
USUAL_SOURCE = "onnx"


def write_plugin(
    name: str, folder: Path | None = None, *, kind: str = "live", source: str | None = None
) -> tuple[Path, ...]:
    """Write the project of the plugin ``name`` into ``folder``, by default ``nav-NAME`` in the current folder.

    ``kind`` is one of :data:`KINDS`; ``source`` is the format that a converter starts from and a runner runs, by
    default ``onnx``. Returns the files. Raises :class:`OptionError` for a name that cannot be a plugin's, and for a
    source where the kind has no use for one, and :class:`InputError` for a folder that is there and not empty: nothing
    is ever overwritten.
    """
    words = {**_words(name), **_source_words(kind, source)}
    folder = Path(words["distribution"]) if folder is None else folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists already.", hint="Name a folder that does not, or is empty.")
    places = {
        "pyproject.toml": folder / "pyproject.toml",
        f"README_{kind}.md": folder / "README.md",
        f"{kind}.py": folder / words["module"] / "__init__.py",
        "test_conformance.py": folder / "tests" / "test_conformance.py",
    }
    templates = files("navcore.cli").joinpath(_TEMPLATES)
    for template, path in places.items():
        text = templates.joinpath(template + _SUFFIX).read_text(encoding="utf-8")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(text).substitute(words), encoding="utf-8")
    typed = folder / words["module"] / "py.typed"
    typed.touch()
    return (*places.values(), typed)


def _source_words(kind: str, source: str | None) -> Mapping[str, str]:
    if kind not in KINDS:
        raise OptionError(f"{kind!r} is no kind of plugin.", hint=f"Kinds: {', '.join(KINDS)}.")
    if source is not None and kind not in _STARTING:
        raise OptionError(
            f"A plugin of the kind {kind!r} starts from no other format.",
            hint=f"Leave out --from, or choose a kind that does: {', '.join(_STARTING)}.",
        )
    source = source or USUAL_SOURCE
    try:
        Format(source)
    except NavcoreError as error:
        raise OptionError(
            f"{source!r} cannot name a format: {error}", hint="navcore formats lists those here."
        ) from error
    return {"source": source, "source_name": re.sub(r"\W+", "_", source)}


def _words(name: str) -> Mapping[str, str]:
    """What the templates call things. Raises :class:`OptionError` for a name that cannot be a plugin's."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise OptionError(
            f"{name!r} cannot name a plugin.",
            hint="Use lower-case letters, digits and single underscores, a letter first: my_format.",
        )
    if is_reserved(name):
        raise OptionError(f"navcore.{name} is part of navcore itself.", hint="Choose another name for the plugin.")
    for taken in candidates():
        if taken.name == name:
            who = f"{taken.distribution} {taken.version}".rstrip()
            raise OptionError(f"{who} already brings a plugin named {name!r}.", hint="Choose another name.")
    dashed = name.replace("_", "-")
    major, minor, *_ = __version__.split(".")
    return {
        "name": name,
        "format": dashed,
        "module": f"nav_{name}",
        "distribution": f"nav-{dashed}",
        "navcore": f"{major}.{minor}",
        "next": f"{major}.{int(minor) + 1}" if major == "0" else str(int(major) + 1),
    }
