"""Opens a runner, calls it, closes it and opens it again, and says what happened: in a child for stored models."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from navcore.contract import Artifact, Route, Runner, Signature
from navcore.execution import Limits, Workbench, enter_child, opening_in, read_request, run_module, write_result
from navcore.sampling import SampleStore
from navcore.workspace import Failure, describe, died, from_data, to_data

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]

SMALL, LARGE = 1, 3
"""The two batch sizes that are tried, as far as the signature allows the second."""


@attrs.frozen
class Returned:
    """One array that a runner returned."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@attrs.frozen
class Call:
    """One call: what came back, or the problem."""

    outputs: tuple[Returned, ...] = ()
    problem: str = ""


@attrs.frozen
class Trial:
    """What a runner did. Every text is a clause about something wrong, empty where nothing was.

    ``small`` and ``large`` are the calls with a batch of 1 and of ``rows``, which is 3 or the largest batch that the
    signature allows (``large`` is ``None`` for a model that does not batch).
    ``again`` is about the same call a second time, ``kept`` about arrays that were returned before, ``feeds`` about the
    arrays that were handed in, ``closing`` about leaving the ``with`` block, ``after`` about calling it then,
    ``reopened`` about opening it again, ``ending`` about the end of its process. ``problem`` says what it died of, and
    while doing what, or that it could not be opened.
    """

    small: Call = Call()
    large: Call | None = None
    again: str = ""
    kept: str = ""
    feeds: str = ""
    closing: str = ""
    after: str = ""
    reopened: str = ""
    ending: str = ""
    problem: str = ""
    unavailable: str = ""
    rows: int = LARGE


def try_live(bench: Workbench, artifact: Artifact, route: Route) -> Trial:
    """Try the runner of a live model, where the model lives."""
    try:
        return observe(bench.opening(route, artifact), *_feeds(bench.store, bench.signature), reached=lambda _: None)
    except Exception as error:
        return _refused(describe(error))


def try_stored(bench: Workbench, artifact: Artifact, route: Route, folder: Path) -> Trial:
    """Try the runner of a stored model in a child process of its own, and wait for the end of that process."""
    request, limits = bench.request(route, artifact, folder), Limits(seconds=bench.timeout)
    log, framework, imports = folder / "trial.log", request["framework"], request["imports"]
    report = run_module(__name__, request, folder=folder, log=log, limits=limits, framework=framework, imports=imports)
    failure = None if report.ended == "ok" else died(report.ended, report.cause, route.who)
    result = report.result or {}
    if "trial" in result:
        trial = from_data(result["trial"], Trial)
        return trial if failure is None else attrs.evolve(trial, ending=failure.cause)
    if "failure" in result:
        return _refused(from_data(result["failure"], Failure))
    cause = failure.cause if failure is not None else f"{route.who}: its process left no result"
    return Trial(problem=f"{cause} ({result.get('stage', 'before it was opened')})")


def _refused(failure: Failure) -> Trial:
    if failure.category == "unavailable":
        return Trial(unavailable=failure.cause)
    return Trial(problem=f"{failure.cause} (when it was opened)")


def main(request_file: str) -> None:
    """Be the child of :func:`try_stored`."""
    enter_child()
    open_runner, store, signature = opening_in(read_request(Path(request_file)))
    folder = Path(request_file).parent

    def reached(stage: str) -> None:
        write_result(folder, {"stage": stage})

    try:
        result = {"trial": to_data(observe(open_runner, *_feeds(store, signature), reached=reached))}
    except Exception as error:
        result = {"failure": to_data(describe(error))}
    write_result(folder, result)
    # Threads that a runner left behind keep the interpreter from coming to this: then the result is never final.
    atexit.register(write_result, folder, result, done=True)


def _feeds(store: SampleStore, signature: Signature) -> tuple[Arrays, Arrays | None, int]:
    small, rows = store.inputs(signature, "correctness", 0), largest_batch(signature)
    return small, None if signature.batch_dim is None else store.profiling_feeds(signature, rows), rows


def largest_batch(signature: Signature) -> int:
    """3, or less where the batch axis moves within a smaller range: a runtime that plans its memory refuses more."""
    ranges = [axis.maximum for axis in signature.axes if axis.symbol == signature.batch_symbol]
    return min([LARGE, *ranges])


def observe(
    open_runner: Callable[[], Runner],
    small: Arrays,
    large: Arrays | None,
    rows: int = LARGE,
    *,
    reached: Callable[[str], None],
) -> Trial:
    """Open, call small, large and small again, close, call once more, open and call again.

    ``rows`` is the batch of ``large``. ``reached`` is told what comes next. Raises what opening the runner raises.
    """
    import numpy as np

    untouched = {name: np.array(array) for name, array in small.items()}
    reached("when it was opened")
    runner = open_runner()
    closing = ""
    runner.__enter__()
    reached("when it was called with a batch of 1")
    first_call, first = _call(runner, small)
    copies = {name: np.array(array) for name, array in first.items()}
    if large is not None:
        reached(f"when it was called with a batch of {rows}")
    large_call = _call(runner, large)[0] if large is not None else None
    kept = _difference(copies, first)  # before the same call writes the same numbers into the same place
    reached("when it was called again")
    second_call, second = _call(runner, small)
    reached("when it was closed")
    try:
        runner.__exit__(None, None, None)
    except Exception as error:
        closing = f"closing it raised {describe(error).cause}"
    after = "" if _call(runner, small)[0].problem else "it still answered after it was closed"
    reached("when it was opened a second time")
    return Trial(
        small=first_call,
        large=large_call,
        rows=rows,
        again=second_call.problem or _difference(copies, second),
        kept=kept,
        feeds=_difference(untouched, small),
        closing=closing,
        after=after,
        reopened=_reopened(open_runner, small, copies),
    )


def _reopened(open_runner: Callable[[], Runner], feeds: Arrays, expected: Arrays) -> str:
    try:
        with open_runner() as runner:
            call, outputs = _call(runner, feeds)
    except Exception as error:
        return describe(error).cause
    return call.problem or _difference(expected, outputs)


def _call(runner: Runner, feeds: Arrays) -> tuple[Call, Arrays]:
    import numpy as np

    try:
        outputs = {str(name): array for name, array in runner(feeds).items()}
        strange = [name for name, array in outputs.items() if not isinstance(array, np.ndarray)]
        if strange:
            return Call(problem=f"{', '.join(strange)} came back as {type(outputs[strange[0]]).__name__}"), {}
    except Exception as error:
        return Call(problem=describe(error).cause), {}
    return Call(tuple(Returned(name, array.dtype.name, array.shape) for name, array in outputs.items())), outputs


def _difference(expected: Arrays, found: Arrays) -> str:
    """What differs by more than a runtime that orders its sums freely can explain."""
    import numpy as np

    if list(expected) != list(found):
        return f"it returned {', '.join(found) or 'nothing'} where it had returned {', '.join(expected) or 'nothing'}"
    for name, array in expected.items():
        if array.dtype.kind != "f" or array.shape != found[name].shape:
            same = np.array_equal(array, found[name])
        else:
            wide = array.astype(np.float64)
            room = 1e-3 * float(np.max(np.abs(wide), initial=0.0, where=np.isfinite(wide)))
            same = np.allclose(wide, found[name].astype(np.float64), rtol=1e-3, atol=room, equal_nan=True)
        if not same:
            return f"the values of {name!r} changed"
    return ""


if __name__ == "__main__":
    main(sys.argv[1])
