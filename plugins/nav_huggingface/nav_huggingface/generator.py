"""``nav.huggingface.generator``: a package in transformers' own ``generate``, with each step answered by a runner."""

from __future__ import annotations

import contextlib
import inspect
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nav_huggingface.belongings import Belongings, belongings_of
from nav_huggingface.carrying import ENCODER, GENERATION
from nav_huggingface.stepping import CausalStep, EncoderCall, Graph, PairStep
from navcore import InputError, OptionError, PackageIncomplete, TrustRequired
from navcore.errors import first_line

if TYPE_CHECKING:
    from navcore import Format, PackageDescriptor, Signature


def generator(
    package: PackageDescriptor,
    format: Format | str,
    runtime: str | None = None,
    *,
    encoder: Format | str | None = None,
    threads: int | None = None,
) -> Any:
    """The package as a model of transformers that generates: ``generate`` takes and returns what the source's does.

    It is of the source's own class, without weights: configuration, settings of generation and the code of ``generate``
    are the source's, and a runner of the package answers where its ``forward`` would. No hub is asked. Its tensors are
    on the CPU, whatever the runtime computes on. The runner stays loaded for as long as the object is there.

    Args:
        package: what :func:`nav_huggingface.export` returned, or :func:`navcore.load` of what was saved of it.
        format: which format answers.
        runtime: in which runtime; by default the fastest that is ok.
        encoder: the format of the encoder of an encoder–decoder, by default the same.
        threads: how many the runtime computes with, by default its own choice.

    Raises:
        PackageIncomplete: the package was exported without its cache, or the encoder's format is not ok.
        TrustRequired: loading the format can execute code, and the package was loaded without trust.
        InputError: what the package carries cannot be loaded, or its class is none of transformers'.
        OptionError: ``encoder`` of a model that has none.

    and what ``package.open_runner`` raises.
    """
    ours = belongings_of(package, str(format), processor=False)
    if not ours.generates:
        raise PackageIncomplete(
            "The package was exported without its cache, so that it does not generate.",
            hint="Export the model again, without use_cache=False; package.open_runner calls it as it is.",
        )
    if encoder is not None and not ours.config.is_encoder_decoder:
        raise OptionError(f"encoder={str(encoder)!r} is given, and {ours.model_class} has no encoder.")
    opened = contextlib.ExitStack()
    with contextlib.ExitStack() as failing:
        failing.enter_context(opened)
        runner = opened.enter_context(package.open_runner(format, runtime=runtime, threads=threads))
        graph = Graph.of(runner, _signature(package))
        if ours.config.is_encoder_decoder:
            read = _encoder(opened, ours, str(format), str(encoder or format), runtime, threads)
            model = without_weights(ours, PairStep(graph, read))
            _answer_with(model.get_encoder(), read)
        else:
            model = without_weights(ours, CausalStep(graph))
        failing.pop_all()
    weakref.finalize(model, opened.close)
    return model


def _encoder(
    opened: contextlib.ExitStack, ours: Belongings, format: str, wanted: str, runtime: str | None, threads: int | None
) -> EncoderCall:
    """The encoder in the format that is wanted, out of the package that the decoder's carries.

    It is unpacked into a folder that goes with the generator, and trusted as far as the decoder's package is: what can
    execute code is opened only where the decoder's own format can, which was opened before.
    """
    import navcore

    path = ours.files.get(ENCODER)
    if path is None:
        raise PackageIncomplete("The package does not carry its encoder, because no format of that was ok.")
    folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="navcore-encoder-"))
    for trust in (False, True):
        inner = navcore.load(path, Path(folder) / str(trust), retest_conversions=False, trust=trust)
        ok = {one.name for one, is_ok in inner.get_formats_status().items() if is_ok}
        if wanted not in ok:
            raise PackageIncomplete(
                f"The encoder in the package is not there as {wanted}.",
                hint=f"Give encoder= one of {', '.join(sorted(ok))}.",
            )
        try:
            same = runtime if wanted == format else None
            runner = opened.enter_context(inner.open_runner(wanted, runtime=same, threads=threads))
        except TrustRequired:
            if trust or wanted != format:
                raise
            continue
        return EncoderCall(Graph.of(runner, _signature(inner)))
    raise AssertionError("a package that is trusted needs no trust")


def _signature(package: PackageDescriptor) -> Signature:
    samples = package.record.samples
    if samples is None:
        raise PackageIncomplete(
            "The package does not say what its models take.", hint="Save it again from its workspace."
        )
    return samples.signature


def without_weights(ours: Belongings, answer: Callable[[Mapping[str, Any]], Any]) -> Any:
    """A model of the source's class whose forward is ``answer``; of its weights the shapes are there, on device "meta".

    Raises :class:`InputError` for a class that is none of transformers', or of which the configuration makes none.
    """
    import torch
    import transformers

    source = getattr(transformers, ours.model_class, None)
    if not (isinstance(source, type) and issubclass(source, transformers.PreTrainedModel) and source.can_generate()):
        raise InputError(
            f"{ours.model_class} is no class of this transformers that generates.",
            hint="package.open_runner calls the model; each step takes the cache that the step before returned.",
        )

    class PackedGenerator(source):  # type: ignore[misc, valid-type]
        """Weights are in the runner."""

        device = torch.device("cpu")
        dtype = torch.float32

        def _prepare_cache_for_generation(self, generation_config: Any, model_kwargs: Any, *rest: Any) -> Any:
            """A cache that keeps all, whatever the source's forgets: its layers go in and come out as they are."""
            if model_kwargs.get("past_key_values") is None and generation_config.use_cache is not False:
                own = transformers.DynamicCache()
                both = self.config.is_encoder_decoder
                model_kwargs["past_key_values"] = (
                    transformers.EncoderDecoderCache(own, transformers.DynamicCache()) if both else own
                )
                return None
            return super()._prepare_cache_for_generation(generation_config, model_kwargs, *rest)

    PackedGenerator.__name__ = PackedGenerator.__qualname__ = ours.model_class
    try:
        with torch.device("meta"):
            model: Any = PackedGenerator._from_config(ours.config).eval()
    except Exception as error:  # whatever a stranger's configuration can bring about
        raise InputError(f"No {ours.model_class} can be made of the package's configuration: {error}") from error
    _answer_with(model, answer)
    model.generation_config = _settings(ours)
    return model


def _answer_with(module: Any, answer: Callable[[Mapping[str, Any]], Any]) -> None:
    """Let ``answer`` be the forward of a module, under the signature that the module's own has."""
    taken = inspect.signature(module.forward)

    def forward(*values: Any, **named: Any) -> Any:
        bound = taken.bind(*values, **named)
        others = [one.name for one in taken.parameters.values() if one.kind is one.VAR_KEYWORD]
        arguments = dict(bound.arguments)
        for name in others:
            arguments |= arguments.pop(name, {})
        return answer(arguments)

    forward.__signature__ = taken  # type: ignore[attr-defined]
    module.forward = forward


def _settings(ours: Belongings) -> Any:
    import transformers

    path = ours.files.get(GENERATION)
    try:
        if path is None:
            return transformers.GenerationConfig.from_model_config(ours.config)
        return transformers.GenerationConfig.from_pretrained(path.parent, local_files_only=True)
    except Exception as error:  # whatever a stranger's file can bring about
        raise InputError(f"The package's settings of generation cannot be loaded: {first_line(error)}") from error
