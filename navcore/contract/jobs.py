"""What a hook receives and gives back: one frozen job per call, artifacts, and the runner contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import attrs

from navcore.contract.assets import asset_names, asset_paths, place_for_asset
from navcore.contract.formats import Format
from navcore.contract.names import InnerPath
from navcore.contract.signature import Feeds, Signature

if TYPE_CHECKING:
    import numpy as np

Options = TypeVar("Options")

Calling = Literal["named", "positional", "structure"]
"""How a stored model takes its inputs: by name, as flat tensors in the signature's order, or as its source does."""


@attrs.frozen
class Artifact:
    """A model in one format: a file or folder at ``path``, or a live ``model``.

    ``signature`` and ``calling`` say how to call it. ``facts`` are what the route that made it recorded
    (:class:`Made`), ``assets`` the paths of the further files that it declared, by name; both are empty for a source.
    """

    format: Format
    signature: Signature
    path: Path | None = None
    model: Any = attrs.field(default=None, eq=False, repr=False)
    calling: Calling = "named"
    facts: Mapping[str, str] = attrs.field(factory=dict)
    assets: Mapping[str, Path] = attrs.field(factory=dict)

    @property
    def file(self) -> Path:
        """``path`` of an artifact that is known to be stored."""
        if self.path is None:
            raise ValueError(f"{self.format.name} is live and has no file.")
        return self.path


@attrs.frozen
class Made:
    """What a step may tell about what it wrote.

    ``calling`` says how the result is called. ``signature`` replaces the asked-for one when the result takes other
    inputs, or moves along other axes (read back from the result, never assumed). ``notes`` are sentences for the user,
    for example an opset that differs from the one asked for. ``facts`` are short recorded values, such as
    ``{"opset": "20"}``. ``assets`` are the names of further files that the result needs and that are no part of the
    model, such as a vocabulary; each was written at ``job.asset(name)``, and whoever opens the result finds them in
    ``artifact.assets``. Raises :class:`InputError` for what cannot be the name of one.
    """

    calling: Calling = "named"
    signature: Signature | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, str] = attrs.field(factory=dict)
    assets: tuple[InnerPath, ...] = attrs.field(default=(), converter=asset_names)

    def artifact(self, format: Format, origin: Signature, path: Path) -> Artifact:
        """What was made at ``path``, from a model of the signature ``origin``."""
        assets = asset_paths(self.assets, path)
        return Artifact(format, self.signature or origin, path, None, self.calling, self.facts, assets)


@attrs.frozen
class ExportJob(Generic[Options]):
    """Export the live model of ``source`` to ``output``. Write only that, and files beside it in its folder.

    Attributes:
        source: the artifact that holds the live model, ``source.model``.
        target: the format to make.
        output: the file or folder to write; it does not exist yet.
        signature: ordered inputs and outputs, dtypes, the axes that move with their ranges, the structure of the call.
        example: host arrays by input name, with a batch of at least two where the model batches.
        options: an instance of the route's options class, ``None`` without one.
        device: the device that the user asked for, ``None`` for none in particular.
        threads: compute threads to use, and no more.
        forked: this is a fork of the caller's process, where only the forking thread lives; ``threads`` is 1 there.
        log_dir: a folder for logs that are worth keeping.
        usual_batch: the batch that the dataloader gives most often, for an export that has to fix it; ``None`` without
            one.
    """

    source: Artifact
    target: Format
    output: Path
    signature: Signature
    example: Feeds
    options: Options
    device: str | None = None
    threads: int = 1
    forked: bool = False
    log_dir: Path = Path()
    usual_batch: int | None = None

    def asset(self, name: str) -> Path:
        """Where to write the further file ``name``, which ``Made(assets=(name,))`` declares; its folder is there.

        Raises :class:`InputError` for what cannot be the name of one.
        """
        return place_for_asset(name, self.output)


