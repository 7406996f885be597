"""Models that are loaded to be measured: a live one in this process, each stored one in a child of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from navcore.contract import Name
from navcore.execution.block_server import BlockLine, measurable_child
from navcore.execution.check_settings import profiler_route, verify_settings
from navcore.execution.contestants import Contestant
from navcore.execution.measurable import Measurable, measurable
from navcore.execution.resources import available_memory
from navcore.execution.run_context import RunContext
from navcore.execution.step import StepLimits, StepPlace
from navcore.execution.threads import thread_counts
from navcore.workspace import fresh_folder, remove

Model = Measurable | BlockLine
Fail = Callable[[str, Exception], None]
"""Is told the name of a contestant that cannot be loaded, and why."""

_NONE: Mapping[str, int] = MappingProxyType({})


_RANKING = Name("ranking")


@contextlib.contextmanager
def loaded_models(
    context: RunContext,
    group: Sequence[Contestant],
    fail: Fail,
    *,
    threads: Mapping[str, int] = _NONE,
    memory: int | None = None,
    compares: bool = False,
    label: Name = _RANKING,
) -> Iterator[dict[str, Model]]:
    """The models of a group, loaded, each by its name.

    ``threads`` are those of models for which they are known already; for the others the best number is tried.
    ``memory`` limits each child to so many bytes; the run's own limit does if it is less.
    With ``compares`` they can hold their outputs against each other. ``label`` names the folders and logs of children.
    """
    models: dict[str, Model] = {}
    lines: dict[str, BlockLine] = {}
    with contextlib.ExitStack() as stack:
        for one in group:
            count = threads.get(one.name)
            counts = thread_counts(context.settings.threads) if count is None else (count,)
            try:
                if one.artifact.model is not None:
                    models[one.name] = stack.enter_context(_live(context, one, counts, compares))
                else:
                    lines[one.name] = stack.enter_context(_child(context, one, counts, memory, compares, label))
            except Exception as error:
                fail(one.name, error)
        for name, line in lines.items():
            try:
                line.load()
                models[name] = line
            except Exception as error:
                fail(name, error)
        yield models
        for line in lines.values():
            line.hang_up()  # all of them, before the first is waited for
    remove(context.workspace.unfinished(label))


def _live(context: RunContext, one: Contestant, counts: tuple[int, ...], compares: bool) -> Measurable:
    call = context.call(one.route, one.artifact, counts[0], context.workspace.root)
    comparing = verify_settings(context, one.artifact, one.route) if compares else None
    profiler = profiler_route(context)
    return measurable(call, context.samples.signature, context.store, context.registry, profiler, counts, comparing)


def _child(
    context: RunContext, one: Contestant, counts: tuple[int, ...], memory: int | None, compares: bool, label: Name
) -> contextlib.AbstractContextManager[BlockLine]:
    form, runtime = one.place
    folder = context.workspace.format_folder(form)
    limits = [limit for limit in (context.settings.memory_limit, memory) if limit is not None]
    room = min([*limits, *filter(None, [available_memory()])], default=None)
    if one.route.threads_per_process and room is not None and (one.memory or 0) * len(counts) > room:
        counts = counts[:1]  # it would be loaded with each of them at once
    return measurable_child(
        context.call(one.route, one.artifact, counts[0], folder),
        context.samples.signature,
        context.workspace.root,
        profiler_route(context),
        counts,
        StepPlace(
            fresh_folder(context.workspace.unfinished(label) / f"{form}-{runtime}"),
            context.workspace.log_of(form, Name(f"{runtime}.{label}")),
            one.route.who,
            StepLimits(memory_limit=min(limits, default=None)),
        ),
        patience=context.settings.timeout,
        comparing=verify_settings(context, one.artifact, one.route) if compares else None,
    )
