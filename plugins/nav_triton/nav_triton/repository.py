"""Writes a row of a package as a model of a Triton model repository: whole, or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import attrs

from nav_triton.backends import PYTHON, Backend, backend_of, refuse_types
from nav_triton.choosing import Row, Wanted, chosen
from nav_triton.description import ASSETS_FOLDER, FILE, MODEL_FOLDER, described
from nav_triton.model_config import Batching, ModelConfig, WarmUp
from nav_triton.staging import publish, staged
from nav_triton.tensors import Served, served, why_no_batches
from navcore import Format, InputError, OptionError, PackageDescriptor, RunnerJob, Strategy

if TYPE_CHECKING:
    import numpy as np

CONFIG = "config.pbtxt"
_WARM_UP = "warmup"
_LARGEST = 1 << 31
"""The configuration holds its numbers in 32 bits."""
_MOST_WARM_UP = 1 << 28
"""Bytes of inputs: a batch is as large as whoever made the package says, and Triton makes it up before it starts."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}")


@attrs.frozen
class ServedModel:
    """What was written: a model of a repository.

    ``folder`` is the model's, ``version`` the number of the folder in it that holds the files. ``backend`` is the name
    of Triton's back end, ``format`` and ``runtime`` the row of the package. ``inputs`` and ``outputs`` are the tensors
    as Triton has them. ``max_batch_size`` is 0 for a model that does not batch. ``notes`` are sentences for the user.
    """

    name: str
    version: int
    folder: Path
    backend: str
    format: str
    runtime: str
    max_batch_size: int
    inputs: tuple[Served, ...]
    outputs: tuple[Served, ...]
    notes: tuple[str, ...] = ()


class LayoutArguments(TypedDict, total=False):
    """What :func:`save_repository` takes of which row is served and how it is asked, whatever serves it."""

    name: str | None
    strategy: Strategy | None
    format: Format | str | None
    runtime: str | None
    jit_type: str | None
    precision: str | None
    verified_only: bool
    max_batch_size: int | None
    dynamic_batching: bool | None
    queue_delay_us: int
    instances: int


@attrs.frozen
class _Layout:
    """How a row is laid out: everything but the place."""

    config: ModelConfig
    job: RunnerJob[Any]
    warm_up: Mapping[str, np.ndarray]
    notes: tuple[str, ...]


def save_repository(
    package: PackageDescriptor,
    folder: Path | str,
    *,
    name: str | None = None,
    version: int | None = None,
    strategy: Strategy | None = None,
    format: Format | str | None = None,
    runtime: str | None = None,
    jit_type: str | None = None,
    precision: str | None = None,
    verified_only: bool = False,
    backend: str | Backend | None = None,
    max_batch_size: int | None = None,
    dynamic_batching: bool | None = None,
    queue_delay_us: int = 100,
    instances: int = 1,
    warm_up: bool = True,
    override: bool = False,
) -> ServedModel:
    """Write one ok row of ``package`` into ``folder``, a model repository of Triton Inference Server.

    Args:
        package: of a run, or loaded and tested here. What was only recorded elsewhere is not served.
        folder: the repository; made if it is not there. Other models in it stay as they are.
        name: of the model, by default the package's.
        version: the number of its folder, by default the next that is free, from 1. Versions of a model share its
            ``config.pbtxt``, so another one has to take and return the same.
        strategy: chooses among the rows that are meant, as ``package.best`` does; by default the lowest latency.
        format: serve this format or family.
        runtime: serve it in this runtime.
        jit_type: of a family of formats, serve the variant of this jit type.
        precision: the same for its precision.
        verified_only: serve only what ``package.set_verified`` or a bound on a metric stands for.
        backend: the name of one of Triton's back ends, ``"python"`` for the package's own runner, or a
            :class:`Backend`. By default Triton's own where it has one that calls the model as it was verified.
        max_batch_size: up to how many samples Triton hands over at once, by default the largest batch of the data; 0
            hands every request over as it comes, with its batch axis.
        dynamic_batching: whether Triton stacks requests; by default where the model batches and its samples do not
            depend on each other.
        queue_delay_us: how many microseconds a request waits for others.
        instances: of the model, on each device.
        warm_up: let Triton run the package's profiling sample on every instance before it is ready.
        override: replace this version, and a ``config.pbtxt`` that says otherwise.

    Returns:
        What was written, with the names that a client has to use.

    Raises:
        PackageIncomplete: no row that is meant is ok here.
        TrustRequired: loading the format can execute code, and the package was loaded without trust.
        OptionError: an argument cannot be meant, or the version exists.
        InputError: a tensor is of a kind that Triton does not have.
        Unavailable: what runs the row is not there any more.
    """
    wanted = Wanted(strategy, format, runtime, jit_type, precision, verified_only)
    name = _model_name(package.model_name if name is None else name)
    for told, number, least in (
        ("version", version, 1), ("instances", instances, 1), ("queue_delay_us", queue_delay_us, 0),
        ("max_batch_size", max_batch_size, 0),
    ):  # fmt: skip
        _refuse_small(told, number, least)
    row = chosen(package, wanted)
    job = package.runner_job(row.format, runtime=row.runtime)
    native, note = backend_of(job, row.provider, backend)
    batching, reasons = _batching(package, job, max_batch_size, dynamic_batching, queue_delay_us)
    why_not = _why_not_stored(package, row, job, native) or _why_no_numbers(job, native, batching)
    if why_not and backend is not None:
        raise OptionError(f"backend={native.name!r} cannot be used: {why_not}.", hint='Take backend="python".')
    if why_not:
        native, note = PYTHON, f"Served by the package's own runner: {why_not}."
    refuse_types(job.signature, native)
    layout = _layout(package, job, native, batching, name, instances, warm_up, tuple(filter(None, (note, *reasons))))
    place = Path(os.path.abspath(folder))
    with staged(place) as private:
        number = _placed(layout, place / name, version, private, override)
    config = layout.config
    return ServedModel(
        name, number, place / name, native.name, row.format.name, row.runtime, batching.maximum,
        tuple(config.inputs), tuple(config.outputs), layout.notes,
    )  # fmt: skip


