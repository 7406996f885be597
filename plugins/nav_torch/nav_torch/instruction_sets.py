"""For which processors an AOTInductor package was compiled, and whether this one is among them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from navcore import StepError, Unavailable

FACT = "processor"
"""The fact that says what a package was compiled for: ``x86_64 AVX512 AMX_TILE``."""

_METADATA = "_metadata.json"
_AGAIN = "Convert it here, from the exported program."
_FLAGS, _TORCH = "NAVCORE_COMPILER_FLAGS", "NAVCORE_TORCH"
# The compiler's flags for instruction sets, by how PyTorch calls what a processor can do.
_CAPABILITIES = {
    "avx2": "avx2", "fma": "fma3", "f16c": "f16c", "avx512f": "avx512_f", "avx512dq": "avx512_dq",
    "avx512vl": "avx512_vl", "avx512bw": "avx512_bw", "avx512vnni": "avx512_vnni", "avx512bf16": "avx512_bf16",
    "avx512fp16": "avx512_fp16", "amx-tile": "amx_tile", "amx-bf16": "amx_bf16", "amx-int8": "amx_int8",
    "amx-fp16": "amx_fp16",
}  # fmt: skip


def told_to_inductor() -> dict[str, object]:
    """Inductor's settings by which a package says for itself for which processors it is.

    Without ``-march=native`` the compiler uses the instruction sets that inductor chose, and no others.
    """
    import torch
    from torch._inductor.cpu_vec_isa import pick_vec_isa

    said = {_FLAGS: pick_vec_isa().build_arch_flags(), _TORCH: str(torch.__version__)}
    return {"cpp.march": "", "aot_inductor.metadata": said}


def metadata_of(path: Path) -> dict[str, str]:
    """What the package says of itself, read without loading any of its code.

    Raises :class:`navcore.StepError` for a file that is no AOTInductor package.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if "/aotinductor/" in name and name.endswith(_METADATA)]
            found = json.loads(archive.read(sorted(names)[0])) if names else {}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise StepError(f"{path.name} cannot be read: {error}.") from error
    if not isinstance(found, dict) or "AOTI_DEVICE_KEY" not in found:
        raise StepError(f"{path.name} is no AOTInductor package.")
    return {str(key): str(value) for key, value in found.items()}


def compiled_for(metadata: dict[str, str]) -> str:
    """The kind of processor and its instruction sets: ``x86_64 AVX512 AMX_TILE``."""
    return f"{metadata.get('AOTI_MACHINE', '')} {metadata.get('AOTI_CPU_ISA', '')}".strip()


def refuse_foreign(metadata: dict[str, str], device: str | None) -> None:
    """Raise :class:`navcore.Unavailable` for a package that this machine cannot run, before any of it is loaded.

    Its code would end the process by an illegal instruction. ``device`` is where it was asked to run.
    """
    import platform

    import torch

    machine = metadata.get("AOTI_MACHINE", "")
    if machine != platform.machine():
        raise Unavailable(f"It was compiled for processors of type {machine}, and this one is {platform.machine()}.")
    has = torch.cpu.get_capabilities()
    used = [flag.removeprefix("-m") for flag in metadata.get(_FLAGS, "").split()]
    lacking = [flag for flag in used if flag in _CAPABILITIES and not has.get(_CAPABILITIES[flag], False)]
    if lacking:
        raise Unavailable(
            f"It was compiled for a processor with {metadata.get('AOTI_CPU_ISA')}, and this one has no "
            f"{', '.join(lacking)}.",
            hint=_AGAIN,
        )
    if (made_with := metadata.get(_TORCH, here := str(torch.__version__))) != here:
        raise Unavailable(f"It was compiled with PyTorch {made_with}, and this is {here}.", hint=_AGAIN)
    place = metadata["AOTI_DEVICE_KEY"]
    if device is not None and device.partition(":")[0] != place:
        raise Unavailable(f"It was compiled for the device {place!r}, and the run asks for {device!r}.")
