"""The warm process itself: it has imported what children begin with, runs nothing, and forks when it is asked to."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import types
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import attrs

from navcore.execution.isolation.child_setup import PARENT_VARIABLE
from navcore.execution.isolation.output_capture import replace_standard_streams

READY, UNFIT = b"ready", b"unfit"
_LONGEST = 1 << 20
_LOOK_EVERY = 1.0  # seconds until it looks whether its parent is still there


@attrs.frozen
class _Birth:
    """What a child is for: call ``main(argument)`` of a module, in an environment, its output going to ``output``."""

    module: str
    argument: str
    environment: Mapping[str, str]
    folder: str
    output: int


def main(descriptor: str, modules: str, foreign: str) -> None:
    """Import ``modules`` and ``foreign`` ones (by commas), say whether a fork of this process is safe, fork on demand.

    ``descriptor`` is the number of the socket to the parent. A framework, or a plugin, that starts threads makes forks
    unsafe: they may hold a lock. Returns when the parent is gone; in a child never.
    """
    parent = os.getppid()  # its end is seen by the line: the thread that started this may end long before
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    line = socket.socket(fileno=int(descriptor))
    line.set_inheritable(False)
    for name in modules.split(","):
        _import(name)
    if not _is_fit_after(filter(None, foreign.split(","))):
        line.send(UNFIT)
        return
    line.send(READY)
    if (birth := _wait_for_births(line, parent)) is not None:
        _live(birth)


def _import(name: str) -> None:
    with contextlib.suppress(Exception):  # the child will say what is wrong with it
        importlib.import_module(name)


def _is_fit_after(modules: Iterable[str]) -> bool:
    """Import what is not there yet; whether that started no thread, so that this process can still be forked.

    Threads are counted each time: numpy's OpenBLAS has some, which a fork ends and a call brings back.
    """
    threads = _threads()
    missing = [name for name in modules if name not in sys.modules]
    for name in missing:
        _import(name)
    if missing:
        gc.collect()
        gc.freeze()  # what is shared with the children stays shared
    return not missing or _threads() <= threads


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _wait_for_births(line: socket.socket, parent: int) -> _Birth | None:
    """Fork for each request on ``line``; return in every child with what it is for, in this process at the end.

    Once a request's imports have started threads, none is answered: its socket is closed.
    """
    fit = True
    children: dict[socket.socket, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(line, selectors.EVENT_READ)
        while os.getppid() == parent:
            for key, _ in selector.select(_LOOK_EVERY):
                asked = key.fileobj
                assert isinstance(asked, socket.socket)
                if asked is not line:
                    if _answer(asked, children[asked]):
                        selector.unregister(asked)
                        asked.close()
                        del children[asked]
                    continue
                request = _received(line)
                if request is None:
                    return None
                told, (output, status) = request
                fit = fit and _is_fit_after(told["imports"])
                del told["imports"]
                if not fit:
                    os.close(output)
                    os.close(status)
                    continue
                pid = os.fork()
                if pid == 0:
                    for other in (line, *children):
                        other.close()
                    os.close(status)
                    return _Birth(**told, output=output)
                os.close(output)
                answering = socket.socket(fileno=status)
                children[answering] = pid
                selector.register(answering, selectors.EVENT_READ)
                with contextlib.suppress(OSError):
                    answering.send(str(pid).encode())
    return None


def _received(line: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    said, descriptors, _, _ = socket.recv_fds(line, _LONGEST, 2)
    return (json.loads(said), list(descriptors)) if said else None


def _answer(line: socket.socket, pid: int) -> bool:
    """Tell the exit code of a child that has ended; whether that was all. One whose caller is gone is waited for."""
    try:
        gone = not line.recv(16)
    except OSError:
        gone = True
    found, status = os.waitpid(pid, 0 if gone and _kill(pid) else os.WNOHANG)
    if not gone:
        with contextlib.suppress(OSError):
            line.send(str(os.waitstatus_to_exitcode(status)).encode() if found else b"")
    return bool(found)


def _kill(pid: int) -> bool:
    """Kill a child whose caller went without asking for it. Always true."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return True


def _live(birth: _Birth) -> NoReturn:
    """Be the child: as a process that was started anew would be, but for what is imported already."""
    warm = os.getppid()
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # `enter_child` lets them in
    kept = replace_standard_streams(birth.output)
    os.environ.clear()
    os.environ.update({**birth.environment, PARENT_VARIABLE: str(warm)})
    with contextlib.suppress(OSError):
        os.chdir(birth.folder)
    numpy = sys.modules.get("numpy")
    if isinstance(numpy, types.ModuleType) and "numpy.random" in sys.modules:
        numpy.random.seed()  # or all children would draw the same numbers; Python's own are seeded after a fork
    sys.argv = [birth.module, birth.argument]
    importlib.import_module(birth.module).main(birth.argument)
    del kept
    sys.exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:4])
