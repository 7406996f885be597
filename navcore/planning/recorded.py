"""What a record asks for → what is obeyed here: the door between a stranger's settings and everything that acts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import attrs

from navcore.contract import Effort, Format, ProfilerConfig, Route, estimate_seconds, is_harmless
from navcore.errors import OptionError
from navcore.planning.arguments import settings_here
from navcore.planning.asked import Asked, replaced_by, with_asked
from navcore.registry import Registry, resolve_options
from navcore.workspace import Settings

NOT_USED = "recorded, and not used without trust:"
"""How a row begins to say what of its record was not obeyed."""

SECONDS = 300.0
"""How long a step may take for a package that nobody trusts, beyond the windows of its measurement."""

LARGEST_BATCH = 4096
_MOST_BATCHES = 8
_MOST_DOUBLINGS = 12
_MOST_CALLS = 1000


@attrs.frozen
class Obeyed:
    """The part of a record's settings that this machine goes by.

    ``settings`` and ``options`` (by the id of each installed route) may be acted upon. The rest is to be shown:
    ``set_aside`` concerns every row, ``options_set_aside`` the rows of the format or ``format/runtime`` that is the
    key.
    """

    settings: Settings
    options: Mapping[str, Any]
    set_aside: tuple[str, ...] = ()
    options_set_aside: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)

    def notes(self, format: Format, runtime: str = "") -> tuple[str, ...]:
        """The sentence for the row of a format, or of one of its runtimes; none when all was obeyed."""
        keys = [f"{name}/{runtime}" if runtime else name for name in dict.fromkeys((format.name, format.family))]
        told = [*(() if runtime else self.set_aside)]
        told += [one for key in keys for one in self.options_set_aside.get(key, ())]
        return (f"{NOT_USED} {', '.join(told)}",) if told else ()


def obeyed(settings: Settings, registry: Registry, *, trust: bool, weights: int, asked: Asked | None = None) -> Obeyed:
    """What of recorded ``settings`` is gone by; ``weights`` are the bytes of the models that they are about.

    ``asked`` is the user's own, and stands in place of what was recorded of the same things.

    With ``trust`` everything that can be had here. Without, numbers that the routes declare harmless, the choice among
    installed plugins and runtimes, and a measurement that asks for no more than navcore's own would; steps then have
    limits of their own where the user gives none.
    """
    asked = asked or Asked()
    settings = replaced_by(asked, settings, registry.formats)
    told: tuple[str, ...] = ()
    left_out: dict[str, tuple[str, ...]] = {}
    limits = asked.limits
    if not trust:
        settings, told, left_out = _harmless_part(settings, registry)
        if asked.measurement.windows is not None:
            told = tuple(one for one in told if one.partition(" ")[0] not in attrs.fields_dict(ProfilerConfig))
    here = with_asked(settings_here(settings, registry), asked)
    here = asked.measurement.applied_to(here)
    seconds, memory = here.timeout, here.memory_limit
    if not trust:
        seconds, memory = seconds_for(here), memory_for(weights)
    here = attrs.evolve(
        here,
        timeout=seconds if limits.seconds is None else limits.seconds,
        memory_limit=memory if limits.memory is None else limits.memory,
    )
    return Obeyed(here, resolve_options(here.options, registry.routes, registry.formats), told, left_out)


def effort_here(settings: Settings, *, trust: bool, asked: Asked | None = None) -> Effort:
    """The effort for a package: the user's own word, else what was recorded; a stranger may ask for less than usual."""
    if asked is not None and asked.effort is not None:
        return asked.effort
    usual = Settings().effort
    return settings.effort if trust or usual.covers(settings.effort) else usual


def harmless_part(settings: Settings, registry: Registry, asked: Asked | None = None) -> Settings:
    """Recorded settings without what is not obeyed unless they are trusted, and with what the user asked for."""
    asked = asked or Asked()
    return with_asked(_harmless_part(replaced_by(asked, settings, registry.formats), registry)[0], asked)


