"""What the caller of a load asks for beside the package: the user's own word, which comes before what was recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs

from navcore.contract import Effort, Format, ProfilerConfig, matching, usual_variants
from navcore.errors import UnknownFormat
from navcore.planning.planner import refuse_unknown_runtimes, unknown_target
from navcore.registry import Registry, resolve_options
from navcore.workspace import Settings


@attrs.frozen
class Limits:
    """What one step may take: ``seconds`` of wall time, ``memory`` in bytes; ``None``: as recorded, else no limit."""

    seconds: float | None = None
    memory: int | None = None


@attrs.frozen
class Measuring:
    """How models are measured here; windows, batch sizes and callers are as recorded where they are ``None``."""

    windows: ProfilerConfig | None = None
    batch_sizes: tuple[int, ...] | str | None = None
    ranking: bool = True
    budget: float = 90.0
    callers: int | None = None

    def applied_to(self, settings: Settings) -> Settings:
        """The settings with it; windows of the user's own bring their own batch sizes."""
        sizes = settings.batch_sizes if self.windows is None else None
        return attrs.evolve(
            settings,
            profiler_config=self.windows or settings.profiler_config,
            batch_sizes=self.batch_sizes or sizes,
            ranking=self.ranking,
            budget=self.budget,
            callers=self.callers or settings.callers,
        )


@attrs.frozen
class Asked:
    """What is asked for here. Whatever is empty or ``None`` is as it was recorded.

    ``targets`` are made beyond the recorded ones. Each of ``options`` and ``runtimes`` stands in place of what was
    recorded about the same format, and so does what ``effort`` and ``measurement`` say.
    """

    targets: tuple[str, ...] = ()
    options: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    runtimes: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    device: str | None = None
    effort: Effort | None = None
    measurement: Measuring = attrs.field(factory=lambda: Measuring())
    limits: Limits = attrs.field(factory=Limits)


def refuse_unknown(asked: Asked, registry: Registry) -> None:
    """Raise :class:`UnknownFormat` or :class:`OptionError` for what nobody installed here can do."""
    resolve_options(asked.options, registry.routes, registry.formats)
    refuse_unknown_runtimes(registry.routes, asked.runtimes, registry.formats)
    for target in asked.targets:
        named_formats(target, registry)


def named_formats(target: str, registry: Registry, effort: Effort = Effort.QUICK) -> tuple[Format, ...]:
    """The formats that a target means here: the one of that name, else the family's within that effort.

    Raises :class:`UnknownFormat`, naming a plugin that is installed and broken where that may be the reason.
    """
    formats = registry.formats
    found = matching(target, formats)
    if not found:
        raise unknown_here(target, registry)
    exact = any(format.name == target for format in found)
    return found if exact else usual_variants(found, registry.routes, effort)


def unknown_here(target: str, registry: Registry) -> UnknownFormat:
    """The error for a target that nobody here knows; where a plugin that is installed and broken may, it says so."""
    error = unknown_target(target, [name for one in registry.formats for name in (one.name, one.family)])
    error.hint = " ".join(registry.broken_bringers([target])) or error.hint
    return error


def without_unused(
    asked: Asked, kept: Collection[str], made: Collection[str], registry: Registry
) -> tuple[Asked, dict[str, tuple[str, ...]]]:
    """What is asked for less the options that nothing here takes, and those by the name of the format they are about.

    ``kept`` are the names of the formats whose files are taken as they lie there, ``made`` of those that can be made.
    An option of making a format goes for nothing where all that it is about is kept.
    """
    used, unused = {}, dict[str, tuple[str, ...]]()
    for key, values in asked.options.items():
        meant = {format.name for format in matching(key, registry.formats)} if "/" not in key else set()
        if not meant & set(kept) or meant & (set(made) - set(kept)):
            used[key] = values
            continue
        for name in sorted(meant & set(kept)):
            told = (f"{key}.{option}={ascii(value)[:60]}" for option, value in values.items())
            unused[name] = (*unused.get(name, ()), *told)
    return attrs.evolve(asked, options=used), unused


def replaced_by(asked: Asked, settings: Settings, formats: Sequence[Format]) -> Settings:
    """Recorded settings without what the user says otherwise."""
    options = {}
    for key, values in settings.options.items():
        rest = {name: value for name, value in values.items() if not _says(asked.options, key, name, formats)}
        if rest:
            options[key] = rest
    runtimes = {
        key: names
        for key, names in settings.runtimes.items()
        if not any(_overlap(key, mine, formats) for mine in asked.runtimes)
    }
    device = settings.device if asked.device is None else None
    effort = settings.effort if asked.effort is None else Settings().effort
    return attrs.evolve(settings, options=options, runtimes=runtimes, device=device, effort=effort)


def with_asked(settings: Settings, asked: Asked) -> Settings:
    """Those settings with the user's own in them; ``settings`` are what :func:`replaced_by` left."""
    options = {key: dict(values) for key, values in settings.options.items()}
    for key, values in asked.options.items():
        options[key] = {**options.get(key, {}), **values}
    return attrs.evolve(
        settings,
        options=options,
        runtimes={**settings.runtimes, **asked.runtimes},
        device=settings.device if asked.device is None else asked.device,
        effort=asked.effort or settings.effort,
    )


def _says(options: Mapping[str, Mapping[str, Any]], key: str, name: str, formats: Sequence[Format]) -> bool:
    return any(name in values and _overlap(key, mine, formats) for mine, values in options.items())


def _overlap(one: str, other: str, formats: Sequence[Format]) -> bool:
    """Whether two keys, each a format or family and perhaps ``/runtime``, speak of the same thing."""
    (target, _, runtime), (target_2, _, runtime_2) = one.partition("/"), other.partition("/")
    if runtime != runtime_2:
        return False
    meant = {target, *(format.name for format in matching(target, formats))}
    return bool(meant & {target_2, *(format.name for format in matching(target_2, formats))})
