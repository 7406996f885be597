"""The Python that comes with the core and is not of it, as source text: nothing of it is imported to be judged."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

ROOT = Path(__file__).parent.parent
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_TEMPLATES = ROOT / "navcore" / "cli" / "templates" / "plugin"


@attrs.frozen
class Source:
    """One file, or the Python blocks of one page; ``package`` is the plugin to which it belongs, ``""`` for none."""

    name: str
    package: str
    tree: ast.Module = attrs.field(repr=False, eq=False)


def projects() -> dict[str, Path]:
    """The package of every plugin and of every example that is one, by its name (``nav_torch``)."""
    found = [*ROOT.glob("plugins/*/nav_*/__init__.py"), *ROOT.glob("examples/*/nav_*/__init__.py")]
    return {path.parent.name: path.parent for path in sorted(found)}


PROJECTS: Mapping[str, Path] = projects()


def plugin_names() -> set[str]:
    """The names under which the plugins are announced, ``navcore.torch``."""
    told = (tomllib.loads((folder.parent / "pyproject.toml").read_text()) for folder in PROJECTS.values())
    return {name for project in told for name in project["project"]["entry-points"]["navcore.v1"]}


def public_names(package: str) -> set[str]:
    """What a plugin's package lists in its ``__all__``."""
    for node in ast.parse((PROJECTS[package] / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(one, ast.Name) and one.id == "__all__" for one in node.targets
        ):
            return set(ast.literal_eval(node.value))
    return set()


def modules(package: str) -> dict[str, Path]:
    """Every module of a plugin by its dotted name."""
    folder = PROJECTS[package]
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def sources() -> Iterator[Source]:
    """Plugins, examples, benchmarks, what ``navcore new-plugin`` writes, and the Python of every page; no tests."""
    for package in PROJECTS:
        yield from (_file(path, package) for path in modules(package).values())
    for path in sorted([*ROOT.glob("examples/*.py"), *ROOT.glob("benchmarks/*.py")]):
        yield _file(path, "")
    for path in sorted(_TEMPLATES.glob("*.py.template")):
        filled = re.sub(r"\$\{?(\w+)\}?", r"\1", path.read_text())
        yield Source(str(path.relative_to(ROOT)), "", ast.parse(filled))
    for page in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/*/README.md")]):
        if blocks := _BLOCK.findall(page.read_text()):
            body = [node for block in blocks for node in ast.parse(block).body]
            yield Source(str(page.relative_to(ROOT)), "", ast.Module(body, []))


def _file(path: Path, package: str) -> Source:
    return Source(str(path.relative_to(ROOT)), package, ast.parse(path.read_text()))
