"""What a plugin may bring beside routes: verbs, strategies and metrics are plain functions and values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import navcore as nav
from navcore.testing import toy


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, toy_plugin: None) -> nav.PackageDescriptor:
    return nav.run(
        toy.ToyModel(),
        DATA,
        targets=["toy-alpha", "toy-beta"],
        workdir=tmp_path_factory.mktemp("work"),
        profiler_config=nav.ProfilerConfig(measurement_interval=1, max_trials=3),
        ranking=False,
        git_info=False,
    )


@pytest.fixture(scope="module")
def toy_plugin() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy")
        yield


DATA = [{"x": toy.ToyTensor(np.full((1, 3), number, np.float32))} for number in range(4)]


@pytest.mark.processes
class TestOnThePackageOfARun:
    def test_a_verb_is_reached_in_the_namespace_of_its_plugin(self, package: nav.PackageDescriptor) -> None:
        assert nav.toy.describe(package) == "navigator_model: toy-alpha, toy-beta"

    def test_a_strategy_of_a_plugin_chooses(self, package: nav.PackageDescriptor) -> None:
        best = package.best(nav.toy.FewestLetters())
        assert best is not None
        assert best.format.name == "toy-beta"

    def test_what_cannot_choose_is_refused(self, package: nav.PackageDescriptor) -> None:
        with pytest.raises(nav.InputError, match="cannot choose"):
            package.best("fastest")  # type: ignore[arg-type]
        with pytest.raises(nav.InputError, match="cannot choose"):
            package.best(nav.MinLatency)  # type: ignore[arg-type]

    def test_a_metric_is_averaged_over_the_dataset_for_every_ok_row(self, package: nav.PackageDescriptor) -> None:
        values = package.evaluate({"largest": nav.toy.largest_output}, DATA)
        assert {value.format.name for value in values} == {"toy-live", "toy-alpha", "toy-beta"}
        assert {(value.metric, value.value, value.items) for value in values} == {("largest", 3.0, 4)}

    def test_a_metric_that_fails_is_named_with_the_item(self, package: nav.PackageDescriptor) -> None:
        def wrong(outputs: Any, item: Any) -> float:
            return float(outputs["z"])

        with pytest.raises(nav.InputError, match=r"The metric 'wrong' failed on item 0 of the dataset: KeyError: 'z'"):
            package.evaluate({"wrong": wrong}, DATA)

    @pytest.mark.parametrize("metrics", [None, {}, {"a": 1}, {"a": len}, len])
    def test_what_is_no_metric_is_refused(self, package: nav.PackageDescriptor, metrics: Any) -> None:
        told = "has to map names|holds no metric|neither a function nor|metric '(a|len)' failed on item 0"
        with pytest.raises(nav.InputError, match=told):
            package.evaluate(metrics, DATA)

    def test_the_command_of_the_toy_says_what_its_verb_says(
        self, package: nav.PackageDescriptor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from click.testing import CliRunner

        from navcore.cli import main

        package.save(tmp_path / "x.nav")
        monkeypatch.setenv("NAVCORE_EXTRA_COMMANDS", "toy-describe=navcore.testing.toy_command:describe")
        answer = CliRunner().invoke(main, ["toy-describe", str(tmp_path / "x.nav")])
        assert answer.output == "navigator_model: toy-alpha, toy-beta\n"
