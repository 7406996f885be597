"""What one call of ``export`` asks for, refused where it contradicts itself before anything is touched."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

import attrs

from nav_torch.exportable.extensions import TORCHSCRIPT_NAME, get_export_format
from nav_torch.exportable.hooks import class_name, read_hook
from navcore.errors import InputError, OptionError
from navcore.formats import Format

Exporter = Literal["auto", "torchscript", "dynamo"]
_EXPORTERS = ("auto", "torchscript", "dynamo")


@attrs.frozen(eq=False)
class Request:
    """The arguments of ``export``, under their names."""

    output: str
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

    @property
    def path(self) -> Path:
        return Path(self.output)

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
        return {field.name: getattr(self, field.name) for field in attrs.fields(Request)}


def checked_request(model: Any, request: Request) -> Format:
    """The format that the request is for.

    Raises :class:`InputError` for a file that cannot be written or a format that the class does not support, and
    :class:`OptionError` for arguments out of range or that contradict each other.
    """
    target = get_export_format(request.path)
    _check_file(request.path)
    supported = read_hook(model, "supported_export_formats", None)
    if supported is not None:
        names = [str(getattr(one, "name", one)).lower() for one in supported]
        if target.name not in names:
            raise InputError(
                f"{class_name(model)}.supported_export_formats does not list {target.name}, which {request.output!r}"
                " asks for.",
                hint=f"It lists: {', '.join(names) or 'nothing'}.",
            )
    _check_values(request)
    _check_contradictions(request, target)
    return target


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder.", hint="Give the name of a file.")
    if not path.parent.is_dir():
        raise InputError(f"The folder of {str(path)!r} does not exist.", hint="Create it first.")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"The folder of {str(path)!r} cannot be written.", hint="Choose another folder.")


def _check_values(request: Request) -> None:
    opset: object = request.onnx_opset_version
    if isinstance(opset, bool) or not isinstance(opset, Integral) or int(opset) < 1:
        raise OptionError(f"onnx_opset_version={opset!r} is no opset.", hint="Give a number such as 13 or 18.")
    tolerance: object = request.check_tolerance
    if isinstance(tolerance, bool) or not isinstance(tolerance, Real) or not float(tolerance) >= 0:
        raise OptionError(f"check_tolerance={tolerance!r} is no tolerance.", hint="Give a number of 0 or more.")
    if request.exporter not in _EXPORTERS:
        raise OptionError(f"exporter={request.exporter!r} is none.", hint=f"Choose one of: {', '.join(_EXPORTERS)}.")
    if not isinstance(request.check_trace, bool | list | tuple):
        raise OptionError(
            f"check_trace is a {type(request.check_trace).__name__}.",
            hint="Give True, False, or a list of further examples to compare on.",
        )
    for name in ("dynamic_axes", "axis_ranges"):
        value = getattr(request, name)
        if value is not None and not isinstance(value, Mapping):
            raise OptionError(f"{name} is a {type(value).__name__}.", hint="Give a dict.")


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


def export_parameters(export: Any) -> tuple[str, ...]:
    """The names of the parameters of ``export``, without ``self``."""
    return tuple(inspect.signature(export).parameters)[1:]
