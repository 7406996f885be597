"""A folder with distributions as an installer leaves them, for tests of how plugins are found and loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import attrs

SMALL = """
'''nav-{name}: a small plugin.'''
from navcore import Format, converter
{upper} = Format("{name}", filename="model.{name}")
@converter("onnx", {upper})
def {name}_from_onnx(job): ...
"""


def small(name: str) -> str:
    return SMALL.format(name=name, upper=name.upper())


@attrs.frozen
class Place:
    """A folder on the path, with distributions as an installer leaves them, and a Python that looks there first."""

    path: Path

    def install(
        self,
        distribution: str,
        source: str,
        *,
        name: str = "",
        group: str = "navcore.v1",
        version: str = "1.0",
        object: str = "",
    ) -> None:
        """Distribution ``nav-x`` with the module ``nav_x``, registered as ``x`` unless ``name`` says otherwise.

        With ``object`` the entry point is ``nav_x:object``.
        """
        module = distribution.replace("-", "_")
        (self.path / f"{module}.py").write_text(dedent(source))
        info = self.path / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        entry = name or distribution.removeprefix("nav-")
        (info / "entry_points.txt").write_text(f"[{group}]\n{entry} = {module}{object and ':' + object}\n")

    def see(self, expression: str, *, before: str = "", **environment: str) -> Any:
        """The JSON of an expression over ``registry`` and ``plugins`` (by distribution), in a fresh process."""
        code = (
            "import json, navcore\n"
            "from navcore.registry import load_registry\n"
            "registry = load_registry()\n"
            "plugins = {plugin.distribution: plugin for plugin in registry.plugins}\n"
            f"{dedent(before)}\n"
            f"print()\nprint(json.dumps({expression}))"
        )
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("NAVCORE_")}
        path = [str(self.path), *filter(None, [os.environ.get("PYTHONPATH")])]
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**inherited, "PYTHONPATH": os.pathsep.join(path), **environment},
            cwd=self.path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def problem(self, distribution: str, **environment: str) -> str:
        """Why that plugin is not usable; its neighbour ``nav-fine`` has to be usable all the same."""
        self.install("nav-fine", small("fine"))
        problem, neighbour = self.see(
            f"[plugins[{distribution!r}].problem, plugins['nav-fine'].loaded]", before="", **environment
        )
        assert neighbour
        assert isinstance(problem, str)
        return problem