def _harmless_part(
    settings: Settings, registry: Registry
) -> tuple[Settings, tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Those settings, what was left out of them, and the options that were, by their key."""
    options, left_out = _harmless_options(settings, registry)
    config, told = _bounded_windows(settings.profiler_config, settings.batch_dim)
    sizes = _bounded_sizes(settings.batch_sizes, settings.batch_dim)
    if sizes != settings.batch_sizes:
        told = (*told, f"batch_sizes {ascii(settings.batch_sizes)[:60]}")
    usual = Settings()
    kept: dict[str, Any] = {"effort": effort_here(settings, trust=False)}
    if kept["effort"] != settings.effort:
        told = (*told, f"effort {settings.effort}")
    for name in ("device", "profiler", "timeout", "memory_limit", "threads", "callers"):
        if getattr(settings, name) != getattr(usual, name):
            kept[name] = getattr(usual, name)
            told = (*told, f"{name} {getattr(settings, name)}")
    return attrs.evolve(settings, options=options, profiler_config=config, batch_sizes=sizes, **kept), told, left_out


def seconds_for(settings: Settings) -> float:
    """Seconds that a step of an untrusted package may take."""
    windows = settings.windows
    if windows is None:
        return SECONDS
    sizes = _MOST_DOUBLINGS if settings.doubles else len(windows.batch_sizes or (1, 2))
    _, most = estimate_seconds(windows, runtimes=1, batch_sizes=sizes)
    return SECONDS + (most if math.isfinite(most) else 0)


def memory_for(weights: int) -> int:
    """Bytes that a step of an untrusted package may use: a framework's own, and several copies of the weights."""
    return (2 << 30) + 8 * weights


def bounded_batch(size: int) -> int:
    """A recorded batch size as far as it is used without trust."""
    return max(1, min(size, LARGEST_BATCH))


def _harmless_options(
    settings: Settings, registry: Registry
) -> tuple[dict[str, dict[str, Any]], dict[str, tuple[str, ...]]]:
    kept: dict[str, dict[str, Any]] = {}
    left_out: dict[str, tuple[str, ...]] = {}
    for key, values in settings.options.items():
        for name, value in values.items():
            if _is_harmless(key, name, value, registry):
                kept.setdefault(key, {})[name] = value
            else:
                left_out[key] = (*left_out.get(key, ()), f"{key}.{name}={ascii(value)[:60]}")
    return kept, left_out


def _is_harmless(key: str, name: str, value: object, registry: Registry) -> bool:
    """Whether every route here that would take the option declares it harmless; one that none takes is left alone."""
    if not isinstance(value, int | float):
        return False
    try:
        values = resolve_options({key: {name: value}}, registry.routes, registry.formats)
    except OptionError:
        return False  # it names what is not installed, or what its own plugin refuses
    return all(
        is_harmless(route.options, name, value)
        for route in registry.routes
        if route.options is not None and values[route.id] != _default(route)
    )


def _default(route: Route) -> Any:
    return None if route.options is None else route.options()


def _bounded_sizes(sizes: tuple[int, ...] | str | None, batch_dim: int | None) -> tuple[int, ...] | None:
    """Batch sizes as far as they are measured without trust; how far doubling goes nobody knows."""
    if sizes is None or isinstance(sizes, str) or batch_dim is None:
        return None
    return tuple(size for size in sizes if size <= LARGEST_BATCH)[:_MOST_BATCHES] or None


def _bounded_windows(
    config: ProfilerConfig | None, batch_dim: int | None
) -> tuple[ProfilerConfig | None, tuple[str, ...]]:
    """The windows as far as they take no longer than navcore's own, and what had to be left out of them."""
    if config is None:
        return None, ()
    usual = ProfilerConfig()
    interval, calls = config.measurement_interval, config.measurement_request_count
    bounded = ProfilerConfig(
        batch_sizes=_bounded_sizes(config.batch_sizes, batch_dim),
        measurement_mode=config.measurement_mode,
        measurement_interval=_at_most(interval, usual.measurement_interval),
        measurement_request_count=None if calls is None else min(calls, _MOST_CALLS),
        stability_percentage=config.stability_percentage,
        max_trials=min(config.max_trials, usual.max_trials),
    )
    if bounded == config:
        return config, ()
    changed = [
        f"{field.name} {ascii(getattr(config, field.name))[:60]}"
        for field in attrs.fields(ProfilerConfig)
        if getattr(config, field.name) != getattr(bounded, field.name)
    ]
    return bounded, tuple(changed)


def _at_most(value: float | None, limit: float | None) -> float | None:
    return value if value is None or limit is None else min(value, limit)
