"""A directory of known plugins: which one to install for a format that nobody here makes. A hint, never a limit."""

from __future__ import annotations

_BRINGS = {
    "torchscript": "nav-torch",
    "torch-exportedprogram": "nav-torch",
    "torch-aotinductor": "nav-torch",
    "onnx": 'nav-torch "nav-onnx[cpu]"',
    "tf-savedmodel": "nav-tf",
    "tf-trt": "nav-tf",
    "torch-trt": "nav-trt",
    "trt": "nav-trt",
    "trt-rtx": '"nav-trt[rtx]"',
    "openvino": "nav-openvino",
    "openvino-int8": '"nav-openvino[int8]"',
}


def bringer_of(target: str) -> str:
    """What to install for ``target`` (a format's name or family), or ``""``."""
    for family, plugin in sorted(_BRINGS.items(), key=lambda pair: -len(pair[0])):
        if target == family or target.startswith(family + "-"):
            return plugin
    return ""
