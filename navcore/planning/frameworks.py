"""The reference API's ``Framework``: where a model comes from, for the frameworks whose plugins are installed."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from navcore.contract import Format
from navcore.registry import load_registry
from navcore.workspace import framework_word

_NAMES = {"pytorch": "PYT", "tensorflow2": "TF2", "onnx": "ONNX"}


def _members() -> dict[str, str]:
    words = [framework_word(format) for format in load_registry().formats if format.live is not None]
    words.append(framework_word(Format.ONNX))
    return {_NAMES.get(word, word.upper().replace("-", "_")): word for word in dict.fromkeys(words)}


_make: Any = StrEnum
Framework = _make("Framework", _members())
Framework.__doc__ = """Where a model comes from: one member per installed framework, as ``PYT``, ``TF2`` and ``ONNX``.

A member is its word in status.yaml, and what :attr:`PackageDescriptor.framework` equals. Which members there are is
settled when the name is first used.
"""
