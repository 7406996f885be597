"""The table: what a reader sees of results, good and bad."""

from __future__ import annotations

import io
import json
import math
import re
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from navcore.contract.formats import Format
from navcore.package.report.cells import COLUMNS, difference_text, metric_text, number_text, size_text
from navcore.package.report.json_data import results_data
from navcore.package.report.table import DEFAULT_WIDTH, print_table, render_table
from navcore.workspace.metrics import MetricResult
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


def test_rows_of_one_runtime_that_differ_in_threads_are_named_one_by_one() -> None:
    one, other = with_runtime(threads=1), attrs.evolve(with_runtime(threads=2), format=Format("onnx-fp16"))
    text = render_table([SOURCE, one, other])
    assert "onnx in CPUExecutionProvider 1, onnx-fp16 in CPUExecutionProvider 2." in text


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
    assert render_table([SOURCE, attrs.evolve(ONNX, runtimes=(gone,))]).count("no CUDA device") == 1, "it says it all"


def test_a_long_cause_is_told_in_full_below_with_the_place_the_hint_and_the_log() -> None:
    cause = "nav-torch 0.1.0 (script_from_torch): " + "NotSupportedError: keyword-only arguments " * 5
    failed = FormatResult(
        Format("torchscript-script"),
        Status.FAILED,
        attempts=(Attempt("torch:script_from_torch", Outcome(Status.FAILED, log="torchscript-script/x.log")),),
        failure=Failure(cause.strip(), "export", "model.py:12 in forward", "Give forward fixed arguments."),
    )
    for width in (None, 100):
        lines = lines_of(SOURCE, failed, width=width)
        assert all(len(line) <= (width or DEFAULT_WIDTH) for line in lines)
        assert f"failed torchscript-script: {cause.strip()}" in " ".join(" ".join(lines).split())
        assert "        at model.py:12 in forward" in lines
        assert "        Give forward fixed arguments." in lines
        assert "        log: torchscript-script/x.log" in lines
        short = [line for line in lines if line.endswith("…")]
        assert len(short) == (width is None), "without a terminal each row has its line, whatever is told below"


def test_a_failed_verification_keeps_its_differences_and_says_why() -> None:
    refused = Verification(
        Status.FAILED, (difference(relative_l2=0.4),), failure=Failure("too far off", "verification")
    )
    row = with_runtime(status=Status.FAILED, verification=refused, performance=())
    lines = lines_of(SOURCE, row)
    assert line_with("onnx", lines).split() == [
        "onnx", "CPUExecutionProvider", "failed", "1.2e-07", "3.0e-04", "0.4", *["–"] * 5, "46.8", "MB",
    ]  # fmt: skip
    assert "failed  onnx in CPUExecutionProvider: too far off" in lines


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
    assert "not measured  onnx in CPUExecutionProvider: batch size 8: out of memory" in lines
    assert "              log: onnx/cpu.log" in lines


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


def unavailable(runtime: str, cause: str = "no CUDA device") -> RuntimeResult:
    nowhere = Outcome(Status.UNAVAILABLE, failure=Failure(cause, "unavailable"))
    return RuntimeResult(runtime, Status.UNAVAILABLE, outcome=nowhere)


LONG_NAMES = (
    attrs.evolve(SOURCE, runtimes=(attrs.evolve(SOURCE.runtimes[0], runtime="PyTorchExecutionProvider"),)),
    attrs.evolve(
        ONNX,
        runtimes=(
            *ONNX.runtimes,
            unavailable("CUDAExecutionProvider"),
            unavailable("TensorrtExecutionProvider"),
        ),
    ),
    attrs.evolve(
        ONNX,
        format=Format("onnx-fp16"),
        runtimes=(
            attrs.evolve(ONNX.runtimes[0], performance=(measured(1, 2.0, stable=False),), verified=True),
            unavailable("CUDAExecutionProvider"),
            unavailable("TensorrtExecutionProvider"),
        ),
    ),
    attrs.evolve(
        ONNX,
        format=Format("torch-exportedprogram"),
        requested=False,
        runtimes=(attrs.evolve(ONNX.runtimes[0], runtime="PyTorchExecutionProvider", verified=True),),
    ),
    FormatResult(Format("trt"), Status.SKIPPED, failure=Failure("onnx failed: too far off")),
    FormatResult(Format("trt-fp16"), Status.SKIPPED, failure=Failure("onnx failed: too far off")),
)
"""What a run of PyTorch leaves on a machine without a GPU, with the longest names that there are."""


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_no_line_is_longer_than_the_terminal_and_what_is_left_out_is_named(width: int) -> None:
    lines = lines_of(*LONG_NAMES, width=width)
    assert all(len(line) <= width for line in lines)
    told = " ".join(" ".join(lines).split()).partition("There was no room for:")[2]
    assert all((column in lines[0]) != (column in told) for column in COLUMNS)


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (80, "format runtime result batch p50 ms vs source"),
        (100, "format runtime result max abs rel L2 batch p50 ms items/s vs source"),
        (120, "format runtime result max abs rel L2 batch p50 ms p99 ms items/s vs source size"),
        (200, "format runtime result max abs max rel rel L2 batch p50 ms p99 ms items/s vs source size"),
    ],
)
def test_what_matters_least_goes_first_and_no_row_is_broken(width: int, heads: str) -> None:
    lines = lines_of(*LONG_NAMES, width=width)
    assert " ".join(lines[0].split()) == heads
    first_words = [line.split()[0].rstrip("*") for line in lines[2:9]]
    assert first_words == ["torch", "8", "onnx", "8", "onnx-fp16", "torch-exportedprogram", "8"]


