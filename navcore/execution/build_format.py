"""Make one format by one route: export a live model, or convert a file; once, wherever it was done before."""

from __future__ import annotations

import contextlib
import json
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from navcore.contract import Artifact, ExportJob, Format, Made, Name
from navcore.execution.isolation import captured_output
from navcore.execution.run_context import RunContext
from navcore.execution.step import ConvertStep, StepLimits, StepPlace
from navcore.execution.step_children import RunForked, RunStep, StepAnswer, run_step, run_step_forked
from navcore.execution.written_product import why_not_accepted
from navcore.planning import Step
from navcore.registry import are_streams_ours
from navcore.workspace import (
    Fingerprint,
    Journal,
    Outcome,
    Status,
    Workspace,
    bounded_facts,
    bounded_notes,
    describe,
    died,
    digest,
    fingerprint,
    fresh_folder,
    from_data,
    from_older_data,
    is_chance,
    move_contents,
    remove,
    to_data,
    versions_behind,
    without_room,
    write_json,
)

_IN_CALLER = "in-caller.json"


@attrs.frozen
class BuildResult:
    """How a step ended, what it made (``None`` when it failed), and the key under which that is remembered.

    ``key`` is the recipe, on which later steps build. ``product`` names the one product that came of it, to which
    verdicts and measurements belong: exporters are not deterministic. ``present`` is false when an earlier run made it
    and another product stands in its place now.
    """

    outcome: Outcome
    key: str
    made: Made | None = None
    product: str = ""
    reused: bool = False
    present: bool = True

    @property
    def checked_key(self) -> str:
        """The key of what is verified and measured."""
        return digest(self.key, self.product)


@attrs.frozen
class _Entry:
    """What the journal remembers of a build; ``files`` tell what the product's folder held."""

    outcome: Outcome
    made: Made | None
    product: str
    files: Mapping[str, Fingerprint]
    limits: StepLimits


def build_key(context: RunContext, step: Step, origin_key: str) -> str:
    """The recipe: what it starts from, the route and the versions behind it, the options, and the signature."""
    return digest(
        "made",
        origin_key,
        step.route.id,
        dict(versions_behind(step.route)),
        context.options_key(step.route),
        to_data(context.samples.signature),
        context.device,
    )


def recall(context: RunContext, step: Step, key: str) -> BuildResult | None:
    """What an earlier run recorded under that key; a failure counts only if the limits were the same.

    What was unavailable is not remembered: it may be there now. Nor is what another release told in other words.
    """
    entry = from_older_data(context.journal.find("made", key), _Entry)
    if entry is None:
        return None
    outcome = entry.outcome
    if outcome.status != Status.OK:
        lasting = outcome.status == Status.FAILED and entry.limits == context.limits
        return BuildResult(outcome, key, reused=True) if lasting else None
    placed = context.journal.find("placing", step.target.name)
    folder = context.workspace.format_folder(step.target.name)
    present = (
        placed is not None
        and placed.get("product") == entry.product
        and all(told.fits(folder / name) for name, told in entry.files.items())
    )
    return BuildResult(outcome, key, entry.made, entry.product, reused=True, present=present)


def built_artifact(context: RunContext, step: Step, origin: Artifact, built: BuildResult) -> Artifact:
    """What the step made of ``origin``, where it lies in the workspace. ``built`` did not fail."""
    assert built.made is not None
    path = context.workspace.format_folder(step.target.name) / step.target.filename
    return built.made.artifact(step.target, origin.signature, path)


def announce_placing(journal: Journal, target: str) -> str:
    """Record that the files of a format are about to be replaced, by a product whose name this returns.

    From then on no earlier product is taken for what lies in the format's folder, wherever the run is killed.
    """
    product = uuid.uuid4().hex
    journal.append("placing", target, {"product": product})
    return product


def discard_product(context: RunContext, target: Format) -> None:
    """Take away what an earlier run made of a format that this run could not make."""
    folder = context.workspace.format_folder(target.name)
    if folder.is_dir() and any(entry.suffix != ".log" for entry in folder.iterdir()):
        announce_placing(context.journal, target.name)
        _clear_product(folder)


def make(
    context: RunContext,
    step: Step,
    origin: Artifact,
    key: str,
    threads: int,
    run: RunStep = run_step,
    run_forked: RunForked = run_step_forked,
) -> BuildResult:
    """Do the work of one step in a private folder, then move what it wrote into the format's own.

    Never raises for what the route did: a failure is an outcome.
    """
    folder = context.workspace.format_folder(step.target.name)
    folder.mkdir(exist_ok=True)
    private = fresh_folder(context.workspace.unfinished(Name("making"), step.target.name, Name(step.route.name)))
    product = private / "product"
    product.mkdir()
    log = context.workspace.log_of(step.target.name, Name(step.route.name))
    place = StepPlace(private, log, step.route.who, context.limits)
    output = product / step.target.filename
    if step.route.hook == "convert":
        answer = run(_convert_step(context, step, origin, output, threads), place)
    elif can_fork(context, step, origin):
        job = _export_job(context, step, origin, output, folder, threads=1, forked=True)
        answer = run_forked(lambda: _export(context, step, job), place)
    else:
        job = _export_job(context, step, origin, output, folder, threads=threads, forked=False)
        with _marked(context, step, key):
            answer = in_caller(lambda: _export(context, step, job), log)
    built = _accept(context, step, key, answer, product)
    with contextlib.suppress(OSError):
        remove(private)
    return built


