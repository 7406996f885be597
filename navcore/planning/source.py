"""What the user handed in as the model: its format, and the key under which work on it is remembered."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from navcore.contract import Format, Provided
from navcore.errors import InputError
from navcore.registry import Registry
from navcore.workspace import Settings, digest, digest_of_file, digest_of_state


@attrs.frozen
class Source:
    """A live ``model``, or a file or folder at ``path``."""

    format: Format
    model: Any = attrs.field(default=None, eq=False, repr=False)
    path: Path | None = None

    @property
    def is_live(self) -> bool:
        """Whether the model is an object of the caller's process, and not a file."""
        return self.path is None


def identify(model: Any, registry: Registry) -> Source:
    """Which format the model is of. Raises :class:`InputError` when no installed plugin recognises it."""
    if isinstance(model, str | os.PathLike):
        return _identify_file(Path(model), registry)
    format = registry.live_format(model)
    if format is None:
        known = sorted(kind for form in registry.formats if form.live for kind in form.live.types)
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        hint = f"It has to be one of: {', '.join(known)}." if known else "Install nav-torch or nav-tf."
        hint += _told_problems(registry)
        raise InputError(f"No installed plugin knows models of type {kind}.", hint=hint)
    return Source(format, model=model)


def _identify_file(path: Path, registry: Registry) -> Source:
    if not path.exists():
        raise InputError(f"The model file {path} does not exist.")
    # The longest ending is the most specific: "model.int8.onnx" may be somebody's own format.
    fitting = max(
        ((len(suffix), form) for form in registry.formats for suffix in form.suffixes if path.name.endswith(suffix)),
        key=lambda pair: pair[0],
        default=None,
    )
    looked = next((form for form in registry.formats if form.recognises is not None and form.recognises(path)), None)
    if fitting is None and looked is not None:
        return Source(looked, path=path.absolute())
    if fitting is None:
        known = sorted({suffix for form in registry.formats for suffix in form.suffixes})
        raise InputError(
            f"No installed plugin reads {path.name or str(path)!r} as a model.",
            hint=f"Endings that are known: {', '.join(known) or 'none'}.{_told_problems(registry)}",
        )
    return Source(fitting[1], path=path.absolute())


@contextmanager
def own_data(source: Source, dataloader: Any, settings: Settings) -> Iterator[tuple[Source, Any, Settings]]:
    """Source, dataloader and settings of a run; without a dataloader those that a live model provides itself.

    What the caller set wins over what the model provides; of ``batch_dim`` that is anything but the default.
    """
    live = source.format.live
    if dataloader is not None or live is None or live.provide is None or not source.is_live:
        yield source, dataloader, settings
        return
    with live.provide(source.model) as own:
        if own is None:
            yield source, dataloader, settings
            return
        own = _renamed(own, settings)
        names = ("input_names", "output_names", "dynamic_axes", "axis_ranges")
        given = {name: getattr(own, name) for name in names if getattr(settings, name) is None}
        batch_dim = own.batch_dim if settings.batch_dim == 0 else settings.batch_dim
        yield (
            attrs.evolve(source, model=own.model),
            own.dataloader,
            attrs.evolve(settings, batch_dim=batch_dim, **given),
        )


def _renamed(own: Provided, settings: Settings) -> Provided:
    """What the model provides, with its axes under the names that the caller gives to inputs and outputs."""
    pairs = ((own.input_names, settings.input_names), (own.output_names, settings.output_names))
    names = {old: new for olds, news in pairs for old, new in zip(olds or (), news or (), strict=False)}
    axes = own.dynamic_axes
    return attrs.evolve(own, dynamic_axes=axes and {names.get(name, name): axes[name] for name in axes})


def _told_problems(registry: Registry) -> str:
    """Plugins that are installed and cannot be used: one of them may have known the model."""
    told = [f"{plugin.name!r} ({plugin.problem})" for plugin in registry.plugins if plugin.problem]
    return f" Not usable here: {'; '.join(told)}." if told else ""


def key_of(source: Source, samples_digest: str) -> str:
    """The source's key: its weights (or its bytes) and what it returns on the samples."""
    if source.path is not None:
        files = source.format.files(source.path) if source.format.files else (source.path,)
        return digest("file", source.format.name, [digest_of_file(file) for file in files], samples_digest)
    assert source.format.live is not None
    kind = f"{type(source.model).__module__}.{type(source.model).__qualname__}"
    return digest(
        "live", source.format.name, kind, digest_of_state(source.format.live.state(source.model)), samples_digest
    )
