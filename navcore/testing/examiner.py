"""Has a plugin tried in a child process, case by case, so that nothing that it does hangs or ends whoever asks."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import attrs

from navcore.errors import StepError
from navcore.execution import PARENT_VARIABLE
from navcore.testing.busy import Doing
from navcore.testing.cases import Case, plugin_cases
from navcore.testing.verdicts import Finding, Reported
from navcore.workspace import from_data, to_data

MODULE = "navcore.testing.examiner_child"
UNUSABLE = "plugin"
"""What it is about when the plugin cannot be imported."""
_LOOK_EVERY = 0.2
_FAREWELL = 5.0


class Gone(Exception):
    """The child ended or hung; the text says how."""


@attrs.define(eq=False)
class Examiner:
    """Asks one child after the other about the plugin; each is used until it dies or hangs.

    ``timeout`` is in seconds, for each step and for each call of the plugin in the child itself. What is made, and the
    child's log, lie in ``folder``.
    """

    plugin: str
    folder: Path
    timeout: float = 300.0
    allowed_imports: Sequence[str] = ()
    _reported: Reported = attrs.field(factory=Reported, init=False)
    _child: _Child | None = attrs.field(default=None, init=False)
    _children: int = attrs.field(default=0, init=False)

    def cases(self) -> tuple[Case, ...]:
        """Every case of the plugin; those about it as a whole when it cannot even be imported."""
        try:
            return self._at_work().cases
        except Gone:
            return plugin_cases()

    def examined(self, case: Case) -> Finding:
        """How the case comes out. Never raises for what the plugin does."""
        if (told := self._reported.told.get(UNUSABLE)) is not None and self._child is None:
            return Finding(case.check, case.route, "skipped", f"not tried: {told}")
        try:
            answer = self._at_work().ask(case)
        except Gone as gone:
            self._child = None
            return self._lost(case, gone)
        if "problem" in answer:
            raise StepError(f"The conformance kit failed at {case.id}: {answer['problem']}", who="navcore")
        self._reported.told.update(answer["reported"])
        return from_data(answer["finding"], Finding)

    def close(self) -> None:
        """Let the child end."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _at_work(self) -> _Child:
        if self._child is None:
            self._children += 1
            request = {
                "plugin": self.plugin,
                "folder": str(self.folder / f"child-{self._children}"),
                "timeout": self.timeout,
                "allowed_imports": list(self.allowed_imports),
                "reported": self._reported.told,
            }
            self._child = _Child(request, self.folder, self.timeout)
            try:
                self._child.begin()
            except Gone:
                self._child = None
                raise
        return self._child

    def _lost(self, case: Case, gone: Gone) -> Finding:
        """A call in the child itself never came back: that is what failed, unless it was told already."""
        doing, how = gone.args
        reason = f"{doing.who}: {how}"
        about = doing.about or (f"died {doing.who}",)
        told = next((self._reported.told[one] for one in about if one in self._reported.told), None)
        if told is not None:
            return Finding(case.check, case.route, "skipped", f"not tried: {told}")
        self._reported.remember(case.id, reason, about)
        advice = (
            "This is called in the process of the user's program in a run, too, where nothing contains it. What it "
            f"printed last is in {self.folder / 'examiner.log'}."
        )
        return Finding(case.check, case.route, "failed", reason, advice)


class _Child:
    """One process that tries the plugin, and what it is doing."""

    def __init__(self, request: dict[str, Any], folder: Path, timeout: float) -> None:
        self._request = request
        self._timeout = timeout
        self._stack: list[Doing] = []
        self.cases: tuple[Case, ...] = ()
        folder.mkdir(parents=True, exist_ok=True)
        self._connection, theirs = Pipe()
        path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
        with theirs, open(folder / "examiner.log", "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", MODULE, str(theirs.fileno())],
                env={**os.environ, "PYTHONPATH": path, PARENT_VARIABLE: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )

    def begin(self) -> None:
        """Wait until it has imported what is installed and knows its cases."""
        self._send(self._request)
        self.cases = from_data(self._receive("cases"), tuple[Case, ...])

    def ask(self, case: Case) -> dict[str, Any]:
        """The answer about one case. Raises :class:`Gone`."""
        self._stack.clear()
        self._send(to_data(case))
        answer: dict[str, Any] = self._receive("finding")
        return answer

    def close(self) -> None:
        """Hang up, and wait for its end."""
        self._connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_FAREWELL)
        self._kill()

    def _send(self, message: object) -> None:
        try:
            self._connection.send(message)
        except OSError:
            raise self._gone() from None

    def _receive(self, wanted: str) -> Any:
        """The next message of that kind; meanwhile the child says what it does, and has its time for each thing."""
        while True:
            limit = self._limit()
            deadline = time.monotonic() + limit
            while not self._is_heard(self._connection):
                if time.monotonic() > deadline:
                    self._kill()
                    raise Gone(self._doing(), f"ran longer than {limit:g} s")
                if self._process.poll() is not None and not self._is_heard(self._connection):
                    raise self._gone()
            try:
                kind, content = self._connection.recv()
            except (EOFError, OSError):
                raise self._gone() from None
            if kind == wanted:
                return content
            self._note(None if content is None else from_data(content, Doing))

    def _is_heard(self, connection: Connection) -> bool:
        try:
            return connection.poll(_LOOK_EVERY)
        except (EOFError, OSError):
            return True

    def _note(self, doing: Doing | None) -> None:
        if doing is None:
            self._stack.pop()
        elif doing.moves and self._stack:
            self._stack[-1] = doing
        else:
            self._stack.append(doing)

    def _limit(self) -> float:
        """What runs in children of its own has its limits there; this one is for what does not."""
        told = self._stack[-1].seconds if self._stack else None
        return told if told is not None else 2 * self._timeout + 10

    def _doing(self) -> Doing:
        return self._stack[-1] if self._stack else Doing("the conformance kit")

    def _gone(self) -> Gone:
        try:
            code = self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            self._kill()
            return Gone(self._doing(), "hung up")
        self._kill()
        if code < 0:
            name = signal.Signals(-code).name
            return Gone(self._doing(), f"killed by {name} ({(signal.strsignal(-code) or name).lower()})")
        return Gone(self._doing(), f"it ended its process with status {code}")

    def _kill(self) -> None:
        """End it and what it has started: steps lead sessions of their own, and die with who started them."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()
