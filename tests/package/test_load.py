"""Loading a ``.nav`` file: elsewhere, without the source, with plugins missing, trusted or not."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import navcore as nav
from navcore.package.retest import elsewhere, merged
from navcore.workspace.results import Failure, FormatResult, RuntimeResult, Status
from navcore.workspace.status.file import read_status
from navcore.workspace.status.yaml_reading import from_yaml
from navcore.workspace.status.yaml_text import to_yaml

from .archive.hostile import package as package_of

Run = Callable[..., nav.PackageDescriptor]
pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]


def test_what_was_saved_is_loaded(finished: Any, packed: Path, tmp_path: Path, essence: Any) -> None:
    package = nav.load(packed, workdir=tmp_path / "there", retest_conversions=False, trust=True)
    assert essence(package.results) == essence(finished.results)
    assert package.record.settings == read_status(finished.workspace / "status.yaml").settings
    assert package.model_name == "navigator_model"
    assert package.workspace == tmp_path / "there" / "navigator_model.nav.workspace"
    assert package.get_source_runner() is None
    with pytest.raises(nav.PackageIncomplete, match="source model is not in the package"):
        package.get_model("toy-live")


def test_numbers_that_a_stranger_wrote_down_choose_nothing(finished: Any, packed: Path, tmp_path: Path) -> None:
    assert finished.best() is not None
    package = nav.load(packed, workdir=tmp_path / "there", retest_conversions=False)
    assert package.best() is None
    assert all(row.elsewhere and "nothing was tested on this machine" in row.notes[-1] for row in package.results)
    assert package.get_formats_status() == finished.get_formats_status(), "what was recorded is shown"


def test_a_package_works_without_the_workspace_it_came_from(run_toy: Run, toy: Any, tmp_path: Path) -> None:
    package = run_toy(toy.ToyModel(factor=3.0), targets="toy-beta")
    package.set_verified("toy-beta", "toy-runtime")
    package.save(tmp_path / "x.nav", keep_workdir=False)
    loaded = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", ranking=False)
    assert {row.format.name: row.status for row in loaded.results} == {
        "toy-live": Status.OK, "toy-alpha": Status.OK, "toy-beta": Status.OK,
    }  # fmt: skip
    source, alpha, beta = loaded.results
    assert source.elsewhere
    assert "recorded elsewhere: the source model is not in the package" in source.notes
    assert not alpha.elsewhere
    assert not beta.elsewhere
    assert beta.runtimes[0].performance
    assert loaded.get_verified_status("toy-beta", "toy-runtime") is True
    assert loaded.get_verified_status("toy-alpha", "toy-runtime") is False
    with loaded.open_runner("toy-beta") as runner:
        assert np.array_equal(runner({"x": np.ones((1, 2), np.float32)})["y"], np.full((1, 2), 3.0, np.float32))
    loaded.save(tmp_path / "again.nav")
    again = nav.load(tmp_path / "again.nav", workdir=tmp_path / "again", run_profiling=False)
    assert again.get_verified_status("toy-beta", "toy-runtime") is True
    assert again.results[0].notes == source.notes
    assert not any(one.performance for row in again.results[1:] for one in row.runtimes)


def test_conversions_are_made_again_and_exports_kept(packed: Path, tmp_path: Path, journalled: Any) -> None:
    package = nav.load(packed, workdir=tmp_path, run_profiling=False)
    assert journalled(package)["made"] == 2
    assert journalled(package)["verified"] == 3
    assert journalled(package)["measured"] == 0


def test_measuring_needs_testing(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(nav.OptionError, match="run_profiling=True needs retest_conversions=True"):
        nav.load(packed, workdir=tmp_path, retest_conversions=False, run_profiling=True)
    assert not list(tmp_path.iterdir())


def test_another_measurement_may_be_asked_for(packed: Path, tmp_path: Path) -> None:
    config = nav.ProfilerConfig((2,), "count_windows", measurement_request_count=3)
    package = nav.load(packed, workdir=tmp_path, profiler_config=config, ranking=False)
    sizes = {one.batch_size for row in package.results[1:] for each in row.runtimes for one in each.performance}
    assert sizes == {2}
    assert package.record.settings.profiler_config == config


def test_an_existing_workspace_is_replaced_only_when_asked(run_toy: Run, packed: Path, workdir: Path) -> None:
    other = run_toy(targets="toy-alpha", run_profiling=False)
    (other.workspace / "mine.txt").write_text("x")
    with pytest.raises(nav.WorkspaceExists, match="override_workdir=True"):
        nav.load(packed, workdir=workdir, retest_conversions=False)
    assert (other.workspace / "mine.txt").exists()
    package = nav.load(packed, workdir=workdir, override_workdir=True, retest_conversions=False)
    assert not (package.workspace / "mine.txt").exists()
    assert package.get_model("toy-alpha").exists()
    assert {path.name for path in workdir.iterdir()} == {
        "navigator_model.nav.workspace", ".navigator_model.nav.workspace.lock",
    }  # fmt: skip


def test_a_package_goes_into_the_workspace_it_was_saved_from_as_that_stands(
    finished: Any, packed: Path, journalled: Any
) -> None:
    finished.set_verified("toy-alpha", "toy-runtime")
    before = journalled(finished)
    package = nav.load(packed, workdir=finished.workspace.parent, retest_conversions=False)
    assert package.workspace == finished.workspace
    assert package.get_verified_status("toy-alpha", "toy-runtime") is True
    assert journalled(package) == before, "what was learnt there is not forgotten"


def test_a_load_removes_nothing_that_the_package_does_not_hold(finished: Any, packed: Path, tmp_path: Path) -> None:
    workdir = finished.workspace.parent
    finished.save(tmp_path / "bare.nav", save_data=False)
    with pytest.raises(nav.WorkspaceExists, match=r"holds model_input/.*npz, which the package does not"):
        nav.load(tmp_path / "bare.nav", workdir=workdir)
    mine = finished.workspace / "mine.txt"
    mine.write_text("x")
    with pytest.raises(nav.WorkspaceExists, match=r"holds mine.txt, which the package does not"):
        nav.load(packed, workdir=workdir)
    mine.rename(tmp_path / "mine.txt")
    finished.profile(nav.ProfilerConfig((1,), "count_windows", measurement_request_count=3))
    with pytest.raises(nav.WorkspaceExists, match="has other results than the package"):
        nav.load(packed, workdir=workdir)
    (finished.workspace / "toy-alpha" / "model.toy").unlink()
    with pytest.raises(nav.WorkspaceExists, match=r"does not hold toy-alpha/model.toy as the package does"):
        nav.load(packed, workdir=workdir)
    assert (finished.workspace / "model_input").is_dir()


def test_a_second_load_of_a_package_goes_on_where_the_first_one_ended(
    packed: Path, tmp_path: Path, quick: nav.ProfilerConfig, essence: Any, journalled: Any
) -> None:
    first = nav.load(packed, workdir=tmp_path, profiler_config=quick, trust=True)
    first.set_verified("toy-beta", "toy-runtime")
    (first.workspace / "mine.txt").write_text("x")
    before = journalled(first)
    second = nav.load(packed, workdir=tmp_path, profiler_config=quick, trust=True)
    assert essence(second.results) == essence(read_status(first.workspace / "status.yaml").results)
    assert [one.performance for row in second.results for one in row.runtimes] == [
        one.performance for row in first.results for one in row.runtimes
    ], "nothing was measured anew"
    assert journalled(second) == before
    assert second.get_verified_status("toy-beta", "toy-runtime") is True
    as_it_stands = nav.load(packed, workdir=tmp_path, retest_conversions=False)
    assert essence(as_it_stands.results) == essence(second.results)
    assert (first.workspace / "mine.txt").exists()


def test_what_was_asked_for_at_the_first_load_is_there_after_the_second(run_toy: Run, tmp_path: Path) -> None:
    run_toy(targets="toy-alpha", run_profiling=False).save(tmp_path / "x.nav")
    nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", targets="toy-beta", run_profiling=False)
    package = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", run_profiling=False)
    assert package.get_status("toy-beta")
    assert package.record.settings.targets == ("toy-alpha", "toy-beta")


def test_a_load_goes_on_in_no_other_workspace_than_its_own(run_toy: Run, packed: Path, workdir: Path) -> None:
    package = nav.load(packed, workdir=workdir, run_profiling=False)
    package.save(workdir / "other.nav", save_data=False)
    with pytest.raises(nav.WorkspaceExists, match="which the package does not"):
        nav.load(workdir / "other.nav", workdir=workdir)
    (package.workspace / "toy-alpha" / "model.toy").write_text("changed")
    with pytest.raises(nav.WorkspaceExists, match=r"no longer holds toy-alpha/model.toy as the package does"):
        nav.load(packed, workdir=workdir)
    run_toy(run_profiling=False)
    with pytest.raises(nav.WorkspaceExists, match="has other results than the package"):
        nav.load(packed, workdir=workdir)


def test_a_load_that_was_killed_is_gone_on_with(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr("navcore.package.load.publish", killed)
    with pytest.raises(Killed):
        nav.load(packed, workdir=tmp_path, run_profiling=False)
    monkeypatch.undo()
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy")
    assert nav.load(packed, workdir=tmp_path, run_profiling=False).get_status("toy-beta")


def test_a_load_that_breaks_off_leaves_a_workspace_that_was_there(finished: Any, packed: Path) -> None:
    class Refusing(ThreadPoolExecutor):
        def submit(self, *_: object, **__: object) -> Any:
            raise RuntimeError("no workers")

    with Refusing() as executor, pytest.raises(nav.StepError):
        nav.load(packed, workdir=finished.workspace.parent, executor=executor)
    assert finished.get_model("toy-alpha").exists()


def test_a_folder_that_is_not_ours_is_not_replaced(packed: Path, workdir: Path) -> None:
    mine = workdir / "navigator_model.nav.workspace" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("x")
    for override in (False, True):
        with pytest.raises(nav.WorkspaceNotOurs):
            nav.load(packed, workdir=workdir, override_workdir=override)
    assert mine.read_text() == "x"


def test_a_damaged_package_leaves_no_workspace_behind(packed: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.nav"
    content = bytearray(packed.read_bytes())
    content[content.index(b'"factor"')] ^= 1
    broken.write_bytes(content)
    with pytest.raises(nav.PackageError):
        nav.load(broken, workdir=tmp_path / "there")
    assert not (tmp_path / "there" / "navigator_model.nav.workspace").exists()
    assert not (tmp_path / "there" / ".navigator_model.nav.workspace.incoming").exists()
    assert nav.load(packed, workdir=tmp_path / "there", retest_conversions=False).get_status("toy-alpha")


def test_without_trust_data_formats_work_and_the_others_say_so(packed: Path, tmp_path: Path) -> None:
    package = nav.load(packed, workdir=tmp_path, retest_conversions=False)
    assert package.get_model("toy-alpha").exists()
    for act in (package.get_model, package.get_runner):
        with pytest.raises(nav.TrustRequired, match=r"nav.load\(path, trust=True\)"):
            act("toy-gamma")
    trusted = nav.load(packed, workdir=tmp_path, override_workdir=True, retest_conversions=False, trust=True)
    assert trusted.get_model("toy-gamma").exists()
    with trusted.open_runner("toy-gamma") as runner:
        assert runner({"x": np.ones((1, 1), np.float32)})["y"] == 2


def test_without_samples_nothing_is_tested_and_the_rows_say_so(finished: Any, tmp_path: Path) -> None:
    finished.save(tmp_path / "x.nav", save_data=False)
    package = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there")
    assert all(row.elsewhere for row in package.results)
    assert "the package holds no samples, so nothing was tested again here" in str(package)
    assert package.get_status("toy-alpha")
    assert package.best() is None
    with package.open_runner("toy-alpha") as runner:
        assert runner({"x": np.ones((1, 1), np.float32)})["y"] == 2
    with pytest.raises(nav.PackageIncomplete, match="holds no samples"):
        package.profile()


def test_what_is_asked_for_of_a_package_without_samples_is_told_as_not_made(run_toy: Run, tmp_path: Path) -> None:
    run_toy(targets="toy-alpha", run_profiling=False).save(tmp_path / "x.nav", save_data=False)
    package = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", targets=["toy-beta", "toy-alpha"])
    (beta,) = (row for row in package.results if row.format.name == "toy-beta")
    assert (beta.status, beta.path) == (Status.UNAVAILABLE, None)
    assert beta.failure is not None
    assert beta.failure.cause == "the package holds no samples to test it with, so it was not made here"
    assert package.get_status("toy-alpha"), "what was recorded of it is shown"


def test_rows_of_a_plugin_that_is_missing_stay(packed: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.delenv("NAVCORE_EXTRA_PLUGINS")
    package = nav.load(packed, workdir=tmp_path, trust=True)
    assert [row.format.name for row in package.results] == ["toy-live", "toy-alpha", "toy-beta", "toy-gamma"]
    assert all(row.elsewhere for row in package.results)
    assert "recorded elsewhere: no installed plugin knows this format" in package.results[1].notes
    assert "recorded elsewhere" in str(package)
    assert package.get_status("toy-alpha")
    with pytest.raises(nav.Unavailable, match="No installed plugin knows 'toy-alpha'"):
        package.get_model("toy-alpha")
    with pytest.raises(nav.Unavailable, match="Nothing installed here runs toy-alpha"):
        package.get_runner("toy-alpha")
    package.set_verified("toy-alpha", "toy-runtime")
    package.save(tmp_path / "again.nav")


def test_options_of_a_plugin_that_is_missing_do_not_stop_the_others(
    run_toy: Run, tmp_path: Path, monkeypatch: Any
) -> None:
    package = run_toy(
        targets="toy-alpha", options={"toy-alpha": {"scale": 1.0}}, prefer={"toy-alpha": "toy"}, run_profiling=False
    )
    package.save(tmp_path / "x.nav")
    monkeypatch.delenv("NAVCORE_EXTRA_PLUGINS")
    loaded = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there")
    assert loaded.results[1].elsewhere


def test_a_kill_while_loading_leaves_what_can_be_loaded_again(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    for where in ("extract_archive", "replace_whole", "retest", "publish"):
        monkeypatch.setattr(f"navcore.package.load.{where}", killed)
        with pytest.raises(Killed):
            nav.load(packed, workdir=tmp_path / where, retest_conversions=where == "retest")
        monkeypatch.undo()
        monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy")
        package = nav.load(packed, workdir=tmp_path / where, override_workdir=True, retest_conversions=False)
        assert package.get_status("toy-alpha")


def repacked(packed: Path, path: Path, change: Callable[[Any], object], **moved: str) -> Path:
    """The package with its record changed, in a manifest of version 1; ``moved`` are files under other names."""
    with zipfile.ZipFile(packed) as archive:
        listed = json.loads(archive.read("manifest.json"))
        files = {one["name"]: archive.read(one.get("same_as") or one["name"]) for one in listed["files"]}
    record = from_yaml(files["status.yaml"].decode())
    change(record)
    files["status.yaml"] = to_yaml(record).encode()
    files = {moved.get(name.partition("/")[0], name.partition("/")[0]) + name[len(name.partition("/")[0]) :]: data
             for name, data in files.items()}  # fmt: skip
    entries = [
        {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
    ]
    document = {"format": "nav", "manifest_version": 1, "meta": listed["meta"], "files": entries}
    path.write_bytes(package_of(files, document))
    return path


def test_a_package_of_an_older_navcore_is_loaded_and_tested_with_its_probes(packed: Path, tmp_path: Path) -> None:
    old = repacked(packed, tmp_path / "old.nav", lambda _record: None, probes=".navcore/probes")
    package = nav.load(old, workdir=tmp_path / "there", run_profiling=False)
    assert (package.workspace / "probes" / "index.json").exists()
    assert not (package.workspace / ".navcore" / "probes").exists()
    now = nav.load(packed, workdir=tmp_path / "now", run_profiling=False)
    compared = [[one.verification.compared for one in row.runtimes if one.verification] for row in now.results[1:]]
    assert compared == [
        [one.verification.compared for one in row.runtimes if one.verification] for row in package.results[1:]
    ]
    assert any(compared)


def test_what_a_package_asks_for_is_shown_and_used_with_trust_alone(packed: Path, tmp_path: Path) -> None:
    def ask(record: Any) -> None:
        record["export_config"]["options"] = {"toy-beta": {"mischief": "raise"}}
        record["export_config"]["target_device"] = "cuda:7"
        record["export_config"]["memory_limit"] = 1

    asking = repacked(packed, tmp_path / "asking.nav", ask)
    package = nav.load(asking, workdir=tmp_path / "there", run_profiling=False)
    beta = next(row for row in package.results if row.format.name == "toy-beta")
    assert beta.status == Status.OK
    (told,) = (note for note in beta.notes if "not used without trust" in note)
    assert "device cuda:7" in told
    assert "toy-beta.mischief='raise'" in told
    assert "toy-beta.mischief" in str(package)
    assert package.record.settings.device == "cuda:7", "what was recorded stays on record"
    assert "raise" not in (package.workspace / "toy-beta" / "config.yaml").read_text()
    again = nav.load(asking, workdir=tmp_path / "trusted", run_profiling=False, trust=True, memory_limit=1 << 33)
    beta = next(row for row in again.results if row.format.name == "toy-beta")
    assert [attempt.outcome.status for attempt in beta.attempts] == [Status.FAILED, Status.OK], "the option was used"


def test_a_step_of_an_untrusted_package_has_limits(packed: Path, tmp_path: Path) -> None:
    def hang(record: Any) -> None:
        record["export_config"]["timeout"] = None

    package = nav.load(
        repacked(packed, tmp_path / "x.nav", hang), workdir=tmp_path, run_profiling=False, memory_limit=1 << 20
    )
    failed = [row.failure for row in package.results[1:] if row.status == Status.FAILED]
    assert failed
    assert all(failure is not None and failure.category in ("memory", "skipped") for failure in failed)


def test_a_load_that_breaks_off_leaves_no_workspace(packed: Path, tmp_path: Path) -> None:
    class Refusing(ThreadPoolExecutor):
        def submit(self, *_: object, **__: object) -> Any:
            raise RuntimeError("no workers")

    with Refusing() as executor, pytest.raises(nav.StepError):
        nav.load(packed, workdir=tmp_path / "there", executor=executor)
    assert not (tmp_path / "there" / "navigator_model.nav.workspace").exists()


ROW = FormatResult(nav.Format("toy-beta"), Status.OK, "toy-beta/model.beta", runtimes=(RuntimeResult("a", Status.OK),))


def test_a_row_recorded_elsewhere_says_so_once() -> None:
    twice = elsewhere(elsewhere(ROW, "no reason"), "another reason")
    assert twice.notes == ("recorded elsewhere: another reason",)
    assert twice.runtimes[0].elsewhere


def test_a_runtime_that_is_missing_here_keeps_its_verdict_from_there() -> None:
    fresh = FormatResult(ROW.format, Status.UNVERIFIED, ROW.path, runtimes=(RuntimeResult("b", Status.UNAVAILABLE),))
    row = merged(ROW, fresh, "")
    assert row.status == Status.OK
    assert row.runtimes[0].elsewhere
    assert row.runtimes[0].notes == ("recorded elsewhere: here its runtime is not installed",)


def test_what_was_made_on_the_way_there_was_not_asked_for_here() -> None:
    recorded = attrs.evolve(ROW, requested=False)
    assert not merged(recorded, attrs.evolve(ROW, requested=True), "").requested


def test_what_fails_here_is_not_ok_because_it_was_elsewhere() -> None:
    failure = Failure("wrong numbers", "verification")
    fresh = FormatResult(
        ROW.format, Status.FAILED, ROW.path, runtimes=(RuntimeResult("b", Status.FAILED),), failure=failure
    )
    assert merged(ROW, fresh, "").status == Status.FAILED


BEHIND_A_LOCK = '''"""A data format that is made from one whose files can execute code."""

import json

from navcore import ConvertJob, ExportJob, Format, Runner, RunnerJob, converter, exporter, runner
from navcore.testing.toy import TOY

LOCKED = Format("toy-locked", filename="model.locked")
OPEN = Format("toy-open", filename="model.open", data_only=True)


@exporter(TOY, LOCKED)
def locked_from_toy(job: ExportJob[None]) -> None:
    job.output.write_text(json.dumps(job.source.model.factor))


@converter(LOCKED, OPEN)
def open_from_locked(job: ConvertJob[None]) -> None:
    job.output.write_text(job.source.file.read_text())


@runner(LOCKED, OPEN, runtime="lock-runtime")
def run_either(job: RunnerJob[None]) -> Runner:
    factor = json.loads(job.artifact.file.read_text())
    return Runner(lambda feeds: {"y": (feeds["x"] * factor).astype(feeds["x"].dtype)})
'''


def test_data_whose_own_source_needs_trust_is_tested_as_it_is(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "behind_a_lock.py").write_text(BEHIND_A_LOCK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy,lock=behind_a_lock")
    package = nav.run(
        toy.ToyModel(), toy.dataloader(), targets=["toy-open"], workdir=tmp_path / "here", run_profiling=False
    )
    package.save(tmp_path / "x.nav")

    loaded = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", run_profiling=False)

    rows = {row.format.name: row for row in loaded.results}
    assert rows["toy-locked"].elsewhere
    assert "needs trust=True" in rows["toy-locked"].notes[-1]
    assert not rows["toy-open"].elsewhere
    assert [one.status for one in rows["toy-open"].runtimes] == ["ok"]
