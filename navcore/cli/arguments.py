"""The options that ``run`` and ``plan`` share, and what they mean to :func:`navcore.run`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import click

from navcore.workspace import AUTO, CommandOption, Spelling, Surroundings, arguments_of, run_arguments

MEASURING = ("profiler_config", "batch_sizes", "ranking", "budget", "callers")
"""The arguments of a run that say how models are measured."""

Function = TypeVar("Function", bound=Callable[..., Any])

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|KiB|MiB|GiB)?")
_RANGE = re.compile(r"(\d+),(\d+),(\d+)")
_NO_AXIS = "none"
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def _bytes(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """A number of bytes, with or without a unit."""
    if text is None:
        return None
    found = _SIZE.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not a size such as 8GiB, 500MB or 1048576.")
    return int(float(found[1]) * _UNITS[found[2] or "B"])


def _route_options(
    _context: click.Context, _parameter: click.Parameter, texts: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """``KEY.NAME=VALUE``, several times, as options by key; a value is read as YAML."""
    import yaml

    options: dict[str, dict[str, Any]] = {}
    for text in texts:
        left, equals, value = text.partition("=")
        key, dot, name = left.rpartition(".")
        if not (equals and dot and key and name):
            raise click.BadParameter(f"{text!r} is not KEY.NAME=VALUE, for example onnx.opset=17.")
        try:
            options.setdefault(key, {})[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise click.BadParameter(f"the value of {left} is not YAML: {value!r}.") from None
    return options


def _runtimes(_context: click.Context, _parameter: click.Parameter, texts: Sequence[str]) -> dict[str, list[str]]:
    """``FORMAT=RUNTIME``, several times, as runtimes by format."""
    limited: dict[str, list[str]] = {}
    for text in texts:
        format, equals, name = text.partition("=")
        if not (format and equals and name):
            raise click.BadParameter(f"{text!r} is not FORMAT=RUNTIME, for example onnx=CPUExecutionProvider.")
        limited.setdefault(format, []).append(name)
    return limited


def _pairs(what: str, example: str) -> Callable[[click.Context, click.Parameter, Sequence[str]], dict[str, str]]:
    """A callback for ``LEFT=RIGHT``, several times, as a mapping."""

    def read(_context: click.Context, _parameter: click.Parameter, texts: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for text in texts:
            left, equals, right = text.rpartition("=")
            if not (left and equals and right):
                raise click.BadParameter(f"{text!r} is not {what}, for example {example}.")
            found[left] = right
        return found

    return read


def _dynamic_axes(
    _context: click.Context, _parameter: click.Parameter, texts: Sequence[str]
) -> dict[str, dict[int, str]]:
    """``TENSOR:AXIS=SYMBOL``, several times, as symbols by tensor and axis."""
    axes: dict[str, dict[int, str]] = {}
    for text in texts:
        place, equals, symbol = text.rpartition("=")
        tensor, axis = _place(place)
        if not (tensor and equals and symbol) or axis is None:
            raise click.BadParameter(f"{text!r} is not TENSOR:AXIS=SYMBOL, for example image:0=batch.")
        axes.setdefault(tensor, {})[axis] = symbol
    return axes


def _axis_ranges(_context: click.Context, _parameter: click.Parameter, texts: Sequence[str]) -> dict[str, Any]:
    """``SYMBOL=MIN,TYPICAL,MAX`` or ``INPUT:AXIS=MIN,TYPICAL,MAX``, several times, as ranges."""
    ranges: dict[str, Any] = {}
    for text in texts:
        place, _, sizes = text.rpartition("=")
        found = _RANGE.fullmatch(sizes)
        if not place or found is None:
            raise click.BadParameter(
                f"{text!r} is not SYMBOL=MIN,TYPICAL,MAX or INPUT:AXIS=MIN,TYPICAL,MAX, for example batch=1,8,32."
            )
        bounds = (int(found[1]), int(found[2]), int(found[3]))
        tensor, axis = _place(place)
        if axis is None:
            ranges[place] = bounds
        else:
            ranges.setdefault(tensor, {})[axis] = bounds
    return ranges


def _place(text: str) -> tuple[str, int | None]:
    """``TENSOR:AXIS`` as its two parts; no axis where there is none. A tensor's name may hold colons itself."""
    tensor, colon, axis = text.rpartition(":")
    return (tensor, int(axis)) if colon and axis.isascii() and axis.isdigit() else (text, None)


