"""One step in a child process: ``python -m navcore.execution.worker request.json``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from navcore.contract import ConvertJob, Made, Name
from navcore.execution.isolation import enter_child, read_request, read_result, write_result
from navcore.execution.same_numbers import framework_of, same_numbers
from navcore.execution.step import CheckStep, ChildStep, ConvertStep, MeasureStep, runner_job
from navcore.execution.step_data import announced_in, failed_result, step_from
from navcore.execution.threads import fastest_count, opening
from navcore.registry import Registry, load_registry
from navcore.sampling import SampleStore, StoredInputs
from navcore.workspace import errors_file, to_data, windows_file

if TYPE_CHECKING:
    from navcore.evaluation import Evaluation, MeasureSettings


def main(request_file: str) -> None:
    """Perform the request and leave its result beside it."""
    enter_child()
    folder = Path(request_file).parent
    request = read_request(Path(request_file))
    registry = load_registry(announced_in(request))
    try:
        result = perform(step_from(request, registry), registry, folder)
    except Exception as error:
        result = {**(read_result(folder) or {}), **failed_result(error)}  # what was verified before stays known
        import traceback

        traceback.print_exc()  # the log is where the whole story belongs
    write_result(folder, result, done=True)


def perform(step: ChildStep, registry: Registry, folder: Path) -> dict[str, Any]:
    """Do what the step says; the result as the parent reads it."""
    if isinstance(step, ConvertStep):
        return {"made": to_data(convert(step, registry))}
    if isinstance(step, CheckStep):
        return {"check": to_data(check_artifact(step, registry, folder))}
    if isinstance(step, MeasureStep):
        from navcore.execution.block_server import serve_blocks

        return {"blocks": serve_blocks(step, registry)}
    from navcore.execution.call_server import serve

    return {"calls": serve(step, registry)}


def convert(step: ConvertStep, registry: Registry) -> Made:
    """Run a converter route."""
    call = step.call
    route, store = registry.route(call.route), SampleStore(step.workspace)
    job: ConvertJob[Any] = ConvertJob(
        source=call.artifact,
        target=route.goal,
        output=step.output,
        signature=call.artifact.signature,
        example=store.example(step.reference),
        options=call.options,
        device=call.device,
        threads=call.threads,
        log_dir=call.log_dir,
        samples=StoredInputs(store, step.reference),
        cache_dir=call.cache_dir,
    )
    made: Made = registry.ask("convert", job, route)
    return made


def check_artifact(step: CheckStep, registry: Registry, folder: Path) -> Evaluation:
    """Verify and measure an artifact; what is known is on disk before the next part begins."""
    from navcore.evaluation import evaluate

    job = runner_job(step.call, registry)

    def keep(result: Evaluation) -> None:
        write_result(folder, {"check": to_data(result)})

    route, store = registry.route(step.call.route), SampleStore(step.workspace)
    if step.measuring is not None and len(step.thread_counts) > 1:
        job = attrs.evolve(job, threads=_best_threads(step, step.measuring, registry, store))
    with registry.ask("make_runner", job, route) as runner:
        return evaluate(
            runner,
            job.signature,
            step.reference,
            store,
            registry,
            verifying=step.verifying,
            measuring=step.measuring,
            log_dir=job.log_dir,
            on_progress=keep,
            held=same_numbers(framework_of(route, registry)),
            raw=windows_file(step.call.log_dir, Name(route.runtime)),
            errors=errors_file(step.call.log_dir, Name(route.runtime)),
        )


def _best_threads(step: CheckStep, measuring: MeasureSettings, registry: Registry, store: SampleStore) -> int:
    """The best of the step's numbers of threads, tried before the model is loaded in this process."""
    size = measuring.batch_sizes[0]
    if not registry.route(step.call.route).threads_per_process:
        feeds = store.profiling_feeds(step.reference, size)
        return fastest_count(opening(step.call, registry), feeds, step.thread_counts)
    from navcore.execution.measurable import measurable
    from navcore.execution.separate_counts import SeparateCounts

    profiler = registry.route(measuring.profiler)
    opened = lambda count: measurable(step.call, step.reference, store, registry, profiler, (count,))  # noqa: E731
    with SeparateCounts(opened, step.thread_counts) as trial:
        return trial.fastest(size)


if __name__ == "__main__":
    main(sys.argv[1])
