"""``nav.huggingface.pipeline``: a package in transformers' own pipeline, with the tokenizer or processor it carries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from nav_huggingface.belongings import belongings_of
from nav_huggingface.embedding import TASK
from nav_huggingface.generator import generator
from nav_huggingface.packed_model import packed_model
from nav_huggingface.parts import parts_of
from navcore import OptionError, PackageIncomplete

if TYPE_CHECKING:
    import numpy as np

    from navcore import Format, PackageDescriptor


def pipeline(
    package: PackageDescriptor,
    format: Format | str | None = None,
    runtime: str | None = None,
    *,
    task: str | None = None,
    trust: bool = False,
) -> Any:
    """The package as a pipeline of transformers, which answers a text, an image or a sound as the source does.

    No hub is asked: configuration and tokenizer or processor are those that the package carries. The model stays
    loaded for as long as the pipeline is there. For sentence embedding, which transformers has no pipeline for, it is
    an object that is called with texts and returns an array of shape (texts, width).

    Args:
        package: what :func:`nav_huggingface.export` returned, or :func:`navcore.load` of what was saved of it.
        format: which format answers; by default the best one, and where nothing was measured the first that is ok.
        runtime: in which runtime; by default the best one's, else the fastest that is ok.
        task: the pipeline, by default that of the task for which the model was exported.
        trust: run the code of a tokenizer or of a configuration that brings some.

    Raises:
        PackageIncomplete: no format is ok, or the package carries no tokenizer or processor.
        TrustRequired: what it carries has code of its own, or reads files that are not of the package.
        OptionError: transformers has no such pipeline, or it generates and the package has no cache for it.
        InputError: what the package carries cannot be loaded.

    and what ``package.open_runner`` raises.
    """
    import transformers

    chosen, runtime = _chosen(package, format, runtime)
    ours = belongings_of(package, chosen, trust=trust)
    word = ours.task if task is None else task
    parts = parts_of(ours.processor)
    if word == TASK:
        return Embedder(parts.tokenizer, packed_model(package, chosen, runtime, ours.config, ours.model_class))
    _refuse_task(word, generates=ours.generates)
    if ours.generates and word in _GENERATING:
        model = generator(package, chosen, runtime)
    else:
        model = packed_model(package, chosen, runtime, ours.config, ours.model_class)
    made: Any = transformers.pipeline
    return made(
        word, model=model, tokenizer=parts.tokenizer, image_processor=parts.images, feature_extractor=parts.sounds,
        device="cpu",
    )  # fmt: skip


_GENERATING = ("text-generation", "image-text-to-text", "any-to-any", "text-to-audio")


@attrs.frozen
class Embedder:
    """Answers texts with their embeddings; transformers has no pipeline for that."""

    tokenizer: Any = attrs.field(repr=False)
    model: Any = attrs.field(repr=False)

    def __call__(self, texts: str | Sequence[str]) -> np.ndarray:
        """The embeddings of some texts, of shape (texts, width); of one text, of shape (width,)."""
        batch = [texts] if isinstance(texts, str) else list(texts)
        tokens = self.tokenizer(batch, padding=True, truncation=True, return_tensors="pt")
        found: np.ndarray = self.model(**tokens).embedding.numpy()
        return found[0] if isinstance(texts, str) else found


def _chosen(package: PackageDescriptor, format: Format | str | None, runtime: str | None) -> tuple[str, str | None]:
    """The name of the format that answers, and its runtime where that was chosen too."""
    if format is not None:
        return str(format), runtime
    best = package.best()
    if best is not None and runtime in (None, best.runtime):
        return best.format.name, best.runtime
    for row in package.results:
        if not row.live and row.status == "ok" and (runtime is None or package.get_status(row.format, runtime)):
            return row.format.name, runtime
    raise PackageIncomplete("No format of the package is ok, so that none can answer.", hint="print(package) says why.")


def _refuse_task(task: str, *, generates: bool) -> None:
    """Refuse a task for which transformers has no pipeline, and those of whose model no single call is the answer."""
    from transformers import pipelines

    known = pipelines.PIPELINE_REGISTRY.get_supported_tasks()
    if task not in known:
        raise OptionError(
            f"transformers has no pipeline for {task!r}.",
            hint=f"package.open_runner calls the model itself; the pipelines are {', '.join(known)}.",
        )
    if task in _GENERATING and not (generates and task == "text-generation"):
        raise OptionError(
            f"A pipeline for {task!r} generates, and the package was exported without a cache for it.",
            hint="nav.huggingface.generator takes a package that was exported with its cache.",
        )
