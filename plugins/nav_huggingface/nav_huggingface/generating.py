"""Export of a model that generates, with its cache: the runs of navcore that it takes, in one package."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import navcore
from nav_huggingface.caches import CROSS, LENGTH_AXIS, PAST
from nav_huggingface.carrying import ENCODER, Carried, carried_by
from nav_huggingface.continuations import Answers, Prompts, Sources, why_no_cache
from nav_huggingface.graphs import CAUSAL_TOKENS, DECODER_TOKENS, MASK, causal_graph, decoder_graph, encoder_graph
from navcore import OptionError

if TYPE_CHECKING:
    from nav_huggingface.sources import Named
    from navcore import PackageDescriptor

TASKS = ("text-generation", "text2text-generation", "speech-to-text")
"""The tasks whose models generate."""

_BATCH, _TOKENS, _CACHE, _SOURCE = "batch", "tokens", "cache", "source"
_BOTH = f"{_CACHE} + {_TOKENS}"
"""The length of the masks, and that of the cache that comes out."""

_ENCODERS = "-encoder"
"""What the name of an encoder's workspace has beyond that of its decoder's."""


def generates(named: Named, base: Any, use_cache: bool | None) -> bool:
    """Whether the model is exported with its cache: as was asked for, and by default wherever that is possible.

    Where it is not, and nobody asked, the log says why. Raises :class:`OptionError` where it was asked for.
    """
    if use_cache is False or (use_cache is None and named.task.name not in TASKS):
        return False
    why = why_no_cache(named.model, base)
    if why and use_cache:
        raise OptionError(
            f"{type(named.model).__name__} cannot be exported with its cache: {why}.",
            hint="use_cache=False exports what its forward returns without one.",
        )
    if why:
        logging.getLogger("nav_huggingface").warning(
            "%s is exported without its cache, so that the package does not generate: %s.", named.name, why
        )
    return not why


def run_generating(named: Named, base: Any, files: Carried, arguments: Mapping[str, Any]) -> PackageDescriptor:
    """The package of a model that generates, made of ``base``, a dataloader of what the model takes.

    That of an encoder–decoder is its decoder's, and holds the encoder's among its assets. Raises what
    :func:`navcore.run` raises.
    """
    model = named.model
    if not model.config.is_encoder_decoder:
        graph = causal_graph(model)
        data: Any = Prompts(base, model, graph)
        with carried_by(graph, files):
            return navcore.run(graph, data, **{**arguments, "dynamic_axes": _axes(data, CAUSAL_TOKENS)})
    encoder = encoder_graph(model)
    sources: Any = Sources(base, model)
    name = f"{arguments['model_name']}{_ENCODERS}"
    # Named like the axes of the decoder where the source is a text; of sounds, what moves is seen in the data.
    is_text = model.main_input_name == "input_ids"
    told = {key: {0: _BATCH, 1: _SOURCE} for key in next(iter(sources))} if is_text else None
    packed = navcore.run(encoder, sources, **{**arguments, "model_name": name, "dynamic_axes": told})
    graph = decoder_graph(model)
    answers: Any = Answers(base, model, encoder, graph)
    with _with_encoder(files, packed) as both, carried_by(graph, both):
        return navcore.run(graph, answers, **{**arguments, "dynamic_axes": _axes(answers, DECODER_TOKENS)})


def _axes(data: Any, names: tuple[str, str, str]) -> dict[str, dict[int, str]]:
    """The axes that move in the inputs of a graph, with the names by which those of the cache are linked."""
    tokens, mask, positions = names
    second = {MASK: _SOURCE, tokens: _TOKENS, positions: _TOKENS, mask: _BOTH}  # a causal decoder's mask is MASK, too
    found: dict[str, dict[int, str]] = {}
    for name in next(iter(data)):
        if name.startswith(f"{PAST}."):
            found[name] = {0: _BATCH, LENGTH_AXIS: _SOURCE if f".{CROSS}" in name else _CACHE}
        else:
            found[name] = {0: _BATCH, 1: second[name]}
    return found


@contextmanager
def _with_encoder(files: Carried, packed: PackageDescriptor) -> Iterator[Carried]:
    """The files, and with them the package of the encoder, for the time of the block."""
    ok = sorted(format.name for format, is_ok in packed.get_formats_status().items() if is_ok)
    if not ok:
        logging.getLogger("nav_huggingface").warning(
            "No format of the encoder is ok, so that what is made of the decoder does not generate. %s", packed
        )
        yield files
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.nav"
        packed.save(path)
        yield files.with_package(ENCODER, path, ok)
