"""Records and the files behind them that a test makes up: as many rows as it likes, named as it likes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from navcore.contract.formats import Format
from navcore.contract.signature import Axis, Signature, TensorSpec
from navcore.workspace.ranking import PairedRatio, Ranking
from navcore.workspace.results import (
    Attempt,
    BatchPerformance,
    Difference,
    Failure,
    FormatResult,
    Outcome,
    RuntimeResult,
    Status,
    Verification,
)
from navcore.workspace.samples import Samples
from navcore.workspace.settings import Settings
from navcore.workspace.status.record import Record

RUNTIME = "cpu"
SIGNATURE = Signature(
    (TensorSpec("x", "float32", ("batch", 3)),), (TensorSpec("y", "float32", ("batch", 3)),), (Axis("batch", 1, 2, 4),)
)


def measured(latency: float, batch_size: int = 1, *, stable: bool = True) -> BatchPerformance:
    throughput = 1000 * abs(batch_size) / latency
    return BatchPerformance(
        batch_size, latency, 0.1, latency, None, None, None, throughput, 100, stable,
        interval=(latency * 0.98, latency * 1.02),
    )  # fmt: skip


def made(name: str, error: float | None = 1e-7, *latencies: float, **changes: Any) -> FormatResult:
    """A format that verified in one runtime, with a latency per batch size 1, 2, 4 …; ``changes`` are the runtime's."""
    found = () if error is None else (Difference("y", error, error, error, 1.0, 100, 0.5),)
    row = RuntimeResult(
        RUNTIME,
        Status.OK,
        verification=Verification(Status.OK, found, 3, "fp32", 1e-4),
        performance=tuple(measured(latency, 2**power) for power, latency in enumerate(latencies)),
        threads=1,
    )
    return FormatResult(
        Format(name),
        Status.OK,
        f"{name}/model.bin",
        f"maker:{name}",
        size=1000,
        attempts=(Attempt(f"maker:{name}", Outcome(Status.OK), "nav-maker", "1.2"),),
        runtimes=(attrs.evolve(row, **changes),),
    )


def source(*latencies: float) -> FormatResult:
    performance = tuple(measured(latency, 2**power) for power, latency in enumerate(latencies))
    row = RuntimeResult("eager", Status.OK, performance=performance, threads=1)
    return FormatResult(Format("torch"), Status.OK, live=True, runtimes=(row,))


def broken(name: str, cause: str, **changes: Any) -> FormatResult:
    """A format that was not made."""
    failure = Failure(cause, "step", **changes)
    outcome = Outcome(Status.FAILED, log=f"{name}/maker.log", failure=failure)
    return FormatResult(Format(name), Status.FAILED, attempts=(Attempt("maker:x", outcome),), failure=failure)


def ranking(*ratios: tuple[str, float, float, float], batch_size: int = 1, is_source: bool = True) -> Ranking:
    """Ratios of formats in :data:`RUNTIME`, each with the bounds of its interval."""
    return Ranking(
        reference=("torch", "eager"),  # type: ignore[arg-type]
        is_source=is_source,
        ratios=tuple(PairedRatio(name, RUNTIME, batch_size, ratio, low, high, 9) for name, ratio, low, high in ratios),
        seed=42,
        block_seconds=0.25,
        budget=90.0,
        seconds=30.0,
        settled=True,
        machine="a-machine",
    )


def record(*results: FormatResult, ranking: Ranking | None = None, **changes: Any) -> Record:
    """A record of these rows; ``changes`` are fields of it."""
    usual = Record(
        uuid="7d6a2f4e-3c0b-4a55-9d5c-6a4f1b1f7b11",
        timestamp="2026-01-02T03:04:05.000006",
        settings=Settings(),
        source=Format("torch"),
        source_key="a" * 64,
        live=True,
        samples=Samples(SIGNATURE, {"correctness": 3}, 2, {"y": 0.0}, True, (), "b" * 64),
        results=results,
        environment={"cpu": {"name": "Abacus", "logical_cores": 2}, "python_packages": {"numpy": "2.0"}},
        git_info={},
        navcore_version="0.1.0",
        ranking=ranking,
    )
    return attrs.evolve(usual, **changes)


def packed(**arrays: Any) -> bytes:
    """An npz file, whatever the names of its arrays."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def errors_file(errors: Sequence[Sequence[float]], outputs: Sequence[str] = ("y",)) -> bytes:
    labels = [f"correctness sample {number}" for number in range(len(errors[0]))]
    return packed(outputs=np.array(outputs), comparisons=np.array(labels), errors=np.array(errors, float))


def latencies_file(latencies: Mapping[int, Sequence[float]]) -> bytes:
    return packed(**{f"{size}/latencies": np.array(found, np.float32) for size, found in latencies.items()})


def nothing(_place: str) -> None:
    """No file behind a record."""
