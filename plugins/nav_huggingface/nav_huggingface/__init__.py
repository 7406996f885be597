"""HuggingFace for navcore: from a name, a folder or a live model of transformers to a verified package."""

from __future__ import annotations

from nav_huggingface import torch
from nav_huggingface.answering import pipeline
from nav_huggingface.carrying import convert, export_model
from nav_huggingface.exporting import export
from nav_huggingface.generator import generator

__version__ = "0.1.0"

__all__ = ["convert", "export", "export_model", "generator", "pipeline", "torch"]
