"""A conversation with a child that keeps a model loaded: over a Unix socket, until one of the two hangs up."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import attrs

from navcore.errors import StepError
from navcore.execution.isolation import kill_children
from navcore.execution.step import ChildStep, StepPlace
from navcore.execution.step_children import StepAnswer, run_step

_SOCKET = "socket"


@attrs.frozen
class Address:
    """Where a child calls back: the path of a socket, and the hexadecimal key that only the two processes know."""

    path: str
    key: str


@contextlib.contextmanager
def line_to(step: Callable[[Address], ChildStep], place: StepPlace, *, patience: float | None = None) -> Iterator[Line]:
    """Start the child of the step that is made for an address, and yield the caller's end of the line to it.

    ``patience`` is how many seconds an answer may take. The socket lies in the step's private folder. When the block
    ends by an exception the child is killed, otherwise it is waited for: it has to end when its caller hangs up.
    """
    key = secrets.token_bytes(32)
    ended: list[StepAnswer] = []
    place.folder.mkdir(parents=True, exist_ok=True)
    with _short(place.folder / _SOCKET) as address, _listen(address, key) as listener:
        child = step(Address(str(place.folder / _SOCKET), key.hex()))

        def supervise() -> None:
            ended.append(run_step(child, place))
            # Wakes the accept below when the child ended before it called back.
            with contextlib.suppress(OSError, EOFError, AuthenticationError):
                Client(address, family="AF_UNIX", authkey=key).close()

        thread = threading.Thread(target=supervise, name="navcore line", daemon=True)
        thread.start()
        try:
            with Line(listener, place, patience, thread, ended) as line:
                yield line
        except BaseException:
            while thread.is_alive():  # nobody waits for the rest of a call whose answer is not wanted any more
                kill_children(place.folder)
                thread.join(0.1)
            raise
        thread.join()


class Line:
    """The caller's end. Whatever goes wrong with the child is a :class:`StepError` whose text says why."""

    def __init__(
        self,
        listener: Listener,
        place: StepPlace,
        patience: float | None,
        thread: threading.Thread,
        ended: list[StepAnswer],
    ) -> None:
        self._listener = listener
        self._place = place
        self._patience = patience
        self._thread = thread
        self._ended = ended
        self._connection: Connection | None = None

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """Let the child end, without waiting for it."""
        if self._connection is not None:
            self._connection.close()

    def greeting(self) -> Any:
        """Wait until the child has loaded its model, and return its first words."""
        try:
            self._connection = self._listener.accept()
        except (EOFError, OSError, AuthenticationError):  # it died in the middle of its first words
            raise self._gone() from None
        finally:
            self._listener.close()  # or what is to wake this up, when the child has ended, would wait to be accepted
        return self._receive("loading it")

    def ask(self, question: object, what: str = "one call") -> Any:
        """Send a question and return the answer; ``what`` names it where it takes too long."""
        assert self._connection is not None, "the greeting comes first"
        try:
            self._connection.send(question)
        except OSError:
            raise self._gone() from None
        return self._receive(what)

    def _receive(self, what: str) -> Any:
        assert self._connection is not None
        try:
            if self._connection.poll(self._patience):
                return self._connection.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        kill_children(self._place.folder)  # it may be at it for ever, and somebody may wait for its end
        raise StepError(
            f"{what} took longer than {self._patience:g} s.",
            who=self._place.who,
            hint="Give it more time with timeout=.",
        )

    def _gone(self) -> StepError:
        self._thread.join(10)
        failure = self._ended[0].outcome.failure if self._ended else None
        cause = failure.cause if failure else f"{self._place.who}: its process ended without a word"
        return StepError(cause, hint=failure.hint if failure else "")


@contextlib.contextmanager
def answering(address: Address) -> Iterator[Connection]:
    """The child's end of the line."""
    with (
        _short(Path(address.path)) as short,
        Client(short, family="AF_UNIX", authkey=bytes.fromhex(address.key)) as connection,
    ):
        yield connection


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
