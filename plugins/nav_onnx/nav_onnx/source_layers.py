"""What the modules of a live source return on the samples, by hooks: put into files a few modules at a time.

Only methods that every module of PyTorch has are called, so that nothing of it is imported here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from nav_onnx.layer_values import portions
from navcore import Artifact, Feeds, InputError, PackageIncomplete, Registry, Signature, open_artifact

Array = np.ndarray[Any, Any]


@attrs.frozen(eq=False)
class LiveLayers:
    """A live model whose modules can be watched. ``call`` runs it, ``to_array`` makes arrays of its tensors."""

    model: Any
    call: Callable[[Feeds], Any]
    to_array: Callable[[Any], Array | None]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all modules, that of the model itself left out."""
        return tuple(name for name, _ in self.model.named_modules() if name)

    def sizes(self, names: Sequence[str], samples: Sequence[Feeds]) -> Mapping[str, int]:
        """At most how many numbers each module returns; none for one that is not called exactly once each time."""
        found: dict[str, int] = dict.fromkeys(names, 0)
        for feeds in samples:
            calls: dict[str, list[int]] = {name: [] for name in names}

            def count(name: str, array: Array, calls: Mapping[str, list[int]] = calls) -> None:
                calls[name].append(array.size)

            with self._watched(names, count):
                self.call(feeds)
            for name, sizes in calls.items():
                if name in found and len(sizes) == 1:
                    found[name] = max(found[name], sizes[0])
                else:
                    found.pop(name, None)
        return found

    def stored(self, names: Sequence[str], samples: Sequence[Feeds], folder: Path) -> Iterator[Path]:
        """A file per sample with what these modules return, in their order."""
        for number, feeds in enumerate(samples):
            seen: dict[str, Array] = {}
            with self._watched(names, seen.__setitem__):
                self.call(feeds)
            path = folder / f"expected-{number}.npz"
            np.savez(path, *(seen[name] for name in names))
            yield path

    @contextlib.contextmanager
    def _watched(self, names: Sequence[str], see: Callable[[str, Array], object]) -> Iterator[None]:
        modules = dict(self.model.named_modules())
        with contextlib.ExitStack() as hooks:
            for name in names:
                handle = modules[name].register_forward_hook(self._hook(name, see))
                hooks.callback(handle.remove)
            yield

    def _hook(self, name: str, see: Callable[[str, Array], object]) -> Callable[..., None]:
        def look(_module: object, _inputs: object, output: Any) -> None:
            array = self.to_array(output)
            if array is not None:
                see(name, _plain(array))

        return look


def _plain(array: Array) -> Array:
    """A copy in a type that any numpy reads: 16-bit floats of other kinds as float32."""
    return array.astype(np.float32) if array.dtype.isbuiltin != 1 else array.copy()


@contextlib.contextmanager
def watching(source: Any, signature: Signature, registry: Registry, folder: Path) -> Iterator[LiveLayers]:
    """The live model, ready to be run here. Raises :class:`InputError` for one that has no modules to watch."""
    form = registry.live_format(source)
    if form is None or form.live is None or not hasattr(source, "named_modules"):
        raise InputError(
            f"source={type(source).__name__} has no modules that could be watched.", hint="Give the torch.nn.Module."
        )
    runner = open_artifact(registry, Artifact(form, signature, model=source, calling="structure"), log_dir=folder)
    if runner is None:
        raise PackageIncomplete(f"Nothing installed here runs {form.name}.", hint="Install the plugin that made it.")

    def call(feeds: Feeds) -> Any:
        try:
            return runner(feeds)
        except Exception as error:
            raise InputError(
                f"source={type(source).__name__} fails on the package's samples: {type(error).__name__}: {error}",
                hint="Give the model that the package was made of.",
            ) from error

    with runner:
        yield LiveLayers(source, call, form.live.to_array)


def stored_portions(
    live: LiveLayers, names: Sequence[str], samples: Sequence[Feeds], folder: Path
) -> Iterator[tuple[list[str], list[Path]]]:
    """The modules that can be compared, a few at a time, each time with a file per sample; the files are of now."""
    sizes = live.sizes(names, samples)
    for part in portions([name for name in names if sizes.get(name)], sizes):
        files = list(live.stored(part, samples, folder))
        yield part, files
        for file in files:
            file.unlink()
