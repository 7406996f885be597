"""What a file that may be a stranger's can say, beyond what the types of its values hold already.

Names, places and whole numbers are validated where they become values (:mod:`navcore.contract.names`). What is left for
here: what settings say of formats, runtimes and tensors, how a model is called, and that nothing stands twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from navcore.contract import InnerPath, Name, Signature, TensorName
from navcore.workspace.all_arguments import run_arguments
from navcore.workspace.results import FormatResult, Outcome
from navcore.workspace.settings import Settings, valid_model_name

if TYPE_CHECKING:
    from navcore.workspace.samples import Samples

_PARTS = ("tuple", "list")
_LONG_DEVICE = re.compile(r"(/[a-z]{1,16}:[A-Za-z0-9_:]{1,32}){1,6}")
"""A device as TensorFlow writes it, ``/job:localhost/device:GPU:0``: the only name here that may have separators."""
_CONSTANTS = (str, int, float, bool, type(None))


def refuse_settings(settings: Settings) -> None:
    """Raises :class:`ValueError` for settings in which a name or a number could be something else."""
    valid_model_name(settings.model_name)
    for name in ("batch_sizes", "budget", "threads", "callers"):  # their types alone would let any number through
        run_arguments()[name].settle(name, getattr(settings, name))
    for key in settings.options:
        target, slash, runtime = key.partition("/")
        Name(target)
        if slash:
            Name(runtime)
        for option in settings.options[key]:
            Name(option)
    for target, runtimes in settings.runtimes.items():
        _names(Name, (target, *runtimes))
    _names(Name, (*(settings.targets or ()), *settings.prefer, *settings.prefer.values(), settings.profiler))
    if settings.device is not None and not _LONG_DEVICE.fullmatch(settings.device):
        Name(settings.device)
    _names(TensorName, (*(settings.input_names or ()), *(settings.output_names or ())))
    for axes in (settings.dynamic_axes or {}, settings.axis_ranges or {}):
        _names(TensorName, axes)
    for told in (settings.dynamic_axes or {}).values():
        if isinstance(told, Mapping):
            _names(TensorName, told.values())


def refuse_rows(rows: Iterable[FormatResult]) -> None:
    """Raises :class:`ValueError` for a model that is not in its format's folder, a log outside, or a row twice."""
    rows = tuple(rows)
    for row in rows:
        if row.path is not None and row.path.partition("/")[0] != row.format.name:
            raise ValueError(f"{row.path!r} is not in the folder of {row.format.name}")
        outcomes: list[Outcome | None] = [attempt.outcome for attempt in row.attempts]
        outcomes += [outcome for runtime in row.runtimes for outcome in (runtime.outcome, runtime.profiling)]
        for outcome in outcomes:
            if outcome is not None and outcome.log:
                InnerPath(outcome.log)
        if row.signature is not None:
            refuse_signature(row.signature)
        _refuse_twice(f"runtime of {row.format.name}", (runtime.runtime for runtime in row.runtimes))
    _refuse_twice("format", (row.format.name for row in rows))


def refuse_samples(samples: Samples) -> None:
    """Raises :class:`ValueError` for numbers of samples that are none, and what :func:`refuse_signature` raises."""
    refuse_signature(samples.signature)
    for number in (samples.batch_size, samples.usual_batch or 0, *samples.counts.values()):
        if number < 0:
            raise ValueError(f"{number} is not a number of samples")


def refuse_signature(signature: Signature) -> None:
    """Raises :class:`ValueError` for a call that is none, or that takes what is no input."""
    _refuse_twice("input", signature.input_names)
    _refuse_twice("output", signature.output_names)
    TensorName(signature.batch_symbol)
    call = signature.call
    if set(call) != {"args", "kwargs"} or not all(isinstance(part, list) for part in call.values()):
        raise ValueError("the call is not args and kwargs")
    names = set(signature.input_names)
    for part in call["args"]:
        _refuse_template(part, names)
    for pair in call["kwargs"]:
        _refuse_pair(pair, names, str)


def _refuse_template(template: Any, names: set[str]) -> None:
    if not isinstance(template, Mapping) or len(template) != 1:
        raise ValueError("a part of the call is not one template")
    ((kind, content),) = template.items()
    if kind == "tensor":
        if content not in names:
            raise ValueError(f"the call takes {ascii(content)[:80]}, which is not an input")
    elif kind == "constant":
        if not isinstance(content, _CONSTANTS):
            raise ValueError("a constant of the call is not plain")
    elif kind in _PARTS and isinstance(content, list):
        for part in content:
            _refuse_template(part, names)
    elif kind == "dict" and isinstance(content, list):
        for pair in content:
            _refuse_pair(pair, names, _CONSTANTS)
    else:
        raise ValueError(f"the call has a part {ascii(kind)[:80]}, which is unknown")


def _refuse_pair(pair: Any, names: set[str], keys: Any) -> None:
    if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], keys):
        raise ValueError("a part of the call is not a key and a template")
    _refuse_template(pair[1], names)


def _names(kind: type[Name] | type[TensorName], texts: Iterable[Any]) -> None:
    for text in texts:
        kind(text)


def _refuse_twice(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the {kind} {name!r} stands twice")
        seen.add(name)
