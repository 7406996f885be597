"""What a caller may write for ``load``, ``save`` and ``profile``, and for the methods of a package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import navcore as nav

Call = Callable[[nav.PackageDescriptor], Any]
NO_PATH = "has to be text or a Path. Write path='model.nav'."
SWITCH = "has to be True or False"
MEASUREMENT = "has to be a navcore.ProfilerConfig. Write profiler_config=navcore.ProfilerConfig("
NO_PACKAGE = "package_descriptor='pkg' is not a package. Give what navcore.run or navcore.load returned."


@pytest.mark.processes
@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda _: nav.load(5), "path=5 " + NO_PATH),  # type: ignore[arg-type]
        (lambda _: nav.load(None), "path=None " + NO_PATH),  # type: ignore[arg-type]
        (lambda _: nav.load(b"a.nav"), "Write path=os.fsdecode(b'a.nav')"),  # type: ignore[arg-type]
        (lambda _: nav.load("a\0b"), "path='a\\x00b' has a NUL in it"),
        (lambda _: nav.load(""), "path='' is empty"),
        (lambda _: nav.load("x" * 300), "is too long"),
        (lambda _: nav.load("a.nav", workdir=3), "workdir=3 has to be text or a Path"),  # type: ignore[arg-type]
        (lambda _: nav.load("a.nav", override_workdir="no"), "override_workdir='no' " + SWITCH),  # type: ignore[arg-type]
        (lambda _: nav.load("a.nav", retest_conversions="no"), "retest_conversions='no' " + SWITCH),  # type: ignore[arg-type]
        (lambda _: nav.load("a.nav", run_profiling="yes"), "run_profiling='yes' " + SWITCH),  # type: ignore[arg-type]
        (lambda _: nav.load("a.nav", trust="no"), "trust='no' has to be True, False or a navcore.SignedBy"),  # type: ignore[arg-type]
        (lambda _: nav.load("a.nav", profiler_config={"a": 1}), MEASUREMENT),  # type: ignore[arg-type]
        (lambda _: nav.load("a.nav", retest_conversions=False, run_profiling=True), "needs retest_conversions=True"),
        (lambda _: nav.load("a.nav", device="../x"), "device='../x' cannot be written into status.yaml"),
        (lambda _: nav.load("a.nav", options={"onnx/": {}}), "cannot be written into status.yaml: '' cannot be a name"),
        (lambda _: nav.load("a.nav", executor=3), "executor=3 has to be a concurrent"),  # type: ignore[arg-type]
        (lambda _: nav.load("a.nav", progress=3), "progress=3 has to be callable"),  # type: ignore[arg-type]
        (lambda p: nav.save(p, 5), "path=5 " + NO_PATH),  # type: ignore[arg-type]
        (lambda p: nav.save(p, None), "path=None " + NO_PATH),  # type: ignore[arg-type]
        (lambda p: nav.save(p, ""), "path='' is empty. Write path='model.nav', or '.' for the current folder."),
        (lambda p: nav.save(p, "a\0b"), "has a NUL in it, which no path can have"),
        (lambda p: nav.save(p, "x" * 300), "is too long: a name has at most 255 bytes"),
        (lambda p: nav.save(p, "a.nav", keep_workdir="no"), "keep_workdir='no' " + SWITCH),  # type: ignore[arg-type]
        (lambda p: nav.save(p, "a.nav", override=1), "override=1 " + SWITCH),  # type: ignore[arg-type]
        (lambda p: nav.save(p, "a.nav", save_data=None), "save_data=None " + SWITCH),  # type: ignore[arg-type]
        (lambda p: p.save(5), "path=5 " + NO_PATH),
        (lambda _: nav.save("pkg", "x.nav"), NO_PACKAGE),  # type: ignore[arg-type]
        (lambda _: nav.profile("pkg"), NO_PACKAGE),  # type: ignore[arg-type]
        (lambda p: nav.profile(p, {"a": 1}), MEASUREMENT),  # type: ignore[arg-type]
        (lambda p: p.profile(nav.ProfilerConfig), MEASUREMENT),
        (lambda p: p.get_model(None), "format=None has to be text"),
        (lambda p: p.get_model(3), "format=3 has to be text"),
        (lambda p: p.get_status(None), "format=None has to be text"),
        (lambda p: p.get_runner("toy-alpha", runtime=3), "runtime=3 has to be text"),
        (lambda p: p.set_verified(None, None), "format=None has to be text"),
        (lambda p: p.set_verified("toy-alpha", None), "runtime=None has to be text"),
    ],
)
def test_a_call_that_cannot_be_meant_gets_one_sentence(finished: Any, call: Call, sentence: str) -> None:
    before = sorted(finished.workspace.rglob("*"))
    with pytest.raises(nav.OptionError) as caught:
        call(finished)
    assert sentence in str(caught.value)
    assert sorted(finished.workspace.rglob("*")) == before


def test_a_package_is_not_planned_but_loaded(toy: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.nav"
    path.touch()
    with pytest.raises(nav.OptionError, match=r"is a package, .* navcore\.load"):
        nav.plan(path)


@pytest.mark.parametrize("model", ["", "a\0b", "x" * 300])
def test_a_model_that_could_be_no_file_is_refused(toy: Any, model: str) -> None:
    with pytest.raises(nav.OptionError, match=r"Write model='model\.onnx'"):
        nav.plan(model)


class Quits(list[Any]):
    """A dataloader that ends the program, as a model may."""

    def __iter__(self) -> Any:
        raise SystemExit(3)


class Unmeasurable(list[Any]):
    def __len__(self) -> int:
        return -1


def test_code_of_the_caller_that_ends_the_program_is_told_like_any_failure(
    run_toy: Callable[..., Any], toy: Any
) -> None:
    class Quitter(toy.ToyModel):  # type: ignore[misc, name-defined]
        def __call__(self, x: Any) -> Any:
            raise SystemExit(3)

    with pytest.raises(nav.SourceError, match=r"The source model failed on .*SystemExit: 3"):
        run_toy(Quitter())
    with pytest.raises(nav.DataloaderError, match="cannot be iterated: SystemExit: 3"):
        run_toy(dataloader=Quits(toy.dataloader()))
    with pytest.raises(nav.DataloaderError, match="fails at len"):
        run_toy(dataloader=Unmeasurable(toy.dataloader()))


def test_an_input_that_the_model_does_not_have_is_refused(finished: Any, toy: Any) -> None:
    x = toy.dataloader()[0]["x"].array
    with (
        finished.open_runner("toy-alpha") as runner,
        pytest.raises(nav.InputError, match="The model has no input 'z'; it takes x"),
    ):
        runner({"x": x, "z": x})


def test_an_answer_that_can_be_given_is_given(finished: Any, tmp_path: Path) -> None:
    nav.save(finished, tmp_path / "a.nav", keep_workdir=True)
    nav.save(finished, str(tmp_path / "a.nav"), override=True)
    assert (tmp_path / "a.nav").is_file()
