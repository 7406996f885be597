"""The answer in one sentence claims what was measured, and nothing else."""

from __future__ import annotations

import attrs

from navcore.package.report.html.answer import Answer, answer_of
from navcore.workspace.callers import ConcurrentThroughput
from navcore.workspace.ranking import Ranking
from navcore.workspace.results import FormatResult, RuntimeResult, Status, Verification

from .given_records import broken, made, ranking, source


def answer(*results: FormatResult, ranked: Ranking | None = None) -> Answer:
    return answer_of(results, ranked)


def test_a_faster_row_is_to_be_shipped_with_its_ratio_its_interval_and_its_error() -> None:
    found = answer(source(4.0), made("onnx", 1e-7, 1.0), ranked=ranking(("onnx", 3.89, 3.83, 3.95)))
    assert found.sentence == (
        "Ship onnx in cpu: 3.89 times as fast as the source at batch size 1 (3.83 to 3.95, 95 %), "
        "with a relative error of at most 1.0e-07."
    )
    assert found.ships
    assert found.chosen == ("onnx", "cpu")
    assert found.details == ("Its median latency is 1.00 ms, its throughput 1000 samples per second at batch size 1.",)


def test_the_best_is_that_of_the_ranking_not_the_lowest_latency() -> None:
    rows = (source(4.0), made("slow", 0.0, 1.0), made("quick", 0.0, 1.1))
    found = answer(*rows, ranked=ranking(("quick", 4.0, 3.9, 4.1), ("slow", 3.0, 2.9, 3.1)))
    assert found.chosen == ("quick", "cpu")
    assert "with outputs that are the same to the last bit" in found.sentence


def test_without_a_ranking_no_ratio_is_claimed() -> None:
    found = answer(source(4.0), made("onnx", 1e-7, 1.0))
    assert found.sentence == (
        "Ship onnx in cpu: the lowest median latency of what verified, 1.00 ms at batch size 1, with a relative error "
        "of at most 1.0e-07; it was not measured in turn with the source, so no ratio is claimed."
    )


def test_an_interval_that_covers_one_is_no_difference() -> None:
    found = answer(source(4.0), made("onnx", 1e-7, 3.9), ranked=ranking(("onnx", 1.02, 0.97, 1.06)))
    assert found.sentence == (
        "onnx in cpu is the fastest that verified at batch size 1, and no difference in speed to the source was shown "
        "(0.970 to 1.06 times as fast, 95 %), with a relative error of at most 1.0e-07."
    )


def test_what_is_slower_than_the_source_is_not_shipped_for_its_speed() -> None:
    found = answer(source(4.0), made("onnx", 1e-7, 8.0), ranked=ranking(("onnx", 0.5, 0.45, 0.55)))
    assert found.sentence.startswith(
        "Nothing that verified is faster than the source: the fastest, onnx in cpu, is 0.5"
    )


def test_where_the_source_was_not_there_the_ratio_is_to_what_was() -> None:
    found = answer(made("onnx", 1e-7, 1.0), ranked=ranking(("onnx", 2.0, 1.9, 2.1), is_source=False))
    assert "2.00 times as fast as torch in eager" in found.sentence


def test_what_did_not_settle_or_was_not_asked_for_says_so() -> None:
    row = attrs.evolve(made("onnx", 1e-7, 1.0), requested=False)
    shaky = attrs.evolve(row.runtimes[0].performance[0], stable=False)
    row = attrs.evolve(row, runtimes=(attrs.evolve(row.runtimes[0], performance=(shaky,)),))
    details = " ".join(answer(row).details)
    assert "did not settle" in details
    assert "made on the way to another" in details


def test_another_row_for_throughput_is_named() -> None:
    found = answer(made("quick", 0.0, 1.0, 4.0), made("wide", 0.0, 1.5, 1.6))
    assert found.chosen == ("quick", "cpu")
    assert found.details[-1] == "For throughput take wide in cpu: 1250 samples per second at batch size 2."


def test_for_throughput_several_callers_at_once_are_told() -> None:
    together = ConcurrentThroughput(8, 1, 1, 3000.0, 2900.0, 3100.0, 2.6, None, 900, 0.3)
    found = answer(made("onnx", 0.0, 1.0, concurrent=(together,)))
    assert "3000" not in found.sentence, "the answer is about one caller"
    assert found.details[-1] == (
        "For throughput take onnx in cpu: 3000 samples per second at batch size 1, "
        "with 8 callers at once on one session."
    )


def test_a_row_without_a_number_for_its_error_says_so() -> None:
    assert "with no number for its error" in answer(made("onnx", None, 1.0)).sentence


def test_what_was_only_recorded_elsewhere_is_not_shipped() -> None:
    found = answer(made("onnx", 1e-7, 1.0, elsewhere=True), ranked=ranking(("onnx", 2.0, 1.9, 2.1)))
    assert found.sentence.startswith(
        "Nothing was tested on this machine; where it was recorded, onnx in cpu was the fastest that verified, "
        "2.00 times as fast as the source (1.90 to 2.10, 95 %)"
    )
    assert not found.ships
    assert found.chosen is None


def test_nothing_is_named_where_nothing_was_measured() -> None:
    assert (
        answer(made("onnx")).sentence
        == "One row verified, and it was not measured, so nothing is named as the fastest."
    )
    assert answer(made("onnx"), made("pt2")).sentence == (
        "2 rows verified, and none of them was measured, so nothing is named as the fastest."
    )


def test_a_fixed_axis_is_no_answer() -> None:
    fixed = Verification(Status.OK, compared=3, frozen_axes=("batch",))
    assert "takes only some of the sizes" in answer(made("onnx", 0.0, 1.0, verification=fixed)).sentence


def test_unverified_is_not_proven() -> None:
    row = attrs.evolve(made("onnx"), status=Status.UNVERIFIED, runtimes=(RuntimeResult("cpu", Status.UNVERIFIED),))
    assert answer(row).sentence.startswith("Nothing is proven")


def test_where_all_failed_there_is_nothing_to_ship() -> None:
    assert answer(source(4.0), broken("onnx", "no such operator")).sentence.startswith("Ship none of this")


def test_before_anything_was_done_it_says_that() -> None:
    assert answer().sentence == "There are no results yet."
    assert answer(source(1.0)).sentence == "There is the source alone: nothing was made of it."
