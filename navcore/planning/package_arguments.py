"""The types of what ``save``, ``load`` and a package's methods take: those of a run's arguments where they agree."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from navcore.workspace import Settle, measurement, or_none, path, refused, run_arguments, switch, text


def _trust(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise refused(
        name, value, "has to be True, False or a navcore.SignedBy", 'Write trust=navcore.SignedBy(key="team.pub").'
    )


_OWN: Mapping[str, Settle] = MappingProxyType(
    {
        "path": path(example="'model.nav'"),
        "keep_workdir": switch,
        "override": switch,
        "save_data": switch,
        "retest_conversions": switch,
        "run_profiling": or_none(switch),
        "profiler_config": or_none(measurement),
        "trust": _trust,
        "format": text(example="'onnx'"),
        "runtime": text(example="'CPUExecutionProvider'"),
        "jit_type": or_none(text(example="'trace'")),
        "precision": or_none(text(example="'fp16'")),
    }
)


def settled_for_package(**given: Any) -> Mapping[str, Any]:
    """The arguments in their settled form. Raises :class:`OptionError` for a value that its argument cannot be."""
    shared = run_arguments()
    return {
        name: _OWN[name](name, value) if name in _OWN else shared[name].settle(name, value)
        for name, value in given.items()
    }
