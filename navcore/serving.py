"""A child that keeps one file-based source loaded and answers calls, so that the source never runs in the caller."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Client, Listener
from typing import TYPE_CHECKING, Any

from navcore.errors import SourceError, StepError
from navcore.failures import describe
from navcore.registry import Registry
from navcore.serial import from_data, to_data
from navcore.steps import run_step
from navcore.tensors import Signature

if TYPE_CHECKING:
    import numpy as np

Call = Callable[[Signature, Mapping[str, "np.ndarray"]], Mapping[str, "np.ndarray"]]


@contextlib.contextmanager
def served(step: dict[str, Any]) -> Iterator[tuple[Call, tuple[str, ...]]]:
    """Start the child for ``step`` (as :func:`navcore.steps.run_step` takes it).

    Yields a function that calls it, and the names that the stored model gives its own inputs (where it has names).

    Messages travel over a Unix socket in the step's private folder, under a key that only the two processes know.
    Raises :class:`StepError` when the child dies or refuses; the text says why.
    """
    key = secrets.token_bytes(32)
    ended: list[dict[str, Any]] = []
    # A socket's path may have 107 bytes at most, so it cannot be in the workspace.
    with tempfile.TemporaryDirectory(prefix="navcore-") as place, _listen(f"{place}/s", key) as listener:
        address = f"{place}/s"
        request = {**step["request"], "kind": "serve", "address": address, "key": key.hex()}

        def supervise() -> None:
            ended.append(run_step({**step, "request": request}))
            # Wakes the accept below when the child ended before it called back.
            with contextlib.suppress(OSError, EOFError):
                Client(address, family="AF_UNIX", authkey=key).close()

        thread = threading.Thread(target=supervise, name="navcore source", daemon=True)
        thread.start()
        connection = listener.accept()
        try:
            inputs: tuple[str, ...] = connection.recv()
        except (EOFError, OSError):
            thread.join(10)
            raise _gone(step["who"], ended) from None

        def call(signature: Signature, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            try:
                connection.send((to_data(signature), dict(feeds)))
                outcome, value = connection.recv()
            except (EOFError, OSError):
                thread.join(10)
                raise _gone(step["who"], ended) from None
            if outcome == "failed":
                raise SourceError(value)
            answered: Mapping[str, np.ndarray] = value
            return answered

        try:
            yield call, inputs
        finally:
            connection.close()
            thread.join()


def _listen(address: str, key: bytes) -> Listener:
    return Listener(address, family="AF_UNIX", authkey=key)


def _gone(who: str, ended: list[dict[str, Any]]) -> StepError:
    failure = ended[0]["outcome"]["failure"] if ended else None
    cause = failure["cause"] if failure else "its process ended without a word"
    return StepError(f"The source could not be run: {cause}", who=who, hint=(failure or {}).get("hint", ""))


def serve(request: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """The child's side: load the source once, answer calls until the caller hangs up."""

    from navcore.worker import runner_job

    job = runner_job(request, registry)
    with Client(request["address"], family="AF_UNIX", authkey=bytes.fromhex(request["key"])) as connection:
        calls = 0
        with (
            registry.ask("make_runner", job, registry.route(request["route"])) as runner,
            contextlib.suppress(EOFError),
        ):
            connection.send(runner.inputs)
            while True:
                signature, feeds = connection.recv()
                try:
                    connection.send(("ok", _renamed(runner(feeds), from_data(signature, Signature))))
                except Exception as error:
                    connection.send(("failed", describe(error).cause))
                calls += 1
    return {"calls": calls}


def _renamed(answer: Mapping[str, np.ndarray], signature: Signature) -> dict[str, np.ndarray]:
    """The outputs under the signature's names, by position, once it has any."""
    if len(signature.output_names) != len(answer):
        return dict(answer)
    return dict(zip(signature.output_names, answer.values(), strict=True))
