"""Formats: what a model can be stored as, or live as, and the words of the reference API for its variants."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from navcore.contract.names import Name, name_or_none
from navcore.errors import InputError, UnknownFormat

if TYPE_CHECKING:
    import numpy as np

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class JitType(StrEnum):
    """How a TorchScript (or Torch-TensorRT) model was made."""

    SCRIPT = "script"
    TRACE = "trace"


class TensorRTPrecision(StrEnum):
    """The numeric type that a TensorRT variant promises."""

    INT8 = "int8"
    FP16 = "fp16"
    FP32 = "fp32"
    TF32 = "tf32"


class RuntimeProvider(StrEnum):
    """The runtimes that the reference API names; a plugin may bring others, under names of its own."""

    TRT = "TensorrtExecutionProvider"
    CUDA = "CUDAExecutionProvider"
    CPU = "CPUExecutionProvider"
    TF = "TensorFlowExecutionProvider"
    PYT = "PyTorchExecutionProvider"


@attrs.frozen(eq=False)
class Provided:
    """What a live model brings to a run that was given no dataloader.

    ``model`` is run and exported in place of the one that was handed in. The other fields mean what the arguments of
    :func:`navcore.run` mean, and each of those that the caller gives wins.
    """

    model: Any
    dataloader: Any
    input_names: tuple[str, ...] | None = None
    output_names: tuple[str, ...] | None = None
    dynamic_axes: Mapping[str, Any] | None = None
    axis_ranges: Mapping[str, Any] | None = None
    batch_dim: int | None = 0


@attrs.frozen
class Live:
    """How to handle the live models of a framework without importing the framework.

    ``types`` are qualified class names, one of which stands in ``type(model).__mro__`` of every such model.
    ``to_array`` turns a framework tensor into a host array and returns ``None`` for any value that is not one;
    ``from_array`` makes a framework tensor on the named device (``None``: the framework's default).
    ``state`` yields the model's named weights, from which the model's key is digested. ``device`` names the device on
    which the model lives; anything but ``"cpu"`` rules out exporting in a fork of the caller. ``provide`` is entered
    for the time of a run without a dataloader and gives the model's own data, or ``None`` for a model without any.
    ``seeded`` is entered for the time of a call: the framework's random numbers start from that seed, and go on
    afterwards as if nothing had been. With it a source that remembers is told from one that draws. Without
    ``seeds_all`` there are numbers that it does not reach: a source whose first answers differ then counts as drawing.
    ``framework`` names the module by which the framework is imported, where that neither starts threads nor writes
    files: a run then imports it once, and its steps are forks of that process. Without it each step imports anew.
    """

    types: tuple[str, ...]
    to_array: Callable[[Any], np.ndarray | None] = attrs.field(eq=False, repr=False)
    from_array: Callable[[np.ndarray, str | None], Any] = attrs.field(eq=False, repr=False)
    state: Callable[[Any], Iterable[tuple[str, np.ndarray]]] = attrs.field(eq=False, repr=False)
    device: Callable[[Any], str] = attrs.field(eq=False, repr=False, default=lambda _model: "cpu")
    provide: Callable[[Any], AbstractContextManager[Provided | None]] | None = attrs.field(
        eq=False, repr=False, default=None
    )
    seeded: Callable[[int], AbstractContextManager[None]] | None = attrs.field(eq=False, repr=False, default=None)
    seeds_all: bool = attrs.field(eq=False, repr=False, default=True)
    framework: str = ""

    def recognises(self, model: object) -> bool:
        """Whether the model is an instance of one of ``types``; none of these is imported to find out."""
        return any(f"{kind.__module__}.{kind.__qualname__}" in self.types for kind in type(model).__mro__)


def _format_name(name: str) -> Name:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot name a format: a name is also a folder,",
            hint="so use lower-case letters, digits, '.', '_' and '-'.",
        )
    return Name(name)


class _KnownFormats(type):
    """Makes ``for format in Format`` go over the families of the reference page, as its enumeration did."""

    def __iter__(cls) -> Iterator[Format]:
        return iter(REFERENCE_FORMATS)


@attrs.frozen(repr=False, eq=False)
class Format(metaclass=_KnownFormats):
    """One way to store a model, or to have it live; the set of formats is open.

    ``name`` is the identity, and the folder in the workspace. ``family`` is what variants share
    (``torchscript-script`` and ``torchscript-trace`` are of the family ``torchscript``); ``jit_type`` and
    ``precision`` are the traits that tell them apart. ``filename`` is the file (or folder) that a step writes.
    ``load`` opens such a file as the object its framework's users expect; without one a model is given out as a path.
    ``recognises`` looks at a file or folder whose name says nothing (a SavedModel may have any).
    ``files`` lists a model file together with the files that it refers to, and ``copy`` copies them all; without them
    the file stands alone.
    ``regions`` says where the tensors of a model lie: for each of its files the (offset, length) in bytes of whatever
    other formats may hold byte for byte as well. It reads the file's own directory and neither the tensors nor anything
    that could run; a compact package stores equal regions once. What it says wrongly costs room, never correctness.
    A format equals its name, and hashes like it: ``package.get_formats_status()["onnx"]``. Iterating over the class
    goes over the six families of the reference page; others exist beside them.
    ``data_only`` says that loading such a file cannot execute code; without the promise a loaded package needs
    ``trust=True`` before it is used. ``suffixes`` are the file endings by which a source on disk is recognised.
    """

    name: Name = attrs.field(converter=_format_name)
    family: Name = attrs.field(converter=Name, default=attrs.Factory(lambda self: self.name, takes_self=True))
    filename: Name = attrs.field(converter=Name, default=Name("model"))
    jit_type: JitType | None = attrs.field(default=None)
    precision: Name | None = attrs.field(converter=name_or_none, default=None)
    data_only: bool = attrs.field(default=False)
    suffixes: tuple[str, ...] = attrs.field(default=())
    summary: str = attrs.field(default="")
    live: Live | None = attrs.field(default=None)
    load: Callable[[Path], Any] | None = attrs.field(default=None)
    recognises: Callable[[Path], bool] | None = attrs.field(default=None)
    files: Callable[[Path], Sequence[Path]] | None = attrs.field(default=None)
    copy: Callable[[Path, Path], None] | None = attrs.field(default=None)
    regions: Callable[[Path], Mapping[Path, Sequence[tuple[int, int]]]] | None = attrs.field(default=None)

    ONNX: ClassVar[Format]
    TORCHSCRIPT: ClassVar[Format]
    TORCH_TRT: ClassVar[Format]
    TENSORRT: ClassVar[Format]
    TF_SAVEDMODEL: ClassVar[Format]
    TF_TRT: ClassVar[Format]

    def __eq__(self, other: object) -> bool:
        return self.name == (other.name if isinstance(other, Format) else other)

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def value(self) -> str:
        """The name, as an enumeration's member has it."""
        return self.name

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Format {self.name}>"

    def description(self) -> dict[str, object]:
        """Everything that two plugins must agree on to share the format's name."""
        skipped = {"summary", "live", "load", "recognises", "files", "copy", "regions"}
        return {field.name: getattr(self, field.name) for field in attrs.fields(Format) if field.name not in skipped}


Format.ONNX = Format(
    "onnx", filename="model.onnx", data_only=True, suffixes=(".onnx",), summary="ONNX, the open exchange format"
)
Format.TORCHSCRIPT = Format("torchscript", filename="model.pt", summary="TorchScript (scripted or traced)")
Format.TORCH_TRT = Format("torch-trt", filename="model.pt", summary="TorchScript with TensorRT engines")
Format.TENSORRT = Format("trt", filename="model.plan", summary="TensorRT engine")
Format.TF_SAVEDMODEL = Format("tf-savedmodel", filename="model.savedmodel", summary="TensorFlow SavedModel")
Format.TF_TRT = Format("tf-trt", filename="model.savedmodel", summary="SavedModel with TensorRT engines")

REFERENCE_FORMATS = (
    Format.ONNX,
    Format.TORCHSCRIPT,
    Format.TORCH_TRT,
    Format.TENSORRT,
    Format.TF_SAVEDMODEL,
    Format.TF_TRT,
)
"""The families of the reference page: names that are known even where no plugin for them is installed."""


def matching(
    wanted: Format | str,
    formats: Sequence[Format],
    *,
    jit_type: str | None = None,
    precision: str | None = None,
) -> tuple[Format, ...]:
    """The formats that ``wanted`` means: the one of exactly that name, else all of that family.

    An omitted ``jit_type`` or ``precision`` matches any.
    """
    name = str(wanted)
    exact = tuple(candidate for candidate in formats if candidate.name == name)
    found = exact or tuple(candidate for candidate in formats if candidate.family == name)
    return tuple(
        candidate
        for candidate in found
        if (jit_type is None or candidate.jit_type == str(jit_type))
        and (precision is None or candidate.precision == str(precision))
    )


def the_one(
    wanted: Format | str,
    formats: Sequence[Format],
    *,
    jit_type: str | None = None,
    precision: str | None = None,
) -> Format:
    """The single format that ``wanted`` means.

    Raises :class:`UnknownFormat` naming the known formats when there is none, and naming the candidates when
    several variants fit.
    """
    found = matching(wanted, formats, jit_type=jit_type, precision=precision)
    if len(found) == 1:
        return found[0]
    asked = " ".join(str(part) for part in (wanted, jit_type, precision) if part is not None)
    if found:
        names = ", ".join(candidate.name for candidate in found)
        raise UnknownFormat(f"{asked!r} fits several variants: {names}.", hint="Name one of them.")
    names = ", ".join(candidate.name for candidate in formats) or "none"
    raise UnknownFormat(f"There is no {asked!r} here.", hint=f"Known: {names}.")
