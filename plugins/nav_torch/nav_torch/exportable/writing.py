"""Export a model to one file: prepare, understand, write by the first way that works, check, and only then place."""

from __future__ import annotations

import copy
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from nav_torch.exportable.checking import check, comparisons, narrow_floats
from nav_torch.exportable.config import configured
from nav_torch.exportable.extensions import told_format
from nav_torch.exportable.hooks import class_name, input_module
from nav_torch.exportable.inputs import example_of
from nav_torch.exportable.preparing import prepared, stage
from nav_torch.exportable.request import Request, checked_request, unwritable
from nav_torch.exportable.result import CheckFailed, ExportResult
from nav_torch.exportable.understanding import Understood, Wishes, understood
from nav_torch.exportable.ways import FIRST_DYNAMO_OPSET, Way, ways_to
from nav_torch.formats import TORCH
from nav_torch.restoring import LOGGER_NAME
from nav_torch.subject import subject
from navcore import (
    Artifact,
    Comparison,
    ExportError,
    ExportJob,
    Format,
    InputError,
    Made,
    NavcoreError,
    Verification,
    first_line,
)

_LOG = logging.getLogger(LOGGER_NAME)


@attrs.frozen(eq=False)
class _Attempt:
    """What one way made in its folder, and what the check measured."""

    way: Way
    made: Made
    verification: Verification | None


def export_file(model: Any, request: Request) -> ExportResult:
    """Do what ``Exportable.export`` promises; see there."""
    model = subject(model)
    with stage(model, "arguments"):
        request = request.with_plain_flags()
        target = checked_request(model, request)
        ways = ways_to(target, request)
    with stage(model, "prepare"):
        model = model if request.inplace else _copied(model)
    with _landing(model, request) as folder, _configured(model, request):
        with stage(model, "example"):
            given = request.input_example is not None
            origin = "The input_example" if given else f"{class_name(input_module(model))}.input_example"
            request = request if given else attrs.evolve(request, input_example=example_of(model))
        with prepared(model, request.hook_arguments(), set_eval=request.set_eval):
            with stage(model, "example"):
                wishes = Wishes(
                    dynamic=request.use_dynamic_axes,
                    explicit=request.dynamic_axes,
                    ranges=request.axis_ranges,
                    training=not request.set_eval,
                    use_dynamo=ways[0].dynamo,
                )
                case = understood(model, request.input_example, origin, wishes)
            with stage(model, "run"):
                compared = (
                    comparisons(case, request.output_example, request.further_examples) if request.checked else []
                )
            done, reasons = _first_that_works(case, request, target, ways, folder, compared)
    return _told(case, request, target, done, reasons)


def _copied(model: Any) -> Any:
    try:
        return copy.deepcopy(model)
    except Exception as error:
        raise InputError(
            f"{class_name(model)} cannot be copied, as inplace=False asks: {type(error).__name__}: "
            f"{first_line(error)}".rstrip(".")
            + ".",
            hint="Leave inplace=False away.",
        ) from error


@contextmanager
def _configured(model: Any, request: Request) -> Iterator[None]:
    with ExitStack() as stack:
        with stage(model, "arguments"):
            stack.enter_context(configured(model, request.export_config))
        yield


@contextmanager
def _landing(model: Any, request: Request) -> Iterator[Path]:
    """A private folder beside the file; what lies in it afterwards is moved there, the file itself last.

    Whatever goes wrong, the folder goes, and a file that was there before stays as it was. Raises :class:`InputError`
    where the system does not let the folder be made or the file be moved.
    """
    path = request.path
    with stage(model, "arguments"):
        try:
            folder = Path(tempfile.mkdtemp(prefix=".export-", dir=path.parent))
        except OSError as error:
            raise unwritable(request.output, error) from error
    try:
        yield folder
        with stage(model, "placing"):
            _place(folder, request)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _place(folder: Path, request: Request) -> None:
    try:
        for part in sorted(folder.iterdir(), key=lambda part: part.name == request.path.name):
            os.replace(part, request.path.parent / part.name)
    except OSError as error:
        raise unwritable(request.output, error) from error


