"""Which rows have a place in the picture of speed against error, and which of them nothing else beats."""

from __future__ import annotations

import attrs
import pytest

from navcore.package.report.html.speed_error import SpeedAndError, speed_and_error
from navcore.workspace.callers import ConcurrentThroughput
from navcore.workspace.ranking import Ranking
from navcore.workspace.results import FormatResult

from .given_records import broken, made, ranking, source


def picture(*results: FormatResult, ranked: Ranking | None = None) -> SpeedAndError:
    (found,) = speed_and_error(results, ranked)
    return found


def front(found: SpeedAndError) -> list[str]:
    return [point.format for point in found.points if point.best]


def test_by_ratio_a_point_has_its_interval() -> None:
    found = picture(source(4.0), made("onnx", 1e-6, 1.0), ranked=ranking(("onnx", 3.9, 3.8, 4.0)))
    (point,) = found.points
    assert found.by_ratio
    assert (point.speed, point.low, point.high, point.error) == (3.9, 3.8, 4.0, 1e-6)
    assert point.best


def test_without_a_ranking_it_is_by_latency_with_the_interval_of_the_median() -> None:
    found = picture(made("onnx", 1e-6, 1.0))
    assert not found.by_ratio
    assert (found.points[0].speed, found.points[0].low, found.points[0].high) == (1.0, 0.98, 1.02)


@pytest.mark.parametrize("by_ratio", [True, False])
def test_the_front_is_what_no_other_beats_in_both(by_ratio: bool) -> None:
    rows = [made("exact", 0.0, 4.0), made("middle", 1e-6, 2.0), made("worse", 1e-5, 3.0), made("rough", 1e-3, 1.0)]
    ratios = [("exact", 1.0), ("middle", 2.0), ("worse", 1.5), ("rough", 4.0)]
    ranked = ranking(*((name, ratio, ratio, ratio) for name, ratio in ratios)) if by_ratio else None
    assert front(picture(*rows, ranked=ranked)) == ["exact", "middle", "rough"]


def test_equals_are_both_on_the_front() -> None:
    assert front(picture(made("one", 1e-6, 2.0), made("other", 1e-6, 2.0))) == ["one", "other"]


def test_each_batch_size_has_its_picture() -> None:
    found = speed_and_error([made("onnx", 1e-6, 1.0, 2.0)], None)
    assert [one.batch_size for one in found] == [1, 2]


def test_several_callers_at_once_are_no_point_of_their_own() -> None:
    together = ConcurrentThroughput(8, 1, 1, 3000.0, 2900.0, 3100.0, 2.6, None, 900, 0.3)
    found = picture(made("onnx", 1e-6, 1.0, concurrent=(together,)))
    assert [point.speed for point in found.points] == [1.0]
    assert found.left_out == ()


def test_what_failed_or_is_the_source_has_no_place() -> None:
    assert speed_and_error([source(1.0), broken("onnx", "no")], None) == ()


def test_a_row_that_was_not_ranked_is_left_out_and_told() -> None:
    found = picture(made("onnx", 1e-6, 1.0), made("late", 1e-6, 1.0), ranked=ranking(("onnx", 2.0, 1.9, 2.1)))
    assert [point.format for point in found.points] == ["onnx"]
    assert found.left_out == ("late in cpu: it was not measured in turn with the others",)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan"), 1e300])
def test_a_speed_that_has_no_place_on_an_axis_is_left_out_and_told(speed: float) -> None:
    rows = (made("onnx", 1e-6, 1.0), made("other", 1e-6, 1.0))
    found = picture(*rows, ranked=ranking(("onnx", 2.0, speed, 2.1), ("other", 2.0, 1.9, 2.1)))
    assert [point.format for point in found.points] == ["other"]
    assert found.left_out == ("onnx in cpu: its speed cannot be drawn",)


@pytest.mark.parametrize("error", [None, float("inf"), float("nan"), -1.0])
def test_a_row_without_an_error_is_left_out_and_told(error: float | None) -> None:
    found = picture(made("onnx", error, 1.0), made("other", 1e-6, 1.0))
    assert found.left_out == ("onnx in cpu: no number says how far off it is",)


def test_rows_of_another_machine_do_not_compete_with_those_of_this_one() -> None:
    found = picture(made("here", 1e-6, 2.0), made("there", 1e-7, 1.0, elsewhere=True))
    assert front(found) == ["here"]
    assert [point.here for point in found.points] == [True, False]
    assert front(picture(made("there", 1e-7, 1.0, elsewhere=True))) == ["there"], "there is none of this one"


def test_a_record_of_any_size_gives_a_picture_that_can_be_read() -> None:
    found = picture(*(made(f"format-{number}", 1e-6, 1.0 + number) for number in range(100)))
    assert len(found.points) == 60
    assert len(found.left_out) == 40


def test_the_reference_is_named_where_it_is_not_the_source() -> None:
    ranked = attrs.evolve(ranking(("onnx", 2.0, 1.9, 2.1)), is_source=False)
    assert picture(made("onnx", 1e-6, 1.0), ranked=ranked).reference == "torch in eager"
