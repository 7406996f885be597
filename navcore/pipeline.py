"""A run from model and data to the record of everything learned: sample, make, check, write down."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

import navcore
from navcore.environment import describe_environment, describe_git
from navcore.errors import NavcoreError, OptionError, StepError
from navcore.execution import execute
from navcore.formats import Format
from navcore.isolation import reap_orphans
from navcore.jobs import Artifact, RunnerJob
from navcore.journal import Journal
from navcore.keys import digest
from navcore.logfile import logged
from navcore.making import announce_placing, discard_product
from navcore.options import settle_options
from navcore.profiling import resolve_batch_sizes
from navcore.progress import Event, Observer, Stage, announce
from navcore.registry import Registry
from navcore.results import FormatResult, RuntimeResult, Status
from navcore.routes import Route
from navcore.sampling import Samples, SampleStore, SamplingRequest, take_samples
from navcore.serial import to_data
from navcore.serving import Call, served
from navcore.session import Session, processors, the_source
from navcore.settings import Settings
from navcore.sources import Source, key_of
from navcore.status import Record, read_status, write_status
from navcore.tensors import Signature
from navcore.variantconfig import write_config
from navcore.workspace import Workspace, fresh_folder, opened, remove, workspace_path

if TYPE_CHECKING:
    import numpy as np


def run_pipeline(
    source: Source,
    dataloader: Any,
    settings: Settings,
    registry: Registry,
    *,
    workdir: Path | str | None,
    override: bool,
    executor: Executor | None,
    observer: Observer | None,
) -> tuple[Record, Workspace]:
    """Do the whole run in the model's workspace, under its lock; the record is on disk after every finished row."""
    root = workspace_path(workdir, settings.model_name)
    if override and source.path is not None and source.path.resolve().is_relative_to(root.resolve()):
        raise OptionError(
            f"override_workdir=True would delete the source itself, {source.path}.",
            hint="Choose another workdir or model_name, or move the model away first.",
        )
    with opened(root, override=override) as workspace, logged(workspace.log_file):
        reap_orphans(workspace.private)
        samples = _sample(source, dataloader, settings, registry, workspace, observer)
        session = Session(
            registry=registry,
            workspace=workspace,
            settings=settings,
            source=source,
            source_key=key_of(source, samples.digest),
            samples=samples,
            options=settle_options(settings.options, registry.routes, registry.formats),
            observer=observer,
            executor=executor,
        )
        record = new_record(session)
        results = execute(session, [the_source(session)], publisher(session, record))
        for row in results:
            if row.path is None and not row.live:
                discard_product(session, row.format)
        record = attrs.evolve(record, results=keep_verified(record, results, session.journal))
        publish(workspace, record)
        return record, workspace


def new_record(session: Session) -> Record:
    """The record of a run that has no results yet; a continued workspace keeps its identity and the user's word."""
    before = None
    if session.workspace.status_file.exists():
        with contextlib.suppress(NavcoreError):
            before = read_status(session.workspace.status_file)
    same = before is not None and before.source_key == session.source_key
    return Record(
        uuid=before.uuid if before is not None and same else str(uuid.uuid4()),
        timestamp=datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds"),
        settings=session.settings,
        source=session.source.format,
        source_key=session.source_key,
        live=session.source.is_live,
        samples=session.samples,
        results=before.results if before is not None and same else (),
        environment=describe_environment(),
        git_info=describe_git(session.settings.git_info),
        navcore_version=navcore.__version__,
    )


def publisher(session: Session, record: Record) -> Callable[[tuple[FormatResult, ...]], None]:
    """Writes status.yaml, and the config.yaml of each finished variant, every time a row is done."""

    def write(results: tuple[FormatResult, ...]) -> None:
        kept = keep_verified(record, results, session.journal)
        publish(session.workspace, attrs.evolve(record, results=kept))

    return write


def publish(workspace: Workspace, record: Record) -> None:
    """Write the record to status.yaml, and a config.yaml beside every variant with an ok runtime."""
    write_status(workspace.status_file, record)
    for row in record.results:
        config = workspace.format_folder(row.format.name) / "config.yaml"
        if row.path is None or row.live:
            continue
        if any(one.status == Status.OK for one in row.runtimes):
            write_config(config, record, row)
        else:
            config.unlink(missing_ok=True)


def keep_verified(record: Record, results: tuple[FormatResult, ...], journal: Journal) -> tuple[FormatResult, ...]:
    """Carry the user's ``set_verified`` over to the same rows of a continued run, by format and runtime.

    The journal has it too, since a run that was killed leaves a record of the rows it got to.
    """
    said = {
        (row.format.name, runtime.runtime) for row in record.results for runtime in row.runtimes if runtime.verified
    }

    def carried(row: FormatResult, runtime: RuntimeResult) -> RuntimeResult:
        if runtime.verified or runtime.status != Status.OK:
            return runtime
        key = word_key(record, row.format, runtime.runtime)
        word = (row.format.name, runtime.runtime) in said or journal.find("said", key) is not None
        return attrs.evolve(runtime, verified=word)

    return tuple(attrs.evolve(row, runtimes=tuple(carried(row, one) for one in row.runtimes)) for row in results)


