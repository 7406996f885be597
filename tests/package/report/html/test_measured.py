"""What lies behind a record is read from whatever a package holds, and damage is no error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from navcore.package.report.html.measured import Errors, errors_of, latencies_of

from .given_records import errors_file, latencies_file, made, nothing, packed, source


def files(**contents: bytes) -> Callable[[str], bytes | None]:
    """What reads the files of the format ``onnx`` in ``cpu``, by their kinds."""
    return lambda place: contents.get(place.removeprefix("onnx/measurements/cpu.").removesuffix(".npz"))


LATENCIES = latencies_file({1: [1.0] * 50 + [2.0] * 49 + [9.0]})


def test_quantiles_and_density_of_a_row() -> None:
    (one,) = latencies_of([made("onnx", 0.0, 1.0)], files(blocks=LATENCIES), by_windows=False)
    assert (one.format, one.runtime, one.batch_size, one.calls) == ("onnx", "cpu", 1, 100)
    assert one.quantiles == (1.0, 1.0, 1.0, 2.0, 2.0)
    assert max(height for _, height in one.density) == 1
    assert all(0 <= height <= 1 for _, height in one.density)
    assert [x for x, _ in one.density] == sorted(x for x, _ in one.density)


def test_the_outer_percentiles_need_enough_calls_to_be_claimed() -> None:
    few = latencies_file({1: [1.0, 2.0, 3.0, 4.0]})
    (one,) = latencies_of([made("onnx", 0.0, 1.0)], files(blocks=few), by_windows=False)
    assert one.quantiles == (None, 1.0, 2.0, 3.0, None)


def test_they_come_from_where_the_numbers_of_the_table_come_from() -> None:
    both = files(blocks=latencies_file({1: [1.0]}), windows=latencies_file({1: [5.0]}))
    for by_windows, median in ((False, 1.0), (True, 5.0)):
        (one,) = latencies_of([made("onnx", 0.0, 1.0)], both, by_windows=by_windows)
        assert one.quantiles[2] == median
    (one,) = latencies_of([made("onnx", 0.0, 1.0)], files(windows=latencies_file({1: [5.0]})), by_windows=False)
    assert one.quantiles[2] == 5.0


def test_latencies_that_never_vary_are_one_line() -> None:
    (one,) = latencies_of([made("onnx", 0.0, 1.0)], files(blocks=latencies_file({1: [3.0] * 9})), by_windows=False)
    assert one.density == ((3.0, 1.0),)


def test_without_files_there_is_nothing_and_no_error() -> None:
    rows = [source(1.0), made("onnx", 0.0, 1.0)]
    assert latencies_of(rows, nothing, by_windows=False) == ()
    assert errors_of(rows, nothing) == ()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"PK\x05\x06" + bytes(18), b"no archive", packed(other=np.zeros(3)),
        packed(**{"1/latencies": np.zeros((2, 2), np.float32)}), packed(**{"1/latencies": np.array(["a"])}),
        packed(**{"1/latencies": np.array([np.nan, -1.0, 0.0, np.inf])}),
        packed(**{"1/latencies": np.array([{}], dtype=object)}), packed(**{"1/latencies": np.zeros(20_000_000)}),
    ],
)  # fmt: skip
def test_strange_latencies_are_passed_over(content: bytes) -> None:
    assert latencies_of([made("onnx", 0.0, 1.0)], files(blocks=content), by_windows=False) == ()


def errors(content: bytes) -> tuple[Errors, ...]:
    return errors_of([made("onnx", 1e-7, 1.0)], files(errors=content))


def test_errors_have_an_output_the_comparisons_and_the_bound() -> None:
    first, second = errors(errors_file([[0.0, 1e-7, np.nan], [0.0, 2e-3, 1e-3]], ("y", "z")))
    assert (first.output, first.values) == ("y", (0.0, 1e-7, None))
    assert first.comparisons == ("correctness sample 0", "correctness sample 1", "correctness sample 2")
    assert first.bound == 1e-4
    assert (first.worst, second.worst) == (1, 1)


def test_where_nothing_was_compared_nothing_is_the_worst() -> None:
    (one,) = errors(errors_file([[np.nan, np.nan]]))
    assert one.worst is None


GOOD: dict[str, Any] = {
    "outputs": np.array(["y"]), "comparisons": np.array(["a", "b"]), "errors": np.array([[1e-7, 2e-7]]),
}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"errors": np.array([[1e-7]])}, {"errors": np.array(["a"])}, {"outputs": np.array([1])},
        {"comparisons": np.array([["a", "b"]])}, {"outputs": np.array(["y", "z"])}, {"errors": np.array([[1, 2]])},
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_together_are_passed_over(changes: dict[str, Any]) -> None:
    assert errors(packed(**{**GOOD, **changes})) == ()


def test_names_in_a_file_are_a_strangers_and_become_one_short_line() -> None:
    (one,) = errors(packed(**{**GOOD, "outputs": np.array(["a\nb\x1b[31m" + "x" * 20_000])}))
    assert one.output.startswith("a b?[31m")
    assert len(one.output) < 5000


def test_many_files_of_a_stranger_are_unpacked_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    from navcore.package.report.html import measured

    monkeypatch.setattr(measured, "_ALL_ARRAYS", 10_000)
    rows = [made(f"format-{number}", 0.0, 1.0) for number in range(9)]
    file = latencies_file({1: [1.0] * 1000})
    assert len(latencies_of(rows, lambda _place: file, by_windows=False)) == 2
