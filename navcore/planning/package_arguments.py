"""What ``save``, ``load`` and a package's methods take: types, and which of a run's arguments go for a package too."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from navcore.contract import Effort
from navcore.errors import OptionError
from navcore.planning.arguments import refuse_unwritable
from navcore.workspace import Settle, measurement, or_none, path, refused, run_arguments, switch, text, word_of


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
        "compact": switch,
        "retest_conversions": switch,
        "run_profiling": or_none(switch),
        "effort": or_none(word_of(Effort)),
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
    values = {
        name: _OWN[name](name, value) if name in _OWN else shared[name].settle(name, value)
        for name, value in given.items()
    }
    refuse_unwritable({name: values[name] for name in ("options", "device") if values.get(name)})
    return values


_OF_LOAD = (
    "workdir", "override_workdir", "targets", "effort", "options", "runtimes", "device", "run_profiling",
    "profiler_config", "batch_sizes", "ranking", "budget", "callers", "timeout", "memory_limit", "executor", "metrics",
    "metrics_data", "verified_when", "progress",
)  # fmt: skip
"""The arguments of a run that a load takes as well."""


def is_package(model: object) -> bool:
    """Whether what is handed over as a model is the path of a ``.nav`` file."""
    return isinstance(model, str | os.PathLike) and os.fspath(model).endswith(".nav") and os.path.isfile(model)


def for_package(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a run of a package, for :func:`navcore.load`.

    Raises :class:`OptionError` for one that a package has settled.
    """
    strange = [name for name in arguments if name not in _OF_LOAD]
    if strange:
        raise OptionError(
            f"{', '.join(strange)} cannot be changed for a package: it was settled where the package was made.",
            hint=f"With a package, run takes {', '.join(_OF_LOAD)}.",
        )
    return dict(arguments)
