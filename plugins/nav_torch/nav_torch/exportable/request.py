"""What one call of ``export`` asks for, refused where it contradicts itself before anything is touched."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

import attrs

from nav_torch.exportable.config import check_config
from nav_torch.exportable.extensions import TORCHSCRIPT_NAME, get_export_format
from nav_torch.exportable.hooks import class_name, read_hook, told_kind
from navcore import Format, InputError, OptionError

Exporter = Literal["auto", "torchscript", "dynamo"]
_EXPORTERS = ("auto", "torchscript", "dynamo")
_FLAGS = (
    "verbose", "export_params", "do_constant_folding", "keep_initializers_as_inputs", "try_script", "set_eval",
    "use_dynamic_axes", "inplace", "replace_1D_2D",
)  # fmt: skip


def _path_text(value: Any) -> str:
    text = value if isinstance(value, str | bytes) else getattr(type(value), "__fspath__", lambda _: None)(value)
    if not isinstance(text, str) or "\0" in text:
        what = f"is {told_kind(value)}" if not isinstance(text, str) else f"{text!r} is no name of a file"
        raise InputError(f"The output {what}.", hint="Give the path of the file to write, such as 'model.onnx'.")
    return text


@attrs.frozen(eq=False)
class Request:
    """The arguments of ``export``, under their names. Raises :class:`InputError` for an ``output`` that is no path."""

    output: str = attrs.field(converter=_path_text)
    input_example: Any
    output_example: Any
    verbose: bool
    export_params: bool
    do_constant_folding: bool
    keep_initializers_as_inputs: bool
    onnx_opset_version: int
    try_script: bool
    set_eval: bool
    check_trace: Any
    use_dynamic_axes: bool
    dynamic_axes: Mapping[str, Mapping[int, str] | Sequence[int]] | None
    check_tolerance: float
    exporter: Exporter = "auto"
    inplace: bool = True
    axis_ranges: Mapping[str, tuple[int, int, int]] | None = None
    replace_1D_2D: bool = False  # noqa: N815  (the page's name)
    export_config: Mapping[str, Any] | None = None
    path: Path = attrs.field(init=False)

    @path.default
    def _absolute(self) -> Path:
        return Path(self.output).absolute()  # a hook may change the working folder

    def with_plain_flags(self) -> Request:
        """The same, every flag a bool. Raises :class:`OptionError` for a text, because ``bool("False")`` is true."""
        flags: dict[str, Any] = {}
        for name in _FLAGS:
            value = getattr(self, name)
            if value is not None and not isinstance(value, Integral) and type(value).__name__ != "bool":  # numpy's
                raise OptionError(f"{name}={value!r} is {told_kind(value)}.", hint="Give True or False.")
            flags[name] = bool(value)
        return attrs.evolve(self, **flags)

    @property
    def checked(self) -> bool:
        """Whether the file is run and compared. A list of examples asks for it, even an empty one does not."""
        return bool(self.check_trace)

    @property
    def further_examples(self) -> tuple[Any, ...]:
        """The examples that ``check_trace`` brings besides the first."""
        return tuple(self.check_trace) if isinstance(self.check_trace, Sequence) else ()

    def hook_arguments(self) -> dict[str, Any]:
        """What ``_prepare_for_export`` is told: every argument by its name."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(Request) if field.init}


def checked_request(model: Any, request: Request) -> Format:
    """The format that the request is for.

    Raises :class:`InputError` for a file that cannot be written or a format that the class does not support, and
    :class:`OptionError` for arguments out of range or that contradict each other.
    """
    _check_module(model)
    target = get_export_format(request.output)
    _check_file(request)
    _check_supported(model, request, target)
    _check_values(request)
    _check_contradictions(request, target)
    check_config(model, request.export_config)
    return target


def _check_module(model: Any) -> None:
    import torch

    if not isinstance(model, torch.nn.Module):
        raise InputError(
            f"{class_name(model)} is no torch.nn.Module.",
            hint=f"Derive it from both: class {class_name(model)}(torch.nn.Module, Exportable).",
        )
    if "_modules" not in vars(model):
        raise InputError(
            f"{class_name(model)}.__init__ did not call super().__init__().", hint="Call it in its first line."
        )


