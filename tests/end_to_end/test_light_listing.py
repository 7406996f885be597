"""Listing plugins, routes and formats imports no framework, whatever is installed."""

from __future__ import annotations

import json
import subprocess
import sys

FRAMEWORKS = ("torch", "tensorflow", "keras", "onnx", "onnxruntime", "openvino", "tensorrt", "polygraphy", "rich")

LISTING = """
import json, sys
from navcore.registry import load_registry

registry = load_registry()
assert {"navcore", "onnx", "torch"} <= {plugin.name for plugin in registry.plugins if plugin.loaded}
[str(route) + route.who + repr(route.options) for route in registry.routes]
[str(format) + format.summary for format in registry.formats]
print(json.dumps(sorted(sys.modules)))
"""


def test_listing_the_plugins_imports_no_framework() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", LISTING], capture_output=True, text=True, check=True)

    assert set(json.loads(done.stdout.splitlines()[-1])).isdisjoint(FRAMEWORKS)
