"""``executor=`` is a real cluster: worker processes of Dask.distributed, which share the workspace with us."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest

import navcore as nav
from navcore.workspace.results import FormatResult, Status

distributed = pytest.importorskip(
    "distributed", reason="Dask.distributed is not installed, so there is no cluster to run on: pip install distributed"
)

WITNESS = '''
"""Notes beside the logs of each step by which process its child was started."""

import json, os, navcore


def noted(job, route):
    with (job.log_dir / "witness.log").open("a") as notes:
        notes.write(json.dumps([route.name, os.getppid()]) + "\\n")
    return (yield)


@navcore.hookimpl(wrapper=True)
def convert(job, route):
    return (yield from noted(job, route))


@navcore.hookimpl(wrapper=True)
def make_runner(job, route):
    return (yield from noted(job, route))
'''
PAGE = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text()
PROJECT = "from navcore.testing import toy\n\nmodel, dataloader = toy.conformance_model()\n"
Run = Callable[..., nav.PackageDescriptor]
OURSELVES = os.getpid()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of two worker processes, whose environment (and not ours) has one more plugin, the witness."""
    place = tmp_path_factory.mktemp("witness")
    (place / "witness.py").write_text(WITNESS)
    environment = {
        "NAVCORE_EXTRA_PLUGINS": "toy=navcore.testing.toy,witness=witness",
        "NAVCORE_DISABLE_PLUGINS": "torch,onnx,tensorflow,openvino,trace,trt",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(place)  # workers that are started now import from where we can now
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address="127.0.0.1:0", env=environment
        )
    with cluster, distributed.Client(cluster) as found:
        found.wait_for_workers(2)
        yield found


@pytest.fixture
def executor(client: Any) -> Executor:
    """``pure=False``: or Dask would take two equal steps for one."""
    found: Executor = client.get_executor(pure=False)
    return found


def workers(client: Any) -> set[int]:
    """The numbers of the worker processes."""
    return set(client.run(os.getpid).values())


def children_of(process: int) -> set[int]:
    """What a process of this machine has started, in whichever thread, and still runs."""
    found = Path(f"/proc/{process}/task").glob("*/children")
    return {int(number) for children in found for number in children.read_text().split()}


def witnessed(package: nav.PackageDescriptor) -> list[tuple[str, int]]:
    """Each step that ran under the witness, and the process that had started its child."""
    notes = sorted(package.workspace.rglob("witness.log"))
    return [tuple(json.loads(line)) for one in notes for line in one.read_text().splitlines()]


def row_of(package: nav.PackageDescriptor, name: str) -> FormatResult:
    (found,) = (row for row in package.results if row.format.name == name)
    return found


def test_conversions_and_checks_run_in_the_worker_processes(run_toy: Run, client: Any, executor: Executor) -> None:
    package = run_toy(executor=executor)
    assert package.results
    assert {row.status for row in package.results} == {Status.OK}
    told = witnessed(package)
    assert {name for name, _ in told} == {"beta_from_alpha", "gamma_from_beta", "run_toy_file"}
    assert [name for name, _ in told].count("run_toy_file") == 3  # one check for each of three formats
    assert {parent for _, parent in told} <= workers(client)
    assert OURSELVES not in workers(client)


def test_the_results_are_those_of_a_local_run(
    run_toy: Run, executor: Executor, essence: Callable[[Any], Any], tmp_path: Path
) -> None:
    there, here = run_toy(executor=executor), run_toy(workdir=tmp_path / "local")
    assert essence(there.results) == essence(here.results)
    assert not witnessed(here)
    for row in here.results:
        if row.path is not None:
            assert (there.workspace / row.path).read_bytes() == (here.workspace / row.path).read_bytes()