def _batch_dim(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | str | None:
    """The number of an axis, or the word for none."""
    if text is None or text.lower() == _NO_AXIS:
        return text and _NO_AXIS
    if not (text.isascii() and text.isdigit()):
        raise click.BadParameter(f"{text!r} is neither the number of an axis nor none.")
    return int(text)


def _batch_sizes(_context: click.Context, _parameter: click.Parameter, texts: Sequence[str]) -> tuple[int, ...] | str:
    """Whole numbers above zero, several times, or the word that leaves the sizes to navcore."""
    if AUTO in texts and len(texts) == 1:
        return AUTO
    for text in texts:
        if not (text.isascii() and text.isdigit() and int(text) > 0):
            told = "auto stands alone" if text == AUTO else f"{text!r} is neither a whole number above 0 nor auto"
            raise click.BadParameter(f"{told}.")
    return tuple(int(text) for text in texts)


def _windows(_context: click.Context, _parameter: click.Parameter, interval: float | None) -> Any:
    """The measurement with windows of that length in ms."""
    from navcore.contract import ProfilerConfig

    return None if interval is None else ProfilerConfig(measurement_interval=interval)


_SPELLINGS: Mapping[Spelling, Mapping[str, Any]] = MappingProxyType(
    {
        Spelling.TEXT: {},
        Spelling.WHOLE: {"type": int},
        Spelling.NUMBER: {"type": float},
        Spelling.SIZE: {"callback": _bytes},
        Spelling.FOLDER: {"type": click.Path(path_type=Path, file_okay=False)},
        Spelling.SWITCH: {"is_flag": True},
        Spelling.AXIS: {"callback": _batch_dim},
        Spelling.NAMES: {"multiple": True},
        Spelling.PAIRS: {"multiple": True, "callback": _pairs("FORMAT=PLUGIN", "openvino=nav-openvino")},
        Spelling.LISTS: {"multiple": True, "callback": _runtimes},
        Spelling.ROUTE_OPTIONS: {"multiple": True, "callback": _route_options},
        Spelling.DYNAMIC_AXES: {"multiple": True, "callback": _dynamic_axes},
        Spelling.AXIS_RANGES: {"multiple": True, "callback": _axis_ranges},
        Spelling.SIZES: {"multiple": True, "callback": _batch_sizes},
        Spelling.WINDOWS: {"type": click.FloatRange(0, min_open=True), "callback": _windows},
    }
)
"""What click is told of each way to write an argument."""


def _options(name: str, option: CommandOption) -> tuple[Callable[[Function], Function], ...]:
    """The options of the command line for the argument ``name`` of a run."""
    written = _SPELLINGS[option.spelling]
    return (click.option(option.flag, name, help=option.help, metavar=option.metavar or None, **written),)


_RUN = {name: _options(name, one.option) for name, one in run_arguments().items() if one.option is not None}
_WORKSPACE = tuple(option for name, options in _RUN.items() if name in arguments_of(Surroundings) for option in options)
_ASKED = (
    click.option(
        "--data", metavar="DATA",
        help="module:callable that returns the dataloader, or file.npz (row i of every array is sample i), or a folder "
        "of npz files (each one is a sample).",
    ),
    *(option for options in _RUN.values() for option in options),
    click.option(
        "--config", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
        help="The config.yaml of a variant: its settings, where no option says otherwise.",
    ),
)  # fmt: skip


def asked_options(function: Function) -> Function:
    """Decorate a command with the options of ``run`` and ``plan``."""
    return _decorated(function, _ASKED)


def measuring_options(function: Function) -> Function:
    """Decorate a command with the options of a measurement."""
    return _decorated(function, [option for name in MEASURING for option in _RUN[name]])


def measuring_arguments(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Those of them that were given, as keyword arguments; what they have come from is taken out of ``asked``."""
    return {name: value for name, value in given_arguments(asked).items() if name in MEASURING}


def workspace_options(function: Function) -> Function:
    """Decorate a command with the options that say where the workspace goes."""
    return _decorated(function, _WORKSPACE)


def load_options(function: Function) -> Function:
    """Decorate a command with the options of ``load``: what is asked for here beside what a package recorded."""
    names = (
        "targets",
        "effort",
        "options",
        "runtimes",
        "device",
        "run_profiling",
        *MEASURING,
        "timeout",
        "memory_limit",
    )
    chosen = [option for name in names for option in _RUN[name]]
    return _decorated(function, (*chosen, *_WORKSPACE))


def limit_options(function: Function) -> Function:
    """Decorate a command with the limits of one step."""
    return _decorated(function, (*_RUN["timeout"], *_RUN["memory_limit"]))


def _decorated(function: Function, options: Iterable[Callable[[Function], Function]]) -> Function:
    for option in reversed(tuple(options)):
        function = option(function)
    return function


def given_arguments(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of :func:`navcore.run` for the options of the command line; absent ones are left out."""
    given: dict[str, Any] = {}
    for name, argument in run_arguments().items():
        spelling = None if argument.option is None else argument.option.spelling
        value = asked.get(name)
        if spelling is Spelling.SWITCH and value:
            given[name] = not argument.default
        elif spelling is Spelling.AXIS and value is not None:
            given[name] = None if value == _NO_AXIS else value
        elif spelling is not Spelling.SWITCH and value not in (None, (), {}):
            given[name] = value
    return given
