"""A child that keeps one file-based source loaded and answers calls, so that the source never runs in the caller."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from navcore.contract import Signature
from navcore.errors import SourceError, StepError
from navcore.execution.isolation import kill_children
from navcore.execution.same_numbers import framework_of, same_numbers
from navcore.execution.step import RouteCall, ServeStep, StepPlace, runner_job
from navcore.execution.step_children import StepAnswer, run_step
from navcore.registry import Registry
from navcore.workspace import describe, from_data, to_data

if TYPE_CHECKING:
    import numpy as np

_SOCKET = "socket"


@attrs.frozen
class OwnInputs:
    """What a stored model says of its inputs: their names in order, and by name the sizes that it fixes."""

    names: tuple[str, ...] = ()
    shapes: Mapping[str, tuple[int | None, ...]] = attrs.field(factory=dict)


Call = Callable[[Signature, Mapping[str, "np.ndarray"]], Mapping[str, "np.ndarray"]]


@contextlib.contextmanager
def served(loading: RouteCall, place: StepPlace, *, patience: float | None = None) -> Iterator[Line]:
    """Start the child that loads the source, and yield the conversation with it.

    ``patience`` is how many seconds loading, or one call, may take.

    Messages travel over a Unix socket in the step's private folder, under a key that only the two processes know.
    Raises :class:`StepError` when the child dies, refuses or exceeds the patience; the text says why.
    """
    key = secrets.token_bytes(32)
    ended: list[StepAnswer] = []
    place.folder.mkdir(parents=True, exist_ok=True)
    with _short(place.folder / _SOCKET) as address, _listen(address, key) as listener:
        step = ServeStep(loading, str(place.folder / _SOCKET), key.hex())

        def supervise() -> None:
            ended.append(run_step(step, place))
            # Wakes the accept below when the child ended before it called back.
            with contextlib.suppress(OSError, EOFError, AuthenticationError):
                Client(address, family="AF_UNIX", authkey=key).close()

        thread = threading.Thread(target=supervise, name="navcore source", daemon=True)
        thread.start()
        try:
            with Line(listener, place.who, patience, thread, ended) as line:
                yield line
        except BaseException:
            while thread.is_alive():  # nobody waits for the rest of a call whose answer is not wanted any more
                kill_children(place.folder)
                thread.join(0.1)
            raise
        thread.join()


class Line:
    """The caller's end of the conversation with the child; ``inputs`` is what the model says of its own."""

    def __init__(
        self,
        listener: Listener,
        who: str,
        patience: float | None,
        thread: threading.Thread,
        ended: list[StepAnswer],
    ) -> None:
        self._who = who
        self._patience = patience
        self._thread = thread
        self._ended = ended
        try:
            self._connection = listener.accept()
        except (EOFError, OSError, AuthenticationError):  # it died in the middle of its first words
            raise self._gone() from None
        finally:
            listener.close()  # or what is to wake this up, when the child has ended, would wait to be accepted itself

    def __enter__(self) -> Line:
        try:
            self.inputs = OwnInputs(*self._receive("Loading it"))
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, signature: Signature, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """What the source returns; raises :class:`SourceError` when it fails."""
        return self._asked(signature, feeds, held=False)

    def seeded(self, signature: Signature, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The same, the random numbers of the child being held for the time of the call."""
        return self._asked(signature, feeds, held=True)

    def _asked(self, signature: Signature, feeds: Mapping[str, np.ndarray], *, held: bool) -> Mapping[str, np.ndarray]:
        try:
            self._connection.send((to_data(signature), dict(feeds), held))
        except OSError:
            raise self._gone() from None
        outcome, value = self._receive("One call")
        if outcome == "failed":
            raise SourceError(value)
        answered: Mapping[str, np.ndarray] = value
        return answered

    def _receive(self, what: str) -> Any:
        try:
            if self._connection.poll(self._patience):
                return self._connection.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        raise StepError(
            f"The source could not be run: {what.lower()} took longer than {self._patience:g} s.",
            who=self._who,
            hint="Give it more time with timeout=.",
        )

    def _gone(self) -> StepError:
        self._thread.join(10)
        failure = self._ended[0].outcome.failure if self._ended else None
        cause = failure.cause if failure else f"{self._who}: its process ended without a word"
        return StepError(f"The source could not be run: {cause}", hint=failure.hint if failure else "")


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Another name of a socket's path, for this process alone: one has 107 bytes at most, and workspaces lie deep."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _listen(address: str, key: bytes) -> Listener:
    return Listener(address, family="AF_UNIX", authkey=key)


def serve(step: ServeStep, registry: Registry) -> int:
    """The child's side: load the source once, answer calls until the caller hangs up; how many there were."""
    with (
        _short(Path(step.address)) as address,
        Client(address, family="AF_UNIX", authkey=bytes.fromhex(step.key)) as connection,
    ):
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


def _renamed(answer: Mapping[str, np.ndarray], signature: Signature) -> dict[str, np.ndarray]:
    """The outputs under the signature's names, by position, once it has any."""
    if len(signature.output_names) != len(answer):
        return dict(answer)
    return dict(zip(signature.output_names, answer.values(), strict=True))