def _model_name(name: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name:
        raise OptionError(
            f"name={ascii(name)[:80]} cannot name a model of a repository: it is a folder.",
            hint="Use letters, digits, '_', '-', '+' and '.'.",
        )
    return name


def _refuse_small(told: str, number: int | None, least: int) -> None:
    """Raise :class:`OptionError` for what is no number that the configuration can hold."""
    if number is not None and (
        isinstance(number, bool) or not isinstance(number, int) or not least <= number < _LARGEST
    ):
        raise OptionError(f"{told}={number!r} has to be a whole number of at least {least} that fits into 32 bits.")


def _why_not_stored(package: PackageDescriptor, row: Row, job: RunnerJob[Any], backend: Backend) -> str:
    """Why the stored model cannot be called by the source's names, or ``""``: exporters drop what is not used.

    The model is opened to ask it, which also finds out whether it still can be.
    """
    with package.open_runner(row.format, runtime=row.runtime) as runner:
        stored = runner.inputs
    known = job.signature.input_names
    if backend.opens_runner or backend.indexed or not stored or set(stored) == set(known):
        return ""
    return f"the stored model takes {', '.join(stored)}, and the source {', '.join(known)}"


def _why_no_numbers(job: RunnerJob[Any], backend: Backend, batching: Batching) -> str:
    """Why Triton cannot hand over a number without axes, or ``""``."""
    bare = [spec.name for spec in (*job.signature.inputs, *job.signature.outputs) if not spec.shape]
    if backend.opens_runner or batching.maximum or not bare:
        return ""
    return f"{bare[0]!r} is a number without axes, which Triton has in models that batch only"


def _batching(
    package: PackageDescriptor, job: RunnerJob[Any], maximum: int | None, dynamic: bool | None, delay: int
) -> tuple[Batching, list[str]]:
    signature = job.signature
    why_not = why_no_batches(signature)
    if why_not or maximum == 0:
        if maximum:
            raise OptionError(f"max_batch_size={maximum} cannot be had: {why_not}.")
        if dynamic:
            told = why_not or "max_batch_size=0 hands over every request as it comes"
            raise OptionError(f"dynamic_batching=True cannot be had: {told}.")
        return Batching(0), [f"Triton does not stack requests: {why_not}."] if why_not else []
    largest = signature.axis(signature.batch_symbol).maximum
    samples = package.record.samples
    notes = []
    if dynamic is None:
        dynamic = samples is None or samples.rows_independent is not False
        if not dynamic:
            notes.append("Triton does not stack requests: the samples of a batch depend on each other.")
    return Batching(maximum or min(max(largest, 1), _LARGEST - 1), dynamic, delay), notes


def _layout(
    package: PackageDescriptor,
    job: RunnerJob[Any],
    backend: Backend,
    batching: Batching,
    name: str,
    instances: int,
    warm_up: bool,
    notes: tuple[str, ...],
) -> _Layout:
    batched = batching.maximum > 0
    inputs = served(job.signature.inputs, batched=batched, indexed=backend.indexed)
    outputs = served(job.signature.outputs, batched=batched, indexed=backend.indexed)
    warm, arrays = _warm_up(package, inputs, batching, backend) if warm_up else ((), {})
    config = ModelConfig(name, backend, inputs, outputs, batching, instances, job.threads, warm)
    return _Layout(config, job, arrays, notes)


def _warm_up(
    package: PackageDescriptor, inputs: Sequence[Served], batching: Batching, backend: Backend
) -> tuple[Sequence[WarmUp], Mapping[str, np.ndarray]]:
    """Requests with the profiling sample, at one and at the largest batch, and the contents of their files."""
    from navcore import PackageIncomplete

    try:
        sample = next(package.comparisons("profiling")).feeds
    except PackageIncomplete:
        return (), {}
    if any(one.type == "STRING" for one in inputs):
        return (), {}
    batched = batching.maximum > 0
    arrays = {f"{number}": sample[one.source] for number, one in enumerate(inputs)}
    told = [
        (one, f"{number}", one.dims if one.scalar else sample[one.source].shape[1 if batched else 0 :])
        for number, one in enumerate(inputs)
    ]
    sizes = sorted({1, batching.maximum}) if batched else [1]
    sizes = [size for size in sizes if size * sum(array.nbytes for array in arrays.values()) <= _MOST_WARM_UP]
    return [WarmUp(size, told) for size in sizes], arrays if sizes else {}


def _placed(layout: _Layout, model: Path, version: int | None, private: Path, override: bool) -> int:
    """Write the model under ``private`` and let it appear at its place; the number of its version."""
    for place in (model, *(model.glob("*") if model.is_dir() else ())):
        if place.is_symlink():
            raise OptionError(f"{place} is a symbolic link, so nothing was written there.")
    text = layout.config.text()
    there = [int(one.name) for one in model.glob("[1-9]*") if one.name.isdecimal()] if model.is_dir() else []
    number = version or max(there, default=0) + 1
    if model.exists():
        _refuse_other(model, text, number, number in there, override)
    prepared = private / "model"
    _write_version(layout, prepared / str(number))
    (prepared / CONFIG).write_text(text)
    if layout.warm_up:
        (prepared / _WARM_UP).mkdir()
        for file, array in layout.warm_up.items():
            (prepared / _WARM_UP / file).write_bytes(array.tobytes())
    if not model.exists():
        publish(prepared, model, private / "retired")
        return number
    if (model / CONFIG).read_text() != text:
        _refuse_others(model, sorted(set(there) - {number}))
        (private / "new").write_text(text)
        os.replace(private / "new", model / CONFIG)
        if layout.warm_up:
            publish(prepared / _WARM_UP, model / _WARM_UP, private / "retired-warmup")
    publish(prepared / str(number), model / str(number), private / "retired")
    return number


def _refuse_other(model: Path, text: str, number: int, there: bool, override: bool) -> None:
    """Raise :class:`OptionError` where something would be lost that nobody asked to replace."""
    if override:
        return
    if not (model / CONFIG).is_file():
        raise OptionError(f"{model} is there, and is no model of a repository.", hint="Choose another name or folder.")
    if there:
        raise OptionError(
            f"Version {number} of {model.name} is in the repository already.",
            hint="Leave version out for the next one, or replace it: override=True.",
        )
    if (model / CONFIG).read_text() != text:
        raise OptionError(
            f"{model / CONFIG} says something else than version {number} needs, and all versions of a model share it.",
            hint="Choose another name, or replace it: override=True.",
        )


def _refuse_others(model: Path, others: Sequence[int]) -> None:
    if others:
        raise OptionError(
            f"{model / CONFIG} would not fit the versions {', '.join(map(str, others))} of {model.name} any more.",
            hint="Choose another name, or remove these versions.",
        )


def _write_version(layout: _Layout, folder: Path) -> None:
    job, backend = layout.job, layout.config.backend
    folder.mkdir(parents=True)
    if not backend.opens_runner:
        copy_model(job.artifact.format, job.artifact.file, folder / backend.filename)
        return
    (folder / MODEL_FOLDER).mkdir()
    copy_model(job.artifact.format, job.artifact.file, folder / MODEL_FOLDER / job.artifact.file.name)
    for name, path in job.artifact.assets.items():
        target = folder / MODEL_FOLDER / ASSETS_FOLDER / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target, follow_symlinks=False)
    (folder / FILE).write_text(described(job))
    (folder / backend.filename).write_text((files("nav_triton") / "model.py.template").read_text())


def copy_model(format: Format, source: Path, target: Path) -> None:
    """The model with all files that belong to it, as its plugin copies it."""
    if format.copy is not None:
        format.copy(source, target)
    elif source.is_symlink():
        raise InputError(f"{source} is a symbolic link.")
    elif source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copyfile(source, target)
