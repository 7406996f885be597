"""A plugin's own work on stored models, in a process of its own, with the limits of a step."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from navcore.errors import StepCrashed, StepError
from navcore.execution.isolation import Limits, enter_child, read_request, run_module, write_result
from navcore.execution.step import StepLimits
from navcore.execution.step_data import failed_result
from navcore.workspace import Failure, died, fresh_folder, from_data, without_room

MODULE = "navcore.execution.function_child"
_STARTED = ("crash", "killed", "timeout", "memory", "no-result")


@attrs.frozen(eq=False)
class ChildCalls:
    """Calls functions of a plugin, each in a child of its own; ``folder`` is private to the block that made this."""

    folder: Path
    limits: StepLimits
    _number: Any = attrs.field(factory=itertools.count, repr=False)

    def __call__(self, function: str, given: Mapping[str, Any]) -> Any:
        """What ``module:function`` returns for ``given``: both are plain JSON data, with infinities.

        Raises :class:`StepError` with the cause where the function raised, and :class:`StepCrashed` where its process
        died, or exceeded the seconds or the memory that one call may take.
        """
        place = fresh_folder(self.folder / f"call-{next(self._number)}")
        report = run_module(
            MODULE,
            {"function": function, "given": dict(given)},
            folder=place,
            log=place / "call.log",
            limits=Limits(seconds=self.limits.timeout, memory_bytes=self.limits.memory_limit),
        )
        result = report.result or {}
        if report.ended != "ok":
            failure = without_room(died(report.ended, report.cause, ""), place)
            kind = StepCrashed if report.ended in _STARTED else StepError
            raise kind(f"The process that did this {failure.cause}.", hint=failure.hint)
        if "failure" in result:
            failure = without_room(from_data(result["failure"], Failure), place)
            raise StepError(failure.cause, hint=failure.hint)
        return result["returned"]


def main(path: str) -> None:
    """The child's side: call the function that the request names, and leave what it returns."""
    enter_child()
    request = read_request(Path(path))
    module, _, name = request["function"].partition(":")
    try:
        result = {"returned": getattr(importlib.import_module(module), name)(request["given"])}
    except Exception as error:
        result = failed_result(error)
    write_result(Path(path).parent, result, done=True)


if __name__ == "__main__":
    main(sys.argv[1])
