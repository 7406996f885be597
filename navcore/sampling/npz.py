"""Writes named arrays as an npz file that is complete or not there, and reads such files back without pickle."""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
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
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


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
    """The arrays of an npz file as they are stored; raises :class:`WorkspaceError` when it cannot be read.

    The file may be a stranger's. Its arrays are what :func:`write_arrays` writes: not compressed, together no larger
    than the file, each as large as its header says. So reading costs what the file has cost already.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(_SUFFIX)]
            _refuse_bomb(members, path.stat().st_size)
            return {member.filename.removesuffix(_SUFFIX): _member(archive, member) for member in members}
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile) as error:
        raise WorkspaceError(
            f"The samples in {path.name} cannot be read: {error}.", who=str(path.parent), hint="Take samples again."
        ) from error


def read_packed(content: bytes, *, largest: int) -> dict[str, Array]:
    """The arrays of an npz file that may be compressed, a stranger's too; they are together at most ``largest`` bytes.

    Numbers, booleans and text. Raises :class:`ValueError` saying what is wrong with the file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(_SUFFIX)]
            if sum(member.file_size for member in members) > largest:
                raise ValueError(f"its arrays are larger than {largest} bytes")
            _refuse_twins(members)
            return {member.filename.removesuffix(_SUFFIX): _member(archive, member) for member in members}
    except (OSError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(str(error)) from error


def _refuse_bomb(members: Sequence[zipfile.ZipInfo], size: int) -> None:
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("its arrays are compressed")
    if sum(member.file_size for member in members) > size:
        raise ValueError("its arrays are larger than the file")
    _refuse_twins(members)


def _refuse_twins(members: Sequence[zipfile.ZipInfo]) -> None:
    if len({member.filename for member in members}) != len(members):
        raise ValueError("two of its arrays have one name")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        shape, _, dtype = _HEADERS[version](file) if version in _HEADERS else ((), False, np.dtype(object))
        if dtype.hasobject:
            raise ValueError(f"{member.filename} holds objects, or is of an unknown version")
        announced = math.prod(shape) * dtype.itemsize
        if announced != member.file_size - file.tell():
            raise ValueError(
                f"{member.filename} announces {announced} bytes and holds {member.file_size - file.tell()}"
            )
        file.seek(0)
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
