"""Which row is the best: never one that a user could not run on all of their data."""

from __future__ import annotations

from navcore.contract.formats import Format
from navcore.evaluation.candidates import candidates_of
from navcore.evaluation.strategies import MinLatency
from navcore.workspace.results import BatchPerformance, FormatResult, RuntimeResult, Status, Verification


def measured(name: str, latency: float, *, frozen: tuple[str, ...] = (), status: Status = Status.OK) -> FormatResult:
    performance = BatchPerformance(1, latency, 0.0, latency, None, None, None, 1000 / latency, 50)
    verification = Verification(status, frozen_axes=frozen)
    row = RuntimeResult("r", status, verification=verification, performance=(performance,))
    return FormatResult(Format(name), status, runtimes=(row,))


def test_the_fastest_row_is_the_best() -> None:
    best = MinLatency().choose(candidates_of([measured("slow", 2.0), measured("fast", 1.0)]))
    assert best is not None
    assert best.format.name == "fast"


def test_a_row_that_fixes_an_axis_of_the_data_is_not_the_best() -> None:
    best = MinLatency().choose(candidates_of([measured("moves", 2.0), measured("fixed", 1.0, frozen=("frames",))]))
    assert best is not None
    assert best.format.name == "moves"


def test_an_unproved_row_is_never_the_best() -> None:
    assert MinLatency().choose(candidates_of([measured("unproved", 1.0, status=Status.UNVERIFIED)])) is None
