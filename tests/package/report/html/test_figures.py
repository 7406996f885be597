"""What belongs to each chart: words that say what it shows, and a table of its numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from navcore.package.report.html.content import Content, content_of

from .given_records import errors_file, latencies_file, made, nothing, ranking, record, source
from .missing_extra import drawing

pytestmark = drawing


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture is drawn: here it is about what is said of it."""
    from navcore.package.report.html import figures

    monkeypatch.setattr(figures, "drawn", lambda _chart, **told: (told["description"],))


def behind(**contents: bytes) -> Callable[[str], bytes | None]:
    return lambda place: next((content for kind, content in contents.items() if f".{kind}." in place), None)


def content(*rows: object, read: Callable[[str], bytes | None] = nothing, **changes: object) -> Content:
    return content_of(record(*rows, **changes), read)  # type: ignore[arg-type]


@pytest.mark.usefixtures("drawn")
class TestSpeedAgainstError:
    """A figure per batch size."""

    def test_the_front_is_told_in_words_with_its_numbers(self) -> None:
        from navcore.package.report.html.figures import speed_figures

        rows = (source(4.0), made("exact", 0.0, 2.0), made("rough", 1e-3, 1.0), made("lost", 1e-2, 3.0))
        ratios = ranking(("rough", 4, 3.9, 4.1), ("exact", 2, 1.9, 2.1), ("lost", 1.3, 1.2, 1.4))
        (figure,) = speed_figures(content(*rows, ranking=ratios))
        assert figure.title == "Speed against error at batch size 1"
        assert figure.caption == (
            "No other row is both faster and nearer than these: exact in cpu (2.00×, error 0); rough in cpu (4.00×, "
            "error 0.001). Bars are 95 % intervals."
        )
        (numbers,) = figure.numbers
        assert numbers.heads[2] == "times as fast as the source"
        assert ("3", "lost in cpu", "1.300", "1.200 to 1.400", "0.01", "no") in numbers.rows
        assert figure.pictures == (f"3 points. {figure.caption}",), "it is read out, too"

    def test_without_a_ranking_it_is_about_latency(self) -> None:
        from navcore.package.report.html.figures import speed_figures

        first, second = speed_figures(content(made("onnx", 1e-6, 2.0, 3.0)))
        assert first.numbers[0].heads[2] == "median latency, ms"
        assert "onnx in cpu (2.00 ms, error 1.0e-06)" in first.caption
        assert second.title == "Speed against error at batch size 2"

    def test_what_is_left_out_or_from_elsewhere_is_told(self) -> None:
        from navcore.package.report.html.figures import speed_figures

        rows = (made("onnx", 1e-6, 2.0), made("there", 1e-6, 2.0, elsewhere=True), made("odd", None, 2.0))
        (figure,) = speed_figures(content(*rows))
        assert "Squares are rows that another machine recorded." in figure.caption
        assert "Not in the picture: odd in cpu: no number says how far off it is." in figure.caption
        assert figure.numbers[0].rows[1][1] == "there in cpu (recorded elsewhere)"


@pytest.mark.usefixtures("drawn")
class TestLatencies:
    """A figure per batch size."""

    def test_the_percentiles_are_in_the_table(self) -> None:
        from navcore.package.report.html.figures import latency_figures

        read = behind(blocks=latencies_file({1: [1.0] * 50 + [2.0] * 50}))
        (figure,) = latency_figures(content(made("onnx", 0.0, 1.0), read=read))
        assert figure.numbers[0].rows == (("onnx in cpu", "1.000", "1.000", "1.000", "2.000", "2.000", "100"),)
        assert "The lowest median is that of onnx in cpu, 1.00 ms." in figure.pictures[0]

    def test_of_very_many_rows_some_are_in_the_table_alone(self) -> None:
        from navcore.package.report.html.figures import latency_figures

        read = behind(blocks=latencies_file({1: [1.0, 2.0]}))
        rows = [made(f"format-{number}", 0.0, 1.0) for number in range(45)]
        (figure,) = latency_figures(content(*rows, read=read))
        assert "5 more are in the table below, and not drawn." in figure.caption
        assert len(figure.numbers[0].rows) == 45


@pytest.mark.usefixtures("drawn")
class TestErrors:
    """One figure, of all rows and outputs."""

    def test_without_files_there_is_none(self) -> None:
        from navcore.package.report.html.figures import error_figure

        assert error_figure(content(made("onnx", 0.0, 1.0))) is None

    def test_the_worst_sample_is_named_and_every_number_is_there(self) -> None:
        from navcore.package.report.html.figures import error_figure

        read = behind(errors=errors_file([[0.0, 2e-5], [1e-7, 1e-6]], ("y", "z")))
        figure = error_figure(content(made("onnx", 2e-5), read=read))
        assert figure is not None
        assert figure.pictures[0].endswith(
            "The largest error, 2.0e-05, is that of output y of onnx in cpu on correctness sample 1."
        )
        summary, every = figure.numbers
        assert summary.rows[0] == ("onnx in cpu", "y", "2", "0", "2.0e-05", "correctness sample 1", "1.0e-04")
        assert every.rows[1] == ("correctness sample 1", "2.0e-05", "1.0e-06")

    def test_of_very_many_strips_the_worst_are_drawn_and_that_is_told(self) -> None:
        from navcore.package.report.html.figures import error_figure

        read = behind(errors=errors_file([[0.0] * 200]))
        figure = error_figure(content(*(made(f"format-{number}") for number in range(70)), read=read))
        assert figure is not None
        assert "10 more with smaller errors are in the table below, and not drawn." in figure.caption
        assert len(figure.numbers[0].rows) == 70
        assert figure.numbers[1].rows[0][0].startswith("They are too many for a page"), "it says so"

    def test_an_ending_that_runtimes_share_is_left_out_and_that_is_told(self) -> None:
        from navcore.package.report.html.figures import error_figure

        rows = [made("onnx", runtime="CPUExecutionProvider"), made("pt2", runtime="PyTorchExecutionProvider")]
        figure = error_figure(content(*rows, read=behind(errors=errors_file([[0.0]]))))
        assert figure is not None
        assert "Runtimes are named without their ending ExecutionProvider." in figure.caption
