"""The table: what a reader sees of results, good and bad."""

from __future__ import annotations

import json
import math
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from navcore.contract.formats import Format
from navcore.package.report.cells import COLUMNS, difference_text, number_text, size_text
from navcore.package.report.json_data import results_data
from navcore.package.report.table import render_table
from navcore.workspace.results import (
    Attempt,
    BatchPerformance,
    Difference,
    Failure,
    FormatResult,
    Outcome,
    RuntimeResult,
    Status,
    Verification,
)


def measured(batch_size: int, p50: float, *, stable: bool = True, p99: float | None = None) -> BatchPerformance:
    return BatchPerformance(batch_size, p50, 0.1, p50, None, None, p99, 1000 * batch_size / p50, 100, stable)


def difference(**changes: Any) -> Difference:
    return attrs.evolve(Difference("y", 1.2e-7, 3e-4, 2e-7, 1.0, 100, 0.5), **changes)


SOURCE = FormatResult(
    Format("torch"),
    Status.OK,
    live=True,
    runtimes=(RuntimeResult("eager", Status.OK, performance=(measured(1, 4.0), measured(8, 20.0)), threads=4),),
)
ONNX = FormatResult(
    Format("onnx"),
    Status.OK,
    "onnx/model.onnx",
    "torch:onnx_from_torch",
    size=46_800_000,
    runtimes=(
        RuntimeResult(
            "CPUExecutionProvider",
            Status.OK,
            verification=Verification(Status.OK, (difference(), difference(atol=5e-6))),
            performance=(measured(8, 40.0), measured(1, 2.0, p99=3.0)),
            threads=4,
        ),
    ),
)


def lines_of(*results: FormatResult, width: int | None = None) -> list[str]:
    return render_table(results, width=width).splitlines()


def line_with(text: str, lines: list[str]) -> str:
    found = [line for line in lines if text in line]
    assert found, f"no line with {text!r} in:\n" + "\n".join(lines)
    return found[0]


def with_runtime(**changes: Any) -> FormatResult:
    return attrs.evolve(ONNX, runtimes=(attrs.evolve(ONNX.runtimes[0], **changes),))


def test_the_source_comes_first_and_is_marked() -> None:
    lines = lines_of(ONNX, SOURCE)
    heads = "format runtime result max abs max rel rel L2 batch p50 ms p99 ms items/s vs source size"
    assert " ".join(lines[0].split()) == heads
    assert lines[2].startswith("torch (source)  eager")
    assert lines[4].startswith("onnx ")


def test_a_row_per_batch_size_the_smallest_first_and_the_runtime_only_once() -> None:
    lines = lines_of(SOURCE, ONNX)
    assert lines[4].split() == [
        "onnx", "CPUExecutionProvider", "ok", "5.0e-06", "3.0e-04", "2.0e-07", "1", "2.00", "3.00", "500", "2.00×",
        "46.8", "MB",
    ]  # fmt: skip
    assert lines[5].split() == ["8", "40.0", "–", "200", "0.50×"], "slower than the source is a ratio below 1"
    assert len(lines[5]) - len(lines[5].lstrip()) > len("onnx            CPUExecutionProvider")


def test_numbers_stand_right_aligned_below_their_heads() -> None:
    head, _, first, second, third, fourth = lines_of(SOURCE, ONNX)[:6]
    end = head.index("p50 ms") + len("p50 ms")
    for line, number in ((first, "4.00"), (second, "20.0"), (third, "2.00"), (fourth, "40.0")):
        assert line[:end].endswith(number)


def test_the_footer_says_what_the_numbers_are() -> None:
    text = render_table([SOURCE, ONNX])
    assert "includes host↔device copies" in text
    assert "Measured with 4 threads." in text
    assert "below 1× the row is slower" in text


def test_thread_counts_that_differ_are_named() -> None:
    assert "Threads: eager 4, CPUExecutionProvider 1." in render_table([SOURCE, with_runtime(threads=1)])


def test_an_unstable_measurement_and_the_users_word_are_part_of_the_result() -> None:
    row = with_runtime(performance=(measured(1, 2.0, stable=False),), verified=True)
    lines = lines_of(SOURCE, row)
    assert "ok, unstable ✓ verified" in line_with("onnx", lines)
    assert line_with("unstable: no three windows", lines)


