"""What a package carries beside its models: configuration and processor, loaded from its assets; no hub is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from nav_huggingface.carrying import FOLDER, NOTE
from nav_huggingface.sources import processor_at
from navcore import InputError, PackageIncomplete, TrustRequired, UnknownFormat
from navcore.errors import first_line

if TYPE_CHECKING:
    from navcore import PackageDescriptor

_LONGEST_WORD = 200

_PARTS = ("layer", "block", "expert", "depth", "num_labels")
_MOST_PARTS = 10_000
"""Of what a configuration counts and transformers makes one by one."""


@attrs.frozen
class Belongings:
    """The configuration and the processor of the source, its task, and the name of its class.

    ``generates`` says that it was exported with its cache, ``files`` where everything lies, by the assets' names.
    """

    config: Any = attrs.field(repr=False)
    processor: Any = attrs.field(repr=False)
    task: str
    model_class: str
    generates: bool = False
    files: Mapping[str, Path] = attrs.field(factory=dict, repr=False)


def belongings_of(
    package: PackageDescriptor, format: str, *, trust: bool = False, processor: bool = True
) -> Belongings:
    """What lies beside ``format``, or, where that was made without this plugin, beside another format of the package.

    Without ``processor`` none is loaded.

    Raises:
        PackageIncomplete: there is no configuration or no processor.
        TrustRequired: without ``trust``, what lies there has code of its own, or reads files that are not its own.
        InputError: it cannot be loaded.
    """
    import transformers

    files = _files(package, format)
    folder = files[NOTE].parent
    if not trust:
        refuse_code(files)
    task, model_class, generates = _note(files[NOTE])
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": trust}
    if f"{FOLDER}/config.json" not in files:
        raise PackageIncomplete(
            "The package carries no configuration of transformers, as its source had none.",
            hint="package.open_runner calls the model itself.",
        )
    refuse_giant(files[f"{FOLDER}/config.json"])
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **options)
    except Exception as error:  # whatever a stranger's file can bring about
        raise InputError(f"The package's configuration cannot be loaded: {first_line(error)}") from error
    if not processor:
        return Belongings(config, None, task, model_class, generates, files)
    loaded, problem = processor_at(str(folder), options)
    if loaded is None:
        raise PackageIncomplete(
            f"The package carries no tokenizer or processor that can be loaded ({problem}).",
            hint="Export the model with processor=.",
        )
    return Belongings(config, loaded, task, model_class, generates, files)


def _files(package: PackageDescriptor, format: str) -> dict[str, Path]:
    others = [row.format.name for row in package.results if not row.live and row.status == "ok"]
    for name in dict.fromkeys((format, *others)):
        try:
            files = package.get_assets(name)
        except (PackageIncomplete, UnknownFormat):
            continue
        if NOTE in files:
            return files
    raise PackageIncomplete(
        "The package carries no tokenizer or processor.",
        hint="nav.huggingface.export makes packages that do; package.open_runner works without.",
    )


def _note(path: Path) -> tuple[str, str, bool]:
    """The task and the class that the exporting side noted, and whether with the cache; the first two are words."""
    try:
        told = json.loads(path.read_text())
        task, kind, generates = told["task"], told["model"], told.get("generates", False)
        if not (isinstance(task, str) and isinstance(kind, str)) or max(len(task), len(kind)) > _LONGEST_WORD:
            raise ValueError("task and model have to be words")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"The package's note {NOTE} cannot be read: {first_line(error)}") from error
    return task, kind, generates is True


def refuse_code(files: Mapping[str, Path]) -> None:
    """Refuse files that transformers would run, and settings that name code, or files that lie elsewhere.

    Raises :class:`TrustRequired`, naming the file.
    """
    for name, path in files.items():
        if path.suffix == ".py":
            raise _untrusted(f"It carries code: {name}.")
        if path.suffix != ".json" or path.name == "tokenizer.json":
            continue
        try:
            settings = json.loads(path.read_text())
        except ValueError:
            continue  # whoever loads it says so
        for key, value in _entries(settings):
            if key == "auto_map" and value:
                raise _untrusted(f"Its {name} asks for code of its own (auto_map).")
            if key.endswith("_file") and isinstance(value, str) and ("/" in value or "\\" in value):
                raise _untrusted(f"Its {name} reads a file that is not of the package ({key}).")


def refuse_giant(path: Path) -> None:
    """Refuse a configuration of so many parts that making them would not end; raises :class:`InputError`."""
    try:
        settings = json.loads(path.read_text())
    except ValueError:
        return  # whoever loads it says so
    for key, value in _entries(settings):
        if isinstance(value, int | float) and value > _MOST_PARTS and any(word in key for word in _PARTS):
            raise InputError(f"The package's configuration has {key} = {value}, more than any model has.")


def _entries(settings: Any) -> list[tuple[str, Any]]:
    """Every key with its value, however deep."""
    if isinstance(settings, dict):
        return [pair for key, value in settings.items() for pair in ((key, value), *_entries(value))]
    if isinstance(settings, list):
        return [pair for value in settings for pair in _entries(value)]
    return []


def _untrusted(what: str) -> TrustRequired:
    return TrustRequired(
        f"The package's tokenizer or processor is not loaded without trust. {what}",
        hint="nav.huggingface.pipeline(package, trust=True) runs it, if you trust whoever made the package.",
    )