def test_words_are_shortened_before_a_number_is_left_out() -> None:
    lines = lines_of(*LONG_NAMES, width=130)
    assert "There was no room" not in " ".join(lines)
    assert line_with("torch-exportedprogram*", lines).split()[1:4] == ["PyTorch", "ok", "✓"]
    assert "Runtimes are named without their ending ExecutionProvider." in lines
    assert "*: made on the way to another format." in lines
    assert "✓: verified by your own word." in lines


def test_a_column_of_dashes_is_the_first_to_go() -> None:
    unmeasured = [
        attrs.evolve(row, runtimes=(attrs.evolve(row.runtimes[0], performance=()),)) for row in (SOURCE, ONNX)
    ]
    lines = lines_of(*unmeasured, width=80)
    assert " ".join(lines[0].split()) == "format runtime result max abs max rel rel L2 size"
    assert "There was no room" not in " ".join(lines), "nothing is missing"


def test_rows_of_one_reason_are_one_line_on_a_terminal_and_each_its_own_in_a_file() -> None:
    reason = "unavailable onnx, onnx-fp16 in CUDAExecutionProvider, TensorrtExecutionProvider: no CUDA device"
    told = " ".join(render_table(LONG_NAMES, width=80).split())
    assert reason in told
    assert "skipped trt, trt-fp16: not tried: onnx failed: too far off" in told
    assert told.count("no CUDA device") == 1
    whole = [line.split() for line in lines_of(*LONG_NAMES)]
    assert ["onnx-fp16", "TensorrtExecutionProvider", "unavailable", "no", "CUDA", "device"] in whole
    assert sum(words[-3:] == ["no", "CUDA", "device"] for words in whole) == 4


def test_reasons_that_differ_stay_apart() -> None:
    other = attrs.evolve(ONNX, runtimes=(unavailable("a"), unavailable("b", "no license")))
    lines = lines_of(SOURCE, other, width=80)
    assert "unavailable  onnx in a: no CUDA device" in lines
    assert "unavailable  onnx in b: no license" in lines


def test_a_path_is_never_broken_so_that_it_can_be_copied() -> None:
    log = "torchscript-script/" + "a" * 70 + ".log"
    attempt = Attempt("torch:script", Outcome(Status.FAILED, log=log))
    row = FormatResult(Format("torchscript-script"), Status.FAILED, attempts=(attempt,), failure=Failure("no"))
    assert log in line_with(log, lines_of(SOURCE, row, width=80))


def test_a_table_without_a_single_number_is_its_reasons() -> None:
    assert lines_of(LONG_NAMES[4], width=80) == ["skipped  trt: not tried: onnx failed: too far off"]


def test_a_terminal_is_coloured_unless_no_color_asks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    def printed() -> str:
        page = io.StringIO()
        console = Console(file=page, width=80, force_terminal=True, color_system="standard", highlight=False)
        print_table(LONG_NAMES, console, width=80)
        return page.getvalue()

    assert "\x1b[32mok" in printed()
    assert "\x1b[33munavailable" in printed()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*[34][0-9]", printed())


def test_markup_in_a_plugins_words_is_text() -> None:
    row = attrs.evolve(ONNX, runtimes=(*ONNX.runtimes, unavailable("[red]gpu", "[/] :boom: [link=x]no[/link]")))
    for width in (None, 100):
        text = render_table([SOURCE, row], width=width)
        assert "[red]gpu" in text
        assert "[/] :boom: [link=x]no[/link]" in text


def test_a_strangers_record_of_any_size_is_drawn_as_far_as_anybody_reads() -> None:
    many = [attrs.evolve(ONNX, format=Format(f"f{number}"), notes=("x",)) for number in range(2000)]
    lines = lines_of(*many, width=80)
    assert len(lines) < 1600
    assert lines.count("… and more than that; JSON has all of it.") == 2, "of the rows, and of the notes"


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


def judged(row: FormatResult, *metrics: MetricResult) -> FormatResult:
    return attrs.evolve(row, runtimes=(attrs.evolve(row.runtimes[0], metrics=metrics),))


def test_a_metric_is_a_column_with_the_difference_from_the_sources() -> None:
    lines = lines_of(
        judged(SOURCE, MetricResult("accuracy", 0.785, 10, 0.0)),
        judged(ONNX, MetricResult("accuracy", 0.7812, 10, -0.0038, -0.005)),
        judged(attrs.evolve(ONNX, format=Format("unjudged"))),
    )
    header = line_with("format", lines)
    assert header.index("rel L2") < header.index("accuracy") < header.index("batch")
    assert "0.7850" in line_with("torch (source)", lines)
    assert "±0" not in line_with("torch (source)", lines)
    assert "0.7812 −0.0038" in line_with("onnx", lines)
    assert "✓ verified" in line_with("onnx", lines)  # by its bound
    assert "✓" not in line_with("unjudged", lines)


@pytest.mark.parametrize(
    ("difference", "told"), [(0.0, "0.5000 ±0"), (0.012, "0.5000 +0.012"), (None, "0.5000"), (math.nan, "0.5000")]
)
def test_a_difference_has_its_sign(difference: float | None, told: str) -> None:
    assert metric_text(MetricResult("accuracy", 0.5, 10, difference), source=False) == told


def test_a_metric_named_like_a_column_is_told_from_it() -> None:
    lines = lines_of(judged(ONNX, MetricResult("batch", 3.0, 10)))
    assert "metric batch" in line_with("format", lines)


def test_on_a_narrow_terminal_metrics_stay_longest() -> None:
    lines = lines_of(judged(ONNX, MetricResult("accuracy", 0.7812, 10, -0.0038)), width=80)
    assert "accuracy" in line_with("format", lines)
    assert all(len(line) <= 80 for line in lines)
