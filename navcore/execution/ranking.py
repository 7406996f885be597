"""Measure the source and all that verified in turn, and say by how much each is faster."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Mapping, Sequence

import attrs

from navcore.contract import Name
from navcore.evaluation import BLOCK_SECONDS, Window, interleave
from navcore.execution.check_settings import measured_sizes, profiler_route, run_key
from navcore.execution.contestants import Contestant, Place, Timed, contestants_of, with_times
from navcore.execution.doubled_batches import SHARE, doubled_batches, sizes_to_rank
from navcore.execution.loaded_models import Model, loaded_models
from navcore.execution.memory_watch import room_for_one
from navcore.execution.ranked_blocks import RankedBlocks
from navcore.execution.resources import available_memory
from navcore.execution.run_context import RunContext
from navcore.execution.threads import thread_counts
from navcore.workspace import (
    AUTO,
    Event,
    FormatResult,
    PairedRatio,
    Ranking,
    Stage,
    Status,
    digest,
    from_older_data,
    hardware_key,
    to_data,
    versions_behind,
)

Sizes = Mapping[int, Sequence[str]]
"""Batch sizes, and which models are measured at each."""


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
    sizes = AUTO if context.settings.doubles else measured_sizes(context)
    counts = thread_counts(context.settings.threads)
    measured = (sizes, context.settings.budget, counts, profiler.id, dict(versions_behind(profiler)))
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
    context.announce(Event(Stage.RANKING, "in turn", _announced(context, contestants), seconds=context.settings.budget))
    reference = next((one for one in contestants if one.is_source), contestants[0])
    found = RankedBlocks()
    groups = _groups(reference, contestants)
    for number, group in enumerate(groups):
        share = until - (until - time.perf_counter()) * (len(groups) - number - 1) / (len(groups) - number)
        _measure_group(context, group, reference, seed, share, found)
    found.write_raw(context, contestants)
    seconds = time.perf_counter() - began
    ranking = _ranking(context, found, reference, seed, seconds)
    context.announce(Event(Stage.RANKING, "in turn", _concluded(ranking, len(found.failures)), Status.OK, seconds))
    return Ranked(ranking, found.timed(contestants))


def _groups(reference: Contestant, contestants: Sequence[Contestant]) -> list[list[Contestant]]:
    """All together where memory reaches, by what each took when it was checked; else each with the reference alone."""
    others = [one for one in contestants if one is not reference]
    free = available_memory()
    needed = sum(one.memory or 0 for one in contestants)
    if free is None or needed <= free or not others:
        return [[reference, *others]]
    return [[reference, other] for other in others]


def _measure_group(
    context: RunContext,
    group: Sequence[Contestant],
    reference: Contestant,
    seed: int,
    until: float,
    found: RankedBlocks,
) -> None:
    doubles = context.settings.doubles
    room = room_for_one() if doubles else None
    with contextlib.ExitStack() as stack:
        models = stack.enter_context(
            loaded_models(context, group, found.fail, threads=found.chosen, memory=room, compares=doubles)
        )
        sizes: Sizes = {size: list(models) for size in measured_sizes(context)}
        if doubles:
            now = time.perf_counter()
            anew = doubled_batches(context, group, models, found.reached, now + SHARE * max(0.0, until - now))
            if anew:
                models |= stack.enter_context(
                    loaded_models(context, anew, found.fail, threads=found.chosen, memory=room, label=_AGAIN)
                )
            sizes = sizes_to_rank({name: found.reached[name] for name in models}, reference.name)
        for number, (size, who) in enumerate(sizes.items()):
            ready: dict[str, Model] = {}
            for name, model in models.items():
                if name not in who:
                    continue
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


_AGAIN = Name("ranking-again")


@attrs.frozen(eq=False)
class _Block:
    """One block of a model, whenever it is called."""

    model: Model

    def __call__(self) -> Window:
        return self.model.block(BLOCK_SECONDS)


def _ranking(
    context: RunContext, found: RankedBlocks, reference: Contestant, seed: int, seconds: float
) -> Ranking | None:
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
    first = measured_sizes(context)
    sizes = ", ".join("unbatched" if size == -1 else str(size) for size in first)
    if context.settings.doubles:
        sizes = f"that double from {first[0]} on"
    return f"{len(contestants)} models at batch sizes {sizes}, at most {context.settings.budget:g} s of blocks"


def _concluded(ranking: Ranking | None, failed: int = 0) -> str:
    if ranking is None:
        return "nothing could be measured"
    if failed:
        return f"{failed} model{'s' * (failed > 1)} could not be measured to the end"
    return "every ratio is known to 3 %" if ranking.settled else "the time was over before every ratio was known to 3 %"
