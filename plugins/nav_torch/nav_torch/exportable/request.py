"""What one call of ``export`` asks for, refused where it contradicts itself before anything is touched."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from nav_torch.exportable.config import refuse_bad_config
from nav_torch.exportable.extensions import TORCHSCRIPT_NAME, get_export_format
from nav_torch.exportable.hooks import class_name, is_overridden, read_hook, told_kind
from navcore import Format, InputError, OptionError

Exporter = Literal["auto", "torchscript", "dynamo"]
_EXPORTERS = ("auto", "torchscript", "dynamo")
FIRST_DYNAMO_OPSET = 18


class _Unasked(int):
    """An opset that nobody asked for: a model that needs a newer one gets it."""


DEFAULT_OPSET: Final = _Unasked(13)
"""The reference page's. It is an argument's default, where ``13`` itself means 13 and nothing else."""


def _path_text(value: Any) -> str:
    text = value if isinstance(value, str | bytes) else getattr(type(value), "__fspath__", lambda _: None)(value)
    if not isinstance(text, str) or "\0" in text:
        what = f"is {told_kind(value)}" if not isinstance(text, str) else f"{text!r} is no name of a file"
        raise InputError(f"The output {what}.", hint="Give the path of the file to write, such as 'model.onnx'.")
    return text


def _flag(name: str) -> Any:
    """A field that is a bool; a text is refused, because ``bool("False")`` is true."""

    def plain(value: Any) -> bool:
        if value is not None and not isinstance(value, Integral) and type(value).__name__ != "bool":  # numpy's
            raise OptionError(f"{name}={value!r} is {told_kind(value)}.", hint="Give True or False.")
        return bool(value)

    return attrs.field(converter=plain)


@attrs.frozen(eq=False, kw_only=True)
class Request:
    """The arguments of ``export``, under their names; flags are bools.

    Raises :class:`InputError` for an ``output`` that is no path or of no known format, :class:`OptionError` for an
    argument that is out of range.
    """

    output: str = attrs.field(converter=_path_text)
    input_example: Any
    output_example: Any
    verbose: bool = _flag("verbose")
    export_params: bool = _flag("export_params")
    do_constant_folding: bool = _flag("do_constant_folding")
    keep_initializers_as_inputs: bool = _flag("keep_initializers_as_inputs")
    onnx_opset_version: int | None
    try_script: bool = _flag("try_script")
    set_eval: bool = _flag("set_eval")
    check_trace: Any
    use_dynamic_axes: bool = _flag("use_dynamic_axes")
    dynamic_axes: Mapping[str, Mapping[int, str] | Sequence[int]] | None
    check_tolerance: float
    exporter: Exporter
    inplace: bool = _flag("inplace")
    axis_ranges: Mapping[str, tuple[int, int, int]] | None
    replace_1D_2D: bool = _flag("replace_1D_2D")  # noqa: N815  (the page's name)
    export_config: Mapping[str, Any] | None
    use_dynamo: bool | None
    export_modules_as_functions: Any
    path: Path = attrs.field(init=False)

    @path.default
    def _absolute(self) -> Path:
        return Path(self.output).absolute()  # a hook may change the working folder

    def __attrs_post_init__(self) -> None:
        opset: object = self.onnx_opset_version
        tolerance: object = self.check_tolerance
        wrong: list[tuple[bool, str, str]] = [
            (
                opset is not None and (isinstance(opset, bool) or not isinstance(opset, Integral) or int(opset) < 1),
                f"onnx_opset_version={opset!r} is no opset.",
                "Give a number such as 13 or 18.",
            ),
            (
                isinstance(tolerance, bool) or not isinstance(tolerance, Real) or not float(tolerance) >= 0,
                f"check_tolerance={tolerance!r} is no tolerance.",
                "Give a number of 0 or more.",
            ),
            (
                self.exporter not in _EXPORTERS,
                f"exporter={self.exporter!r} is none.",
                f"Choose one of: {', '.join(_EXPORTERS)}.",
            ),
            (
                not isinstance(self.check_trace, bool | list | tuple | None),
                f"check_trace is {told_kind(self.check_trace)}.",
                "Give True, False, or a list of further examples to compare on.",
            ),
            *(
                (not isinstance(getattr(self, name), Mapping | None), f"{name} is {told_kind(getattr(self, name))}.",
                 "Give a dict.")
                for name in ("dynamic_axes", "axis_ranges")
            ),
        ]  # fmt: skip
        _refuse(wrong)

    @property
    def target(self) -> Format:
        """The format that the extension asks for."""
        return get_export_format(self.output)

    @property
    def only(self) -> str:
        """The exporter that alone may write the file; NeMo's ``use_dynamo`` says it in its own way."""
        if self.exporter != "auto" or self.use_dynamo is None:
            return self.exporter
        return "dynamo" if self.use_dynamo else "torchscript"

    @property
    def opset(self) -> int | None:
        """The ONNX opset to write. ``use_dynamo=True`` is not held to an opset that the exporter does not know."""
        if self.onnx_opset_version is None:
            return None
        asked = int(self.onnx_opset_version)
        return max(asked, FIRST_DYNAMO_OPSET) if self.use_dynamo and self.exporter == "auto" else asked

    def at_newer_opset(self) -> Request | None:
        """The same, for an ONNX file of an opset that both exporters write; ``None`` where the caller chose one."""
        unasked = isinstance(self.onnx_opset_version, _Unasked) and not self.use_dynamo
        onnx = self.target.name == Format.ONNX.name
        return attrs.evolve(self, onnx_opset_version=FIRST_DYNAMO_OPSET) if unasked and onnx else None

    @property
    def checked(self) -> bool:
        """Whether the file is run and compared. A list of examples asks for it, an empty one does not."""
        return bool(self.check_trace)

    @property
    def further_examples(self) -> tuple[Any, ...]:
        """The examples that ``check_trace`` brings besides the first."""
        return tuple(self.check_trace) if isinstance(self.check_trace, Sequence) else ()

    def hook_arguments(self) -> dict[str, Any]:
        """What ``_prepare_for_export`` is told: every argument by its name."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(Request) if field.init}


def _refuse(wrong: Iterable[tuple[bool, str, str]]) -> None:
    for applies, what, hint in wrong:
        if applies:
            raise OptionError(what, hint=hint)


def refuse_bad_request(model: Any, request: Request) -> None:
    """Refuse what cannot be done, before anything is touched.

    Raises :class:`InputError` for a file that cannot be written or a format that the class does not support, and
    :class:`OptionError` for arguments that contradict each other.
    """
    _refuse_bad_module(model)
    target = request.target
    _refuse_bad_file(request)
    refuse_unsupported(model, request)
    onnx = target.name == Format.ONNX.name
    wrong = [
        (
            request.dynamic_axes is not None and not request.use_dynamic_axes,
            "dynamic_axes was given together with use_dynamic_axes=False.",
            "Leave one of them away.",
        ),
        (
            not request.set_eval and not onnx and target.name != TORCHSCRIPT_NAME,
            f"set_eval=False cannot be kept by {target.name}.",
            "Export to ONNX or TorchScript, or in eval mode.",
        ),
        (
            not request.set_eval and onnx and request.only == "dynamo",
            "The dynamo exporter writes batch norms in evaluation mode, which set_eval=False does not want.",
            'Leave exporter= away, or choose "torchscript".',
        ),
        (
            request.checked and onnx and not request.export_params,
            "check_trace cannot run a file without weights, as export_params=False makes it.",
            "Leave one of them away.",
        ),
    ]
    _refuse(wrong)
    refuse_bad_config(model, request.export_config)


def _refuse_bad_module(model: Any) -> None:
    import torch

    name = class_name(model)
    if not isinstance(model, torch.nn.Module):
        hint = f"Derive it from both: class {name}(torch.nn.Module, Exportable)."
        raise InputError(f"{name} is no torch.nn.Module.", hint=hint)
    if "_modules" not in vars(model):
        raise InputError(f"{name}.__init__ did not call super().__init__().", hint="Call it in its first line.")


def _refuse_bad_file(request: Request) -> None:
    path, told = request.path, repr(request.output)
    try:
        is_folder, over_file = path.is_dir(), path.parent.exists() and not path.parent.is_dir()
    except OSError as error:
        raise unwritable(request.output, error) from error
    wrong = [
        (is_folder, f"{told} is a folder.", "Give the name of a file."),
        (over_file, f"The folder of {told} is a file.", "Choose another folder."),
        (not path.parent.is_dir(), f"The folder of {told} does not exist.", "Create it first."),
        (
            not os.access(path.parent, os.W_OK | os.X_OK),
            f"The folder of {told} cannot be written.",
            "Choose another folder, or permit writing.",
        ),
        (
            path.exists() and not os.access(path, os.W_OK),
            f"The file {told} exists and is write-protected.",
            "Choose another name, or delete it.",
        ),
    ]
    for applies, what, hint in wrong:
        if applies:
            raise InputError(what, hint=hint)


def unwritable(output: str, error: OSError) -> InputError:
    """The refusal of a place where the system does not let a file be written, in its own words."""
    reason = error.strerror or type(error).__name__
    return InputError(
        f"The file {output!r} cannot be written: {reason}.", hint="Choose another name or folder, or permit writing."
    )


def refuse_unsupported(model: Any, request: Request) -> None:
    """``supported_export_formats`` lists formats, their names, or extensions. Raises :class:`InputError`."""
    name = "supported_export_formats"
    supported = read_hook(model, name) if is_overridden(model, name) else None
    if supported is None:
        return
    supported = [supported] if isinstance(supported, str | Format) else supported
    if not isinstance(supported, Iterable):
        raise InputError(
            f"{class_name(model)}.{name} is {told_kind(supported)}.",
            hint='It has to list names of formats, such as "onnx" and "torchscript".',
        )
    names = [str(getattr(one, "name", one)).lower().removeprefix(".") for one in supported]
    target = request.target.name
    if target not in names and request.path.suffix.lower().removeprefix(".") not in names:
        raise InputError(
            f"{class_name(model)}.{name} does not list {target}, which {request.output!r} asks for.",
            hint=f"It lists: {', '.join(names) or 'nothing'}.",
        )


def export_defaults(export: Any) -> dict[str, Any]:
    """The arguments of ``export`` that may be left away, with their defaults."""
    parameters = inspect.signature(export).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}
