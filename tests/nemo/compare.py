"""Small models of NeMo's, exported by NeMo's own mix-in and by nav_torch's: a table of which files are right.

It runs where NeMo is installed; `nox --session nemo` makes such an environment. Arguments name some of the models of
models.py, and `--table FILE` writes the table as Markdown. A file is right when ONNX Runtime, or PyTorch for ``.pt2``,
returns what the module returns: on the module's own example and on one of another size. Nothing of nav_torch takes part
in judging. The exit status is 1 when NeMo writes a right ONNX file of a model, and nav_torch does not.
"""

from __future__ import annotations

import argparse
import importlib.machinery
import importlib.metadata
import inspect
import logging
import multiprocessing
import os
import platform
import sys
import tempfile
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from models import MODELS  # type: ignore[import-not-found]

SECONDS = 300
TOLERANCE = 1e-3
"""|file − module| ≤ TOLERANCE · (1 + |module|)"""
VERSIONS = ("nemo_toolkit", "torch", "onnx", "onnxruntime", "nav-torch")
RIGHT, WRONG, FROZEN, REFUSING = "ok", "wrong", "wrong at another size", "refuses another size"


def without_wandb() -> None:
    """A stand-in for Weights & Biases, which NeMo's models of speech synthesis import and no export uses."""
    stub = types.ModuleType("wandb")
    stub.__spec__ = importlib.machinery.ModuleSpec("wandb", None)
    sys.modules.setdefault("wandb", stub)


def by_nemo(model: Any, path: Path) -> Mapping[str, Path]:
    """What NeMo's own mix-in writes: part → file."""
    from nemo.core.classes.exportable import Exportable

    files, _ = Exportable.export(model, str(path))
    return dict(zip(model.list_export_subnets(), map(Path, files), strict=True))


def by_nav(model: Any, path: Path) -> Mapping[str, Path]:
    """What nav_torch writes, for a model that knows nothing of it."""
    from nav_torch import Exportable

    files, _ = Exportable.export(model, path)
    return dict(zip(model.list_export_subnets(), map(Path, files), strict=True))


COLUMNS: Mapping[str, tuple[str, Callable[[Any, Path], Mapping[str, Path]]]] = {
    "NeMo .onnx": ("model.onnx", by_nemo),
    "nav_torch .onnx": ("model.onnx", by_nav),
    "nav_torch .pt2": ("model.pt2", by_nav),
}


def tensors_of(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in a nested value, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from tensors_of(one)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for one in value:
            yield from tensors_of(one)


def examples_of(part: Any) -> Iterator[tuple[str, Any]]:
    """The module's own example, and examples of other sizes, the most telling first."""
    module = part.input_module
    yield "", module.input_example()
    parameters = inspect.signature(module.input_example).parameters
    if "max_batch" not in parameters:
        return
    batch, length = 3, parameters["max_dim"].default
    other = 5 if length < 5 else length * 3 // 4
    for sizes in ({"max_batch": batch, "max_dim": other}, {"max_batch": 1, "max_dim": other}, {"max_batch": batch}):
        yield str(sizes), as_one_batch(part, module.input_example(**sizes))


def as_one_batch(part: Any, example: Any) -> Any:
    """NeMo's decoder and joint network in one give the encoder's output a batch of one, whatever is asked for."""
    if type(part).__name__ != "RNNTDecoderJoint":
        return example
    encoded, targets, *rest = example
    return (encoded[:1].repeat(len(targets), 1, 1), targets, *rest)


def called(part: Any, example: Any) -> tuple[list[tuple[str, torch.Tensor]], list[np.ndarray]]:
    """The inputs with the names of their parameters, and what the exported method returns for them."""
    from lightning.pytorch.core.module import _jit_is_scripting
    from nemo.core.classes.common import typecheck

    *args, last = example
    args, kwargs = (args, last) if isinstance(last, Mapping) else ([*args, last], {})
    method = getattr(part, "forward_for_export", part.forward)
    bound = inspect.signature(method).bind(*args, **kwargs)
    named: list[tuple[str, torch.Tensor]] = []
    for name, value in bound.arguments.items():
        found = list(tensors_of(value))
        titles = [name] if isinstance(value, torch.Tensor) else [f"{name}_{n}" for n in range(1, len(found) + 1)]
        named += zip(titles, found, strict=True)
    typecheck.set_typecheck_enabled(enabled=False)
    try:
        with torch.no_grad(), _jit_is_scripting():
            result = method(*args, **kwargs)
    finally:
        typecheck.set_typecheck_enabled(enabled=True)
    return named, [one.numpy() for one in tensors_of(result)]


def declared_inputs(part: Any) -> list[str]:
    """The names that the types of a module declare, without the disabled ones; they may differ from its parameters'."""
    types = part.input_module.input_types_for_export or {}
    return [name for name in types if name not in part.disabled_deployment_input_names]


def answered(part: Any, path: Path, inputs: Sequence[tuple[str, torch.Tensor]]) -> Mapping[str, np.ndarray]:
    """What a file returns, by name of the output; an exported program's are numbered."""
    kept = [pair for pair in inputs if pair[0] not in part.disabled_deployment_input_names]
    if path.suffix == ".pt2":
        module = torch.export.load(path).module()
        with torch.no_grad():
            return {str(place): one.numpy() for place, one in enumerate(tensors_of(module(*(one for _, one in kept))))}
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    settings.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    wanted = [one.name for one in session.get_inputs()]
    declared = [(name, one) for name, (_, one) in zip(declared_inputs(part), kept, strict=False)]
    for pairs in (inputs, declared):
        if set(wanted) <= {name for name, _ in pairs}:
            feeds = {name: one.detach().numpy() for name, one in pairs if name in wanted}
            break
    else:  # names that the exporter made up
        feeds = {name: one.detach().numpy() for name, (_, one) in zip(wanted, kept, strict=True)}
    return dict(zip([one.name for one in session.get_outputs()], session.run(None, feeds), strict=True))


def difference(part: Any, path: Path, example: Any) -> str:
    """In what a file differs from its module, in a few words; nothing where it does not."""
    inputs, expected = called(part, example)
    found = answered(part, path, inputs)
    whole = dict(enumerate(expected))
    if len(found) < len(expected):  # disabled outputs are not in the file
        declared = list(part.output_module.output_types)
        whole = {place: whole[declared.index(name)] for place, name in enumerate(found)}
    if len(found) != len(whole):
        return f"{len(found)} outputs instead of {len(whole)}"
    for (name, one), other in zip(found.items(), whole.values(), strict=True):
        if one.shape != other.shape:
            return f"{name} is {list(one.shape)} instead of {list(other.shape)}"
        off = np.abs(one.astype(np.float64) - other) / (1 + np.abs(other))
        if off.size and not off.max() <= TOLERANCE:
            return f"{name} is off by {off.max():.2g}"
    return ""


def judged(part: Any, path: Path) -> str:
    """``ok``, or what is wrong with the file of one part."""
    moved = False
    for sizes, example in examples_of(part):
        if sizes:
            if moved:
                break
            try:
                called(part, example)
            except Exception:
                continue  # the module itself takes no such sizes
            moved = True
        try:
            problem, verdict = difference(part, path, example), FROZEN if sizes else WRONG
        except Exception as error:
            problem, verdict = first_line(error), REFUSING if sizes else WRONG
        if problem:
            return f"{verdict}: {problem}"
    return RIGHT if moved else f"{RIGHT} (takes one size only)"


def first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:300]}"


