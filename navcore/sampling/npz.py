"""Writes named arrays as an npz file that is complete or not there, and reads them back without pickle."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from navcore.contract import dtype_named
from navcore.errors import WorkspaceError
from navcore.workspace import whole_file

Array = np.ndarray[Any, Any]

_SUFFIX = ".npy"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same arrays give the same bytes
_REGISTERED_BY_A_PACKAGE = 2
_BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32}


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write ``arrays`` to ``path``, which ``numpy.load`` reads.

    Dtypes that numpy does not know (bfloat16, the 8-bit floats) are stored as their bits in an unsigned integer.
    ``numpy.savez`` is not used: it takes names as keywords and so refuses an input that is called ``file``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        whole_file(path) as descriptor,
        os.fdopen(descriptor, "w+b", closefd=False) as stream,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name, array in arrays.items():
            member = zipfile.ZipInfo(name + _SUFFIX, _LONG_AGO)
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, _stored(array), allow_pickle=False)


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of an npz file as they are stored; raises :class:`WorkspaceError` when it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(_SUFFIX)]
            return {name.removesuffix(_SUFFIX): _member(archive, name) for name in names}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise WorkspaceError(
            f"The samples in {path.name} cannot be read: {error}.", who=str(path.parent), hint="Take samples again."
        ) from error


def _member(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(name) as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
        return array


def restored(array: Array, dtype: str, told: str) -> Array:
    """A stored array in its declared dtype; ``told`` names it in the :class:`WorkspaceError` for another dtype."""
    declared = dtype_named(dtype)
    if array.dtype == declared:
        return array
    if declared.isbuiltin != 1 and array.dtype == _BITS.get(declared.itemsize):
        return array.view(declared)
    raise WorkspaceError(
        f"{told} is stored as {array.dtype} where {dtype} is declared.", hint="Take samples again with this model."
    )


def _stored(array: Array) -> Array:
    if array.dtype.isbuiltin != _REGISTERED_BY_A_PACKAGE:  # an unpickled float32 is no "builtin" to numpy
        return array
    return np.asarray(array, order="C").view(_BITS[array.dtype.itemsize])