@attrs.frozen
class ConvertJob(Generic[Options]):
    """Convert the file of ``source`` to ``output``, in a child process. Write only ``output`` and files beside it.

    Attributes:
        source: the artifact to convert, ``source.file``, with what its maker told; it is not yours to change.
        target: the format to make.
        output: the file or folder to write; it does not exist yet.
        signature: how the source is called.
        example: host arrays by the input names of the run's source, with a batch of at least two where it batches.
        options: an instance of the route's options class, ``None`` without one.
        device: the device that the user asked for, ``None`` for none in particular.
        threads: compute threads to use, and no more.
        log_dir: a folder for logs that are worth keeping.
        samples: the user's own inputs, under the names of the run's source: its correctness and conversion samples,
            each as a batch of one. They are read one at a time, and anew whenever they are gone over.
        cache_dir: a folder, not there yet, in which a compiler may keep what it can make again: the steps of this run
            and of later ones share it, and it gets into no package. ``None`` where there is none.
    """

    source: Artifact
    target: Format
    output: Path
    signature: Signature
    example: Feeds
    options: Options
    device: str | None = None
    threads: int = 1
    log_dir: Path = Path()
    samples: Iterable[Feeds] = attrs.field(factory=tuple, eq=False, repr=False)
    cache_dir: Path | None = None

    def asset(self, name: str) -> Path:
        """Where to write the further file ``name``, which ``Made(assets=(name,))`` declares; its folder is there.

        Raises :class:`InputError` for what cannot be the name of one.
        """
        return place_for_asset(name, self.output)


@attrs.frozen
class RunnerJob(Generic[Options]):
    """Load ``artifact`` in ``runtime`` and make it callable.

    Attributes:
        artifact: the file, ``artifact.file``, or the live ``artifact.model``, with what its maker told.
        runtime: the runtime of the route.
        options: an instance of the route's options class, ``None`` without one.
        device: the device that the user asked for, ``None`` for none in particular.
        threads: the number of compute threads to use; ``None`` leaves it to the runtime.
        log_dir: a folder for logs that are worth keeping.
        cache_dir: a folder, not there yet, in which a compiler may keep what it can make again: the steps of this run
            and of later ones share it, and it gets into no package. ``None`` where there is none.
    """

    artifact: Artifact
    runtime: str
    options: Options
    device: str | None = None
    threads: int | None = None
    log_dir: Path = Path()
    cache_dir: Path | None = None

    @property
    def signature(self) -> Signature:
        """What goes in and comes out of the file, as the artifact has it."""
        return self.artifact.signature


@attrs.frozen
class ProfileJob:
    """Measure one window: call ``runner`` on ``feeds`` for ``seconds``, or ``calls`` times, whichever is given.

    The result is the latency of every call in milliseconds, in order, float64, shape ``(calls,)``; never empty, finite,
    none below zero and not all zero.

    Attributes:
        runner: the loaded model, warmed up.
        feeds: host arrays by input name, at one batch size.
        seconds: measure for so long; ``None`` where ``calls`` is given.
        calls: measure so many calls; ``None`` where ``seconds`` is given.
        log_dir: a folder for logs that are worth keeping.
    """

    runner: Runner
    feeds: Feeds
    seconds: float | None = None
    calls: int | None = None
    log_dir: Path = Path()


class Runner:
    """A loaded model: called with ``{name: array}``, returns ``{name: array}``, released on leaving its ``with`` block.

    ``provider`` and ``precision`` are what the runtime really uses, read back from it, not what was asked for;
    ``notes`` are sentences for the user; ``inputs`` are the names that the stored model itself gives its inputs, where
    it knows them, and ``shapes`` the sizes that it fixes, by these names: ``None`` for an axis that may move. An input
    of which it says nothing is left out. ``preparation`` is how many seconds were spent, before the runner was there,
    on what is otherwise a matter of the first call, such as compiling: it counts as part of the cold start.
    Returned arrays are the caller's to keep.
    """

    __slots__ = ("_call", "_close", "inputs", "notes", "precision", "preparation", "provider", "shapes", "threads")

    def __init__(
        self,
        call: Callable[[Feeds], Mapping[str, np.ndarray]],
        *,
        close: Callable[[], None] | None = None,
        provider: str = "",
        precision: str | None = None,
        threads: int | None = None,
        notes: tuple[str, ...] = (),
        inputs: tuple[str, ...] = (),
        shapes: Mapping[str, tuple[int | None, ...]] | None = None,
        preparation: float = 0.0,
    ) -> None:
        self._call = call
        self._close = close
        self.provider = provider
        self.precision = precision
        self.threads = threads
        self.notes = notes
        self.inputs = inputs
        self.shapes = dict(shapes or {})
        self.preparation = preparation

    def __call__(self, feeds: Feeds) -> Mapping[str, np.ndarray]:
        """Call the model once: arrays by input name in, arrays by output name out."""
        return self._call(feeds)

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close, self._close = self._close, None
        self._call = _released
        if close is not None:
            close()


def _released(_feeds: Feeds) -> Mapping[str, np.ndarray]:
    raise RuntimeError("This runner was released when its 'with' block ended; open a new one.")
