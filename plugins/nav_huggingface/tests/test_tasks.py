"""The task of a class is the list of transformers' that holds it."""

from __future__ import annotations

import pytest
import transformers

from nav_huggingface.tasks import TASKS, task_named, task_of_class, task_of_config


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        ("BertForSequenceClassification", "text-classification"),
        ("DebertaV2ForTokenClassification", "token-classification"),
        ("RobertaForQuestionAnswering", "question-answering"),
        ("ModernBertForMaskedLM", "fill-mask"),
        ("GPT2LMHeadModel", "text-generation"),
        ("T5ForConditionalGeneration", "text2text-generation"),
        ("ViTForImageClassification", "image-classification"),
        ("SegformerForSemanticSegmentation", "image-segmentation"),
        ("DetrForObjectDetection", "object-detection"),
        ("DPTForDepthEstimation", "depth-estimation"),
        ("Wav2Vec2ForCTC", "automatic-speech-recognition"),
        ("WhisperForConditionalGeneration", "speech-to-text"),
        ("CLIPModel", "zero-shot-image-classification"),
        ("ElectraModel", "feature-extraction"),
    ],
)
def test_the_head_tells_the_task(kind: str, task: str) -> None:
    found = task_of_class(kind)
    assert found is not None
    assert found.name == task
    assert task_of_config(transformers.PreTrainedConfig(architectures=[kind])) == found


def test_what_is_in_no_list_has_none() -> None:
    assert task_of_class("Linear") is None
    assert task_of_config(transformers.PreTrainedConfig(architectures=["Linear"])).name == "feature-extraction"


@pytest.mark.parametrize("word", ["sequence-classification", "question-answering", "causal-lm", "masked-lm", "base"])
def test_the_words_of_0_3_are_tasks(word: str) -> None:
    assert task_named(word).auto_class is not None


def test_no_word_means_two_tasks() -> None:
    words = [word for task in TASKS for word in (task.name, *task.words)]
    assert len(words) == len(set(words))


def test_every_task_has_classes() -> None:
    assert all(any(task.model_classes) for task in TASKS)
