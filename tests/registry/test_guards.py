"""A guarded function answers for its own route only, and whatever it does wrong carries the plugin's name."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from navcore.contract.jobs import Made, Runner
from navcore.contract.routes import Hook, Route
from navcore.errors import ConversionError, ExportError, NavcoreError, OptionError, PluginError, StepError, Unavailable
from navcore.registry.guards import guarded, guarded_wrapper

WHO = "nav-p 2.1 (route)"


def route(function: Callable[..., Any], hook: Hook = "convert", name: str = "route") -> Route:
    return Route(hook=hook, name=name, function=function, source="onnx", owner="p", distribution="nav-p", version="2.1")


def ask(function: Callable[..., Any], hook: Hook = "convert") -> Any:
    own = route(function, hook)
    return guarded(own)("the job", own)


def raising(error: BaseException) -> Callable[[Any], Any]:
    def function(_job: Any) -> Any:
        raise error

    return function


def test_it_answers_for_its_own_route_only() -> None:
    calls: list[Any] = []
    own = route(calls.append)
    answer = guarded(own)
    assert answer("job", route(calls.append, name="another")) is None
    assert answer("job", route(calls.append, hook="export_model")) is None
    assert calls == []
    assert answer("job", own) == Made()
    assert calls == ["job"]


def test_nothing_said_is_made() -> None:
    said = Made(notes=("opset 17",))
    assert ask(lambda _job: None) == Made()
    assert ask(lambda _job: said) is said
    assert ask(lambda _job: None, "export_model") == Made()


def test_a_plain_callable_becomes_a_runner() -> None:
    own = Runner(lambda feeds: feeds)
    assert ask(lambda _job: own, "make_runner") is own
    with ask(lambda _job: lambda feeds: {"y": feeds["x"]}, "make_runner") as made:
        assert made({"x": 1}) == {"y": 1}


@pytest.mark.parametrize(
    ("hook", "answer", "told"),
    [
        ("convert", "model.onnx", "The route returned a str. Return None or navcore.Made."),
        ("export_model", {}, "The route returned a dict. Return None or navcore.Made."),
        ("make_runner", None, "The route returned a NoneType. Return navcore.Runner or a plain callable."),
        ("profile", None, "The profiler returned nothing."),
    ],
)
def test_an_answer_of_another_kind_is_the_plugins_fault(hook: Hook, answer: Any, told: str) -> None:
    with pytest.raises(PluginError) as caught:
        ask(lambda _job: answer, hook)
    assert str(caught.value).startswith(f"{WHO}: {told}")


@pytest.mark.parametrize(
    ("hook", "kind"),
    [("export_model", ExportError), ("convert", ConversionError), ("make_runner", StepError), ("profile", StepError)],
)
def test_any_exception_becomes_a_failure_of_the_step(hook: Hook, kind: type[StepError]) -> None:
    original = ValueError("\n  no kernel for this\nsecond line")
    with pytest.raises(StepError) as caught:
        ask(raising(original), hook)
    assert type(caught.value) is kind
    assert str(caught.value) == f"{WHO}: ValueError: no kernel for this"
    assert caught.value.__cause__ is original


class Panic(BaseException):
    """Native extensions raise such things, past every ``except Exception``."""


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message can be had")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SystemExit(1), "SystemExit: 1"),
        (Panic("index out of bounds"), "Panic: index out of bounds"),
        (Mute(), "Mute: (no message)"),
        (MemoryError(), "MemoryError: (no message)"),
    ],
)
def test_nothing_else_crosses_either(error: BaseException, told: str) -> None:
    with pytest.raises(ConversionError) as caught:
        ask(raising(error))
    assert caught.value.what == told


def test_the_users_interrupt_passes() -> None:
    with pytest.raises(KeyboardInterrupt):
        ask(raising(KeyboardInterrupt()))


@pytest.mark.parametrize(
    ("error", "who"),
    [
        (Unavailable("no CUDA device"), WHO),
        (OptionError("no such opset", who="model.onnx"), f"{WHO}, model.onnx"),
        (StepError("said already", who=WHO), WHO),
    ],
)
def test_errors_of_the_tree_keep_their_class_and_get_the_name(error: NavcoreError, who: str) -> None:
    cause = KeyError("deep")
    error.__cause__ = cause
    with pytest.raises(type(error)) as caught:
        ask(raising(error))
    assert caught.value is error
    assert error.who == who
    assert error.__cause__ is cause


def drive(wrapper: Callable[..., Any], outcome: Any) -> Any:
    """What pluggy does with a wrapper around an implementation with that outcome."""
    generator = guarded_wrapper(wrapper, "nav-w 1 (watch)")("job", route(print))
    next(generator)
    try:
        if isinstance(outcome, BaseException):
            generator.throw(outcome)
        else:
            generator.send(outcome)
    except StopIteration as end:
        return end.value
    raise AssertionError("the wrapper yielded twice")


class TestWrappers:
    def test_it_sees_job_and_route_as_far_as_it_asks(self) -> None:
        seen: list[Any] = []

        def both(job: Any, route: Route) -> Generator[None, Any, Any]:
            seen.append((job, route.name))
            return (yield)

        def none() -> Generator[None, Any, Any]:
            return (yield)

        assert drive(both, "answer") == "answer"
        assert drive(none, "answer") == "answer"
        assert seen == [("job", "route")]

    def test_the_failure_that_it_wraps_passes_under_its_own_name(self) -> None:
        def watch(job: Any) -> Generator[None, Any, Any]:
            return (yield)

        wrapped = ConversionError("broke", who="nav-p 2.1 (route)")
        with pytest.raises(ConversionError) as caught:
            drive(watch, wrapped)
        assert caught.value is wrapped
        assert caught.value.who == "nav-p 2.1 (route)"

    def test_its_own_failure_carries_its_own_name(self) -> None:
        def watch(job: Any) -> Generator[None, Any, Any]:
            yield
            raise ValueError("mine")

        with pytest.raises(StepError) as caught:
            drive(watch, "answer")
        assert str(caught.value) == "nav-w 1 (watch): ValueError: mine"

    def test_the_users_interrupt_passes(self) -> None:
        def watch() -> Generator[None, Any, Any]:
            return (yield)

        with pytest.raises(KeyboardInterrupt):
            drive(watch, KeyboardInterrupt())

    @pytest.mark.parametrize("function", [lambda job: None, lambda artifact: (yield), lambda *args: (yield)])
    def test_only_a_generator_function_of_job_and_route_is_one(self, function: Any) -> None:
        with pytest.raises(PluginError, match="is not a generator function of 'job' and 'route'"):
            guarded_wrapper(function, "w")
