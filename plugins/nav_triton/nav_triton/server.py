"""Runs Triton Inference Server on this machine for the time of a block, and stops it whatever happens."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from nav_triton.client import is_ready
from navcore import StepError, Unavailable

HOST = "127.0.0.1"
WHEEL = "nvidia-pytriton"
_PR_SET_PDEATHSIG = 1
_GRACE = 20.0


@attrs.frozen
class Server:
    """A server that runs: its ports on 127.0.0.1, and the file with what it says."""

    http_port: int
    grpc_port: int
    log: Path
    pid: int


@attrs.frozen
class Installation:
    """Where the server is; ``libraries`` are further places of shared libraries, ``wheel`` that of the wheel."""

    binary: Path
    libraries: Sequence[Path] = ()
    wheel: Path | None = None


def installation() -> Installation:
    """The ``tritonserver`` of the search path, else that of the wheel ``nvidia-pytriton`` in this Python.

    Raises :class:`Unavailable`, with what to install, when there is none or it cannot work with this numpy.
    """
    found = shutil.which("tritonserver")
    if found is not None:
        return Installation(Path(found))
    spec = importlib.util.find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            "There is no Triton Inference Server here.",
            hint=f"pip install {WHEEL} brings one with the Python back end, in an environment with numpy below 2.",
        )
    _refuse_numpy()
    package = Path(spec.submodule_search_locations[0])
    libraries = [package.parent / "nvidia_pytriton.libs", Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")]
    wheel = package / "tritonserver"
    return Installation(wheel / "bin" / "tritonserver", libraries, wheel)


def _refuse_numpy() -> None:
    import numpy as np

    if int(np.__version__.partition(".")[0]) >= 2:
        raise Unavailable(
            f"The server of the wheel {WHEEL} exchanges arrays with numpy 1 only, and numpy {np.__version__} is here.",
            hint='Use an environment of its own: pip install "numpy<2" nvidia-pytriton nav-triton, and the plugins.',
        )


@contextlib.contextmanager
def running(
    repository: Path,
    *,
    http_port: int = 0,
    grpc_port: int = 0,
    timeout: float = 180.0,
    arguments: Sequence[str] = (),
    until_ready: bool = True,
) -> Iterator[Server]:
    """Run a server with all models of ``repository`` on 127.0.0.1 until the block ends.

    A port of 0 takes a free one. ``timeout`` is how many seconds it may take until all models are ready. Nothing is
    asked of it by ``until_ready=False``, for ``arguments`` under which it is not to be ready. The server ends with this
    process, also where that is killed. Raises :class:`Unavailable` where there is none, and :class:`StepError` with
    what it says when a model cannot be loaded.
    """
    found = installation()
    home = Path(os.path.abspath(repository))
    with contextlib.ExitStack() as stack:
        private = Path(stack.enter_context(_private()))
        server = stack.enter_context(_started(found, home, private, http_port, grpc_port, arguments))
        if until_ready:
            _wait(server, timeout)
        yield server[0]


@contextlib.contextmanager
def _private() -> Iterator[str]:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="nav-triton-") as folder:
        yield folder


@contextlib.contextmanager
def _started(
    found: Installation, repository: Path, private: Path, http_port: int, grpc_port: int, arguments: Sequence[str]
) -> Iterator[tuple[Server, subprocess.Popen[bytes]]]:
    ports = [port or _free_port() for port in (http_port, grpc_port)]
    command = [
        str(found.binary), "--model-repository", str(repository),
        "--http-address", HOST, "--http-port", str(ports[0]),
        "--grpc-address", HOST, "--grpc-port", str(ports[1]),
        "--allow-metrics", "false", *_backends(found, private), *arguments,
    ]  # fmt: skip
    log = private / "server.log"
    libc = ctypes.CDLL(None)

    def end_with_us() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=_environment(found),
            start_new_session=True, preexec_fn=end_with_us,
        )  # fmt: skip
    try:
        yield Server(ports[0], ports[1], log, process.pid), process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and end the whole session when it does not: the Python back end has processes of its own."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _backends(found: Installation, private: Path) -> list[str]:
    """The Python back end of the wheel with the part that was built for this Python."""
    if found.wheel is None:
        return []
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = found.wheel / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.is_file():
        raise Unavailable(f"The wheel {WHEEL} has nothing for Python {version}.", hint="Use another Python.")
    folder = private / "backends" / "python"
    shutil.copytree(found.wheel / "backends" / "python", folder)
    shutil.copy(stub, folder)
    return ["--backend-directory", str(folder.parent)]


def _environment(found: Installation) -> Mapping[str, str]:
    """This Python first, where the back end looks for it, and text as UTF-8: it reads no other variables."""
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([str(Path(sys.prefix, "bin")), environment.get("PATH", "")])
    environment["LC_ALL"] = "C.UTF-8"
    places = [*map(str, found.libraries), *filter(None, [environment.get("LD_LIBRARY_PATH")])]
    if places:
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(places)
    return environment


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait(started: tuple[Server, subprocess.Popen[bytes]], timeout: float) -> None:
    server, process = started
    end = time.monotonic() + timeout
    while not is_ready(HOST, server.http_port):
        if process.poll() is not None:
            raise StepError(f"The server ended while it was loading: {_complaint(server.log)}")
        if time.monotonic() > end:
            raise StepError(f"The server was not ready after {timeout:g} s: {_complaint(server.log)}")
        time.sleep(0.1)


def _complaint(log: Path) -> str:
    """The last line in which the server says that something failed."""
    lines = log.read_text(errors="replace").splitlines()
    told = [line.partition("] ")[2] for line in lines if line.startswith("E") and "failed to load" in line]
    return (told or [line for line in lines if line.strip()] or ["it said nothing"])[-1].strip('" ')
