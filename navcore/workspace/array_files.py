"""Arrays as the bytes of a compressed npz file, which ``numpy.load`` reads: the same arrays give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def packed_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The npz file of ``arrays``, by name.

    Not by ``numpy.savez``, which writes the time into it and takes names as keywords: an array called ``file`` is
    refused, and one called ``allow_pickle`` is either a switch or, in older versions, the switch is an array.
    """
    import zipfile

    import numpy as np

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", _LONG_AGO)
            member.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(member, "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return packed.getvalue()
