"""What the processor can compute in, told from /proc/cpuinfo, agrees with what OpenVINO finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from nav_openvino.processor import _why_not, why_no_bf16, why_no_fp16
from nav_openvino.silence import openvino


@pytest.mark.parametrize(
    ("machine", "flags", "precisions"),
    [
        ("x86_64", "fpu avx2 avx512f avx512_vnni", []),
        ("x86_64", "fpu avx512f avx512_bf16", ["bf16"]),
        ("x86_64", "fpu avx512_bf16 amx_bf16 avx512_fp16", ["bf16", "fp16"]),
        ("aarch64", "fp asimd fphp asimdhp", ["fp16"]),
        ("aarch64", "fp asimd bf16", []),
        ("riscv64", "rv64imafdc", []),
    ],
)
def test_the_instructions_decide(tmp_path: Path, machine: str, flags: str, precisions: list[str]) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor : 0\nflags : {flags}\n")
    assert [one for one in ("bf16", "fp16") if _why_not(one, machine, cpuinfo) is None] == precisions


def test_the_reason_names_what_is_missing(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags : fpu\n")
    assert _why_not("bf16", "x86_64", cpuinfo) == (
        "this processor has no bfloat16 instructions (avx512_bf16 or amx_bf16)"
    )
    assert _why_not("bf16", "riscv64", cpuinfo) == (
        "OpenVINO does not compute in bfloat16 on processors of type riscv64"
    )
    assert _why_not("fp16", "x86_64", tmp_path / "gone") == (
        f"{tmp_path / 'gone'} cannot be read: No such file or directory"
    )


def test_openvino_says_the_same_of_this_processor() -> None:
    found = openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert ("BF16" in found) == (why_no_bf16() is None)
    assert ("FP16" in found) == (why_no_fp16() is None)
