"""The arguments of a run that are not recorded: where it happens, beside whom, and the user's own functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from navcore.workspace.argument import CommandOption, Spelling, argument
from navcore.workspace.argument_types import able, or_none, path, switch
from navcore.workspace.metrics import bounds_given, metrics_given

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path

    from navcore.workspace.metrics import Metric
    from navcore.workspace.progress import Observer


@attrs.frozen(eq=False)
class Surroundings:
    """The arguments of a run that are not recorded: where it happens, and beside whom."""

    workdir: Path | None = argument(
        None,
        or_none(path(example="'navigator_workdir'")),
        "where workspaces are kept, by default ``navigator_workdir`` in the current folder.",
        option=CommandOption(
            Spelling.FOLDER,
            "--workdir",
            "FOLDER",
            "Where workspaces are kept. Default: navigator_workdir in the current folder.",
        ),
    )
    override_workdir: bool = argument(
        False,
        switch,
        "start with an empty workspace; otherwise finished steps of an earlier run are not redone.",
        option=CommandOption(
            Spelling.SWITCH, "--override-workdir", "", "Start with an empty workspace instead of continuing in it."
        ),
    )
    executor: Executor | None = argument(
        None,
        or_none(able("submit", what="a concurrent.futures.Executor", example="ThreadPoolExecutor(4)")),
        "where steps that need no live model run; it has to share this machine's workspace folder.",
    )
    metrics: Mapping[str, Metric] | None = argument(
        None,
        or_none(metrics_given),
        'the user\'s own: ``{"accuracy": fn}``, with ``fn(outputs, item)`` returning a number whose mean over the data '
        "is the value, or an object with ``update(outputs, item)`` and ``compute()`` for the whole pass. They run on "
        "the source before anything is made, and on every model that gave a result.",
    )
    metrics_data: Any = argument(
        None,
        or_none(able("__iter__", what="data with len() that can be iterated", example="validation_set")),
        "what the metrics are computed on, by default the dataloader, of a package its correctness samples. An item "
        "holds the inputs, and perhaps more, such as a label.",
    )
    verified_when: Mapping[str, float] | None = argument(
        None,
        or_none(bounds_given),
        "how far each metric may fall (below 0) or rise (above 0) against the source for a row to count as verified: "
        '``{"accuracy": -0.005}``.',
    )
    progress: Observer | None = argument(
        None,
        or_none(able(None, what="callable: it receives a navcore.Event", example="print")),
        "receives an :class:`navcore.Event` whenever something begins or ends.",
    )