def word_key(record: Record, format: Format, runtime: str) -> str:
    """Under which the user's word on one row is remembered: it is about this source, and no other."""
    return digest("said", record.source_key, format.name, runtime)


def _sample(
    source: Source,
    dataloader: Any,
    settings: Settings,
    registry: Registry,
    workspace: Workspace,
    observer: Observer | None,
) -> Samples:
    announce(observer, Event(Stage.SAMPLING, source.format.name, "reading the dataloader and running the source"))
    with source_call(source, settings, registry, workspace) as (call, own_names):
        request = SamplingRequest(
            sample_count=settings.sample_count,
            batch_dim=settings.batch_dim,
            input_names=settings.input_names,
            positional_names=own_names,
            output_names=settings.output_names,
            dynamic_axes=settings.dynamic_axes,
            axis_ranges=settings.axis_ranges,
            largest_batch=_largest_batch(settings),
        )
        samples = take_samples(
            dataloader, request, to_array=registry.to_array, source=call, store=SampleStore(workspace.root)
        )
    for note in samples.notes:
        announce(observer, Event(Stage.SAMPLING, source.format.name, note))
    told = ", ".join(f"{count} {kind}" for kind, count in samples.counts.items())
    announce(observer, Event(Stage.SAMPLING, source.format.name, f"samples: {told}", Status.OK))
    return samples


def _largest_batch(settings: Settings) -> int | None:
    if settings.batch_dim is None:
        return None
    return max(resolve_batch_sizes(settings.profiler_config, batch_dim=settings.batch_dim, dataloader_batch=1))


@contextlib.contextmanager
def source_call(
    source: Source, settings: Settings, registry: Registry, workspace: Workspace
) -> Iterator[tuple[Call, tuple[str, ...]]]:
    """How the source is run on host arrays: a live model where it lives, a file in a child that keeps it loaded.

    Beside the function come the names that a stored model itself gives its inputs.
    """
    route = source_route(source.format, settings, registry)
    options = settle_options(settings.options, registry.routes, registry.formats)[route.id]
    if source.is_live:

        def call(signature: Signature, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            artifact = Artifact(source.format, signature, None, source.model, "structure")
            job: RunnerJob[Any] = RunnerJob(artifact, route.runtime, options, settings.device, log_dir=workspace.root)
            with registry.ask("make_runner", job, route) as runner:
                answer: Mapping[str, np.ndarray] = runner(feeds)
                return answer

        yield call, ()
        return
    path = _copy_source(source, workspace)
    request = {
        "route": route.id,
        "artifact": to_data(Artifact(source.format, Signature(()), path)),
        "options": to_data(options),
        "device": settings.device,
        "threads": processors(),
        "log_dir": str(path.parent),
    }
    step = {
        "folder": str(fresh_folder(workspace.private / "source")),
        "log": str(path.parent / f"{route.runtime}.source.log"),
        "who": route.who,
        "memory_limit": settings.memory_limit,
        "request": request,
    }
    with served(step, patience=settings.timeout) as serve:
        yield serve


def _copy_source(source: Source, workspace: Workspace) -> Path:
    """The source file in its format's folder, with the files it refers to."""
    assert source.path is not None
    folder = workspace.format_folder(source.format.name)
    target = folder / source.format.filename
    if target.exists() and target.samefile(source.path):
        return target
    private = fresh_folder(workspace.private / "copying")
    if source.format.copy is not None:
        source.format.copy(source.path, private / source.format.filename)
    elif source.path.is_dir():
        shutil.copytree(source.path, private / source.format.filename)
    else:
        shutil.copyfile(source.path, private / source.format.filename)
    folder.mkdir(exist_ok=True)
    announce_placing(Journal(workspace.journal_file), source.format.name)
    for entry in sorted(private.iterdir()):
        remove(folder / entry.name)
        entry.rename(folder / entry.name)
    return target


def source_route(format: Format, settings: Settings, registry: Registry) -> Route:
    """The runner that says what is right: the cheapest available one of the source's format, default ones first.

    Raises :class:`StepError` when none is available, and :class:`OptionError` when the one wanted is not there.
    """
    routes = [route for route in registry.routes if route.hook == "make_runner" and route.source == format.name]
    routes.sort(key=lambda route: (not route.default, route.cost, route.id))
    wanted = settings.runtimes.get(format.name)
    if wanted:
        routes = [route for route in routes if route.runtime in wanted]
        if not routes:
            raise OptionError(f"No installed plugin runs {format.name} in {', '.join(wanted)}.")
    reasons = []
    for route in routes:
        reason = registry.unavailable(route)
        if not reason:
            return route
        reasons.append(f"{route.runtime}: {reason}")
    told = "; ".join(reasons) or "no installed plugin runs it"
    raise StepError(f"The source ({format.name}) cannot be run, so there is nothing to compare with: {told}.")
