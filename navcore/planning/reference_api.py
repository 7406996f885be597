"""The reference API's words for a run, in those of :func:`navcore.run`: one translator for the plugins' ``export``."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import attrs

from navcore.contract import Effort, Format, JitType, Route, TensorRTPrecision, matching, usual_variants
from navcore.errors import OptionError
from navcore.planning.docstrings import explained
from navcore.workspace import Settle, names, or_else, or_none, run_arguments, switch, text, whole

if TYPE_CHECKING:
    from navcore.registry import Registry
    from navcore.workspace import RunArguments

Export = TypeVar("Export", bound=Callable[..., Any])


class SizedDataLoader(Protocol):
    """A dataloader: has a length and can be iterated several times, always in the same order."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


@attrs.frozen
class Word:
    """An argument of the reference API: what it means, and which argument of a run it ``fills``, by name.

    ``settle`` is its type, by default that of the argument. A word that fills none becomes part of ``targets``,
    ``options``, ``runtimes`` or ``git_info``.
    """

    meaning: str
    fills: str = ""
    settle: Settle | None = None


def _model_name(name: str, value: Any) -> str:
    argument = run_arguments()["model_name"]
    settled: str = argument.settle(name, argument.default if value is None else value)
    return settled


_MARK = "max_workspace_size"
"""The option by which a route that builds TensorRT engines is known, whichever plugin brings it."""

_SMALLEST_SEGMENT = 3
_ENGINE_WORDS = ("max_workspace_size", "minimum_segment_size", "precision_mode")
_SAME = (
    "workdir", "override_workdir", "sample_count", "atol", "rtol", "input_names", "output_names", "dynamic_axes",
    "batch_dim", "run_profiling", "profiler_config", "executor", "progress",
)  # fmt: skip
"""The words that a run has too."""

WORDS: Mapping[str, Word] = MappingProxyType(
    {
        **{name: Word(run_arguments()[name].meaning, name) for name in _SAME},
        "model_name": Word(
            "names the workspace, by default ``navigator_model``.",
            "model_name",
            _model_name,
        ),
        "opset": Word(
            "the ONNX opset, by default the newest that the exporter and ONNX Runtime both support.",
            settle=or_none(whole(above=0, example="17")),
        ),
        "target_formats": Word(
            "formats or families, by default those of the reference page; each out of reach is a row with the reason.",
            settle=or_none(names(example="('onnx', 'torchscript')")),
        ),
        "jit_options": Word(
            'limits TorchScript and Torch-TensorRT to ``"script"`` or ``"trace"``.',
            settle=or_none(names(example="('script', 'trace')")),
        ),
        "trt_dynamic_axes": Word("``{input: {axis: (min, opt, max)}}``, by default from the data.", "axis_ranges"),
        "target_precisions": Word(
            "limits the TensorRT variants to these precisions.", settle=or_none(names(example="('fp32', 'fp16')"))
        ),
        "max_workspace_size": Word(
            "bytes that a TensorRT builder may use.", settle=or_none(whole(above=0, example="8 * 1024**3"))
        ),
        "minimum_segment_size": Word(
            "the smallest number of operators that TF-TRT makes an engine of.",
            settle=or_else(lambda: _SMALLEST_SEGMENT, whole(above=0, example=str(_SMALLEST_SEGMENT))),
        ),
        "precision_mode": Word(
            '``"hierarchy"``, ``"single"`` or ``"mixed"``, for the TensorRT routes that take it.',
            settle=or_none(text(example="'hierarchy'")),
        ),
        "target_device": Word("the device to export and run on, by default where the model is.", "device"),
        "disable_git_info": Word("leave repository and commit out of the record.", settle=switch),
        "onnx_runtimes": Word(
            "limits the runtimes of ONNX, by default all that are available.",
            settle=or_none(names(example="('CPUExecutionProvider',)")),
        ),
    }
)  # fmt: skip


def takes_reference_arguments(function: Export) -> Export:
    """Decorate a plugin's ``export``: its docstring then explains every word of its signature.

    ``model`` and ``dataloader`` are explained by its own section ``Args``. Raises :class:`TypeError` for a parameter
    that is no word of the reference API.
    """
    taken = [name for name in inspect.signature(function).parameters if name not in ("model", "dataloader")]
    strangers = [name for name in taken if name not in WORDS]
    if strangers:
        raise TypeError(f"{', '.join(strangers)}: no such argument in the reference API")
    function.__doc__ = explained(function.__doc__, {name: WORDS[name].meaning for name in taken})
    return function


