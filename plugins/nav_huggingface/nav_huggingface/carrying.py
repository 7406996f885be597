"""Tokenizer's and processor's files, beside every file that is made of a model: written by wrappers of two hooks.

A model that :func:`nav_huggingface.export` runs carries the files as bytes, so that they get to the process in which
it is exported, whichever that is. What is made of a file carries on those that lie beside it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

import navcore
from navcore import ConvertJob, ExportJob, Made

if TYPE_CHECKING:
    from nav_huggingface.sources import Named

FOLDER = "huggingface"
"""Where the files lie among the assets of a format."""

NOTE = f"{FOLDER}/navcore.json"
"""What this plugin itself notes beside them: the task and the class of the source, and whether it has its cache."""

GENERATION = f"{FOLDER}/generation_config.json"
"""How the source generates, as transformers has it."""

ENCODER = f"{FOLDER}/encoder.nav"
"""The package of the encoder, beside a decoder that reads what it returns."""

_CARRIED = "_nav_huggingface_files"
_DIGEST = "_nav_huggingface_digest"


@attrs.frozen
class Carried:
    """Files by their asset's name: their content, or for a large one the path where it lies meanwhile.

    ``stamp`` tells apart what the digest does not read.
    """

    files: Mapping[str, bytes | Path] = attrs.field(repr=False)
    stamp: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 over names and bytes, and the stamp in place of those of files that lie somewhere."""
        found = hashlib.sha256(self.stamp.encode())
        for name, content in sorted(self.files.items()):
            known = content if isinstance(content, bytes) else b""
            found.update(f"{name}\0{len(known)}\0".encode())
            found.update(known)
        return found.hexdigest()

    def with_package(self, name: str, path: Path, formats: Iterable[str]) -> Carried:
        """The same with a package that was made of the same model; no two saved ones have the same bytes.

        ``formats`` are those that are ok in it, by which it is told apart from another.
        """
        return Carried({**self.files, name: path}, f"{name}: {', '.join(formats)}")


def files_of(named: Named) -> Carried:
    """The model's configuration and its processor's files, as their own ``save_pretrained`` writes them, and a note."""
    files: dict[str, bytes | Path] = {NOTE: _note(named)}
    config: Any = getattr(named.model, "config", None)
    with tempfile.TemporaryDirectory() as folder:
        for part in (config, named.processor):
            if hasattr(part, "save_pretrained"):
                part.save_pretrained(folder)
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                files[f"{FOLDER}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()
    return Carried(files)


def as_generating(files: Carried, named: Named) -> Carried:
    """The same files, with how the source generates, and a note that the model is exported with its cache."""
    # Not by save_pretrained, which refuses settings of older models that generation itself takes.
    settings = named.model.generation_config.to_json_string().encode()
    return attrs.evolve(files, files={**files.files, NOTE: _note(named, generates=True), GENERATION: settings})


def _note(named: Named, **more: bool) -> bytes:
    return json.dumps({"task": named.task.name, "model": type(named.model).__name__, **more}, sort_keys=True).encode()


@contextlib.contextmanager
def carried_by(model: Any, files: Carried) -> Iterator[None]:
    """For the time of the block the model carries the files.

    The digest is a plain attribute of the module, which is part of what is remembered of a model: with another
    tokenizer its exports are made again.
    """
    setattr(model, _CARRIED, files)
    setattr(model, _DIGEST, files.digest)
    try:
        yield
    finally:
        delattr(model, _CARRIED)
        delattr(model, _DIGEST)


@navcore.hookimpl(wrapper=True)
def export_model(job: ExportJob[Any]) -> Generator[None, Any, Any]:
    """Write what the model carries beside the file that was made of it."""
    answer = yield
    carried = getattr(job.source.model, _CARRIED, None)
    return _with_files(answer, job, carried.files if isinstance(carried, Carried) else {})


@navcore.hookimpl(wrapper=True)
def convert(job: ConvertJob[Any]) -> Generator[None, Any, Any]:
    """Carry on the files that lie beside the file that was converted."""
    answer = yield
    ours = {name: path for name, path in job.source.assets.items() if name.startswith(f"{FOLDER}/")}
    return _with_files(answer, job, ours)


def _with_files(answer: Any, job: ExportJob[Any] | ConvertJob[Any], files: Mapping[str, bytes | Path]) -> Any:
    made = Made() if answer is None else answer
    if not files or not isinstance(made, Made):
        return answer
    for name, content in files.items():
        if isinstance(content, bytes):
            job.asset(name).write_bytes(content)
        else:
            shutil.copyfile(content, job.asset(name))
    return attrs.evolve(made, assets=(*made.assets, *(name for name in files if name not in made.assets)))
