"""What a user asks of a package after a run; formats and runtimes as values, enumerations or text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import navcore as nav
from navcore.errors import OptionError
from navcore.package.choosing import row_meant
from navcore.package.descriptor import PackageDescriptor
from navcore.workspace.results import BatchPerformance, Failure, FormatResult, Outcome, RuntimeResult, Status
from navcore.workspace.status.file import read_status

pytestmark = pytest.mark.processes

Run = Callable[..., nav.PackageDescriptor]
Changed = Callable[..., PackageDescriptor]


@pytest.fixture
def changed(finished: Any) -> Changed:
    """The package with rows replaced: ``changed(name=..., **fields of its first runtime)``."""

    def change(name: str, **fields: Any) -> PackageDescriptor:
        def row(one: FormatResult) -> FormatResult:
            if one.format.name != name:
                return one
            return attrs.evolve(one, runtimes=(attrs.evolve(one.runtimes[0], **fields), *one.runtimes[1:]))

        record = attrs.evolve(finished.record, results=tuple(row(one) for one in finished.results))
        return PackageDescriptor(finished._workspace, record, finished._registry, finished._source)

    return change


def timed(*latencies: float, sizes: tuple[int, ...] = (1, 2), stable: bool = True) -> tuple[BatchPerformance, ...]:
    return tuple(
        BatchPerformance(size, ms, 0.0, ms, None, None, None, 1000 * size / ms, 100, stable)
        for size, ms in zip(sizes, latencies, strict=True)
    )


def test_the_summaries(finished: Any, toy: Any) -> None:
    assert finished.get_formats_status() == {toy.ALPHA: True, toy.BETA: True, toy.GAMMA: True}
    assert finished.get_formats_performance() == {toy.ALPHA: 1.0, toy.BETA: 1.0, toy.GAMMA: 1.0}
    assert repr(finished) == "<PackageDescriptor navigator_model: 3 of 3 formats ok>"
    assert "toy-gamma" in str(finished)
    assert [row.format.name for row in finished.results] == ["toy-live", "toy-alpha", "toy-beta", "toy-gamma"]


def test_performance_is_the_median_at_the_smallest_batch_of_the_fastest_ok_runtime(changed: Changed, toy: Any) -> None:
    package = changed("toy-alpha", performance=timed(9.0, 3.0, sizes=(8, 1)))
    assert package.get_formats_performance()[toy.ALPHA] == 3.0
    assert toy.ALPHA not in changed("toy-alpha", status=Status.FAILED).get_formats_performance()


def test_get_status(finished: Any, toy: Any) -> None:
    assert finished.get_status("toy-alpha")
    assert finished.get_status(toy.ALPHA)
    assert finished.get_status("toy")  # the family: some variant
    assert finished.get_status("toy-alpha", runtime_provider="toy-runtime")
    assert not finished.get_status("toy-alpha", runtime_provider="toy-accelerator")
    assert not finished.get_status("toy-alpha", runtime_provider=nav.RuntimeProvider.CPU)
    assert not finished.get_status("toy-alpha", jit_type=nav.JitType.TRACE)
    assert not finished.get_status(nav.Format.ONNX)
    with pytest.raises(nav.UnknownFormat, match="Did you mean 'toy-alpha'"):
        finished.get_status("toy-alfa")


def test_get_model(finished: Any, toy: Any) -> None:
    assert finished.get_model(toy.ALPHA) == finished.workspace / "toy-alpha" / "model.toy"
    assert isinstance(finished.get_model("toy-live"), toy.ToyModel)
    with pytest.raises(nav.UnknownFormat, match="fits several variants: toy-alpha, toy-beta, toy-gamma"):
        finished.get_model("toy")
    with pytest.raises(nav.UnknownFormat, match="Known: toy-live, toy-alpha"):
        finished.get_model("onnx")
    with pytest.raises(nav.UnknownFormat, match="'toy-alpha trace'"):
        finished.get_model("toy-alpha", jit_type="trace")
    (finished.workspace / "toy-beta" / "model.beta").unlink()
    with pytest.raises(nav.PackageIncomplete, match="There is no toy-beta model"):
        finished.get_model("toy-beta")


def test_a_model_that_was_not_made_says_why(run_toy: Run, toy: Any) -> None:
    package = run_toy(toy.ToyModel(mischief={"alpha": "raise"}), targets="toy-alpha")
    with pytest.raises(nav.PackageIncomplete, match="mischief was asked for"):
        package.get_model("toy-alpha")
    with pytest.raises(nav.PackageIncomplete, match="nothing to pack"):
        package.save(package.workspace.parent / "x.nav")


def test_a_row_that_is_there_and_was_not_made_gives_one_answer(run_toy: Run, toy: Any) -> None:
    package = run_toy(toy.ToyModel(mischief={"alpha": "unavailable"}), targets="toy-alpha", run_profiling=False)
    assert package.get_status("toy-alpha") is False
    assert package.get_status("toy-alpha", "toy-runtime") is False
    assert package.get_verified_status("toy-alpha", "toy-runtime") is None
    for ask in (
        lambda: package.get_model("toy-alpha"),
        lambda: package.get_runner("toy-alpha"),
        lambda: package.set_verified("toy-alpha", "toy-runtime"),
    ):
        with pytest.raises(
            nav.PackageIncomplete, match=r"There is no toy-alpha model: .*the toy accelerator is not there"
        ):
            ask()
    assert "row toy-alpha unavailable: " in (package.workspace / "navigator.log").read_text()


def test_a_runtime_that_is_not_here_gives_one_answer(finished: Any) -> None:
    here = {"runtime": "toy-accelerator"}
    assert finished.get_status("toy-alpha", "toy-accelerator") is False
    assert finished.get_verified_status("toy-alpha", **here) is False
    for ask in (lambda: finished.get_runner("toy-alpha", **here), lambda: finished.set_verified("toy-alpha", **here)):
        with pytest.raises(nav.Unavailable, match=r"toy-accelerator.*: there is no toy accelerator in this machine"):
            ask()
    assert finished.get_verified_status("toy-alpha", **here) is False


def test_what_never_gave_a_result_takes_no_word_and_says_its_reason(changed: Changed) -> None:
    crash = Outcome(Status.FAILED, failure=Failure("its process was killed by SIGSEGV", hint="See the log."))
    crashed = changed("toy-beta", status=Status.FAILED, verification=None, outcome=crash)
    with pytest.raises(nav.Unavailable, match=r"toy-beta gave no result in toy-runtime: its process .*\. See the log"):
        crashed.set_verified("toy-beta", "toy-runtime")


def test_a_row_whose_numbers_failed_takes_the_users_word_and_stays_failed(run_toy: Run, toy: Any) -> None:
    package = run_toy(toy.ToyModel(mischief={"run toy-beta": "numbers"}), targets="toy-beta", run_profiling=False)
    assert package.get_status("toy-beta", "toy-runtime") is False
    package.set_verified("toy-beta", "toy-runtime")
    assert package.get_verified_status("toy-beta", "toy-runtime") is True
    assert package.get_status("toy-beta", "toy-runtime") is False


def test_the_names_of_the_reference_api(finished: Any) -> None:
    assert finished.workdir == finished.workspace
    assert finished.navigator_status == finished.record
    assert finished.framework == "toy-live"
    assert finished.get_formats_status()["toy-alpha"]
    assert nav.Framework.ONNX == "onnx"
    assert nav.LOGGER.name == "navcore"
    assert nav.Status.FAIL is nav.Status.FAILED
    assert [one.name for one in nav.Status] == ["OK", "FAILED", "SKIPPED", "UNAVAILABLE", "UNVERIFIED"]


def test_without_a_precision_fp16_is_meant_before_fp32(finished: Any) -> None:
    def engine(precision: str, made: bool) -> FormatResult:
        format = nav.Format(f"e-script-{precision}", family="e", jit_type=nav.JitType.SCRIPT, precision=precision)
        return FormatResult(format, Status.OK if made else Status.UNAVAILABLE, "toy-alpha/model.toy" if made else None)

    def chosen(*rows: FormatResult) -> str:
        return row_meant((*finished.results, *rows), "e", "script", None).format.name

    assert chosen(engine("fp32", True), engine("fp16", True)) == "e-script-fp16"
    assert chosen(engine("fp32", True), engine("fp16", False)) == "e-script-fp32"
    assert chosen(engine("fp16", False), engine("fp32", False)) == "e-script-fp16"
    with pytest.raises(nav.UnknownFormat, match="fits several variants"):
        chosen(engine("bf16", True), engine("int8", True))


def test_the_runners_compute_what_the_source_computes(finished: Any, toy: Any) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for name in ("toy-alpha", toy.BETA, "toy-gamma", "toy-live"):
        with finished.open_runner(name) as runner:
            assert np.array_equal(runner({"x": x})["y"], 2 * x)
    with finished.get_runner("toy-alpha", runtime="toy-runtime") as runner:
        assert np.array_equal(runner.infer({"x": x})["y"], 2 * x)
    with finished.get_source_runner() as runner:
        assert np.array_equal(runner.infer({"x": x})["y"], 2 * x)


def test_runners_that_cannot_be_had_say_why(finished: Any, changed: Changed) -> None:
    with pytest.raises(nav.Unavailable, match="there is no toy accelerator"):
        finished.get_runner("toy-alpha", runtime="toy-accelerator")
    with pytest.raises(nav.Unavailable, match="Runtimes: toy-accelerator, toy-oracle, toy-runtime"):
        finished.get_runner("toy-alpha", runtime=nav.RuntimeProvider.CUDA)
    failed = changed("toy-beta", status=Status.FAILED)
    with pytest.raises(nav.InputError, match="No runtime of toy-beta is ok"):
        failed.get_runner("toy-beta")
    assert failed.get_runner("toy-beta", runtime="toy-runtime") is not None


def test_set_verified_is_on_disk_at_once_and_stays(finished: Any, run_toy: Run, toy: Any) -> None:
    assert finished.get_verified_status("toy-alpha", "toy-runtime") is False
    finished.set_verified(toy.ALPHA, runtime="toy-runtime")
    assert finished.get_verified_status("toy-alpha", "toy-runtime") is True
    record = read_status(finished.workspace / "status.yaml")
    assert record.results[1].runtimes[0].verified
    assert not record.results[2].runtimes[0].verified
    assert run_toy().get_verified_status("toy-alpha", "toy-runtime") is True
    other = run_toy(toy.ToyModel(factor=5.0), targets="toy-alpha", run_profiling=False)
    assert other.get_verified_status("toy-alpha", "toy-runtime") is False  # the word was about another model


def test_an_unknown_combination_lists_the_known_ones(finished: Any) -> None:
    with pytest.raises(nav.UnknownFormat) as caught:
        finished.set_verified("toy-alpha", nav.RuntimeProvider.TRT)
    assert "toy-alpha in toy-runtime; toy-alpha in toy-accelerator; toy-beta in toy-runtime" in str(caught.value)
    with pytest.raises(nav.UnknownFormat, match="fits several rows"):
        finished.set_verified("toy", "toy-runtime")
    assert finished.get_verified_status("toy-alpha", "toy-quantum") is None
    assert finished.get_verified_status("onnx", "CPUExecutionProvider") is None


def test_set_verified_while_another_run_has_the_workspace_is_refused(finished: Any) -> None:
    from navcore.workspace.folder import opened

    with opened(finished.workspace), pytest.raises(nav.WorkspaceLocked):
        finished.set_verified("toy-alpha", "toy-runtime")


def test_a_workspace_that_is_gone_is_not_made_again(finished: Any) -> None:
    import shutil

    shutil.rmtree(finished.workspace)
    for act in (
        lambda: finished.set_verified("toy-alpha", "toy-runtime"),
        finished.profile,
        lambda: finished.save(finished.workspace.parent / "x.nav"),
    ):
        with pytest.raises(nav.PackageIncomplete, match="gone"):
            act()
    assert not finished.workspace.exists()
    assert finished.get_status("toy-alpha")  # what was learned is still known


def test_best_is_the_fastest_verified_row(changed: Changed, finished: Any) -> None:
    best = changed("toy-beta", performance=timed(0.5, 0.6)).best()
    assert best is not None
    assert (best.format.name, best.runtime, best.latency, best.batch_size) == ("toy-beta", "toy-runtime", 0.5, 1)
    best = changed("toy-beta", performance=timed(9.0, 0.5, sizes=(8, 1))).best()
    assert best is not None
    assert (best.format.name, best.batch_size, best.throughput) == ("toy-beta", 1, 2000.0)


@pytest.mark.parametrize(
    "fields",
    [{"status": Status.FAILED}, {"status": Status.UNVERIFIED}, {"elsewhere": True}, {"performance": ()}],
)
def test_best_is_never_a_row_that_was_not_proven_here(changed: Changed, fields: dict[str, Any]) -> None:
    best = changed("toy-beta", **{"performance": timed(0.1, 0.1), **fields}).best()
    assert best is not None
    assert best.format.name != "toy-beta"


def test_best_compares_only_rows_measured_at_the_smallest_batch(changed: Changed) -> None:
    best = changed("toy-beta", performance=timed(0.1, sizes=(8,))).best()
    assert best is not None
    assert best.format.name != "toy-beta"


def test_best_is_never_the_source_and_may_be_nothing(run_toy: Run, toy: Any) -> None:
    assert run_toy(toy.ToyModel(mischief={"alpha": "numbers"}), targets="toy-alpha").best() is None
    assert RuntimeResult("toy", Status.OK).failure is None


class TestReport:
    """The page of a run, and of a package that was loaded without trust."""

    @pytest.fixture(autouse=True)
    def extra(self) -> None:
        pytest.importorskip("altair", reason="the extra navcore[report] is not installed")

    def test_it_has_what_was_measured_and_compared(self, finished: Any, tmp_path: Path) -> None:
        finished.report(tmp_path / "report.html")
        page = (tmp_path / "report.html").read_text("utf-8")
        for part in ("Ship toy-alpha in toy-runtime", 'id="speed"', 'id="latencies"', 'id="errors"', "toy-accelerator"):
            assert part in page
        assert str(finished.workspace) not in page

    def test_a_package_without_trust_has_one_too(self, packed: Any, tmp_path: Path) -> None:
        loaded = nav.load(packed, workdir=tmp_path / "there", retest_conversions=False)
        loaded.report(str(tmp_path / "report.html"))
        page = (tmp_path / "report.html").read_text("utf-8")
        assert "Nothing was tested on this machine" in page
        assert 'id="errors"' in page, "the errors travel with the package"

    def test_it_is_never_written_into_the_workspace(self, finished: Any) -> None:
        with pytest.raises(OptionError, match="is inside the workspace"):
            finished.report(finished.workspace / "report.html")

    def test_a_file_that_is_there_stays(self, finished: Any, tmp_path: Path) -> None:
        (tmp_path / "report.html").write_text("somebody's")
        with pytest.raises(nav.PackageExists, match="override=True"):
            finished.report(tmp_path / "report.html")
        finished.report(tmp_path / "report.html", override=True)
        assert "somebody" not in (tmp_path / "report.html").read_text("utf-8")


def test_a_runner_job_is_what_the_open_runner_was_given(finished: Any, toy: Any) -> None:
    job = finished.runner_job("toy-alpha")
    assert job.runtime == "toy-runtime"
    assert job.artifact.format == toy.ALPHA
    assert job.artifact.file == finished.workspace / "toy-alpha" / "model.toy"
    assert job.signature.input_names == ("x",)
    (one,) = (row.runtimes[0] for row in finished.results if row.format == toy.ALPHA)
    assert job.threads == one.threads
    with pytest.raises(nav.Unavailable, match="Nothing installed here runs toy-alpha in elsewhere"):
        finished.runner_job("toy-alpha", runtime="elsewhere")


def test_comparisons_are_the_samples_with_what_the_source_returned(finished: Any) -> None:
    found = list(finished.comparisons())
    assert len(found) == finished.record.samples.counts["correctness"]
    with finished.open_runner("toy-alpha") as runner:
        verdict = nav.verify(runner, found, signature=finished.record.samples.signature)
    assert verdict.status == Status.OK
    assert [one.label for one in finished.comparisons("profiling")] == ["profiling sample 0"]


def test_a_package_that_was_saved_without_its_data_has_no_comparisons(finished: Any, tmp_path: Path) -> None:
    finished.save(tmp_path / "x.nav", save_data=False)
    loaded = nav.load(tmp_path / "x.nav", workdir=tmp_path / "loaded", retest_conversions=False)
    with pytest.raises(nav.PackageIncomplete, match="holds no samples"):
        list(loaded.comparisons())
