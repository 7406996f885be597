"""A child that keeps one stored model loaded and answers calls, so that it never runs in the caller."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from navcore.contract import Signature
from navcore.errors import SourceError, StepError
from navcore.execution.child_line import Address, Line, answering, line_to
from navcore.execution.same_numbers import framework_of, same_numbers
from navcore.execution.step import RouteCall, ServeStep, StepPlace, runner_job
from navcore.registry import Registry
from navcore.workspace import describe, from_data, to_data

if TYPE_CHECKING:
    import numpy as np


@attrs.frozen
class OwnInputs:
    """What a stored model says of its inputs: their names in order, and by name the sizes that it fixes."""

    names: tuple[str, ...] = ()
    shapes: Mapping[str, tuple[int | None, ...]] = attrs.field(factory=dict)


Call = Callable[[Signature, Mapping[str, "np.ndarray"]], Mapping[str, "np.ndarray"]]


@contextlib.contextmanager
def served(
    loading: RouteCall, place: StepPlace, *, patience: float | None = None, whose: str = "The source"
) -> Iterator[CallLine]:
    """Start the child that loads the model, and yield the conversation with it.

    ``patience`` is how many seconds loading, or one call, may take. Raises :class:`StepError` when the child dies,
    refuses or exceeds the patience; the text says why, and ``whose`` model it is.
    """

    def serving(address: Address) -> ServeStep:
        return ServeStep(loading, address.path, address.key)

    with line_to(serving, place, patience=patience) as line:
        yield CallLine(line, whose)


class CallLine:
    """The caller's end of the conversation with the child; ``inputs`` is what the model says of its own."""

    def __init__(self, line: Line, whose: str) -> None:
        self._line = line
        self._whose = whose
        with _about(whose):
            self.inputs = OwnInputs(*line.greeting())

    def call(self, signature: Signature, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """What the model returns; raises :class:`SourceError` when it fails."""
        return self._asked(signature, feeds, held=False)

    def seeded(self, signature: Signature, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The same, the random numbers of the child being held for the time of the call."""
        return self._asked(signature, feeds, held=True)

    def _asked(self, signature: Signature, feeds: Mapping[str, np.ndarray], *, held: bool) -> Mapping[str, np.ndarray]:
        with _about(self._whose):
            outcome, value = self._line.ask((to_data(signature), dict(feeds), held))
        if outcome == "failed":
            raise SourceError(value)
        answered: Mapping[str, np.ndarray] = value
        return answered


@contextlib.contextmanager
def _about(whose: str) -> Iterator[None]:
    try:
        yield
    except StepError as error:
        raise StepError(f"{whose} could not be run: {error.what}", who=error.who, hint=error.hint) from None


def serve(step: ServeStep, registry: Registry) -> int:
    """The child's side: load the model once, answer calls until the caller hangs up; how many there were."""
    with answering(Address(step.address, step.key)) as connection:
        calls = 0
        route = registry.route(step.call.route)
        numbers = same_numbers(framework_of(route, registry))
        with (
            registry.ask("make_runner", runner_job(step.call, registry), route) as runner,
            contextlib.suppress(EOFError, ConnectionResetError),
        ):
            connection.send((runner.inputs, runner.shapes))
            while True:
                signature, feeds, held = connection.recv()
                try:
                    with numbers() if held else contextlib.nullcontext():
                        answer = runner(feeds)
                    connection.send(("ok", _renamed(answer, from_data(signature, Signature))))
                except Exception as error:
                    connection.send(("failed", _blamed(describe(error).cause, route.who)))
                calls += 1
    return calls


def _blamed(cause: str, who: str) -> str:
    """The cause under the plugin's name, which a failed call of its runner does not carry by itself."""
    return cause if who in cause else f"{who}: {cause}"


def _renamed(answer: Mapping[str, np.ndarray], signature: Signature) -> dict[str, Any]:
    """The outputs under the signature's names, by position, once it has any."""
    if len(signature.output_names) != len(answer):
        return dict(answer)
    return dict(zip(signature.output_names, answer.values(), strict=True))
