"""From the training machine to the serving machine: a package goes on where there is what it lacked at home."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import navcore as nav
from navcore.package.replanning import superseded
from navcore.workspace.results import FormatResult, RuntimeResult, Status

Run = Callable[..., nav.PackageDescriptor]
BOTH = "toy=navcore.testing.toy,device=here_or_there"
pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("toy")]


@pytest.fixture
def at_home(toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training machine knows the plugin and has no device."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", BOTH)


@pytest.fixture
def arrive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., nav.PackageDescriptor]:
    """Load a package on the serving machine, which knows the plugin and has the device."""

    def load(path: Path, **arguments: Any) -> nav.PackageDescriptor:
        monkeypatch.syspath_prepend(Path(__file__).parent)
        monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", BOTH)
        monkeypatch.setenv("DEVICE", "yes")
        return nav.load(path, **{"workdir": tmp_path / "there", "run_profiling": False, **arguments})

    return load


def row_of(package: nav.PackageDescriptor, name: str) -> FormatResult:
    return next(row for row in package.results if row.format.name == name)


@pytest.mark.usefixtures("at_home")
def test_what_a_target_for_later_is_made_from_is_made_verified_and_packed(run_toy: Run, tmp_path: Path) -> None:
    package = run_toy(targets="device", run_profiling=False)
    engine, alpha = row_of(package, "device-engine"), row_of(package, "toy-alpha")
    assert (engine.status, engine.made_from, engine.path) == (Status.UNAVAILABLE, "toy-alpha", None)
    assert engine.failure is not None
    assert engine.failure.cause == "there is no device in this machine"
    assert (alpha.status, alpha.requested) == (Status.OK, False)
    log = (package.workspace / "navigator.log").read_text()
    assert (
        "device-engine unavailable: there is no device in this machine. It is made from toy-alpha: navcore.load" in log
    )
    package.save(tmp_path / "x.nav")


@pytest.mark.usefixtures("at_home")
def test_what_was_unavailable_at_home_is_made_where_it_can_be(run_toy: Run, arrive: Run, tmp_path: Path) -> None:
    run_toy(targets="device-engine", run_profiling=False).save(tmp_path / "x.nav")
    package = arrive(tmp_path / "x.nav")
    row = row_of(package, "device-engine")
    assert (row.status, row.requested, row.elsewhere) == (Status.OK, True, False)
    assert row.runtimes[0].verification is not None
    assert row.path == "device-engine/model.engine"
    package.save(tmp_path / "optimised.nav")
    assert nav.load(tmp_path / "optimised.nav", workdir=tmp_path / "2", retest_conversions=False, trust=True).get_model(
        "device-engine"
    )


def test_a_plugin_of_the_second_machine_alone_makes_what_it_makes_by_default(packed: Path, arrive: Run) -> None:
    package = arrive(packed)
    assert row_of(package, "device-engine").status == Status.OK
    assert [row.format.name for row in package.results if row.format.family == "device"] == ["device-engine"]


def test_with_named_targets_nothing_is_made_that_nobody_asked_for(run_toy: Run, arrive: Run, tmp_path: Path) -> None:
    run_toy(targets="toy-beta", run_profiling=False).save(tmp_path / "x.nav")
    package = arrive(tmp_path / "x.nav")
    assert [row.format.name for row in package.results] == ["toy-live", "toy-alpha", "toy-beta"]


def test_the_user_may_ask_for_more_here(run_toy: Run, arrive: Run, tmp_path: Path) -> None:
    run_toy(targets="toy-beta", run_profiling=False).save(tmp_path / "x.nav")
    package = arrive(
        tmp_path / "x.nav", targets=["device-rare", "device-engine"], options={"device-engine": {"level": 3}},
        device="device:1",
    )  # fmt: skip
    assert row_of(package, "device-rare").status == Status.OK
    assert dict(row_of(package, "device-engine").facts) == {"level": "3", "device": "device:1"}
    assert row_of(package, "device-engine").notes == ("recorded, and not used without trust: profiler toy",)
    assert package.record.settings.targets == ("toy-beta", "device-rare", "device-engine")
    assert package.record.settings.options == {"device-engine": {"level": 3}}
    config = (package.workspace / "device-engine" / "config.yaml").read_text()
    assert "level: 3" in config, "the user's own option is stated without trust"


def test_options_of_making_what_the_package_brings_are_told_and_not_recorded(run_toy: Run, tmp_path: Path) -> None:
    run_toy(targets="toy-beta", options={"toy-alpha": {"scale": 1.0}}, run_profiling=False).save(tmp_path / "x.nav")
    asked = {"toy-alpha": {"scale": 7.0}, "toy-beta": {"scale": 1.0}}
    package = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", options=asked, run_profiling=False)
    (told,) = (note for note in row_of(package, "toy-alpha").notes if "not made again here" in note)
    assert told.endswith("so these options were not used: toy-alpha.scale=7.0")
    assert package.record.settings.options == {"toy-alpha": {"scale": 1.0}, "toy-beta": {"scale": 1.0}}
    assert "scale: 7.0" not in (package.workspace / "toy-alpha" / "config.yaml").read_text()
    again = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", run_profiling=False)
    assert not any("not made again here" in note for note in row_of(again, "toy-alpha").notes)


def test_what_was_made_on_the_way_can_be_asked_for_here(run_toy: Run, arrive: Run, tmp_path: Path) -> None:
    run_toy(targets="toy-gamma", run_profiling=False).save(tmp_path / "x.nav")
    assert not row_of(arrive(tmp_path / "x.nav"), "toy-beta").requested
    package = arrive(tmp_path / "x.nav", targets="toy-beta", workdir=tmp_path / "again")
    assert row_of(package, "toy-beta").requested


@pytest.mark.usefixtures("at_home")
def test_what_crashed_at_home_is_tried_again(run_toy: Run, toy: Any, arrive: Run, tmp_path: Path) -> None:
    model = toy.ToyModel()
    broken = {"toy-beta": {"mischief": "segfault"}}
    run_toy(model, targets="toy-beta", options=broken, prefer={"toy-beta": "toy"}, run_profiling=False).save(
        tmp_path / "x.nav"
    )
    assert row_of(arrive(tmp_path / "x.nav"), "toy-beta").status == Status.OK


def test_what_only_the_source_leads_to_says_so(run_toy: Run, toy: Any, arrive: Run, tmp_path: Path) -> None:
    model = toy.ToyModel(mischief={"beta": "raise", "detour": "raise", "gamma": "raise"})
    run_toy(model, run_profiling=False).save(tmp_path / "x.nav")
    gamma = row_of(arrive(tmp_path / "x.nav"), "toy-gamma")
    assert gamma.failure is not None
    assert "source model" not in gamma.failure.cause


def test_a_target_that_only_the_source_leads_to_is_told(run_toy: Run, tmp_path: Path) -> None:
    run_toy(targets="toy-beta", run_profiling=False).save(tmp_path / "x.nav")
    package = nav.load(tmp_path / "x.nav", workdir=tmp_path / "there", targets="toy-live", run_profiling=False)
    assert "the source model is not in the package" in row_of(package, "toy-live").notes[-1]


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"targets": "toy-zeta"}, nav.UnknownFormat, "Did you mean 'toy-beta'"),
        ({"options": {"toy-beta": {"scal": 1}}}, nav.OptionError, "scal"),
        ({"runtimes": {"toy-beta": ["nowhere"]}}, nav.OptionError, "No installed plugin runs toy-beta in 'nowhere'"),
        ({"targets": "toy-beta", "retest_conversions": False, "run_profiling": None}, nav.OptionError, "targets needs"),
        (
            {"options": {"toy-beta": {"scale": 1.0}}, "retest_conversions": False, "run_profiling": None},
            nav.OptionError,
            r"options\['toy-beta'\] needs retest_conversions=True",
        ),
    ],
)
def test_what_nobody_here_can_do_is_refused_before_anything_is_written(
    packed: Path, tmp_path: Path, arguments: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        nav.load(packed, workdir=tmp_path, **arguments)
    assert not list(tmp_path.iterdir())


def test_options_given_here_are_obeyed_by_a_runner_without_trust(packed: Path, tmp_path: Path) -> None:
    package = nav.load(
        packed, workdir=tmp_path, retest_conversions=False, options={"toy-alpha/toy-runtime": {"mischief": "raise"}}
    )
    with pytest.raises(nav.StepError, match="mischief was asked for"), package.open_runner("toy-alpha"):
        pass


def test_a_package_that_is_run_is_gone_on_with(packed: Path, toy: Any, tmp_path: Path) -> None:
    package = nav.run(packed, workdir=tmp_path, run_profiling=False, targets="toy-beta")
    assert package.get_source_runner() is None
    assert package.get_status("toy-beta")
    with pytest.raises(nav.InputError, match=r"brings its own samples: a dataloader cannot be given.*evaluate"):
        nav.run(packed, toy.dataloader(), workdir=tmp_path)
    with pytest.raises(nav.OptionError, match="atol cannot be changed for a package"):
        nav.run(packed, workdir=tmp_path, atol=1.0)


def test_a_family_that_nobody_made_gives_way_to_its_formats() -> None:
    family = FormatResult(nav.Format("trt"), Status.UNAVAILABLE)
    engine = FormatResult(nav.Format("trt-fp16", family="trt"), Status.OK, "trt-fp16/model.plan")
    assert superseded(family, [family, engine])
    assert not superseded(family, [family])
    assert not superseded(engine, [family, engine])
    kept = FormatResult(nav.Format("trt"), Status.OK, "trt/model.plan", runtimes=(RuntimeResult("r", Status.OK),))
    assert not superseded(kept, [kept, engine])


def test_a_runtime_that_the_user_leaves_out_here_is_not_called_missing(run_toy: Run, tmp_path: Path) -> None:
    run_toy(targets="toy-beta", run_profiling=False).save(tmp_path / "x.nav")
    package = nav.load(
        tmp_path / "x.nav", workdir=tmp_path / "there", runtimes={"toy-alpha": "toy-accelerator"}, run_profiling=False
    )
    left_out = next(one for one in row_of(package, "toy-alpha").runtimes if one.runtime == "toy-runtime")
    assert left_out.elsewhere
    assert left_out.notes == ("recorded elsewhere: here the format is limited to other runtimes",)
