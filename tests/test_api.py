"""The verbs: what the caller hands in is refused in one clear sentence, before any work."""

from __future__ import annotations

import inspect
import io
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import navcore as nav

Run = Callable[..., nav.PackageDescriptor]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"targets": "toy-alhpa"}, "Did you mean 'toy-alpha'"),
        ({"options": {"toy-alpha": {"scael": 2.0}}}, "Did you mean 'scale'"),
        ({"options": {"toy-alfa": {"scale": 2.0}}}, "Did you mean 'toy-alpha'"),
        ({"options": {"toy-alpha": 3}}, "has to be a mapping"),
        ({"options": ["scale"]}, "has to be a mapping"),
        ({"prefer": {"toy-alpha": "nav-tf"}}, "nav-tf does not make it"),
        ({"runtimes": {"toy-alpha": "toy-quantum"}}, "toy-quantum"),
        ({"profiler": "stopwatch"}, "No installed plugin named 'stopwatch' measures"),
        ({"profiler_config": {"max_trials": 3}}, "has to be a navcore.ProfilerConfig"),
        ({"sample_count": 0}, "sample_count=0 has to be more than 0"),
        ({"sample_count": "ten"}, "has to be a whole number"),
        ({"target": "toy-alpha"}, "has no argument 'target'. Did you mean 'targets'?"),
        ({"timeout": -1}, "timeout=-1 has to be more than 0"),
        ({"timeout": "5"}, "has to be a number"),
        ({"memory_limit": 0}, "memory_limit=0 has to be more than 0"),
        ({"atol": -0.1}, "atol=-0.1 has to be zero or more"),
        ({"rtol": float("nan")}, "rtol=nan has to be zero or more"),
        ({"batch_dim": 1.5}, "has to be a whole number"),
        ({"model_name": "../model"}, "cannot name a folder"),
        ({"model_name": 5}, "model_name=5 cannot name a folder"),
        ({"executor": "threads"}, "executor='threads' has to be a concurrent.futures.Executor"),
        ({"progress": "bar"}, "progress='bar' has to be callable"),
        ({"profiler_config": nav.ProfilerConfig(batch_sizes=(2,)), "batch_dim": None}, "does not batch"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "plan"])
def test_wrong_arguments_are_refused_before_any_work(
    toy: Any, workdir: Path, verb: str, arguments: dict[str, Any], told: str
) -> None:
    model = toy.ToyModel()
    with pytest.raises(nav.InputError) as caught:
        getattr(nav, verb)(model, toy.dataloader(), **{"workdir": workdir, **arguments})
    assert told in str(caught.value)
    assert not workdir.exists()
    assert model.calls == 0


def test_a_model_that_nobody_knows_is_refused(toy: Any, tmp_path: Path) -> None:
    with pytest.raises(nav.InputError, match=r"No installed plugin knows models of type builtins\.dict"):
        nav.run({}, toy.dataloader())
    with pytest.raises(nav.InputError, match="does not exist"):
        nav.run(tmp_path / "model.toy", toy.dataloader())
    (tmp_path / "model.xyz").write_text("")
    with pytest.raises(nav.InputError, match=r"No installed plugin reads 'model\.xyz'"):
        nav.run(tmp_path / "model.xyz", toy.dataloader())


class Endless:
    """A dataloader that does not know its length."""

    def __iter__(self) -> Any:
        return iter([])


def test_dataloaders_that_cannot_be_used_are_refused(run_toy: Run, toy: Any) -> None:
    item = toy.dataloader()[0]
    once = iter(toy.dataloader())

    class Once(list[Any]):
        def __iter__(self) -> Any:
            return once

    for dataloader in (None, [], Endless(), Once([item, item]), [item, {"z": item["x"]}], ["text"]):
        with pytest.raises(nav.DataloaderError):
            run_toy(dataloader=dataloader)


def test_a_model_that_does_not_take_the_sample_is_refused(run_toy: Run, toy: Any) -> None:
    with pytest.raises(nav.SourceError, match="holds 'wrong', which the model does not take"):
        run_toy(dataloader=[{"wrong": toy.dataloader()[0]["x"]}] * 2)


def test_a_source_that_returns_nan_is_refused(run_toy: Run, toy: Any) -> None:
    with pytest.raises(nav.InputError, match="contains NaN"):
        run_toy(toy.ToyModel(factor=float("nan")))


def test_a_batch_dim_out_of_range_is_refused(run_toy: Run) -> None:
    with pytest.raises(nav.InputError):
        run_toy(batch_dim=5)


