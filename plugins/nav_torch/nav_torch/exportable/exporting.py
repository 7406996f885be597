"""Export a model to one file, or one for each of its parts: prepare, understand, make, check, and only then place."""

from __future__ import annotations

import copy
import logging
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from nav_torch.axes import FrozenAxes
from nav_torch.exportable.case import Case, Wishes, case_of
from nav_torch.exportable.config import configured
from nav_torch.exportable.examples import comparisons, own_example
from nav_torch.exportable.extensions import told_format
from nav_torch.exportable.held import holding, with_held_axes
from nav_torch.exportable.hooks import class_name, end_module, told_error
from nav_torch.exportable.inputs import example_of
from nav_torch.exportable.parts import Exported, compare_chain, joined, part_named, part_path, parts_of
from nav_torch.exportable.preparing import prepared, stage
from nav_torch.exportable.request import (
    DEFAULT_OPSET,
    FIRST_DYNAMO_OPSET,
    Request,
    refuse_bad_request,
    refuse_unsupported,
    unwritable,
)
from nav_torch.exportable.result import CheckFailed, ExportResult
from nav_torch.exportable.verifying import narrow_floats, right_on_its_example, verified
from nav_torch.exportable.ways import begins_with_capture, left_out, options_of, told_route, variants
from nav_torch.formats import TORCH
from nav_torch.remembering import remembered
from nav_torch.restoring import LOGGER_NAME
from nav_torch.subject import subject
from navcore import (
    Artifact,
    ExportError,
    ExportJob,
    Format,
    InputError,
    Made,
    NavcoreError,
    Step,
    Unavailable,
    Verification,
    first_that_works,
    load_registry,
)

_LOG = logging.getLogger(LOGGER_NAME)


def export_model(model: Any, request: Request) -> ExportResult:
    """Do what ``Exportable.export`` promises; see there."""
    model = subject(model)
    with stage(model, "arguments"):
        refuse_bad_request(model, request)
    with stage(model, "prepare"):
        model = model if request.inplace else _copied(model)
    with stage(model, "arguments"):
        parts = parts_of(model)
    files = {part: part_path(request.path, part).name for part in parts}
    with _landing(model, request, files.values()) as folder, configured(model, request.export_config):
        if parts == ("self",):
            return _exported(model, request, folder / files["self"]).result
        done: dict[str, Exported] = {}
        for part in parts:
            module = part_named(model, part)
            own = attrs.evolve(request, output=str(part_path(Path(request.output), part)),
                               input_example=None if done else request.input_example)  # fmt: skip
            with stage(module, "arguments"):
                refuse_unsupported(module, own)
            done[part] = _exported(module, own, folder / files[part])
        with stage(model, "check of the parts in a row"):
            notes = compare_chain(model, done, request.check_tolerance) if request.checked else ()
        return joined(done, notes)


def _copied(model: Any) -> Any:
    try:
        return copy.deepcopy(model)
    except Exception as error:
        raise InputError(
            told_error(f"{class_name(model)} cannot be copied, as inplace=False asks", error),
            hint="Leave inplace=False away.",
        ) from error