def _first_that_works(
    case: Understood,
    request: Request,
    target: Format,
    ways: Sequence[Way],
    folder: Path,
    compared: Sequence[Comparison],
) -> tuple[_Attempt, list[str]]:
    """The first way whose file is accepted, and why those before it were not.

    When there is none, the error tells what was wrong with each; it is a :class:`CheckFailed` when one wrote a file.
    """
    errors: list[tuple[Way, NavcoreError]] = []
    for way in ways:
        try:
            return _attempt(case, request, target, way, folder, compared), [_reason(*one) for one in errors]
        except NavcoreError as error:
            _LOG.info("%s", _reason(way, error))
            errors.append((way, error))
            for part in folder.iterdir() if folder.is_dir() else ():
                part.unlink() if part.is_file() else shutil.rmtree(part)
    if len(errors) == 1:
        raise errors[0][1]
    told = " ".join(f"{way.name}: {error.what.rstrip('.')}." for way, error in errors)
    what, preferred = f"No exporter could write {request.path.name}. {told}", errors[0][1]
    who = f"{class_name(case.model)}.export"
    too_old = target.name == Format.ONNX.name and request.onnx_opset_version < FIRST_DYNAMO_OPSET
    other = f"onnx_opset_version={FIRST_DYNAMO_OPSET} lets the dynamo exporter try." if too_old else ""
    hint = preferred.hint or other
    failed = next((error for _, error in errors if isinstance(error, CheckFailed)), None)
    if failed is not None:
        raise CheckFailed(what, verification=failed.verification, who=who, hint=hint) from failed
    raise ExportError(what, who=who, hint=hint) from preferred


def _reason(way: Way, error: NavcoreError) -> str:
    return f"{way.name} was not used: {error.what}"


def _attempt(
    case: Understood, request: Request, target: Format, way: Way, folder: Path, compared: Sequence[Comparison]
) -> _Attempt:
    job: ExportJob[Any] = ExportJob(
        source=Artifact(TORCH, case.signature, model=case.stand, calling="structure"),
        target=way.format,
        output=folder / request.path.name,
        signature=case.signature,
        example=case.exported_with(),
        options=way.options,
    )
    with stage(case.model, f"export by {way.name}"):
        made = way.write(job)
    if not compared:
        return _Attempt(way, made, None)
    with stage(case.model, f"check of {way.name}"):
        return _Attempt(way, made, check(case, target, job.output, made, compared, request.check_tolerance))


def _told(case: Understood, request: Request, target: Format, done: _Attempt, reasons: Sequence[str]) -> ExportResult:
    kind = type(case.model)
    signature = done.made.signature or case.signature
    notes = (*reasons, *done.made.notes, *(done.verification.notes if done.verification else ()))
    for note in notes:
        _LOG.info("%s", note)
    narrow = narrow_floats(case)
    if narrow and target.name == Format.ONNX.name and done.verification is None:
        _LOG.warning(
            "%s computes in %s, for which ONNX Runtime has hardly any kernel on the CPU. Export a float32 copy "
            "(model.float()) for that.", class_name(case.model), narrow,
        )  # fmt: skip
    if request.verbose:
        _LOG.info("%s", described(request.path, target))
    return ExportResult(
        [request.output],
        [f"{kind.__module__}.{kind.__qualname__} exported to {told_format(target)}"],
        exporter=done.way.name,
        input_names=signature.input_names,
        output_names=signature.output_names,
        notes=notes,
        verification=done.verification,
    )


def described(path: Path, target: Format) -> str:
    """The file as text: the graph of ONNX, the code of TorchScript, the captured program."""
    if target.name == Format.ONNX.name:
        import onnx

        return str(onnx.printer.to_text(onnx.load(str(path), load_external_data=False)))
    from nav_torch.formats import TORCH_EXPORTED, load_exported, load_torchscript

    if target.name == TORCH_EXPORTED.name:
        return str(load_exported(path))
    if target.name == Format.TORCHSCRIPT.name:
        return str(load_torchscript(path, "cpu").code)
    return f"{path.name}: {target.name}"
