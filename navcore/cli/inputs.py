"""From the words MODEL and ``--data`` to a model and a dataloader."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from navcore.errors import DataloaderError, InputError, OptionError, SourceError

if TYPE_CHECKING:
    import numpy as np


def model_from(text: str) -> Any:
    """A model file's path or a format's name as it is; for ``module:callable`` what the callable returns.

    A ``module:name`` that already is a live model of an installed framework is taken itself.
    """
    if not _names_an_object(text):
        return text
    from navcore.registry import load_registry

    found = _imported(text, "MODEL")
    if load_registry().live_format(found) is not None:
        return found
    return _called(found, text, "MODEL", SourceError)


def data_from(text: str) -> Any:
    """The dataloader that ``--data`` means: ``module:callable``, an npz file, or a folder of them.

    A ``module:name`` that can be iterated is taken itself, anything else is called without arguments.
    """
    if _names_an_object(text):
        found = _imported(text, "--data")
        return found if hasattr(found, "__iter__") else _called(found, text, "--data", DataloaderError)
    path = Path(text)
    if path.is_dir():
        return ArrayFolder(path)
    if path.is_file() and path.suffix == ".npz":
        return ArrayRows(path, _arrays(path))
    raise OptionError(
        f"--data {text} is neither module:callable, nor an npz file, nor a folder of npz files.",
        hint="Check the spelling; paths are relative to the current folder.",
    )


@attrs.frozen(eq=False)
class ArrayFolder:
    """A dataloader over a folder: each ``*.npz`` in it is one item, in the order of the names (``2`` before ``10``).

    The arrays of a file are one call of the model, named like its inputs, and include the batch axis.
    """

    folder: Path

    def __len__(self) -> int:
        return len(self._files())

    def __iter__(self) -> Iterator[Mapping[str, np.ndarray]]:
        for path in self._files():
            yield _arrays(path)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.npz"), key=lambda path: (len(path.stem), path.stem))


@attrs.frozen(eq=False)
class ArrayRows:
    """A dataloader over one npz file: item ``i`` is row ``i`` of every array, as a batch of one.

    Arrays are named like the model's inputs, are all of the same length ``n``, and give ``n`` items
    ``{name: array[i : i + 1]}``. Raises :class:`DataloaderError` when their lengths differ or there is no array.
    """

    path: Path
    arrays: Mapping[str, np.ndarray] = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        lengths = {name: len(array) if array.ndim else None for name, array in self.arrays.items()}
        if not lengths or None in lengths.values() or len(set(lengths.values())) > 1:
            told = ", ".join(f"{name}: {length}" for name, length in lengths.items()) or "no array"
            raise DataloaderError(
                f"{self.path} cannot be split into samples, because its arrays need one common length ({told}).",
                hint="Put one npz file per sample into a folder instead.",
            )

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __iter__(self) -> Iterator[Mapping[str, np.ndarray]]:
        for row in range(len(self)):
            yield {name: array[row : row + 1] for name, array in self.arrays.items()}


def _names_an_object(text: str) -> bool:
    return ":" in text and not os.path.exists(text)


def _imported(text: str, what: str) -> Any:
    """The object at ``module:name``; modules of the current folder can be imported."""
    module_name, _, name = text.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name in (module_name, module_name.split(".")[0])
        kind = OptionError if missing else InputError
        hint = f"The current folder is {os.getcwd()}." if missing else "--debug shows where."
        said = "there is no such module" if missing else f"{type(error).__name__}: {error}"
        raise kind(f"{what} {text}: {module_name} cannot be imported: {said}.", hint=hint) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise OptionError(f"{what} {text}: {module_name} has nothing called {name!r}.")
        found = getattr(found, part)
    return found


def _called(found: Any, text: str, what: str, kind: type[InputError]) -> Any:
    if not callable(found):
        raise OptionError(f"{what} {text} is a {type(found).__name__}, which cannot be called.")
    try:
        return found()
    except Exception as error:
        raise kind(
            f"{what} {text} raised {type(error).__name__}: {error}.", hint="It is called without arguments."
        ) from error


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file. Nothing in it is unpickled: it may be a stranger's."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, AttributeError) as error:
        raise DataloaderError(f"{path} cannot be read as an npz file: {error}.") from error
