"""The one line that a model's unit test needs: it exports to each format, and every file is what the model is."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from navcore import ExportError

_NONE: Mapping[str, Any] = MappingProxyType({})


def assert_exportable(
    model: Any,
    formats: Sequence[str] = (".onnx", ".pt", ".pt2"),
    *,
    sizes: Sequence[Mapping[str, int]] = (),
    examples: Sequence[Any] = (),
    options: Mapping[str, Any] = _NONE,
) -> None:
    """Export a copy of the model to each format, checked on its example, at other sizes, and on ``examples``.

    ``sizes`` are sizes at which to check besides, such as ``[{"batch": 1, "time": 400}]``; without any, the check
    chooses one. ``formats`` are file extensions, ``options`` further arguments of :meth:`Exportable.export`.

    Raises what ``export`` raises, :class:`OptionError` for sizes of an unknown axis, and :class:`ExportError` when a
    file could not be checked because nothing installed runs it.
    """
    from nav_torch.exportable.examples import AtSizes

    compared = [*examples, *(AtSizes(one) for one in sizes)] or True
    with tempfile.TemporaryDirectory() as folder:
        for ending in formats:
            path = Path(folder, f"model{ending}")
            result = model.export(path, **{"check_trace": compared, "inplace": False, **options})
            if result.verification is None:
                raise ExportError(f"Nothing that is installed runs {path.name}.", hint="Install nav-onnx[cpu].")