def test_a_refused_input_leaves_a_workspace_that_can_be_used(run_toy: Run) -> None:
    with pytest.raises(nav.DataloaderError):
        run_toy(dataloader=[])
    assert run_toy(targets="toy-alpha", run_profiling=False).get_status("toy-alpha")


def test_a_workdir_that_is_not_ours_is_not_touched(run_toy: Run, workdir: Path) -> None:
    mine = workdir / "navigator_model.nav.workspace" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("x")
    for override in (False, True):
        with pytest.raises(nav.WorkspaceNotOurs):
            run_toy(override_workdir=override)
    assert list(mine.parent.iterdir()) == [mine]


def test_plan_takes_what_run_takes_and_does_nothing(toy: Any, workdir: Path) -> None:
    assert list(inspect.signature(nav.plan).parameters) == list(inspect.signature(nav.run).parameters)
    model = toy.ToyModel()
    told = str(nav.plan(model, toy.dataloader(), workdir=workdir))
    assert "toy-gamma" in told
    assert "there is no toy accelerator in this machine" in told
    assert model.calls == 0
    assert not workdir.exists()
    assert str(nav.plan("toy-live")) == told


def test_targets_are_values_names_or_families(run_toy: Run, toy: Any) -> None:
    for targets in (toy.ALPHA, "toy-alpha", [toy.ALPHA], ("toy-alpha",)):
        package = run_toy(targets=targets, run_profiling=False)
        assert list(package.get_formats_status()) == [toy.ALPHA]
    assert {step.target.name for step in nav.plan(toy.ToyModel(), targets="toy").steps} == {
        "toy-alpha", "toy-beta", "toy-gamma",
    }  # fmt: skip


def test_positional_data_and_names_of_the_users_own(run_toy: Run, toy: Any) -> None:
    items = [(item["x"],) for item in toy.dataloader()]
    package = run_toy(dataloader=items, targets="toy-alpha", run_profiling=False, input_names=["x"], output_names=["y"])
    assert package.get_status("toy-alpha")


def test_a_run_prints_nothing_and_leaves_no_handler_behind(run_toy: Run, capfd: pytest.CaptureFixture[str]) -> None:
    logger, root = logging.getLogger("navcore"), logging.getLogger()
    seen, user = io.StringIO(), logging.getLogger("navcore")
    handler = logging.StreamHandler(seen)  # what logging.basicConfig() installs
    root.addHandler(handler)
    before = (logger.handlers[:], logger.level, logger.propagate, root.handlers[:], root.level)
    try:
        package = run_toy(targets="toy-alpha", run_profiling=False)
        assert (logger.handlers, logger.level, logger.propagate, root.handlers, root.level) == before
    finally:
        root.removeHandler(handler)
    assert user is logger
    assert seen.getvalue() == ""  # the root logger's level is WARNING
    assert capfd.readouterr() == ("", "")
    assert "making toy-alpha ok" in (package.workspace / "navigator.log").read_text()


def test_a_program_that_wants_to_see_the_log_sees_it(run_toy: Run, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="navcore"):
        run_toy(targets="toy-alpha", run_profiling=False)
    assert "making toy-alpha ok" in caplog.text


def test_nothing_global_is_changed(run_toy: Run) -> None:
    import os
    import random

    random.seed(1)
    np.random.seed(1)
    before = (os.getcwd(), dict(os.environ), random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[index]
    run_toy(targets="toy-alpha")
    after = (os.getcwd(), dict(os.environ), random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[index]
    assert after == before


def test_a_target_of_a_plugin_that_is_not_installed_names_the_plugin(toy: Any) -> None:
    assert "nav-torch" in str(nav.plan(toy.ToyModel(), targets=["torchscript"]))


def test_an_unknown_target_of_a_plugin_that_did_not_load_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nav_halved.py").write_text("import nowhere_to_be_found\n")
    monkeypatch.delitem(sys.modules, "nav_halved", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy,halved=nav_halved")
    with pytest.raises(nav.UnknownFormat) as caught:
        nav.plan("toy-live", targets="halved-fp16")
    assert "halved is installed and cannot be used: ModuleNotFoundError" in caught.value.hint
    assert "Known:" not in caught.value.hint, "what else there is does not help"
    with pytest.raises(nav.UnknownFormat) as caught:
        nav.plan("toy-live", targets="nonsense")
    assert "halved" not in str(caught.value)
