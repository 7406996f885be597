"""nav-triton: from a package to Triton Inference Server, as a model repository, a first server, and a measurement."""

from __future__ import annotations

from nav_triton.backends import Backend
from nav_triton.loops import Measured, closed_loop, open_loop
from nav_triton.measuring import ServingCost, measure
from nav_triton.repository import ServedModel, save_repository
from nav_triton.snippets import Snippet, snippet
from nav_triton.tensors import Served

__version__ = "0.1.0"

__all__ = [
    "Backend",
    "Measured",
    "Served",
    "ServedModel",
    "ServingCost",
    "Snippet",
    "closed_loop",
    "measure",
    "open_loop",
    "save_repository",
    "snippet",
]
