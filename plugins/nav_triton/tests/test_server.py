"""The real server with its Python back end, the real clients, and the package's own samples and answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import navcore as nav
from nav_triton import ServedModel, save_repository
from nav_triton.client import Address, Client
from nav_triton.server import HOST, Server, running

from . import triton_models as models

pytestmark = pytest.mark.triton

Array = np.ndarray[Any, Any]
PROTOCOLS = ("http", "grpc")
SECONDS = 20.0
CALLERS = 8


@attrs.frozen
class Up:
    """The server with the three models, each with its package."""

    server: Server
    models: Mapping[str, tuple[nav.PackageDescriptor, ServedModel]]


@pytest.fixture(scope="module")
def up(
    tmp_path_factory: pytest.TempPathFactory,
    package: nav.PackageDescriptor,
    numbers: nav.PackageDescriptor,
    alone: nav.PackageDescriptor,
) -> Iterator[Up]:
    repository = tmp_path_factory.mktemp("repository")
    served = {
        one.model_name: (one, save_repository(one, repository, backend="python", queue_delay_us=2000))
        for one in (package, numbers, alone)
    }
    with running(repository) as server:
        yield Up(server, served)


def asked(up: Up, protocol: str, name: str, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """What Triton's own client gets for the feeds."""
    import importlib

    client = importlib.import_module(f"tritonclient.{protocol}")
    port = up.server.http_port if protocol == "http" else up.server.grpc_port
    _, served = up.models[name]
    with client.InferenceServerClient(f"{HOST}:{port}") as connection:
        inputs = []
        for one in served.inputs:
            array = feeds[one.source][..., None] if one.scalar else feeds[one.source]
            tensor = client.InferInput(one.name, list(array.shape), one.type)
            tensor.set_data_from_numpy(np.ascontiguousarray(array))
            inputs.append(tensor)
        answer = connection.infer(name, inputs)
        arrays = {one.source: answer.as_numpy(one.name) for one in served.outputs}
    return {one.source: arrays[one.source][..., 0] if one.scalar else arrays[one.source] for one in served.outputs}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ["rows", "numbers", "alone"])
def test_the_answers_are_within_the_row_s_bound(up: Up, protocol: str, name: str) -> None:
    package, served = up.models[name]
    (row,) = (one for one in package.results if one.format.name == served.format)
    tested = row.runtime(served.runtime)
    signature = package.record.samples.signature
    comparisons = list(package.comparisons())
    verdict = nav.verify(
        lambda feeds: asked(up, protocol, name, feeds), comparisons, signature=signature, precision=tested.precision
    )
    assert verdict.failure is None
    assert (verdict.status, verdict.compared) == (nav.Status.OK, len(comparisons))
    assert {one.output for one in verdict.differences} == set(signature.output_names)


@pytest.mark.parametrize("name", ["rows", "numbers", "alone"])
def test_the_own_client_gets_the_same(up: Up, name: str) -> None:
    package, served = up.models[name]
    with Client(Address(HOST, up.server.http_port, name), served.inputs, served.outputs) as client:
        for one in package.comparisons():
            found, expected = client(one.feeds), asked(up, "grpc", name, one.feeds)
            assert list(found) == list(expected)
            for output in found:
                np.testing.assert_array_equal(found[output], expected[output])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("z", np.zeros((2, 4), np.float32), "unexpected inference input 'z'"),
        ("x", np.zeros((2, 5), np.float32), r"Expected \[-1,4\], got \[2,5\]"),
        ("x", np.zeros((2, 4), np.float64), "data-type is 'FP64', but model 'rows' expects 'FP32'"),
        ("x", np.zeros((9, 4), np.float32), "batch-size must be <= 3"),
    ],
)
def test_what_is_wrong_is_an_error_of_triton_s(up: Up, protocol: str, name: str, array: Array, told: str) -> None:
    import importlib

    from tritonclient.utils import InferenceServerException, np_to_triton_dtype

    client = importlib.import_module(f"tritonclient.{protocol}")
    port = up.server.http_port if protocol == "http" else up.server.grpc_port
    with client.InferenceServerClient(f"{HOST}:{port}") as connection:
        tensor = client.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array)
        with pytest.raises(InferenceServerException, match=told):
            connection.infer("rows", [tensor])


def test_what_only_the_runner_finds_out_is_an_error_too(up: Up) -> None:
    """Triton does not know that the rows of two inputs belong together."""
    from tritonclient.utils import InferenceServerException

    feeds = {"scale": np.ones((2,), np.float16), models.NASTY: np.ones((2, 4), np.int64)}
    assert asked(up, "http", "numbers", feeds)["total"].tolist() == [4, 4]
    with pytest.raises(InferenceServerException):
        asked(up, "http", "numbers", {**feeds, models.NASTY: np.ones((3, 4), np.int64)})
    assert asked(up, "http", "numbers", feeds)["total"].tolist() == [4, 4]


