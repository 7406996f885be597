"""Keeps warm processes for the time of a run: children are forked from them, and need not import everything again.

A warm process has imported what children begin with, and perhaps a framework, but no model, and no plugin unless it
was asked to; whatever runs, runs in a fork of it that is used once. Where none is at hand (no run is under way, the
environment is another by now, a framework has started threads when it was imported) a child is started anew, which is
only slower.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from navcore.execution.isolation.leader import WarmChild
from navcore.execution.isolation.nursery_process import READY
from navcore.execution.isolation.search_path import search_path
from navcore.registry import DISABLE, EXTRA

_PROCESS = "navcore.execution.isolation.nursery_process"
_MOST = 4
"""Warm processes at a time: each holds a framework in memory."""
_PATIENCE = 120.0  # seconds for a framework to be imported, and for a fork
_ABOUT_PLUGINS = (DISABLE, EXTRA)
"""Variables that say which plugins there are. A warm process has found none, and each request names them."""


class Nursery:
    """One warm process that has imported ``modules``, and what is foreign to navcore; its children work in ``folder``.

    ``near`` is shown among its arguments, for whoever looks.
    """

    def __init__(self, modules: Sequence[str], foreign: Sequence[str], folder: str, near: str) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._state = "starting"
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.settimeout(_PATIENCE)
        what = [",".join(modules), ",".join(foreign), near]
        command = [sys.executable, "-P", "-m", _PROCESS, str(theirs.fileno()), *what]
        try:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, "PYTHONPATH": search_path()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        finally:
            theirs.close()

    def fork(
        self, module: str, argument: str, environment: Mapping[str, str], output: int, imports: Sequence[str] = ()
    ) -> WarmChild | None:
        """A child that calls ``main(argument)`` of the module; ``None`` where it has to be started anew.

        The warm process has imported ``imports`` as well by then, and keeps them for those that come after.
        """
        with self._lock:
            if self._state == "starting":
                self._state = self._begun()
            if self._state != "ready":
                return None
            told = {
                "module": module, "argument": argument, "environment": dict(environment), "folder": self._folder,
                "imports": list(imports),
            }  # fmt: skip
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.settimeout(_PATIENCE)
            try:
                with theirs:
                    socket.send_fds(self._line, [json.dumps(told).encode()], [output, theirs.fileno()])
                pid = int(ours.recv(32))
                return WarmChild(pid, self._process.pid, os.pidfd_open(pid), ours)
            except (OSError, ValueError):  # it is gone, or too slow; or the kernel has no descriptors for processes
                self._state = "gone"
                ours.close()
                return None

    def _begun(self) -> str:
        try:
            return "ready" if self._line.recv(16) == READY else "unfit"
        except OSError:
            return "gone"

    def close(self) -> None:
        """End the warm process; children that still run end with it."""
        self._line.close()
        self._process.kill()
        self._process.wait()


@attrs.frozen
class Place:
    """What a process that is started anew would find: it decides what is imported, and how."""

    folder: str
    search_path: str
    environment: tuple[tuple[str, str], ...]


def here() -> Place:
    """The place of this process, now."""
    try:
        folder = os.getcwd()
    except FileNotFoundError:
        folder = ""
    environment = sorted((name, value) for name, value in os.environ.items() if name not in _ABOUT_PLUGINS)
    return Place(folder, search_path(), tuple(environment))


class _Nurseries:
    """The warm processes of the runs that are under way in this process, by the framework that they have imported."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._near = ""
        self._modules: tuple[str, ...] = ()
        self._plugins: tuple[str, ...] = ()
        self._owner = 0
        self._open: dict[tuple[str, Place], Nursery] = {}

    def enter(self, near: str, modules: Sequence[str], plugins: Sequence[str]) -> None:
        with self._lock:
            if self._owner != os.getpid():  # a fork of a process that had some
                self._owner, self._users, self._open = os.getpid(), 0, {}
            if self._users == 0:  # who is here already goes on having what it asked for
                self._modules, self._plugins = (), ()
            self._users += 1
            self._near = near
            self._modules = tuple(dict.fromkeys((*self._modules, *modules)))
            self._plugins = tuple(dict.fromkeys((*self._plugins, *plugins)))

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            ending = list(self._open.values()) if self._users == 0 else []
            if ending:
                self._open = {}
        for one in ending:
            one.close()

    def with_framework(self, framework: str) -> Nursery | None:
        key = framework, here()
        with self._lock:
            if self._users == 0 or self._owner != os.getpid():
                return None
            if key not in self._open and len(self._open) < _MOST:
                foreign = [name for name in (*self._plugins, framework) if name]
                self._open[key] = Nursery(self._modules, foreign, key[1].folder, self._near)
            return self._open.get(key)


_NURSERIES = _Nurseries()


@contextlib.contextmanager
def warm_children(near: Path, modules: Sequence[str], plugins: Sequence[str] = ()) -> Iterator[None]:
    """Have children forked from processes that have imported ``modules``, until the block ends.

    ``near`` is the folder that it is about. ``plugins`` are modules of plugins that are imported beforehand as well:
    one that starts threads then has all children started anew.
    """
    _NURSERIES.enter(str(near), modules, plugins)
    try:
        yield
    finally:
        _NURSERIES.leave()


def warm_child(
    module: str,
    argument: str,
    environment: Mapping[str, str],
    output: int,
    *,
    framework: str,
    imports: Sequence[str] = (),
) -> WarmChild | None:
    """A child from a warm process that has imported ``framework``; ``None`` where it has to be started anew."""
    try:
        nursery = _NURSERIES.with_framework(framework)
    except OSError:  # no process can be started: whoever starts one anew will say so
        return None
    return None if nursery is None else nursery.fork(module, argument, environment, output, imports)