@pytest.mark.parametrize("step", ["beta", "run toy-beta"])
def test_a_step_that_segfaults_is_a_failed_outcome_and_the_cluster_lives_on(
    run_toy: Run, toy: Any, client: Any, executor: Executor, step: str
) -> None:
    before = workers(client)
    package = run_toy(toy.ToyModel(mischief={step: "segfault"}), targets="toy-beta", executor=executor)
    row = row_of(package, "toy-beta")
    crashed = row.attempts[0].outcome
    assert crashed.status == Status.FAILED
    assert crashed.failure is not None
    assert crashed.failure.category == "crash"
    assert "SIGSEGV" in crashed.failure.cause
    assert (package.workspace / crashed.log).is_file()
    assert row.status == (Status.OK if step == "beta" else Status.FAILED)  # the detour makes a file that can be run
    assert [name for name, _ in witnessed(package)].count("beta_from_alpha") == 1  # nobody tried it a second time
    assert workers(client) == before
    assert executor.submit(os.getpid).result() in before


def test_a_step_that_hangs_is_ended_where_it_runs(run_toy: Run, toy: Any, client: Any, executor: Executor) -> None:
    model = toy.ToyModel(mischief={"beta": "hang"})
    package = run_toy(model, targets="toy-beta", run_profiling=False, timeout=3.0, executor=executor)
    row = row_of(package, "toy-beta")
    assert row.status == Status.OK
    assert row.attempts[0].outcome.failure is not None
    assert row.attempts[0].outcome.failure.category == "timeout"
    assert not [children for process in workers(client) if (children := children_of(process))]


def test_what_the_cluster_did_is_not_done_again_at_home(
    run_toy: Run, executor: Executor, journalled: Callable[[Any], Any]
) -> None:
    done = journalled(run_toy(executor=executor))
    assert journalled(run_toy()) == done


def test_the_page_runs_as_it_is_written(toy: Any, tmp_path: Path) -> None:
    (tmp_path / "export.py").write_text(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0])
    (tmp_path / "my_project.py").write_text(PROJECT)
    done = subprocess.run([sys.executable, "export.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"toy-gamma +toy-runtime +ok", done.stdout)


GO_ON = '''
"""What a worker is given to do with a package: go on with it as far as its machine reaches."""

import navcore


def go_on(package, workdir, save):
    found = navcore.load(package, workdir=workdir, run_profiling=False)
    found.save(save)
    return {row.format.name: str(row.status) for row in found.results}
'''


def test_a_package_goes_through_workers_of_different_abilities(
    run_toy: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One worker has a device and the other has not: each makes what it can, and keeps for the next what it cannot."""
    plugins = Path(__file__).parents[1] / "package"
    (tmp_path / "going_on.py").write_text(GO_ON)
    for place in (plugins, tmp_path):
        monkeypatch.syspath_prepend(place)
    plain = {
        "NAVCORE_EXTRA_PLUGINS": "toy=navcore.testing.toy,device=here_or_there",
        "NAVCORE_DISABLE_PLUGINS": "torch,onnx,tensorflow,openvino,trace,trt",
    }
    for name, value in plain.items():
        monkeypatch.setenv(name, value)
    run_toy(targets=["toy-beta", "device-engine"], run_profiling=False).save(tmp_path / "0.nav")
    workers = {
        name: {"cls": distributed.Nanny, "options": {"nthreads": 1, "env": {**plain, "DEVICE": device}}}
        for name, device in (("without", "no"), ("with", "yes"))
    }
    scheduler = {"cls": distributed.Scheduler, "options": {"dashboard_address": "127.0.0.1:0"}}
    with (
        distributed.SpecCluster(workers=workers, scheduler=scheduler) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.wait_for_workers(2)
        import going_on  # type: ignore[import-not-found]

        def at(name: str, package: str, saved: str) -> dict[str, str]:
            task = client.submit(
                going_on.go_on, str(tmp_path / package), str(tmp_path / name), str(tmp_path / saved), workers=[name]
            )
            found: dict[str, str] = task.result(timeout=120)
            return found

        first = at("without", "0.nav", "1.nav")
        assert first["toy-beta"] == "ok"
        assert first["device-engine"] == "unavailable"
        second = at("with", "1.nav", "2.nav")
        assert second["toy-beta"] == "ok"
        assert second["device-engine"] == "ok"
