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
"""The two batch sizes that are tried."""


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

    ``small`` and ``large`` are the calls with a batch of 1 and of 3 (``None`` for a model that does not batch).
    ``again`` is about the same call a second time, ``kept`` about arrays that were returned before, ``feeds`` about the
    arrays that were handed in, ``closing`` about leaving the ``with`` block, ``after`` about calling it then,
    ``reopened`` about opening it again, ``ending`` about the end of its process.
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


def try_live(bench: Workbench, artifact: Artifact, route: Route) -> Trial:
    """Try the runner of a live model, where the model lives."""
    try:
        return observe(bench.opening(route, artifact), *_feeds(bench.store, bench.signature))
    except Exception as error:
        return _refused(describe(error))


def try_stored(bench: Workbench, artifact: Artifact, route: Route, folder: Path) -> Trial:
    """Try the runner of a stored model in a child process of its own, and wait for the end of that process."""
    request, limits = bench.request(route, artifact, folder), Limits(seconds=bench.timeout)
    report = run_module(__name__, request, folder=folder, log=folder / "trial.log", limits=limits)
    failure = None if report.ended == "ok" else died(report.ended, report.cause, route.who)
    if report.result is None:
        return _refused(failure or Failure("the child left no result"))
    if "failure" in report.result:
        return _refused(from_data(report.result["failure"], Failure))
    trial = from_data(report.result["trial"], Trial)
    return trial if failure is None else attrs.evolve(trial, ending=failure.cause)


def _refused(failure: Failure) -> Trial:
    if failure.category == "unavailable":
        return Trial(unavailable=failure.cause)
    return Trial(problem=failure.cause)


def main(request_file: str) -> None:
    """Be the child of :func:`try_stored`."""
    enter_child()
    open_runner, store, signature = opening_in(read_request(Path(request_file)))
    try:
        result = {"trial": to_data(observe(open_runner, *_feeds(store, signature)))}
    except Exception as error:
        result = {"failure": to_data(describe(error))}
    folder = Path(request_file).parent
    write_result(folder, result)
    # Threads that a runner left behind keep the interpreter from coming to this: then the result is never final.
    atexit.register(write_result, folder, result, done=True)


def _feeds(store: SampleStore, signature: Signature) -> tuple[Arrays, Arrays | None]:
    small = store.inputs(signature, "correctness", 0)
    return small, None if signature.batch_dim is None else store.profiling_feeds(signature, LARGE)


def observe(open_runner: Callable[[], Runner], small: Arrays, large: Arrays | None) -> Trial:
    """Open, call small, large and small again, close, call once more, open and call again.

    Raises what opening the runner raises.
    """
    import numpy as np

    untouched = {name: np.array(array) for name, array in small.items()}
    runner = open_runner()
    closing = ""
    runner.__enter__()
    first_call, first = _call(runner, small)
    copies = {name: np.array(array) for name, array in first.items()}
    large_call = _call(runner, large)[0] if large is not None else None
    kept = _difference(copies, first)  # before the same call writes the same numbers into the same place
    second_call, second = _call(runner, small)
    try:
        runner.__exit__(None, None, None)
    except Exception as error:
        closing = f"closing it raised {describe(error).cause}"
    return Trial(
        small=first_call,
        large=large_call,
        again=second_call.problem or _difference(copies, second),
        kept=kept,
        feeds=_difference(untouched, small),
        closing=closing,
        after="" if _call(runner, small)[0].problem else "it still answered after it was closed",
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
