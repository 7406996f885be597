"""``navcore hub export`` beside ``optimum-cli export onnx``: twelve tiny models of transformers, in one run.

Each side is the command that a user types, in a process of its own, and they take turns; what is told is how many
graphs came out well, wall seconds and processor seconds (children included). A graph is well where the command itself
says so: navcore verifies it against the source on ten items, optimum compares one made input and warns of a difference
beyond its tolerance. Optimum does not find the task of a folder by itself, so it is told. It needs an older
transformers, and so an environment of its own; the models are written by this one, and what that one cannot read counts
as not exported.

    python -m venv peer && peer/bin/pip install optimum-onnx onnxruntime
    python benchmarks/hub.py --peer peer/bin/python [--only bert t5]
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

TEXTS = "the quick brown fox jumps over a lazy dog while seven wizards make toxic brew for the evil queen and jack"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SIZES: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "n_embd": 32,
    "n_layer": 2, "n_head": 2, "dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 2, "d_model": 32, "d_kv": 16,
    "d_ff": 64, "num_layers": 2, "num_heads": 2, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "embedding_size": 32, "image_size": 32,
    "patch_size": 8, "max_position_embeddings": 130, "n_positions": 130, "pad_token_id": 0, "bos_token_id": 2,
    "eos_token_id": 3, "decoder_start_token_id": 2, "num_key_value_heads": 2,
}  # fmt: skip
MODELS = {  # by name: the class, and the task in optimum's words
    "bert": ("BertForSequenceClassification", "text-classification"),
    "distilbert": ("DistilBertForTokenClassification", "token-classification"),
    "roberta": ("RobertaForQuestionAnswering", "question-answering"),
    "albert": ("AlbertForMaskedLM", "fill-mask"),
    "electra": ("ElectraForSequenceClassification", "text-classification"),
    "mpnet": ("MPNetModel", "feature-extraction"),
    "gpt2": ("GPT2LMHeadModel", "text-generation-with-past"),
    "llama": ("LlamaForCausalLM", "text-generation-with-past"),
    "t5": ("T5ForConditionalGeneration", "text2text-generation-with-past"),
    "bart": ("BartForConditionalGeneration", "text2text-generation-with-past"),
    "vit": ("ViTForImageClassification", "image-classification"),
    "wav2vec2": ("Wav2Vec2ForCTC", "automatic-speech-recognition"),
}


@attrs.frozen
class Told:
    """How one command ended: graphs that are well, of how many, and what it took."""

    well: int
    graphs: int
    wall: float
    processors: float
    last: str


def tokenizer() -> Any:
    """A WordPiece tokenizer of the words and letters of a sentence."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    letters = sorted(set(TEXTS) - {" "})
    pieces = dict.fromkeys((*SPECIAL, *letters, *(f"##{one}" for one in letters), *sorted(set(TEXTS.split()))))
    made = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, model_max_length=128, model_input_names=["input_ids", "attention_mask"],
        **dict(zip(names, SPECIAL, strict=True)),
    )  # fmt: skip


def write(kind: str, folder: Path) -> None:
    """A folder as ``save_pretrained`` writes it: random weights from a fixed seed, and a processor."""
    import torch
    import transformers

    torch.manual_seed(0)
    words = tokenizer()
    cls = getattr(transformers, kind)
    template = cls.config_class()
    sizes = {name: size for name, size in SIZES.items() if hasattr(template, name)}
    if kind.startswith("Wav2Vec2"):
        sizes |= {"conv_dim": (16, 16), "conv_stride": (5, 4), "conv_kernel": (10, 8), "num_conv_pos_embeddings": 16,
                  "num_conv_pos_embedding_groups": 2, "num_feat_extract_layers": 2}  # fmt: skip
    if hasattr(template, "vocab_size"):
        sizes["vocab_size"] = len(words)
    cls(cls.config_class(**sizes)).eval().save_pretrained(folder)
    if kind.startswith("ViT"):
        transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    elif kind.startswith("Wav2Vec2"):
        transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    else:
        words.save_pretrained(folder)


def timed(command: list[str], place: Path, judge: Callable[[str, int], tuple[int, int]]) -> Told:
    """Run a command; ``judge`` reads from its output and exit code how many graphs are well, and how many there are."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": ""}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    lines = [line for line in done.stdout.splitlines() if line.strip()] or [""]
    return Told(*judge(done.stdout, done.returncode), wall, busy, "" if done.returncode == 0 else lines[-1])


def ours(folder: Path, place: Path) -> Told:
    """``navcore hub export``; the encoder of an encoder–decoder has a workspace of its own."""

    def judge(_: str, code: int) -> tuple[int, int]:
        graphs = len([*place.rglob("onnx/model.onnx")])
        return (graphs if code == 0 else 0), graphs

    words = ("hub", "export", str(folder), "--target", "onnx", "--no-profiling", "--workdir", str(place))
    return timed([sys.executable, "-m", "navcore", *words], place, judge)


def theirs(peer: Path, task: str, folder: Path, place: Path) -> Told:
    """``optimum-cli export onnx``."""

    def judge(told: str, code: int) -> tuple[int, int]:
        graphs = len([*place.rglob("*.onnx")])
        wrong = len(re.findall(r"The maximum absolute difference between the output of the reference model", told))
        return (max(graphs - wrong, 0) if code == 0 else 0), graphs

    command = [str(peer.parent / "optimum-cli"), "export", "onnx", "--model", str(folder), "--task", task]
    return timed([*command, str(place / "out")], place, judge)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, help="Python of the environment that has optimum-onnx; else navcore alone")
    parser.add_argument("--only", nargs="+", choices=tuple(MODELS), default=tuple(MODELS))
    asked = parser.parse_args()
    import torch
    import transformers

    print(f"Python {platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}")
    print(_versions(asked.peer))
    print(f"{'':12}  {'navcore: well, wall, processors':34}  optimum: well, wall, processors")
    totals: list[list[Told]] = []
    for name in asked.only:
        kind, task = MODELS[name]
        with tempfile.TemporaryDirectory() as where:
            folder = Path(where, name)
            write(kind, folder)
            places = [Path(where, side) for side in ("ours", "theirs")]
            for place in places:
                place.mkdir()
            told = [ours(folder, places[0])]
            if asked.peer is not None:
                told.append(theirs(asked.peer.absolute(), task, folder, places[1]))
        totals.append(told)
        shown = [f"{one.well} of {one.graphs}, {one.wall:5.1f} s, {one.processors:5.1f} s" for one in told]
        print(f"{name:12}  " + "  ".join(f"{one:34}" for one in shown).rstrip(), flush=True)
        for side, one in zip(("navcore", "optimum"), told, strict=False):
            if one.last:
                print(f"{'':12}  {side} ended: {one.last[:200]}")
    if asked.peer is not None:
        ratio = sum(mine.processors for mine, _ in totals) / sum(other.processors for _, other in totals)
        print(f"processor seconds of all, navcore over optimum: {ratio:.2f}")


def _versions(peer: Path | None) -> str:
    if peer is None:
        return "without --peer there is nothing to compare with"
    told = "import optimum.version, transformers; print(optimum.version.__version__, transformers.__version__)"
    versions = subprocess.run([peer, "-c", told], capture_output=True, text=True, check=True).stdout.split()
    return f"peer: optimum {versions[0]}, transformers {versions[1]}"


if __name__ == "__main__":
    main()
