"""How to get the same numbers again: who made them, by which seeds, and the call that asks for them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from navcore.contract import ProfilerConfig
from navcore.package.report.cells import MISSING
from navcore.package.report.html.private_paths import told, without_home
from navcore.workspace import SEED, Argument, Record, Settings, Spelling, arguments_of, to_data

_MOST = 100


@attrs.frozen
class Reproduction:
    """``facts`` are names and values, ``command`` and ``call`` the two ways to run it; ``unsaid`` what neither says."""

    facts: tuple[tuple[str, str], ...]
    command: str
    call: str
    unsaid: tuple[str, ...] = ()


def reproduction_of(record: Record) -> Reproduction:
    """What the record holds of it. Model and data are named by placeholders: they are the reader's."""
    asked = dict(_asked_for(record.settings))
    words, unsaid = list[str](), list[str]()
    for name, value in asked.items():
        said = list(_words(arguments_of(Settings)[name], value))
        words += said
        if not said:
            unsaid.append(f"The command has no option for {name}; the call has it.")
    command = " ".join(["navcore run MODEL --data DATA", *(shlex.quote(told(word)) for word in words)])
    lines = [f"    {name}={told(_python(value))},\n" for name, value in asked.items()]
    arguments = "model, dataloader" if not lines else "\n    model,\n    dataloader,\n" + "".join(lines)
    call = f"import navcore as nav\n\npackage = nav.run({arguments})"
    return Reproduction(tuple(_facts(record)), command, call, tuple(unsaid))


def _asked_for(settings: Settings) -> Iterator[tuple[str, Any]]:
    """What differs from the default, of the settings that a reader would give again."""
    usual = Settings()
    for name in arguments_of(Settings):
        value = getattr(settings, name)
        if value != getattr(usual, name):
            yield name, value


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    yield "run began", told(f"{record.timestamp} UTC")
    yield "navcore", told(record.navcore_version)
    makers = sorted({(one.owner, one.version) for row in record.results for one in row.attempts if one.owner})
    for owner, version in makers[:_MOST]:
        yield told(owner), told(version) or MISSING
    yield "source", told(record.source.name)
    machines = dict.fromkeys(machine for machine in _machines(record) if machine)
    if machines:
        yield "machine key", told(", ".join(list(machines)[:_MOST]))
    yield "seed of the choice of samples", str(SEED)
    ranking = record.ranking
    if ranking is not None:
        yield "seed of the order of blocks", str(ranking.seed)
        settled = "every ratio is known to 3 %" if ranking.settled else "over before every ratio was known to 3 %"
        yield "ranking", f"{ranking.seconds:.0f} s, with a budget of {ranking.budget:g} s; {settled}"
    samples = record.samples
    if samples is not None:
        counts = ", ".join(f"{count} {kind}" for kind, count in list(samples.counts.items())[:_MOST])
        yield "samples", told(counts)
        yield "digest of the samples", told(samples.digest)
    for key in ("repository", "commit"):
        if record.git_info.get(key):
            yield key, told(str(record.git_info[key]))
    yield "uuid", told(record.uuid)


def _machines(record: Record) -> Iterator[str]:
    if record.ranking is not None:
        yield record.ranking.machine
    yield from (one.machine for row in record.results for one in row.runtimes)


def _python(value: Any) -> str:
    """The value as one would write it, on one line."""
    if isinstance(value, ProfilerConfig):
        usual = ProfilerConfig()
        fields = attrs.fields(ProfilerConfig)
        names = [one.name for one in fields if getattr(value, one.name) != getattr(usual, one.name)]
        return f"nav.ProfilerConfig({', '.join(f'{name}={_python(getattr(value, name))}' for name in names)})"
    return without_home(repr(_plain(value)))


def _plain(value: Any) -> Any:
    """Lists, dicts and what they hold, as one writes them; an axis stays the number that it is."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, str) else value


def _words(argument: Argument, value: Any) -> Iterator[str]:
    """The words of the command line that say so; none where there is no such option."""
    option = argument.option
    if option is None:
        return
    flag = option.flag
    match option.spelling:
        case Spelling.SWITCH:
            yield flag
        case Spelling.TEXT | Spelling.WHOLE | Spelling.NUMBER | Spelling.SIZE | Spelling.FOLDER:
            yield from (flag, f"{value:g}" if isinstance(value, float) else str(value))
        case Spelling.AXIS:
            yield from (flag, "none" if value is None else str(value))
        case Spelling.NAMES | Spelling.SIZES:
            # A word may stand for the whole list.
            yield from (word for one in ([value] if isinstance(value, str) else value) for word in (flag, str(one)))
        case Spelling.PAIRS:
            yield from (word for key, one in value.items() for word in (flag, f"{key}={one}"))
        case Spelling.LISTS:
            yield from (word for key, found in value.items() for one in found for word in (flag, f"{key}={one}"))
        case Spelling.ROUTE_OPTIONS:
            yield from (word for key, one in value.items() for part in _options(key, one) for word in (flag, part))
        case Spelling.DYNAMIC_AXES if all(isinstance(one, Mapping) for one in value.values()):
            yield from (word for key, one in value.items() for part in _symbols(key, one) for word in (flag, part))
        case Spelling.AXIS_RANGES:
            yield from (word for key, one in value.items() for part in _ranges(key, one) for word in (flag, part))
        case Spelling.WINDOWS if value == ProfilerConfig(measurement_interval=value.measurement_interval):
            yield from (flag, f"{value.measurement_interval:g}")
        case _:
            return


def _options(target: str, options: Mapping[str, Any]) -> Iterator[str]:
    import json

    # JSON is YAML, in which the command reads a value.
    yield from (f"{target}.{name}={json.dumps(to_data(value))}" for name, value in options.items())


def _symbols(tensor: str, axes: Mapping[int, str]) -> Iterator[str]:
    yield from (f"{tensor}:{axis}={symbol}" for axis, symbol in axes.items())


def _ranges(name: str, sizes: Any) -> Iterator[str]:
    """``SYMBOL=MIN,TYPICAL,MAX``, or of an input ``INPUT:AXIS=MIN,TYPICAL,MAX``."""
    found = {f"{name}:{axis}": part for axis, part in sizes.items()} if isinstance(sizes, Mapping) else {name: sizes}
    yield from (f"{place}={','.join(map(str, part))}" for place, part in found.items())
