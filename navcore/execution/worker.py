"""One step in a child process: ``python -m navcore.execution.worker request.json``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from navcore.contract import Artifact, ConvertJob, RunnerJob, Signature
from navcore.execution.isolation import enter_child, read_request, read_result, write_result
from navcore.execution.step import failed_result
from navcore.registry import Candidate, Registry, load_registry
from navcore.sampling import SampleStore
from navcore.workspace import from_data, to_data

if TYPE_CHECKING:
    from navcore.evaluation import Evaluation


def main(request_file: str) -> None:
    """Perform the request and leave its result beside it."""
    enter_child()
    folder = Path(request_file).parent
    request = read_request(Path(request_file))
    registry = load_registry(announced_in(request))
    try:
        if request["kind"] == "convert":
            result = convert(request, registry)
        elif request["kind"] == "check":
            result = check_artifact(request, registry, folder)
        else:
            from navcore.execution.source_server import serve

            result = serve(runner_job(request, registry), request, registry)
    except Exception as error:
        result = {**(read_result(folder) or {}), **failed_result(error)}  # what was verified before stays known
        import traceback

        traceback.print_exc()  # the log is where the whole story belongs
    write_result(folder, result, done=True)


def announced_in(request: Mapping[str, Any]) -> tuple[Candidate, ...] | None:
    """The plugins that the parent found announced, or ``None`` where it did not look."""
    told = request.get("announced")
    return None if told is None else from_data(told, tuple[Candidate, ...])


def artifact_from(data: Mapping[str, Any], registry: Registry) -> Artifact:
    """The artifact of a request, with the format as the installed plugins know it."""
    artifact = from_data(dict(data), Artifact)
    known = {format.name: format for format in registry.formats}
    return attrs.evolve(artifact, format=known.get(artifact.format.name, artifact.format))


def options_from(request: Mapping[str, Any], registry: Registry) -> Any:
    """The options value of the request's route."""
    kind = registry.route(request["route"]).options
    return None if kind is None else from_data(request["options"], kind)


def convert(request: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    """Run a converter route."""
    route = registry.route(request["route"])
    source = artifact_from(request["artifact"], registry)
    store = SampleStore(Path(request["workspace"]))
    job: ConvertJob[Any] = ConvertJob(
        source=source,
        target=route.goal,
        output=Path(request["output"]),
        signature=source.signature,
        example=store.example(from_data(request["reference"], Signature)),
        options=options_from(request, registry),
        device=request["device"],
        threads=request["threads"],
        log_dir=Path(request["log_dir"]),
    )
    return {"made": to_data(registry.ask("convert", job, route))}


def runner_job(request: Mapping[str, Any], registry: Registry) -> RunnerJob[Any]:
    """The job by which the request's artifact is loaded."""
    route = registry.route(request["route"])
    return RunnerJob(
        artifact=artifact_from(request["artifact"], registry),
        runtime=route.runtime,
        options=options_from(request, registry),
        device=request["device"],
        threads=request["threads"],
        log_dir=Path(request["log_dir"]),
    )


def check_artifact(request: Mapping[str, Any], registry: Registry, folder: Path) -> dict[str, Any]:
    """Verify and measure an artifact; what is known is on disk before the next part begins."""
    from navcore.evaluation import MeasureSettings, VerifySettings, evaluate

    job = runner_job(request, registry)

    def keep(result: Evaluation) -> None:
        write_result(folder, {"check": to_data(result)})

    verifying, measuring = request["verifying"], request["measuring"]
    with registry.ask("make_runner", job, registry.route(request["route"])) as runner:
        result = evaluate(
            runner,
            job.signature,
            from_data(request["reference"], Signature),
            SampleStore(Path(request["workspace"])),
            registry,
            verifying=None if verifying is None else from_data(verifying, VerifySettings),
            measuring=None if measuring is None else from_data(measuring, MeasureSettings),
            log_dir=job.log_dir,
            on_progress=keep,
        )
    return {"check": to_data(result)}


if __name__ == "__main__":
    main(sys.argv[1])
