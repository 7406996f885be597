"""What a model is for: told by the head that its class has, or by name; read from transformers' own lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from navcore import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen
class Task:
    """A task: its ``name`` in transformers' pipelines where there is one, and the ``head`` of its auto class.

    ``words`` are what else it is called, among them the words of Model Navigator 0.3.
    """

    name: str
    head: str
    words: tuple[str, ...] = ()

    @property
    def auto_class(self) -> Any:
        """The class of transformers that loads a model of any architecture with this head."""
        import transformers

        return getattr(transformers, f"AutoModel{self.head}")

    @property
    def model_classes(self) -> Iterator[str]:
        """The names of the classes of every architecture that transformers has with this head."""
        for names in self.auto_class._model_mapping._model_mapping.values():
            yield from (names,) if isinstance(names, str) else names


# In the order in which a class is looked for: several lists may hold it (BART's is one of masked language models too),
# and a model without a head is the last.
TASKS = (
    Task("text-classification", "ForSequenceClassification", ("sequence-classification", "sentiment-analysis")),
    Task("token-classification", "ForTokenClassification", ("ner",)),
    Task("question-answering", "ForQuestionAnswering"),
    Task("text2text-generation", "ForSeq2SeqLM", ("seq2seq-lm", "summarization", "translation")),
    Task("fill-mask", "ForMaskedLM", ("masked-lm",)),
    Task("text-generation", "ForCausalLM", ("causal-lm",)),
    Task("image-classification", "ForImageClassification"),
    Task("image-segmentation", "ForSemanticSegmentation", ("semantic-segmentation",)),
    Task("object-detection", "ForObjectDetection"),
    Task("depth-estimation", "ForDepthEstimation"),
    Task("audio-classification", "ForAudioClassification"),
    Task("automatic-speech-recognition", "ForCTC", ("ctc",)),
    Task("speech-to-text", "ForSpeechSeq2Seq", ("speech-seq2seq",)),
    Task("zero-shot-image-classification", "ForZeroShotImageClassification", ("clip",)),
    Task("feature-extraction", "", ("base", "image-feature-extraction")),
    Task("sentence-embedding", "", ("sentence-similarity",)),
)


def task_named(word: str) -> Task:
    """The task that is called so. Raises :class:`navcore.OptionError`, with the names there are."""
    for task in TASKS:
        if word == task.name or word in task.words:
            return task
    known = ", ".join(task.name for task in TASKS)
    raise OptionError(f"task={word!r} is not a task that is known here.", hint=f"Use one of {known}.")


def task_of_class(name: str) -> Task | None:
    """The task of the model class ``name``, such as ``BertForMaskedLM``; ``None`` for a class of none of them."""
    return next((task for task in TASKS if name in task.model_classes), None)


def task_of_config(config: Any) -> Task:
    """The task of the architecture that a configuration names; feature extraction where it names none that is known."""
    for name in config.architectures or ():
        found = task_of_class(name)
        if found is not None:
            return found
    return task_named("feature-extraction")
