"""Tokens per second of a package that generates beside its source in PyTorch, both called in turn.

Without a folder the source is a GPT-2 of six layers of width 384 with random weights, and a T5 of the same size. Each
is exported, and both write the same number of tokens by greedy search, from the same prompts: in every round once each,
in an order drawn from a seed. Printed are the medians, and the median of the rounds' ratios with its 95 % interval.
Both have the same number of threads.

    python benchmarks/generation.py [FOLDER] [--format onnx] [--runtime CPUExecutionProvider] [--tokens 64]
        [--prompt 32] [--batch 1 4] [--rounds 15] [--threads 1]
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

import navcore as nav

SEED = 20261201
VOCABULARY = 8000


def sources(folder: Path | None) -> Iterator[tuple[str, Any]]:
    """The models to measure, each with its name."""
    if folder is not None:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        kind = getattr(transformers, config.architectures[0])
        yield folder.name, kind.from_pretrained(folder, local_files_only=True).eval()
        return
    torch.manual_seed(SEED)
    special = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    sizes = {"n_layer": 6, "n_embd": 384, "n_head": 6, "n_positions": 1024}
    gpt2 = transformers.GPT2Config(vocab_size=VOCABULARY, **sizes, **special)
    yield "gpt2", transformers.GPT2LMHeadModel(gpt2).eval()
    t5 = transformers.T5Config(
        vocab_size=VOCABULARY, d_model=384, d_kv=64, d_ff=1536, num_layers=6, num_heads=6, decoder_start_token_id=0
    )
    yield "t5", transformers.T5ForConditionalGeneration(t5).eval()


def texts(model: Any, size: int, length: int, draw: torch.Generator) -> dict[str, torch.Tensor]:
    """Prompts of random tokens, without padding."""
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    tokens = torch.randint(3, vocabulary, (size, length), generator=draw)
    return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}


def seconds(answering: Any, given: dict[str, torch.Tensor], tokens: int) -> float:
    """How long it takes to write so many tokens."""
    began = time.perf_counter()
    found = answering.generate(**given, do_sample=False, max_new_tokens=tokens, min_new_tokens=tokens)
    assert found.shape[1] >= tokens
    return time.perf_counter() - began


def paired_ratio(reference: list[float], other: list[float]) -> tuple[float, float, float]:
    """The median of the rounds' ratios, and the bounds of its 95 % interval by the percentile bootstrap."""
    ratios = np.asarray(reference) / np.asarray(other)
    drawn = np.random.default_rng(SEED).integers(0, ratios.size, (2000, ratios.size))
    low, high = np.percentile(np.median(ratios[drawn], axis=1), [2.5, 97.5])
    return float(np.median(ratios)), float(low), float(high)


def measure(name: str, model: Any, asked: argparse.Namespace) -> None:
    """Export the model and print a line for every batch."""
    draw = torch.Generator().manual_seed(SEED)
    data = [texts(model, 2, length, draw) for length in (7, 12, 19, 31)]
    with tempfile.TemporaryDirectory() as folder:
        package = nav.huggingface.export(
            model, data, target_formats=asked.format, workdir=Path(folder), name=name, run_profiling=False
        )
        answering = nav.huggingface.generator(package, asked.format, asked.runtime, threads=asked.threads)
        order = random.Random(SEED)
        for size in asked.batch:
            given = texts(model, size, asked.prompt, draw)
            with torch.no_grad():
                same = torch.equal(
                    model.generate(**given, do_sample=False, max_new_tokens=asked.tokens),
                    answering.generate(**given, do_sample=False, max_new_tokens=asked.tokens),
                )
            taken: dict[str, list[float]] = {"source": [], "package": []}
            for _ in range(asked.rounds):
                pair = [("source", model), ("package", answering)]
                order.shuffle(pair)
                for called, one in pair:
                    taken[called].append(seconds(one, given, asked.tokens))
            written = size * asked.tokens
            rates = {called: written / statistics.median(values) for called, values in taken.items()}
            ratio, low, high = paired_ratio(taken["source"], taken["package"])
            print(
                f"{name}, batch {size}, {asked.tokens} tokens behind {asked.prompt}: "
                f"source {rates['source']:.0f} tokens/s, {asked.format} {rates['package']:.0f} tokens/s, "
                f"{ratio:.2f}x ({low:.2f} to {high:.2f}), {'the same tokens' if same else 'OTHER TOKENS'}",
                flush=True,
            )


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--format", default="onnx")
    parser.add_argument("--runtime", default=None)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--prompt", type=int, default=32)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    for name, model in sources(asked.folder):
        measure(name, model, asked)


if __name__ == "__main__":
    main()
