"""Measure the source and all that verified in turn, and say by how much each is faster."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator, Mapping, Sequence

import attrs

from navcore.contract import Name
from navcore.evaluation import BLOCK_SECONDS, Interleaved, Ratio, Window, interleave, pooled_performance, write_raw
from navcore.execution.block_server import BlockLine, Measurable, measurable, measurable_child
from navcore.execution.check_settings import measured_sizes, profiler_route, run_key
from navcore.execution.contestants import Contestant, Place, Timed, contestants_of, with_times
from navcore.execution.resources import available_memory
from navcore.execution.run_context import RunContext
from navcore.execution.step import StepLimits, StepPlace
from navcore.execution.threads import thread_counts
from navcore.workspace import (
    BatchPerformance,
    Event,
    Failure,
    FormatResult,
    PairedRatio,
    Ranking,
    Stage,
    Status,
    blocks_file,
    describe,
    digest,
    fresh_folder,
    from_older_data,
    hardware_key,
    remove,
    to_data,
    versions_behind,
)

Model = Measurable | BlockLine


@attrs.frozen
class Ranked:
    """The ranking, ``None`` where nothing could be measured, and what it was made of."""

    ranking: Ranking | None = None
    rows: Mapping[Place, Timed] = attrs.field(factory=dict)


def ranked_rows(
    context: RunContext, rows: Sequence[FormatResult], keys: Mapping[str, str]
) -> tuple[tuple[FormatResult, ...], Ranking | None]:
    """The rows with the numbers of a ranking, and the ranking; as they are where the settings ask for none.

    ``keys`` are the recipes of the formats, by name, under which a ranking is found again that an earlier run made of
    the same models on this machine; without them it is made anew.
    """
    settings = context.settings
    if not (settings.run_profiling and settings.ranking):
        return tuple(rows), None
    contestants = contestants_of(context, rows)
    key = _ranked_key(context, contestants, keys)
    known = None if key is None else from_older_data(context.journal.find("ranked", key), _Entry)
    if known is not None:
        ranked = Ranked(known.ranking, {one.place: one.timed for one in known.rows})
        context.announce(Event(Stage.RANKING, "in turn", _concluded(ranked.ranking), Status.OK, reused=True))
    else:
        ranked = rank(context, contestants)
        if key is not None and not any(one.failure for one in ranked.rows.values()):
            entry = _Entry(ranked.ranking, tuple(_Row(place, timed) for place, timed in ranked.rows.items()))
            context.journal.append("ranked", key, to_data(entry))
    return with_times(rows, ranked.rows, windows=settings.windows is not None), ranked.ranking


@attrs.frozen
class _Row:
    place: Place
    timed: Timed


@attrs.frozen
class _Entry:
    """What the journal remembers of a ranking."""

    ranking: Ranking | None
    rows: tuple[_Row, ...]


def _ranked_key(context: RunContext, contestants: Sequence[Contestant], keys: Mapping[str, str]) -> str | None:
    """What was measured, by what, for how long and on which machine; ``None`` where a model has no recipe."""
    if not contestants or any(one.artifact.format.name not in keys for one in contestants):
        return None
    models = sorted((one.name, run_key(context, keys[one.artifact.format.name], one.route)) for one in contestants)
    profiler = profiler_route(context)
    measured = (measured_sizes(context), context.settings.budget, profiler.id, dict(versions_behind(profiler)))
    return digest("ranked", to_data(models), to_data(measured), hardware_key())


def rank(context: RunContext, contestants: Sequence[Contestant]) -> Ranked:
    """Measure them in turn within the settings' budget, the source first among them where it takes part.

    All that fit into memory together are measured together, the rest in pairs with the source. Never raises for what a
    contestant does: its row says why it has no numbers.
    """
    if not contestants:
        return Ranked()
    began = time.perf_counter()
    until = began + context.settings.budget
    seed = random.SystemRandom().getrandbits(32)
    reference = next((one for one in contestants if one.is_source), contestants[0])
    context.announce(Event(Stage.RANKING, "in turn", _announced(context, contestants), seconds=context.settings.budget))
    groups = _groups(reference, contestants)
    found = _Found()
    for number, group in enumerate(groups):
        share = until - (until - time.perf_counter()) * (len(groups) - number - 1) / (len(groups) - number)
        _measure_group(context, group, reference, seed, share, found)
    found.write_raw(context, contestants)
    seconds = time.perf_counter() - began
    ranking = _ranking(context, found, reference, seed, seconds)
    context.announce(Event(Stage.RANKING, "in turn", _concluded(ranking), Status.OK, seconds))
    return Ranked(ranking, found.timed(contestants))


def _groups(reference: Contestant, contestants: Sequence[Contestant]) -> list[list[Contestant]]:
    """All together where memory reaches, by what each took when it was checked; else each with the reference alone."""
    others = [one for one in contestants if one is not reference]
    free = available_memory()
    needed = sum(one.memory or 0 for one in contestants)
    if free is None or needed <= free or not others:
        return [[reference, *others]]
    return [[reference, other] for other in others]


class _Found:
    """What has been measured so far, by contestant and batch size."""

    def __init__(self) -> None:
        self.sizes: dict[int, list[Interleaved]] = {}
        self.cold: dict[tuple[str, int], float] = {}
        self.threads: dict[str, int | None] = {}
        self.failures: dict[str, Failure] = {}

    def fail(self, name: str, error: Exception, batch_size: int | None = None) -> None:
        told = describe(error)
        if batch_size is not None:
            told = attrs.evolve(told, cause=f"at batch size {batch_size}: {told.cause}")
        self.failures.setdefault(name, told)

    def windows(self, name: str) -> dict[int, list[Window]]:
        return {
            size: taken
            for size, parts in self.sizes.items()
            if (taken := [window for part in parts for window in part.windows.get(name, ())])
        }

    def write_raw(self, context: RunContext, contestants: Sequence[Contestant]) -> None:
        for one in contestants:
            folder = context.workspace.format_folder(Name(one.artifact.format.name))
            write_raw(blocks_file(folder, Name(one.route.runtime)), self.windows(one.name))

    def timed(self, contestants: Sequence[Contestant]) -> dict[Place, Timed]:
        return {
            one.place: Timed(
                tuple(
                    performance for size in self.sizes if (performance := self._performance(one.name, size)) is not None
                ),
                self.threads.get(one.name),
                self.failures.get(one.name),
            )
            for one in contestants
        }

    def _performance(self, name: str, size: int) -> BatchPerformance | None:
        parts = [part for part in self.sizes[size] if part.counted.get(name)]
        if not parts:
            return None
        counted = [window for part in parts for window in part.counted[name]]
        ratios = [part.ratios[name] for part in parts if name in part.ratios]
        known = ratios or [Ratio(sum(part.intervals[name]) / 2, *part.intervals[name], 0) for part in parts]
        stable = all(ratio.is_stable for ratio in known)
        return pooled_performance(
            counted,
            size,
            stable=stable,
            counted=sum(len(part.windows[name]) for part in parts),
            cold_start=self.cold[name, size],
            interval=parts[0].intervals[name],
            notes=() if stable else (_UNSETTLED,),
        )


_UNSETTLED = (
    "The time for the ranking was over before the ratio to the source was known to 10 %. "
    "A larger budget= or a quieter machine may help."
)


def _measure_group(
    context: RunContext, group: Sequence[Contestant], reference: Contestant, seed: int, until: float, found: _Found
) -> None:
    with _loaded(context, group, found) as models:
        sizes = measured_sizes(context)
        for number, size in enumerate(sizes):
            ready: dict[str, Model] = {}
            for name, model in models.items():
                try:
                    begun = model.begin(size)
                    found.cold[name, size], found.threads[name] = begun.cold_start, begun.threads
                    ready[name] = model
                except Exception as error:
                    found.fail(name, error, size)
            if not ready:
                continue
            now = time.perf_counter()
            share = now + max(0.0, until - now) / (len(sizes) - number)
            against = reference.name if reference.name in ready else next(iter(ready))
            blocks = {name: _Block(model) for name, model in ready.items()}
            part = interleave(blocks, against, seed=seed, until=share)
            for name, failure in part.failures.items():
                found.failures.setdefault(name, attrs.evolve(failure, cause=f"at batch size {size}: {failure.cause}"))
            found.sizes.setdefault(size, []).append(part)


@attrs.frozen(eq=False)
class _Block:
    """One block of a model, whenever it is called."""

    model: Model

    def __call__(self) -> Window:
        return self.model.block(BLOCK_SECONDS)


@contextlib.contextmanager
def _loaded(context: RunContext, group: Sequence[Contestant], found: _Found) -> Iterator[dict[str, Model]]:
    """The models of a group, loaded, each by its name: a live one here, each stored one in a child of its own."""
    models: dict[str, Model] = {}
    lines: dict[str, BlockLine] = {}
    with contextlib.ExitStack() as stack:
        for one in group:
            try:
                if one.artifact.model is not None:
                    models[one.name] = stack.enter_context(_live(context, one))
                else:
                    lines[one.name] = stack.enter_context(_child(context, one))
            except Exception as error:
                found.fail(one.name, error)
        for name, line in lines.items():
            try:
                line.load()
                models[name] = line
            except Exception as error:
                found.fail(name, error)
        yield models
        for line in lines.values():
            line.hang_up()  # all of them, before the first is waited for
    remove(context.workspace.unfinished(_RANKING))


_RANKING = Name("ranking")


def _live(context: RunContext, one: Contestant) -> Measurable:
    counts = thread_counts(context.settings.threads)
    call = context.call(one.route, one.artifact, counts[0], context.workspace.root)
    return measurable(call, context.samples.signature, context.store, context.registry, profiler_route(context), counts)


def _child(context: RunContext, one: Contestant) -> contextlib.AbstractContextManager[BlockLine]:
    form, runtime = one.place
    counts = thread_counts(context.settings.threads)
    folder = context.workspace.format_folder(form)
    return measurable_child(
        context.call(one.route, one.artifact, counts[0], folder),
        context.samples.signature,
        context.workspace.root,
        profiler_route(context),
        counts,
        StepPlace(
            fresh_folder(context.workspace.unfinished(_RANKING) / f"{form}-{runtime}"),
            context.workspace.log_of(form, Name(f"{runtime}.ranking")),
            one.route.who,
            StepLimits(memory_limit=context.settings.memory_limit),
        ),
        patience=context.settings.timeout,
    )


def _ranking(context: RunContext, found: _Found, reference: Contestant, seed: int, seconds: float) -> Ranking | None:
    ratios = [
        PairedRatio(*_place_of(name), size, ratio.value, ratio.low, ratio.high, ratio.pairs)
        for size, parts in found.sizes.items()
        for part in parts
        if part.reference == reference.name
        for name, ratio in part.ratios.items()
    ]
    if not any(any(part.counted.values()) for parts in found.sizes.values() for part in parts):
        return None
    order = list(found.sizes)
    return Ranking(
        reference=reference.place,
        is_source=reference.is_source,
        ratios=tuple(sorted(ratios, key=lambda one: (order.index(one.batch_size), -one.ratio))),
        seed=seed,
        block_seconds=BLOCK_SECONDS,
        budget=context.settings.budget,
        seconds=seconds,
        settled=all(part.settled for parts in found.sizes.values() for part in parts),
        machine=hardware_key(),
    )


def _place_of(name: str) -> Place:
    form, _, runtime = name.partition("/")
    return Name(form), Name(runtime)


def _announced(context: RunContext, contestants: Sequence[Contestant]) -> str:
    sizes = ", ".join("unbatched" if size == -1 else str(size) for size in measured_sizes(context))
    return f"{len(contestants)} models at batch sizes {sizes}, at most {context.settings.budget:g} s of blocks"


def _concluded(ranking: Ranking | None) -> str:
    if ranking is None:
        return "nothing could be measured"
    return "every ratio is known to 3 %" if ranking.settled else "the time was over before every ratio was known to 3 %"