@contextmanager
def _landing(model: Any, request: Request, files: Collection[str]) -> Iterator[Path]:
    """A private folder beside the file; what lies in it afterwards is moved there, the ``files`` themselves last.

    Whatever goes wrong, the folder goes, and a file that was there before stays as it was. Raises :class:`InputError`
    where the system does not let the folder be made or a file be moved.
    """
    home = request.path.parent
    with stage(model, "arguments"):
        try:
            folder = Path(tempfile.mkdtemp(prefix=".export-", dir=home))
        except OSError as error:
            raise unwritable(request.output, error) from error
    try:
        yield folder
        with stage(model, "placing"):
            try:
                for part in sorted(folder.iterdir(), key=lambda part: part.name in files):
                    os.replace(part, home / part.name)
            except OSError as error:
                raise unwritable(request.output, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _exported(model: Any, request: Request, file: Path) -> Exported:
    """One module, exported to ``file``."""
    with stage(model, "example"):
        given = request.input_example is not None
        origin = "The input_example" if given else f"{class_name(end_module(model, 'input'))}.input_example"
        request = request if given else attrs.evolve(request, input_example=example_of(model))
    with prepared(model, request.hook_arguments(), set_eval=request.set_eval), remembered(model):
        with stage(model, "example"):
            wishes = Wishes(request.use_dynamic_axes, request.dynamic_axes, request.axis_ranges, not request.set_eval,
                            begins_with_capture(request))  # fmt: skip
            case = with_held_axes(case_of(model, request.input_example, origin, wishes))
        with stage(model, "run"):
            making = _Making(case, request, file)
        made, errors = making.done()
        return Exported(case, made.artifact, _told(case, request, made, errors))


@attrs.frozen(eq=False)
class _Accepted:
    """What a route made and the check let pass."""

    route: str
    artifact: Artifact
    notes: tuple[str, ...]
    verification: Verification | None


class _Making:
    """Makes the file of a case by the plan's next route as long as one fails, or its file does in the check."""

    def __init__(self, case: Case, request: Request, file: Path) -> None:
        self._request, self._file = request, file
        self._registry = load_registry()
        self._take(case)

    def _take(self, case: Case) -> None:
        self._case, request = case, self._request
        self._example = own_example(case, request.output_example if request.checked else None)
        further = request.further_examples
        self._compared = comparisons(case, request.output_example, further) if request.checked else []

    def done(self) -> tuple[_Accepted, dict[str, NavcoreError]]:
        """What was accepted, and why what was tried before was not. Raises what :meth:`_failure` gives.

        An axis that is dynamic by NeMo's kinds alone is fixed where no exporter lets it move.
        """
        errors: dict[str, NavcoreError] = {}
        missing = ""
        asked = self._request
        for _ in range(2):
            for request in (asked, asked.at_newer_opset()):
                if request is None:
                    continue
                newer, self._request = request is not asked, request
                for target in variants(request):
                    tried = first_that_works(self._registry, TORCH, target, self._attempt, left_out=left_out(request))
                    errors |= tried.failed
                    if tried.result is not None:
                        return self._noted(tried.result) if newer else tried.result, errors
                    missing = tried.missing
            frozen = [error for error in errors.values() if isinstance(error, FrozenAxes)]
            held = [symbol for error in frozen for symbol in error.symbols if symbol in self._case.loose]
            if len(frozen) != 1 or len(held) < len(frozen[0].symbols):
                break
            self._take(holding(self._case, held, "no exporter follows other sizes"))
        raise self._failure(errors, missing)

    def _noted(self, made: _Accepted) -> _Accepted:
        """With the note that the opset is another one than the page's."""
        note = (f"{class_name(self._case.model)} cannot be written in opset {DEFAULT_OPSET}, the default; "
                f"the file is of opset {self._request.opset}.")  # fmt: skip
        _LOG.warning("%s", note)
        return attrs.evolve(made, notes=(note, *made.notes))

    def _attempt(self, step: Step) -> _Accepted:
        case, name = self._case, told_route(step.route.id)
        for part in self._file.parent.glob(f"{self._file.name}*"):
            part.unlink() if part.is_file() else shutil.rmtree(part)  # what an earlier attempt left
        job: ExportJob[Any] = ExportJob(
            source=Artifact(TORCH, case.signature, model=case.stand, calling="structure"),
            target=step.target,
            output=self._file,
            signature=case.signature,
            example=case.exported_with(),
            options=options_of(step.route, self._request),
        )
        with stage(case.model, f"export by {name}"):
            made: Made = self._registry.ask("export_model", job, step.route)
        artifact = made.artifact(step.target, case.signature, self._file)
        with stage(case.model, f"check of {name}"):
            verification = self._verified(artifact)
        notes = (*case.notes, *made.notes, *(verification.notes if verification else ()))
        return _Accepted(step.route.id, artifact, notes, verification)

    def _verified(self, artifact: Artifact) -> Verification | None:
        if self._compared:
            return verified(self._case, artifact, self._compared, self._request.check_tolerance)
        if self._request.export_params:
            right_on_its_example(self._case, artifact, self._example, self._request.check_tolerance)
        return None

    def _failure(self, errors: dict[str, NavcoreError], missing: str) -> NavcoreError:
        """What was wrong with each route; a :class:`CheckFailed` when one wrote a file, what came closest first."""
        if not errors:
            return InputError(f"{self._request.target.name} cannot be made here: {missing or 'no route leads there'}.")
        if len(errors) == 1:
            return next(iter(errors.values()))
        ordered = sorted(errors.items(), key=lambda pair: isinstance(pair[1], Unavailable))
        told = " ".join(f"{told_route(identity)}: {error.what.rstrip('.')}." for identity, error in ordered)
        what, preferred = f"No exporter could write {self._request.path.name}. {told}", ordered[0][1]
        onnx, opset = self._request.target.name == Format.ONNX.name, self._request.opset
        too_old = onnx and opset is not None and opset < FIRST_DYNAMO_OPSET
        other = f"onnx_opset_version={FIRST_DYNAMO_OPSET} lets the dynamo exporter try." if too_old else ""
        who, hint = f"{class_name(self._case.model)}.export", preferred.hint or other
        failed = next((error for _, error in ordered if isinstance(error, CheckFailed)), None)
        if failed is not None:
            failure: NavcoreError = CheckFailed(what, verification=failed.verification, who=who, hint=hint)
        else:
            failure = ExportError(what, who=who, hint=hint)
        failure.__cause__ = failed or preferred
        return failure


def _told(case: Case, request: Request, made: _Accepted, errors: dict[str, NavcoreError]) -> ExportResult:
    kind = type(case.model)
    tried = [(told_route(identity), error) for identity, error in errors.items() if not isinstance(error, Unavailable)]
    notes = (*(f"{name} was not used: {error.what}" for name, error in tried), *made.notes)
    for note in notes:
        _LOG.info("%s", note)
    narrow = narrow_floats(case)
    if narrow and request.target.name == Format.ONNX.name and made.verification is None:
        _LOG.warning(
            "%s computes in %s, for which ONNX Runtime has hardly any kernel on the CPU. Export a float32 copy "
            "(model.float()) for that.", class_name(case.model), narrow,
        )  # fmt: skip
    if request.export_modules_as_functions:
        _LOG.warning("export_modules_as_functions has no effect: PyTorch no longer writes functions.")
    if request.verbose:
        _LOG.info("%s", _described(made.artifact.file, request.target))
    return ExportResult(
        [request.output],
        [f"{kind.__module__}.{kind.__qualname__} exported to {told_format(request.target)}"],
        exporter=told_route(made.route),
        input_names=made.artifact.signature.input_names,
        output_names=made.artifact.signature.output_names,
        notes=notes,
        verification=made.verification,
    )


def _described(path: Path, target: Format) -> str:
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
