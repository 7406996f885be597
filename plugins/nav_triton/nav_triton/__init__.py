"""nav-triton: from a package to Triton Inference Server, as a model repository, a first server, and a measurement."""

from __future__ import annotations

from nav_triton.backends import Backend
from nav_triton.repository import ServedModel, save_repository
from nav_triton.tensors import Served

__version__ = "0.1.0"

__all__ = [
    "Backend",
    "Served",
    "ServedModel",
    "save_repository",
]