def executions(up: Up, name: str) -> tuple[int, int]:
    """How many requests were answered, and by how many executions of the model."""
    import tritonclient.http as client

    with client.InferenceServerClient(f"{HOST}:{up.server.http_port}") as connection:
        (told,) = connection.get_inference_statistics(name)["model_stats"]
    return told["inference_stats"]["success"]["count"], told["execution_count"]


def test_eight_clients_at_once_get_no_wrong_answer(up: Up) -> None:
    _, served = up.models["numbers"]
    before = executions(up, "numbers")
    end = time.monotonic() + SECONDS
    wrong: list[str] = []
    counts = [0] * CALLERS

    def call(caller: int) -> None:
        random = np.random.default_rng(caller)
        with Client(Address(HOST, up.server.http_port, "numbers"), served.inputs, served.outputs) as client:
            while time.monotonic() < end:
                ids = random.integers(0, 9, (int(random.integers(1, 3)), int(random.integers(3, 6))))
                scale = random.integers(1, 5, len(ids)).astype(np.float16)
                found = client({"scale": scale, models.NASTY: ids})
                expected = {"total": ids.sum(1), "scaled": ids * scale[:, None]}
                counts[caller] += 1
                if any(not np.array_equal(found[name], expected[name]) for name in expected):
                    wrong.append(f"{ids} {scale} {found}")

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert min(counts) > 0
    answered, executed = (after - earlier for after, earlier in zip(executions(up, "numbers"), before, strict=True))
    assert answered >= sum(counts)
    assert executed < answered  # requests were stacked


def alive(pid: int) -> bool:
    """Whether a process of the server's session is there, one that ended and was not waited for aside."""
    done = subprocess.run(["ps", "-o", "stat=", "-s", str(pid)], capture_output=True, text=True, check=False)
    return any(not line.strip().startswith("Z") for line in done.stdout.splitlines() if line.strip())


def test_the_server_is_stopped_when_the_block_fails(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    save_repository(package, tmp_path, backend="python")

    def fail() -> None:
        with running(tmp_path) as server:
            pids.append(server.pid)
            assert alive(server.pid)
            raise KeyError("mine")

    pids: list[int] = []
    with pytest.raises(KeyError, match="mine"):
        fail()
    assert not alive(pids[0])


def test_the_server_ends_with_whoever_started_it(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    save_repository(package, tmp_path, backend="python")
    script = (
        "import sys, time, pathlib\nfrom nav_triton.server import running\n"
        "with running(pathlib.Path(sys.argv[1])) as server:\n    print(server.pid, flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        pid = int(child.stdout.readline())
        assert alive(pid)
        os.kill(child.pid, signal.SIGKILL)
    end = time.monotonic() + 60
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.2)
    assert not alive(pid)


def test_a_model_that_cannot_be_opened_is_told(package: nav.PackageDescriptor, tmp_path: Path) -> None:
    written = save_repository(package, tmp_path, backend="python")
    told = written.folder / "1" / "navcore.json"
    told.write_text(told.read_text().replace("CPUExecutionProvider", "NowhereExecutionProvider"))
    with (
        pytest.raises(nav.StepError, match=r"onnx cannot run in NowhereExecutionProvider here: the plugin"),
        running(tmp_path),
    ):
        pass


def test_a_third_party_s_runtime_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of Triton's, and nothing of nav-triton's, knows the toy's format or runtime."""
    from navcore.testing import toy

    monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy")
    settings: dict[str, Any] = {"targets": ["toy-levels"], "run_profiling": False, "git_info": False}
    package = nav.run(toy.ToyModel(3.0, 1.0), toy.dataloader(), workdir=tmp_path / "w", **settings)
    written = save_repository(package, tmp_path / "r", format="toy-levels")
    with (
        running(tmp_path / "r") as server,
        package.open_runner("toy-levels") as runner,
        Client(Address(HOST, server.http_port, written.name), written.inputs, written.outputs) as client,
    ):
        for one in package.comparisons():
            np.testing.assert_array_equal(client(one.feeds)["y"], runner(one.feeds)["y"])


@pytest.mark.parametrize("family", ["rows", "numbers"])
def test_a_back_end_that_is_not_here_is_all_that_the_server_misses(
    request: pytest.FixtureRequest, tmp_path: Path, family: str
) -> None:
    """The configuration is read by the server itself, which gets as far as looking for the back end's library."""
    import tritonclient.http as client
    from tritonclient.utils import InferenceServerException

    package = request.getfixturevalue({"rows": "package"}.get(family, family))
    save_repository(package, tmp_path, backend="onnxruntime")
    arguments = ("--model-control-mode", "explicit")
    missing = "unable to find backend library for backend 'onnxruntime'"
    with (
        running(tmp_path, arguments=arguments) as server,
        client.InferenceServerClient(f"{HOST}:{server.http_port}") as connection,
        pytest.raises(InferenceServerException, match=missing),
    ):
        connection.load_model(family)