def test_a_short_cause_stands_in_place_of_the_numbers() -> None:
    gone = RuntimeResult(
        "CUDAExecutionProvider",
        Status.UNAVAILABLE,
        outcome=Outcome(Status.UNAVAILABLE, failure=Failure("no CUDA device", "unavailable")),
    )
    lines = lines_of(SOURCE, attrs.evolve(ONNX, runtimes=(gone,)))
    assert lines[4].split(maxsplit=3) == ["onnx", "CUDAExecutionProvider", "unavailable", "no CUDA device"]
    assert not any(line.startswith("why:") for line in lines), "the line has said all there is"


def test_a_long_cause_is_told_in_full_below_with_the_place_the_hint_and_the_log() -> None:
    cause = "nav-torch 0.1.0 (script_from_torch): " + "NotSupportedError: keyword-only arguments " * 5
    failed = FormatResult(
        Format("torchscript-script"),
        Status.FAILED,
        attempts=(Attempt("torch:script_from_torch", Outcome(Status.FAILED, log="torchscript-script/x.log")),),
        failure=Failure(cause.strip(), "export", "model.py:12 in forward", "Give forward fixed arguments."),
    )
    lines = lines_of(SOURCE, failed, width=100)
    assert line_with("failed", lines).endswith("…")
    assert all(len(line) <= 100 for line in lines)
    told = " ".join(" ".join(lines).split())
    assert f"why: torchscript-script: {cause.strip()}" in told
    assert "     at model.py:12 in forward" in lines
    assert "     Give forward fixed arguments." in lines
    assert "     log: torchscript-script/x.log" in lines


def test_a_failed_verification_keeps_its_differences_and_says_why() -> None:
    refused = Verification(
        Status.FAILED, (difference(relative_l2=0.4),), failure=Failure("too far off", "verification")
    )
    row = with_runtime(status=Status.FAILED, verification=refused, performance=())
    assert line_with("onnx", lines_of(SOURCE, row)).split(maxsplit=6) == [
        "onnx", "CPUExecutionProvider", "failed", "1.2e-07", "3.0e-04", "0.4", "too far off",
    ]  # fmt: skip


def test_what_was_never_tried_says_so() -> None:
    row = FormatResult(Format("trt"), Status.SKIPPED, failure=Failure("onnx failed: too far off"))
    assert line_with("trt", lines_of(SOURCE, row)).split(maxsplit=3)[2:] == [
        "skipped",
        "not tried: onnx failed: too far off",
    ]


def test_a_batch_size_without_numbers_is_explained_below() -> None:
    lost = Outcome(Status.FAILED, log="onnx/cpu.log", failure=Failure("batch size 8: out of memory", "memory"))
    lines = lines_of(SOURCE, with_runtime(performance=(measured(1, 2.0),), profiling=lost))
    assert "2.00×" in line_with("onnx", lines)
    assert "why: onnx in CPUExecutionProvider: batch size 8: out of memory" in lines
    assert "     log: onnx/cpu.log" in lines


def test_an_earlier_route_that_failed_a_fallback_and_a_missing_containment_are_noted() -> None:
    row = attrs.evolve(
        ONNX,
        attempts=(
            Attempt("torch:dynamo", Outcome(Status.FAILED, log="onnx/d.log", failure=Failure("unsupported operator"))),
            Attempt("torch:onnx_from_torch", Outcome(Status.OK, contained=False)),
        ),
        notes=("opset 18 instead of 13",),
    )
    lines = lines_of(SOURCE, row)
    assert "note: onnx: torch:dynamo was tried: unsupported operator (log: onnx/d.log)" in lines
    assert "note: onnx: opset 18 instead of 13" in lines
    assert line_with("note: onnx: not contained", lines)


def test_a_format_on_the_way_and_a_row_of_another_machine_are_marked() -> None:
    way = attrs.evolve(ONNX, requested=False, elsewhere=True)
    lines = lines_of(SOURCE, way)
    assert "onnx (on the way)" in lines[4]
    assert "ok, recorded elsewhere" in lines[4]
    assert line_with("recorded elsewhere: the row is another machine's", lines)