def reference_arguments(
    given: Mapping[str, Any], *, plugin: str, formats: Sequence[Format], source: Format | None = None
) -> RunArguments:
    """The arguments of :func:`navcore.run` for a call in the reference API's words, ``model`` and ``dataloader`` apart.

    ``formats`` are the families that the page exports to when it is not told. ``source`` is the format of the model
    where that is a file of one format, which no option changes. ``plugin`` names the logger that says which options
    have no effect, because no route to a target takes them.

    Raises :class:`OptionError` for a value that its word cannot have, such as a jit type that does not exist.
    """
    from navcore.registry import load_registry

    registry = load_registry()
    said = {name: _settled(name, value) for name, value in given.items() if name not in ("model", "dataloader")}
    arguments = {WORDS[name].fills: value for name, value in said.items() if WORDS[name].fills}
    wanted = said.get("target_formats")
    targets = chosen_targets(
        tuple(str(one) for one in formats) if wanted is None else wanted,
        registry,
        jit_types=said.get("jit_options"),
        precisions=said.get("target_precisions"),
    )
    engines = {name: said.get(name) for name in _ENGINE_WORDS}
    if engines["minimum_segment_size"] == _SMALLEST_SEGMENT:
        engines["minimum_segment_size"] = None
    options = engine_options(registry, engines, targets, plugin=plugin)
    options.update(_opset_option(registry, said.get("opset"), source, plugin))
    runtimes = said.get("onnx_runtimes")
    return cast(
        "RunArguments",
        {
            **arguments,
            "targets": targets,
            "options": options,
            "runtimes": {} if runtimes is None else {Format.ONNX.name: runtimes},
            "git_info": not said.get("disable_git_info", False),
            "effort": Effort.QUICK,  # the page says what it exports to and runs in
            "ranking": False,  # the page measures each model for itself
        },
    )


def _settled(name: str, value: Any) -> Any:
    word = WORDS[name]
    settle = word.settle or run_arguments()[word.fills].settle
    return settle(name, value)


def _opset_option(
    registry: Registry, opset: int | None, source: Format | None, plugin: str
) -> dict[str, dict[str, Any]]:
    """The opset, for the routes that write ONNX; said to have no effect where there are none."""
    writers = [route for route in registry.routes if route.target is not None and route.goal == Format.ONNX]
    if opset is None:
        return {}
    if source == Format.ONNX or not any("opset" in _option_names(route) for route in writers):
        why = "an ONNX file keeps its own" if source == Format.ONNX else "no installed plugin writes ONNX"
        logging.getLogger(plugin).warning("opset=%d has no effect: %s.", opset, why)
        return {}
    return {Format.ONNX.name: {"opset": opset}}


def chosen_targets(
    wanted: Sequence[str],
    registry: Registry,
    *,
    jit_types: Sequence[str] | None = None,
    precisions: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """``wanted`` with families limited to the variants of these jit types, and of these precisions for engines.

    A family that neither concerns stays as it is, and so does a name that no plugin knows, for ``run`` to refuse.
    Without ``precisions`` a family means the variants that are made by default. Raises :class:`OptionError` for a jit
    type or a precision that does not exist.
    """
    engines = {route.goal.name for route in _engine_routes(registry)}
    promised = {format.precision for format in registry.formats if format.name in engines and format.precision}
    _refuse_unknown("jit type", jit_types or (), set(JitType))
    _refuse_unknown("precision", precisions or (), promised.union(TensorRTPrecision))
    kinds = None if jit_types is None else set(jit_types)

    def concerned(candidate: Format) -> bool:
        by_jit = kinds is not None and candidate.jit_type is not None
        return by_jit or (precisions is not None and candidate.name in engines)

    def fits(candidate: Format) -> bool:
        jit = kinds is None or candidate.jit_type is None or candidate.jit_type in kinds
        free = precisions is None or candidate.name not in engines or candidate.precision is None
        return jit and (free or candidate.precision in (precisions or ()))

    chosen: list[str] = []
    for name in wanted:
        found = matching(name, registry.formats)
        if not any(map(concerned, found)):
            chosen.append(name)
            continue
        if precisions is None and all(candidate.name != name for candidate in found):
            found = usual_variants(found, registry.routes)
        chosen += [candidate.name for candidate in found if fits(candidate)]
    return tuple(dict.fromkeys(chosen))


def _refuse_unknown(what: str, given: Sequence[str], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise OptionError(f"{name!r} is not a {what}.", hint=f"Use one of {', '.join(sorted(known))}.")


def engine_options(
    registry: Registry, given: Mapping[str, Any], targets: Sequence[str] | None, *, plugin: str
) -> dict[str, dict[str, Any]]:
    """The options ``given`` for TensorRT (those that are not ``None``), for the routes to ``targets`` that take them.

    ``targets`` are names or families, ``None`` for all there are. ``plugin`` names the logger that says which options
    have no effect, because no route to a target takes them.
    """
    given = {name: value for name, value in given.items() if value is not None}
    options: dict[str, dict[str, Any]] = {}
    for route in _engine_routes(registry):
        if targets is not None and not {route.goal.name, route.goal.family} & set(targets):
            continue
        taken = set(_option_names(route)) & set(given)
        if taken:
            options.setdefault(route.goal.name, {}).update({name: given[name] for name in sorted(taken)})
    unused = set(given) - {name for values in options.values() for name in values}
    if unused:
        logging.getLogger(plugin).warning(
            "%s concerns TensorRT, and no target takes it: it has no effect.", " and ".join(sorted(unused))
        )
    return options


def _engine_routes(registry: Registry) -> list[Route]:
    return [route for route in registry.routes if route.target is not None and _MARK in _option_names(route)]


def _option_names(route: Route) -> tuple[str, ...]:
    return () if route.options is None else tuple(field.name for field in attrs.fields(route.options))
