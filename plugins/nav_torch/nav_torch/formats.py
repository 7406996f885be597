"""The formats that PyTorch reads and writes by itself."""

from __future__ import annotations

import shutil
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nav_torch.live import device, from_array, state, to_array
from nav_torch.operators import called_in_error, called_in_program, loaded
from nav_torch.own_data import own_data
from nav_torch.tensor_places import member_regions
from navcore import Format, InputError, JitType, Live, StepError


def load_torchscript(path: Path, device: str | None = None) -> Any:
    """Open a TorchScript file on ``device``; by default where it was saved, or on the CPU where there is no GPU.

    Raises :class:`navcore.StepError` for one that calls an operator which nothing that is imported defines.
    """
    import torch

    place = device or (None if torch.cuda.is_available() else "cpu")

    def load() -> Any:
        return torch.jit.load(str(path), map_location=place)  # type: ignore[no-untyped-call]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return loaded(load, called_in_error)


def copy_torchscript(source: Path, target: Path) -> None:
    """Copy a TorchScript file. Raises :class:`InputError` for another kind of file that PyTorch writes."""
    names = zipfile.ZipFile(source).namelist() if zipfile.is_zipfile(source) else []
    if not any("/code/" in name or name.endswith("/constants.pkl") for name in names):
        raise InputError(
            f"{source.name} is no TorchScript file: it holds weights, or a pickled module, whose loading can execute "
            "code.",
            hint="Load it yourself, if you trust it, and hand over the live module.",
        )
    shutil.copyfile(source, target)


def load_exported(path: Path) -> Any:
    """Open a ``.pt2`` file as a :class:`torch.export.ExportedProgram`.

    Raises :class:`navcore.StepError` for one that calls an operator which nothing that is imported defines, and for a
    package of AOTInductor's, which has the same ending.
    """
    import torch

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any("/aotinductor/" in name for name in names) and not any("/models/" in name for name in names):
            raise StepError(
                f"{path.name} is an AOTInductor package: native code, from which nothing else can be made.",
                hint="Hand over what it was made of: the live module, or the exported program.",
            )
    return loaded(lambda: torch.export.load(path), lambda _error: called_in_program(path))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


TORCH = Format(
    "torch",
    summary="a live PyTorch module",
    live=Live(
        types=("torch.nn.modules.module.Module",),
        to_array=to_array,
        from_array=from_array,
        state=state,
        device=device,
        provide=own_data,
        seeded=_seeded,
        framework="torch",
    ),
)
TORCHSCRIPT_SCRIPT = Format(
    "torchscript-script",
    family=Format.TORCHSCRIPT.family,
    filename=Format.TORCHSCRIPT.filename,
    jit_type=JitType.SCRIPT,
    summary="TorchScript, compiled from the model's source",
    # A file does not say how it came about; one that was traced is run the same way.
    suffixes=(".pt", ".ts", ".jit"),
    load=load_torchscript,
    copy=copy_torchscript,
    regions=member_regions,
)
TORCHSCRIPT_TRACE = Format(
    "torchscript-trace",
    family=Format.TORCHSCRIPT.family,
    filename=Format.TORCHSCRIPT.filename,
    jit_type=JitType.TRACE,
    summary="TorchScript, recorded from one call",
    load=load_torchscript,
    regions=member_regions,
)
TORCH_EXPORTED = Format(
    "torch-exportedprogram",
    filename="model.pt2",
    suffixes=(".pt2",),
    summary="ExportedProgram, the graph that torch.export captures",
    load=load_exported,
    regions=member_regions,
)