def _check_file(request: Request) -> None:
    path, told = request.path, repr(request.output)
    try:
        if path.is_dir():
            raise InputError(f"{told} is a folder.", hint="Give the name of a file.")
        if path.parent.exists() and not path.parent.is_dir():
            raise InputError(f"The folder of {told} is a file.", hint="Choose another folder.")
    except OSError as error:
        raise unwritable(request.output, error) from error
    if not path.parent.is_dir():
        raise InputError(f"The folder of {told} does not exist.", hint="Create it first.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError(f"The folder of {told} cannot be written.", hint="Choose another folder, or permit writing.")
    if path.exists() and not os.access(path, os.W_OK):
        raise InputError(f"The file {told} exists and is write-protected.", hint="Choose another name, or delete it.")


def unwritable(output: str, error: OSError) -> InputError:
    """The refusal of a place where the system does not let a file be written, in its own words."""
    reason = error.strerror or type(error).__name__
    return InputError(
        f"The file {output!r} cannot be written: {reason}.", hint="Choose another name or folder, or permit writing."
    )


def _check_supported(model: Any, request: Request, target: Format) -> None:
    """``supported_export_formats`` lists formats, their names, or extensions."""
    supported = read_hook(model, "supported_export_formats", None)
    if supported is None:
        return
    supported = [supported] if isinstance(supported, str | Format) else supported
    if not isinstance(supported, Iterable):
        raise InputError(
            f"{class_name(model)}.supported_export_formats is {told_kind(supported)}.",
            hint='It has to list names of formats, such as "onnx" and "torchscript".',
        )
    names = [str(getattr(one, "name", one)).lower().removeprefix(".") for one in supported]
    if target.name not in names and request.path.suffix.lower().removeprefix(".") not in names:
        raise InputError(
            f"{class_name(model)}.supported_export_formats does not list {target.name}, which {request.output!r}"
            " asks for.",
            hint=f"It lists: {', '.join(names) or 'nothing'}.",
        )


def _check_values(request: Request) -> None:
    opset: object = request.onnx_opset_version
    if isinstance(opset, bool) or not isinstance(opset, Integral) or int(opset) < 1:
        raise OptionError(f"onnx_opset_version={opset!r} is no opset.", hint="Give a number such as 13 or 18.")
    tolerance: object = request.check_tolerance
    if isinstance(tolerance, bool) or not isinstance(tolerance, Real) or not float(tolerance) >= 0:
        raise OptionError(f"check_tolerance={tolerance!r} is no tolerance.", hint="Give a number of 0 or more.")
    if request.exporter not in _EXPORTERS:
        raise OptionError(f"exporter={request.exporter!r} is none.", hint=f"Choose one of: {', '.join(_EXPORTERS)}.")
    if not isinstance(request.check_trace, bool | list | tuple | None):
        raise OptionError(
            f"check_trace is {told_kind(request.check_trace)}.",
            hint="Give True, False, or a list of further examples to compare on.",
        )
    for name in ("dynamic_axes", "axis_ranges"):
        value = getattr(request, name)
        if value is not None and not isinstance(value, Mapping):
            raise OptionError(f"{name} is {told_kind(value)}.", hint="Give a dict.")


def _check_contradictions(request: Request, target: Format) -> None:
    if request.dynamic_axes is not None and not request.use_dynamic_axes:
        raise OptionError(
            "dynamic_axes was given together with use_dynamic_axes=False.", hint="Leave one of them away."
        )
    onnx = target.name == Format.ONNX.name
    if not request.set_eval and not onnx and target.name != TORCHSCRIPT_NAME:
        raise OptionError(
            f"set_eval=False cannot be kept by {target.name}.", hint="Export to ONNX or TorchScript, or in eval mode."
        )
    if not request.set_eval and onnx and request.exporter == "dynamo":
        raise OptionError(
            "The dynamo exporter writes batch norms in evaluation mode, which set_eval=False does not want.",
            hint='Leave exporter= away, or choose "torchscript".',
        )
    if request.checked and onnx and not request.export_params:
        raise OptionError(
            "check_trace cannot run a file without weights, as export_params=False makes it.",
            hint="Leave one of them away.",
        )


def export_defaults(export: Any) -> dict[str, Any]:
    """The arguments of ``export`` that may be left away, with their defaults."""
    parameters = inspect.signature(export).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}