def is_forked(context: RunContext, step: Step, origin: Artifact) -> bool:
    """Whether the step is an export of a live model that happens in a fork of the caller."""
    return step.route.hook == "export_model" and can_fork(context, step, origin)


def can_fork(context: RunContext, step: Step, origin: Artifact) -> bool:
    """Whether a live model is exported in a fork of the caller: the route allows it, and no device is involved.

    Otherwise the caller itself does it.
    """
    live = origin.format.live
    on_cpu = live is None or live.device(origin.model) == "cpu"
    return step.route.isolation == "fork" and on_cpu and context.device in (None, "cpu")


def _convert_step(context: RunContext, step: Step, origin: Artifact, output: Path, threads: int) -> ConvertStep:
    log_dir = context.workspace.format_folder(step.target.name)
    call = context.call(step.route, origin, threads, log_dir)
    return ConvertStep(call, context.samples.signature, context.workspace.root, output)


def _export_job(
    context: RunContext, step: Step, origin: Artifact, output: Path, folder: Path, *, threads: int, forked: bool
) -> ExportJob[Any]:
    return ExportJob(
        source=origin,
        target=step.target,
        output=output,
        signature=context.samples.signature,
        example=context.store.example(context.samples.signature),
        options=context.options.get(step.route.id),
        device=context.device,
        threads=threads,
        forked=forked,
        log_dir=folder,
        usual_batch=context.samples.usual_batch,
    )


def _export(context: RunContext, step: Step, job: ExportJob[Any]) -> Made:
    made: Made = context.registry.ask("export_model", job, step.route)
    return made


@contextlib.contextmanager
def _marked(context: RunContext, step: Step, key: str) -> Iterator[None]:
    """Leave a note while a step runs in the caller itself, for whoever finds that process dead."""
    note = context.workspace.private / _IN_CALLER
    log = f"{step.target.name}/{step.route.name}.log"
    told = {"key": key, "who": step.route.who, "target": step.target.name, "log": log}
    write_json(note, {**told, "limits": to_data(context.limits)})
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def blame_crash(workspace: Workspace, cause: str) -> str:
    """Record the step that a dead process was performing in itself as failed, so that the next run passes it over.

    Returns the step's target, or ``""`` when the process did not die in such a step.
    """
    note = workspace.private / _IN_CALLER
    if not note.is_file():
        return ""
    told = json.loads(note.read_text())
    failure = died("crash", cause, told["who"])
    outcome = Outcome(Status.FAILED, log=told["log"], failure=failure, contained=False)
    entry = _Entry(outcome, None, "", {}, from_data(told["limits"], StepLimits))
    Journal(workspace.journal_file).append("made", told["key"], to_data(entry))
    note.unlink()
    return str(told["target"])


def forget_crash(workspace: Workspace) -> None:
    """Take away the note of a step during which its process was killed: nothing is known of that step."""
    (workspace.private / _IN_CALLER).unlink(missing_ok=True)


def in_caller(export: Callable[[], Made], log: Path) -> StepAnswer:
    """Work that can only be done where the model lives: contained is what Python can contain, and the row says so."""
    started = time.monotonic()
    made, failure, story = None, None, ""
    log.unlink(missing_ok=True)
    # In a program that calls navcore what the export prints goes where the program's output goes: its streams belong
    # to all its threads.
    with captured_output(log) if are_streams_ours() else contextlib.nullcontext():
        try:
            made = export()
        except Exception as error:
            failure = without_room(describe(error), log.parent)
            story = traceback.format_exc()
    seconds = time.monotonic() - started
    with contextlib.suppress(OSError), open(log, "a", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(story)
    status = Status.OK
    if failure is not None:
        status = Status.UNAVAILABLE if failure.category == "unavailable" else Status.FAILED
    return StepAnswer(Outcome(status, seconds, None, str(log), failure, contained=False), made)


def _accept(context: RunContext, step: Step, key: str, answer: StepAnswer, written: Path) -> BuildResult:
    """Move a product into place and record the outcome, unless that was chance.

    A success that wrote nothing is a failure.
    """
    outcome = answer.outcome
    if outcome.log:
        outcome = attrs.evolve(outcome, log=context.workspace.relative(Path(outcome.log)))
    made, product = None, ""
    files: dict[str, Fingerprint] = {}
    if outcome.status == Status.OK:
        wrong = why_not_accepted(step, answer.made or Made(), written)
        if wrong is not None:
            outcome = attrs.evolve(outcome, status=Status.FAILED, failure=describe(wrong))
        else:
            made = _bounded(answer.made)
            names = sorted(entry.name for entry in written.iterdir())
            product = announce_placing(context.journal, step.target.name)
            folder = context.workspace.format_folder(step.target.name)
            _clear_product(folder)
            move_contents(written, folder)
            files = {name: fingerprint(folder / name) for name in names}
    if not is_chance(outcome.failure):
        context.journal.append("made", key, to_data(_Entry(outcome, made, product, files, context.limits)))
    return BuildResult(outcome, key, made, product)


def _bounded(made: Made | None) -> Made | None:
    """What a route told of its product, as much of it as a record can hold."""
    if made is None:
        return None
    return attrs.evolve(made, notes=bounded_notes(made.notes), facts=bounded_facts(made.facts))


def _clear_product(folder: Path) -> None:
    """Take away what another route made before; the logs stay."""
    for entry in folder.iterdir():
        if entry.suffix != ".log":
            remove(entry)