def test_speed_is_never_compared_across_machines() -> None:
    there = with_runtime(elsewhere=True)
    assert "2.00×" not in line_with("onnx", lines_of(SOURCE, there))


def test_a_format_that_nothing_here_runs_says_so() -> None:
    row = FormatResult(Format("odd"), Status.UNVERIFIED, "odd/model", "plugin:odd")
    assert "no installed runtime can run it" in line_with("odd", lines_of(SOURCE, row))


def test_a_format_whose_every_runtime_is_out_of_reach_is_there_and_unproven() -> None:
    def row(name: str, reason: str, *others: RuntimeResult, status: Status) -> str:
        nowhere = Outcome(Status.UNAVAILABLE, failure=Failure(reason, "unavailable"))
        runtime = RuntimeResult("trt-rtx", Status.UNAVAILABLE, outcome=nowhere)
        table = render_table([SOURCE, FormatResult(Format(name), status, "e/model.plan", runtimes=(*others, runtime))])
        return next(line for line in table.splitlines() if line.startswith(name) and "trt-rtx" in line)

    assert "unverified, unavailable  no CUDA device" in row("engine", "no CUDA device", status=Status.UNVERIFIED)
    proven = row("engine", "no CUDA device", RuntimeResult("cpu", Status.OK), status=Status.OK)
    assert "unavailable  no CUDA device" in proven
    assert "unverified" not in proven


def test_a_run_without_profiling_shows_dashes() -> None:
    assert lines_of(attrs.evolve(SOURCE, runtimes=()), with_runtime(performance=()))[-1].split()[6:11] == ["–"] * 5


def test_no_results_are_no_table() -> None:
    assert render_table([]) == "No results yet."


def test_a_nan_difference_does_not_hide_behind_a_small_one() -> None:
    row = with_runtime(verification=Verification(Status.OK, (difference(), difference(atol=math.nan))))
    assert line_with("onnx", lines_of(SOURCE, row)).split()[3] == "nan"


def test_a_strangers_text_cannot_command_the_terminal() -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\nok"
    gone = RuntimeResult("cpu", Status.FAILED, notes=(evil,), outcome=Outcome(Status.FAILED, failure=Failure(evil)))
    text = render_table([attrs.evolve(ONNX, runtimes=(gone,))])
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_a_narrow_terminal_loses_columns_by_name_and_no_row_runs_over(width: int) -> None:
    lines = lines_of(SOURCE, ONNX, width=width)
    if width >= 70:
        assert all(len(line) <= width for line in lines)
    shown = [column for column in COLUMNS if column in lines[0]]
    named = " ".join(" ".join(lines).split())
    assert all(column in shown or column in named.partition("There was no room for:")[2] for column in COLUMNS)


@given(st.floats(min_value=1e-6, max_value=1e9))
def test_three_digits_tell_a_number_within_half_a_percent(value: float) -> None:
    assert float(number_text(value)) == pytest.approx(value, rel=5.1e-3)
    assert "e" not in number_text(value)


@given(st.floats(min_value=1e-30, max_value=1e30))
def test_two_digits_tell_a_difference_within_five_percent(value: float) -> None:
    assert float(difference_text(value)) == pytest.approx(value, rel=0.051)


@pytest.mark.parametrize(
    ("size", "text"),
    [(None, "–"), (0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (999_999, "1.00 MB"), (2_147_483_648, "2.15 GB")],
)
def test_sizes_are_told_in_powers_of_a_thousand(size: int | None, text: str) -> None:
    assert size_text(size) == text


def test_only_exactly_no_difference_is_zero() -> None:
    assert difference_text(0.0) == "0"
    assert difference_text(1e-30) == "1.0e-30"
    assert difference_text(math.inf) == "inf"


def test_the_same_as_data_is_plain_and_in_the_same_order() -> None:
    data = results_data([ONNX, SOURCE])
    assert json.loads(json.dumps(data)) == data
    assert [row["format"] for row in data] == ["torch", "onnx"]
    assert [one["vs_source"] for one in data[1]["runtimes"][0]["performance"]] == [2.0, 0.5]
