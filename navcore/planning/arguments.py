"""What the caller of a verb hands in: refused in one sentence where it cannot be meant, else settled as values."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import attrs

from navcore.contract import Format, ProfilerConfig
from navcore.errors import OptionError
from navcore.registry import Registry, resolve_options
from navcore.workspace import Settings

if TYPE_CHECKING:
    from navcore.workspace import Observer

Names = Format | str | Sequence[Format | str] | None


def settings_from(
    *,
    targets: Names,
    options: Mapping[str, Mapping[str, Any]] | None,
    model_name: str,
    sample_count: int,
    atol: float | None,
    rtol: float | None,
    input_names: Sequence[str] | None,
    output_names: Sequence[str] | None,
    dynamic_axes: Mapping[str, Any] | None,
    axis_ranges: Mapping[str, Any] | None,
    batch_dim: int | None,
    device: str | None,
    runtimes: Mapping[str, Any] | None,
    run_profiling: bool,
    profiler_config: ProfilerConfig | None,
    profiler: str | None,
    prefer: Mapping[str, str] | None,
    timeout: float | None,
    memory_limit: int | None,
    git_info: bool,
) -> Settings:
    """The arguments in their settled form. Raises :class:`OptionError` for a value out of range."""
    from navcore.workspace import valid_model_name

    numbers = {"timeout": timeout, "memory_limit": memory_limit, "atol": atol, "rtol": rtol}
    for name, number in numbers.items():
        _refuse_number(name, number, Real, least=None if name in ("atol", "rtol") else 0)
    _refuse_number("sample_count", sample_count, Integral, least=0)
    _refuse_number("batch_dim", batch_dim, Integral, least=-math.inf)
    mappings = {"options": options, "dynamic_axes": dynamic_axes, "axis_ranges": axis_ranges, "runtimes": runtimes}
    for name, value in {**mappings, "prefer": prefer}.items():
        if value is not None and not isinstance(value, Mapping):
            raise OptionError(f"{name}={value!r} has to be a mapping.")
    for key, values in (options or {}).items():
        if not isinstance(values, Mapping):
            raise OptionError(f"options[{key!r}]={values!r} has to be a mapping from options to values.")
    if profiler_config is not None and not isinstance(profiler_config, ProfilerConfig):
        raise OptionError(f"profiler_config={profiler_config!r} has to be a navcore.ProfilerConfig.")
    return Settings(
        model_name=valid_model_name(model_name),
        targets=_names(targets),
        options={str(key): dict(values) for key, values in (options or {}).items()},
        sample_count=sample_count,
        atol=atol,
        rtol=rtol,
        input_names=_names(input_names),
        output_names=_names(output_names),
        dynamic_axes=dynamic_axes,
        axis_ranges=axis_ranges,
        batch_dim=batch_dim,
        device=device,
        runtimes={str(key): _names(value) or () for key, value in (runtimes or {}).items()},
        run_profiling=run_profiling,
        profiler_config=profiler_config or ProfilerConfig(),
        profiler=profiler or "navcore",
        prefer={str(key): str(value) for key, value in (prefer or {}).items()},
        timeout=timeout,
        memory_limit=memory_limit,
        git_info=git_info,
    )


def refuse_unusable_partners(executor: Executor | None, progress: Observer | None) -> None:
    """Refuse objects that could not do their part, before they are asked for it in the middle of a run."""
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise OptionError(f"executor={executor!r} has to be a concurrent.futures.Executor.")
    if progress is not None and not callable(progress):
        raise OptionError(f"progress={progress!r} has to be callable: it receives a navcore.Event.")


def _refuse_number(name: str, value: object, kind: type, *, least: float | None) -> None:
    """Refuse what is no number, or is not above ``least`` (``None``: at least zero)."""
    if value is None and name != "sample_count":
        return
    if not isinstance(value, kind) or isinstance(value, bool) or not isinstance(value, Real):
        raise OptionError(f"{name}={value!r} has to be a {'whole number' if kind is Integral else 'number'}.")
    if least is None and not float(value) >= 0:
        raise OptionError(f"{name}={value} has to be zero or more.")
    if least is not None and not float(value) > least:
        raise OptionError(f"{name}={value} has to be more than {least:g}.")


def _names(given: Names | Sequence[str]) -> tuple[str, ...] | None:
    """One name or several, as text; strings are accepted wherever a value or an enumeration is."""
    if given is None:
        return None
    if isinstance(given, Format | str):
        return (str(given),)
    return tuple(str(one) for one in given)


def settings_here(settings: Settings, registry: Registry) -> Settings:
    """Recorded settings, less what names a plugin, an option or a runtime that is not installed here."""
    owners = {route.owner for route in registry.routes} | {route.distribution for route in registry.routes}
    runtimes = {route.runtime for route in registry.routes if route.hook == "make_runner"}
    limited = {name: tuple(one for one in wanted if one in runtimes) for name, wanted in settings.runtimes.items()}
    options = {}
    for key, values in settings.options.items():
        with contextlib.suppress(OptionError):
            resolve_options({key: values}, registry.routes, registry.formats)
            options[key] = values
    profilers = {route.owner for route in registry.routes if route.hook == "profile"}
    return attrs.evolve(
        settings,
        prefer={target: owner for target, owner in settings.prefer.items() if owner in owners},
        runtimes={name: wanted for name, wanted in limited.items() if wanted},
        options=options,
        profiler=settings.profiler if settings.profiler in profilers else Settings().profiler,
    )
