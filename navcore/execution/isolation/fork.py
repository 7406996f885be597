"""Runs a function in a fork of the calling process, where the live objects of the caller are at hand."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
import time
import traceback
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import attrs

from navcore.errors import StepError
from navcore.execution.isolation.child_setup import TOKEN_VARIABLE, prepare_child
from navcore.execution.isolation.leader import OwnChild
from navcore.execution.isolation.output_capture import flush_output, replace_standard_streams
from navcore.execution.isolation.result_file import write_result
from navcore.execution.isolation.supervisor import ChildReport, Limits, StartedChild, block_signals, prepare, supervise
from navcore.registry import foreign_code

# Warning filters belong to the whole process; two threads that change and restore them at once would mix them up. And a
# fork in the middle of another thread's import would wait for ever for that import to end.
_ALONE = threading.Lock()


def import_before_forks(modules: Iterable[str]) -> None:
    """Import here, once, what forks of this process would each import; what cannot be imported they will say.

    A module is imported when its framework, the package that it is a part of, is there already; one that starts a
    thread is the last. What an import writes into the environment is undone, and so is another working folder, as it
    would be gone with a fork: PyTorch writes down where its caches are, for all that follow.
    """
    with _ALONE, _put_back():
        threads = _threads()
        for name in modules:
            if name in sys.modules or name.partition(".")[0] not in sys.modules or _threads() > threads:
                continue
            with contextlib.suppress(Exception, SystemExit), foreign_code():
                importlib.import_module(name)


@contextlib.contextmanager
def _put_back() -> Iterator[None]:
    """The environment and the working folder, as they are now, whatever ends the block."""
    environment, folder = dict(os.environ), os.open(".", os.O_PATH | os.O_CLOEXEC)
    try:
        yield
    finally:
        for variable in set(os.environ) - set(environment):
            del os.environ[variable]
        os.environ.update(environment)
        os.fchdir(folder)
        os.close(folder)


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def run_forked(
    work: Callable[[], dict[str, Any]],
    *,
    folder: Path,
    log: Path,
    limits: Limits,
    describe: Callable[[BaseException], dict[str, Any]] | None = None,
) -> ChildReport:
    """Run ``work`` in a fork of this process, stay until it has ended, and report how it went.

    What ``work`` returns, plain JSON data, is the result. What it raises is made a result by ``describe``; without
    it, or when that fails too, the traceback is in the log and the report says ``"no-result"``. ``work`` may call
    `write_result` with the same folder to leave word of its progress.

    Only the calling thread exists in the fork, and no ``finally`` or ``atexit`` of the caller runs there. Whether the
    libraries that ``work`` uses survive a fork (threads, CUDA) is for the caller to know. ``folder`` belongs to this
    run alone; an earlier result in it is removed.

    Nothing that happens in the fork is raised here. Raises StepError when the process cannot be forked.
    """
    folder, log = Path(folder).absolute(), Path(log).absolute()
    prepare(folder, log)
    token = uuid.uuid4().hex
    began = time.monotonic()
    output, child_output = os.pipe()
    gate = os.eventfd(0)  # not a pipe: to write to a child that is dead must not raise SIGPIPE in the caller
    parent = os.getpid()
    # Text that waits in a buffer now would be printed by both processes.
    flush_output()
    # An interrupt must not hit the child while it still looks like its parent, nor the parent before it watches.
    mask = block_signals()
    try:
        pid = _fork()
        if pid == 0:
            _live(_Errand(work, describe, folder, parent, token, child_output, gate), output)
    except BaseException:
        os.close(output)
        os.close(gate)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        raise
    finally:
        os.close(child_output)
    return supervise(
        StartedChild(OwnChild(pid), output, token, began, mask, gate), folder=folder, log=log, limits=limits
    )


@attrs.frozen
class _Errand:
    work: Callable[[], dict[str, Any]]
    describe: Callable[[BaseException], dict[str, Any]] | None
    folder: Path
    parent: int
    token: str
    output: int
    gate: int


def _fork() -> int:
    try:
        with _ALONE, warnings.catch_warnings():
            # From 3.12 on Python warns of forks beside threads. Here the caller has decided that this one is safe.
            warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*multi-threaded")
            return os.fork()
    except OSError as error:
        raise StepError(
            f"this process cannot be forked: {error}.",
            who="navcore",
            hint="Check the number of processes allowed (ulimit -u) and the free memory.",
        ) from error


def _live(errand: _Errand, parents_end: int) -> NoReturn:
    """Be the child, from the fork to the end; never return into the stack of the parent."""
    status = 1
    try:
        os.setsid()
        os.close(parents_end)
        inherited = replace_standard_streams(errand.output)
        _forget_signal_handlers()
        os.environ[TOKEN_VARIABLE] = errand.token
        prepare_child(errand.parent)
        os.eventfd_read(errand.gate)
        os.close(errand.gate)
        status = _run(errand)
        flush_output()
        del inherited
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _run(errand: _Errand) -> int:
    """Do the work, leave a result, and return the exit status."""
    try:
        write_result(errand.folder, errand.work(), done=True)
    except BaseException as error:
        traceback.print_exc()
        if errand.describe is None:
            return 1
        write_result(errand.folder, errand.describe(error), done=True)
    return 0


def _forget_signal_handlers() -> None:
    """Give up the parent's signal handlers, which are its own business."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
