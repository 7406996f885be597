"""The element types of ONNX under their numpy names."""

from __future__ import annotations

_NUMPY_NAMES = {
    "float": "float32",
    "double": "float64",
    "string": "object",
    "float8e4m3fn": "float8_e4m3fn",
    "float8e4m3fnuz": "float8_e4m3fnuz",
    "float8e5m2": "float8_e5m2",
    "float8e5m2fnuz": "float8_e5m2fnuz",
}

REINTERPRETED = {
    "tensor(bfloat16)": 16,
    "tensor(float8e4m3fn)": 17,
    "tensor(float8e4m3fnuz)": 18,
    "tensor(float8e5m2)": 19,
    "tensor(float8e5m2fnuz)": 20,
}
"""ONNX Runtime's names of the types that its numpy bridge refuses, with their codes in ``onnx.TensorProto``."""


def numpy_name(element: str) -> str:
    """The numpy (or ml_dtypes) name of an ONNX element type: ``"FLOAT"``, ``"float"`` and ``"tensor(float)"`` alike."""
    plain = element.lower().removeprefix("tensor(").removesuffix(")")
    return _NUMPY_NAMES.get(plain, plain)
