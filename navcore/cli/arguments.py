"""The options that ``run`` and ``plan`` share, and what they mean to :func:`navcore.run`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|KiB|MiB|GiB)?")
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
    click.option("--model-name", metavar="NAME", help="Names the workspace. Default: navigator_model."),
    *_WORKSPACE,
    click.option("--sample-count", type=int, metavar="N", help="How many samples are compared. Default: 100."),
    click.option("--atol", type=float, metavar="X", help="The largest absolute difference that is allowed."),
    click.option("--rtol", type=float, metavar="X", help="The largest relative difference that is allowed."),
    *_MEASURING,
    click.option("--no-profiling", is_flag=True, help="Verify, and do not measure."),
    click.option("--device", metavar="NAME", help="Where the source runs, for example cuda:0."),
    click.option("--timeout", type=float, metavar="SECONDS", help="How long one step may take."),
    click.option("--memory-limit", callback=_bytes, metavar="SIZE", help="How much memory one step may use, as 8GiB."),
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


def _decorated(function: Function, options: Iterable[Callable[[Function], Function]]) -> Function:
    for option in reversed(tuple(options)):
        function = option(function)
    return function


def run_arguments(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments of :func:`navcore.run` for the options of the command line; absent ones are left out."""
    plain = ("model_name", "workdir", "sample_count", "atol", "rtol", "device", "timeout", "memory_limit")
    arguments = {name: asked[name] for name in plain if asked[name] is not None}
    arguments |= {name: asked[name] for name in ("options", "runtimes") if asked[name]}
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
    from navcore.profiling import ProfilerConfig

    given: dict[str, Any] = {}
    if batch_sizes:
        given["batch_sizes"] = batch_sizes
    if interval is not None:
        given["measurement_interval"] = interval
    return ProfilerConfig(**given) if given else None
