"""A model that is exported part by part: which parts, a file for each, and the chain that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from nav_torch.exportable.axes import resized, sizes_of
from nav_torch.exportable.case import Case
from nav_torch.exportable.hooks import blaming, class_name, has_hook, read_hook, read_names, told_kind
from nav_torch.exportable.preparing import nemo_lenient
from nav_torch.exportable.result import ExportResult
from nav_torch.exportable.verifying import called, opened, plain_types, refusal
from navcore import Artifact, Comparison, Feeds, InputError, NavcoreError, Status, verify

if TYPE_CHECKING:
    import numpy as np

WHOLE = "self"
_LINKS = "export_subnet_links"
_HINT = "It has to map a part to {input: 'earlier part.output'}."


@attrs.frozen(eq=False)
class Exported:
    """One module that was exported: what was understood of it, its file before it is placed, and what to tell."""

    case: Case
    artifact: Artifact
    result: ExportResult


def parts_of(model: Any) -> tuple[str, ...]:
    """The names that ``list_export_subnets`` gives, the whole by default. Raises :class:`InputError` for none."""
    names = read_names(model, "list_export_subnets", WHOLE)
    if not names or len(set(names)) < len(names):
        raise InputError(
            f"{class_name(model)}.list_export_subnets gives {list(names or ())}.",
            hint="Name every part to export once.",
        )
    return names


def part_named(model: Any, name: str) -> Any:
    """The part of that name, by ``get_export_subnet`` or the attribute. Raises :class:`InputError` for no module."""
    import torch

    if has_hook(model, "get_export_subnet"):
        with blaming(model, "get_export_subnet"):
            part = model.get_export_subnet(name)
    else:
        part = model if name == WHOLE else read_hook(model, name)
    if not isinstance(part, torch.nn.Module):
        raise InputError(
            f"{class_name(model)} has {told_kind(part)} as its part {name!r}.",
            hint="Every name of list_export_subnets has to be a module.",
        )
    return part


def part_path(path: Path, name: str) -> Path:
    """The file of a part: ``encoder-NAME.onnx`` beside ``NAME.onnx``."""
    return path if name == WHOLE else path.with_name(f"{name}-{path.name}")


def joined(done: Mapping[str, Exported], notes: tuple[str, ...]) -> ExportResult:
    """One result of all parts, an entry each."""
    results = {name: one.result for name, one in done.items()}
    last = list(results.values())[-1]
    return ExportResult(
        [file for one in results.values() for file in one.files],
        [told for one in results.values() for told in one.descriptions],
        exporter=", ".join(dict.fromkeys(one.exporter for one in results.values())),
        input_names=next(iter(results.values())).input_names,
        output_names=last.output_names,
        notes=(*(f"{name}: {note}" for name, one in results.items() for note in one.notes), *notes),
        verification=None if any(one.verification is None for one in results.values()) else last.verification,
        parts=results,
    )


def _links(model: Any, done: Mapping[str, Exported]) -> dict[str, dict[str, tuple[str, str]]]:
    """By part and input, the earlier part and its output that feed it: as the model says, or by their names.

    ``outputs`` of ``encoder`` feeds an input ``encoder_outputs``, as in NeMo's transducers, or one called ``outputs``.
    """
    given = read_hook(model, _LINKS, None) or {}
    where = f"{class_name(model)}.{_LINKS}"
    if not isinstance(given, Mapping) or not all(isinstance(one, Mapping) for one in given.values()):
        raise InputError(f"{where} is {told_kind(given)}.", hint=_HINT)
    names = list(done)
    links: dict[str, dict[str, tuple[str, str]]] = {}
    for number, part in enumerate(names):
        offered = {title: (earlier, output) for earlier in names[:number]
                   for output in done[earlier].case.signature.output_names
                   for title in (output, f"{earlier}_{output}")}  # fmt: skip
        inputs = done[part].case.signature.input_names
        links[part] = {name: offered[name] for name in inputs if name in offered}
        for name, told in given.get(part, {}).items():
            earlier, _, output = str(told).partition(".")
            if name not in inputs or (earlier, output) not in offered.values():
                raise InputError(
                    f"{where} feeds {name!r} of {part!r} with {told!r}, and there is no such pair.", hint=_HINT
                )
            links[part][name] = (earlier, output)
    return links


def compare_chain(model: Any, done: Mapping[str, Exported], tolerance: float) -> tuple[str, ...]:
    """Run the files one after the other, each fed with what those before it returned, and compare with the modules.

    Returns notes. Raises :class:`CheckFailed` when a file of the chain returns something else than its module.
    """
    links = _links(model, done)
    if not any(links.values()):
        return (f"{' → '.join(done)} was not checked as a chain: no input is called like an output of an earlier part, "
                f"and {class_name(model)} has no {_LINKS}.",)  # fmt: skip
    try:
        with nemo_lenient():
            wanted = _run(done, links, lambda part, feeds: done[part].case.returned(feeds))
    except NavcoreError as error:
        return (f"{' → '.join(done)} was not checked as a chain: {error.what}",)
    with ExitStack() as stack:
        runners = {}
        for part, one in done.items():
            runner = opened(one.case, one.artifact)
            if runner is None:
                return ()
            runners[part] = called(stack.enter_context(runner), one.artifact)
        with plain_types(next(iter(done.values())).case):
            found = _run(done, links, lambda part, feeds: runners[part](feeds))
    for part, one in done.items():
        comparison = Comparison(f"the chain {' → '.join(done)}, at {part}", {}, wanted[part])
        verdict = verify(partial(_answer, found[part]), [comparison], signature=one.case.signature, close=tolerance)
        if verdict.status != Status.OK:
            raise refusal(one.case, verdict, tolerance)
    return ()


def _answer(outputs: Mapping[str, np.ndarray], _feeds: Feeds) -> Mapping[str, np.ndarray]:
    return outputs


def _run(
    done: Mapping[str, Exported],
    links: Mapping[str, Mapping[str, tuple[str, str]]],
    call: Callable[[str, Feeds], Mapping[str, np.ndarray]],
) -> dict[str, Mapping[str, np.ndarray]]:
    """What every part returns; an input that nothing feeds is its example's, at the sizes of those that are fed."""
    returned: dict[str, Mapping[str, np.ndarray]] = {}
    for part, one in done.items():
        fed = {name: returned[earlier][output] for name, (earlier, output) in links[part].items()}
        inputs = one.case.signature.inputs
        sizes = sizes_of([spec for spec in inputs if spec.name in fed], fed)
        returned[part] = call(part, {**resized(inputs, one.case.example, sizes), **fed})
    return returned