def cell(name: str, column: str) -> str:
    """One model by one exporter."""
    file, export = COLUMNS[column]
    torch.manual_seed(0)
    model = MODELS[name]()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            files = export(model, Path(folder, file))
        except Exception as error:
            if os.environ.get("NEMO_TRACEBACK"):
                raise
            return f"fails: {first_line(error)}"
        model.eval()
        told = {}
        for part, path in files.items():
            told[part] = judged(model.get_export_subnet(part).eval(), path)
    if len(set(told.values())) == 1:
        return told.popitem()[1]
    return "; ".join(f"{part}: {verdict}" for part, verdict in told.items())


def contained(name: str, column: str) -> str:
    """The same in a process of its own, which may crash or hang."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sending.send(cell(name, column)))
    child.start()
    sending.close()
    try:
        answer = receiving.recv() if receiving.poll(SECONDS) else f"fails: no answer in {SECONDS} s"
    except EOFError:
        answer = "fails: the process died"
    child.kill()
    child.join()
    return str(answer)


def table(rows: Mapping[str, Mapping[str, str]]) -> str:
    """The rows as Markdown, with what they were made with."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in VERSIONS)
    lines = [f"Python {platform.python_version()}, {versions}; {os.cpu_count()} cores, "
             f"{'a GPU' if torch.cuda.is_available() else 'no GPU'}.", "", f"| Model | {' | '.join(COLUMNS)} |",
             "|---" * (len(COLUMNS) + 1) + "|"]  # fmt: skip
    lines += [f"| {name} | {' | '.join(row[column].replace('|', '∣') for column in COLUMNS)} |"
              for name, row in rows.items()]  # fmt: skip
    right = {column: sum(row[column].startswith(RIGHT) for row in rows.values()) for column in COLUMNS}
    return "\n".join([*lines, f"| **right, of {len(rows)}** | {' | '.join(map(str, right.values()))} |", ""])


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("models", nargs="*", metavar="MODEL", help=f"all without any: {', '.join(MODELS)}")
    reader.add_argument("--column", action="append", choices=list(COLUMNS), help="one exporter only, may be repeated")
    reader.add_argument("--table", type=Path, help="write the table to this file")
    arguments = reader.parse_args()
    unknown = [name for name in arguments.models if name not in MODELS]
    if unknown:
        reader.error(f"there is no model {', '.join(unknown)}; there are: {', '.join(MODELS)}")
    without_wandb()
    torch.set_num_threads(1)
    import nemo.collections.asr
    import nemo.collections.tts.models  # noqa: F401
    from nemo.utils import logging as nemo_logging

    nemo_logging.setLevel(logging.CRITICAL)
    rows: dict[str, dict[str, str]] = {}
    for name in arguments.models or MODELS:
        rows[name] = {}
        for column in arguments.column or COLUMNS:
            rows[name][column] = contained(name, column)
            print(f"{name:32} {column:26} {rows[name][column]}", flush=True)
    if not arguments.column:
        print(f"\n{table(rows)}")
        if arguments.table:
            arguments.table.write_text(table(rows))
    behind = [name for name, row in rows.items()
              if row.get("NeMo .onnx", "").startswith(RIGHT) and not row.get("nav_torch .onnx", RIGHT).startswith(RIGHT)
              ]  # fmt: skip
    if behind:
        print(f"NeMo exports and nav_torch does not: {', '.join(behind)}", file=sys.stderr)
    return 1 if behind else 0


if __name__ == "__main__":
    sys.exit(main())
