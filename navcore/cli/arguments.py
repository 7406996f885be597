"""The options that ``run`` and ``plan`` share, and what they mean to :func:`navcore.run`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|KiB|MiB|GiB)?")
_RANGE = re.compile(r"(\d+),(\d+),(\d+)")
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
    """The number of an axis, or "none"."""
    if text is None or text.lower() == "none":
        return text and "none"
    if not (text.isascii() and text.isdigit()):
        raise click.BadParameter(f"{text!r} is neither the number of an axis nor none.")
    return int(text)


_MEASURING = (
    click.option(
        "--batch-size", "batch_sizes", type=click.IntRange(1), multiple=True, metavar="N",
        help="Measure at this batch size; may be repeated. Default: 1 and the data's.",
    ),
    click.option(
        "--measurement-interval", type=click.FloatRange(0, min_open=True), metavar="MS",
        help="Length of one measurement window in milliseconds. Default: 5000.",
    ),
)  # fmt: skip
_WORKSPACE = (
    click.option(
        "--workdir", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
        help="Where workspaces are kept. Default: navigator_workdir in the current folder.",
    ),
    click.option("--override-workdir", is_flag=True, help="Start with an empty workspace instead of continuing in it."),
)  # fmt: skip
_LIMITS = (
    click.option("--timeout", type=float, metavar="SECONDS", help="How long one step may take."),
    click.option("--memory-limit", callback=_bytes, metavar="SIZE", help="How much memory one step may use, as 8GiB."),
)
_ASKED = (
    click.option(
        "--data", metavar="DATA",
        help="module:callable that returns the dataloader, or file.npz (row i of every array is sample i), or a folder "
        "of npz files (each one is a sample).",
    ),
    click.option(
        "--target", "targets", multiple=True, metavar="FORMAT",
        help="A format or family to reach; may be repeated. Default: all that the installed plugins reach.",
    ),
    click.option(
        "--option", "options", callback=_route_options, multiple=True, metavar="KEY.NAME=VALUE",
        help="An option of the plugin that makes KEY, or runs it (KEY is FORMAT or FORMAT/RUNTIME); may be repeated.",
    ),
    click.option(
        "--runtime", "runtimes", callback=_runtimes, multiple=True, metavar="FORMAT=RUNTIME",
        help="Check the format in this runtime only; may be repeated.",
    ),
    click.option(
        "--prefer", "prefer", callback=_pairs("FORMAT=PLUGIN", "openvino=nav-openvino"), multiple=True,
        metavar="FORMAT=PLUGIN", help="The plugin that makes the format, where several can; may be repeated.",
    ),
    click.option(
        "--input-name", "input_names", multiple=True, metavar="NAME",
        help="A name for the next input, in the order of the samples; repeat it for each.",
    ),
    click.option(
        "--output-name", "output_names", multiple=True, metavar="NAME", help="The same for the outputs.",
    ),
    click.option(
        "--dynamic-axis", "dynamic_axes", callback=_dynamic_axes, multiple=True, metavar="TENSOR:AXIS=SYMBOL",
        help="An axis that has to stay free; may be repeated. Default: what varies in the data.",
    ),
    click.option(
        "--axis-range", "axis_ranges", callback=_axis_ranges, multiple=True, metavar="AXIS=MIN,TYPICAL,MAX",
        help="The sizes of an axis, named by its symbol or as INPUT:AXIS; may be repeated. Default: from the data.",
    ),
    click.option(
        "--batch-dim", callback=_batch_dim, metavar="AXIS", help="The batch axis, or none for no batch. Default: 0.",
    ),
    click.option("--model-name", metavar="NAME", help="Names the workspace. Default: navigator_model."),
    *_WORKSPACE,
    click.option("--sample-count", type=int, metavar="N", help="How many samples are compared. Default: 100."),
    click.option("--atol", type=float, metavar="X", help="The largest absolute difference that is allowed."),
    click.option("--rtol", type=float, metavar="X", help="The largest relative difference that is allowed."),
    *_MEASURING,
    click.option("--profiler", metavar="PLUGIN", help="The plugin whose profiler measures. Default: navcore's own."),
    click.option("--no-profiling", is_flag=True, help="Verify, and do not measure."),
    click.option("--device", metavar="NAME", help="Where the source runs, for example cuda:0."),
    *_LIMITS,
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
    return _decorated(function, _MEASURING)


def workspace_options(function: Function) -> Function:
    """Decorate a command with the options that say where the workspace goes."""
    return _decorated(function, _WORKSPACE)


def limit_options(function: Function) -> Function:
    """Decorate a command with the limits of one step."""
    return _decorated(function, _LIMITS)


def _decorated(function: Function, options: Iterable[Callable[[Function], Function]]) -> Function:
    for option in reversed(tuple(options)):
        function = option(function)
    return function


def run_arguments(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of :func:`navcore.run` for the options of the command line; absent ones are left out."""
    plain = ("model_name", "workdir", "sample_count", "atol", "rtol", "device", "profiler", "timeout", "memory_limit")
    arguments = {name: asked[name] for name in plain if asked[name] is not None}
    several = ("options", "runtimes", "prefer", "input_names", "output_names", "dynamic_axes", "axis_ranges")
    arguments |= {name: asked[name] for name in several if asked[name]}
    if asked["batch_dim"] is not None:
        arguments["batch_dim"] = None if asked["batch_dim"] == "none" else asked["batch_dim"]
    if asked["targets"]:
        arguments["targets"] = list(asked["targets"])
    if asked["override_workdir"]:
        arguments["override_workdir"] = True
    if asked["no_profiling"]:
        arguments["run_profiling"] = False
    config = profiler_config(asked["batch_sizes"], asked["measurement_interval"])
    if config is not None:
        arguments["profiler_config"] = config
    return arguments


def profiler_config(batch_sizes: tuple[int, ...], interval: float | None) -> Any:
    """The :class:`navcore.ProfilerConfig` of the two options, ``None`` when neither was given."""
    from navcore.contract import ProfilerConfig

    given: dict[str, Any] = {}
    if batch_sizes:
        given["batch_sizes"] = batch_sizes
    if interval is not None:
        given["measurement_interval"] = interval
    return ProfilerConfig(**given) if given else None
