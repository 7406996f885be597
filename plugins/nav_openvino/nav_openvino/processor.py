"""What the processor can compute in, as far as it can be told without loading OpenVINO."""

from __future__ import annotations

import platform
from pathlib import Path

from nav_openvino.silence import why_no_openvino

# The instructions by which OpenVINO's CPU device has a type in hardware, as /proc/cpuinfo calls them. OpenVINO itself
# is asked once it is loaded, see nav_openvino.runtime: this is only so that a plan need not load it.
_INSTRUCTIONS = {
    ("bf16", "x86_64"): ("avx512_bf16", "amx_bf16"),
    ("fp16", "x86_64"): ("avx512_fp16", "amx_fp16"),
    ("fp16", "aarch64"): ("asimdhp",),
}
_NAMES = {"bf16": "bfloat16", "fp16": "float16"}


def why_no_bf16() -> str | None:
    """``None`` where OpenVINO can compute in bfloat16 on this processor, else the reason why not."""
    return why_no_openvino() or _why_not("bf16", platform.machine())


def why_no_fp16() -> str | None:
    """``None`` where OpenVINO can compute in float16 on this processor, else the reason why not."""
    return why_no_openvino() or _why_not("fp16", platform.machine())


def _why_not(precision: str, machine: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    wanted = _INSTRUCTIONS.get((precision, machine))
    if wanted is None:
        return f"OpenVINO does not compute in {_NAMES[precision]} on processors of type {machine}"
    try:
        found = set(cpuinfo.read_text().split())
    except OSError as error:
        return f"{cpuinfo} cannot be read: {error.strerror}"
    if found.intersection(wanted):
        return None
    return f"this processor has no {_NAMES[precision]} instructions ({' or '.join(wanted)})"
