"""Saving and loading 1 GiB of weights, over a plain copy plus SHA-256; inspecting; and a compact package of an encoder.

All of it happens in one folder, in turns. The copy is synced to disk, as the archive is. The encoder has the shape of
the demo's (six layers of 384, 22.6 million weights, all random) and is packed in ONNX, TorchScript and ExportedProgram,
plain and compact in turns; it needs PyTorch and transformers, nav-torch and nav-onnx.

    python benchmarks/archive.py [--rounds 3] [--mebibytes 1024] [--only encoder]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from navcore.package.archive.reading import extract_archive, read_manifest
from navcore.package.archive.writing import Member, write_archive

CHUNK = 1 << 20


def seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def weights(path: Path, mebibytes: int) -> None:
    with open(path, "wb") as stream:
        for _ in range(mebibytes):
            stream.write(os.urandom(CHUNK))
        os.fsync(stream.fileno())


def copy_and_digest(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with open(target, "rb+") as stream:
        os.fsync(stream.fileno())
    with open(source, "rb") as stream:
        hashlib.file_digest(stream, "sha256")


def encoder_package(folder: Path) -> Any:
    """A package of the encoder in three formats, verified and not measured."""
    import torch
    from transformers import BertConfig, BertModel

    import navcore as nav

    class Encoder(torch.nn.Module):
        """A mean over the last hidden states, as sentence encoders take it."""

        def __init__(self) -> None:
            super().__init__()
            config = BertConfig(
                vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
            )
            self.bert = BertModel(config, add_pooling_layer=False)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
            mean: torch.Tensor = (hidden * weights).sum(1) / weights.sum(1)
            return mean

    torch.manual_seed(0)
    batches = [
        {
            "input_ids": torch.randint(0, 30522, (2, length)),
            "attention_mask": torch.ones(2, length, dtype=torch.long),
        }
        for length in (8, 13, 21)
    ]
    return nav.run(
        Encoder().eval(), batches, targets=["onnx", "torchscript-trace", "torch-exportedprogram"],
        run_profiling=False, workdir=folder, model_name="encoder",
    )  # fmt: skip


def encoder(folder: Path, rounds: int) -> None:
    """Sizes and times of a plain and of a compact package, in turns."""
    package = encoder_package(folder)
    weights = sum(tensor.numel() * tensor.element_size() for tensor in package.get_model("torch").parameters())
    taken: dict[tuple[str, bool], list[float]] = {}
    for number in range(rounds):
        for compact in (False, True):
            path, target = folder / f"compact-{compact}.nav", folder / f"out-{number}"
            saving = seconds(lambda p=path, c=compact: package.save(p, override=True, compact=c))
            loading = seconds(lambda p=path, t=target: extract_archive(p, t))
            inspecting = seconds(lambda p=path: read_manifest(p))
            shutil.rmtree(target)
            for verb, took in (("save", saving), ("verified load", loading), ("inspect", inspecting)):
                taken.setdefault((verb, compact), []).append(took)
    sizes = [(folder / f"compact-{compact}.nav").stat().st_size for compact in (False, True)]
    print(f"encoder: {weights / 1e6:.1f} MB of weights in 3 formats")
    print(f"plain   {sizes[0] / 1e6:6.1f} MB  {sizes[0] / weights:.2f}x the weights")
    print(f"compact {sizes[1] / 1e6:6.1f} MB  {sizes[1] / weights:.2f}x the weights")
    for verb in ("save", "verified load", "inspect"):
        ratios = [one / other for one, other in zip(taken[verb, True], taken[verb, False], strict=True)]
        plain, compact = (statistics.median(taken[verb, kind]) for kind in (False, True))
        print(f"{verb:<16} plain {plain:7.4f} s  compact {compact:7.4f} s  {statistics.median(ratios):5.2f}x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--only", choices=["encoder"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        encoder(Path(name), given.rounds)
    if given.only:
        return
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        weights(folder / "model.onnx", given.mebibytes)
        weights(folder / "small.onnx", 1)
        large, small = folder / "large.nav", folder / "small.nav"
        write_archive(small, [Member("onnx/model.onnx", folder / "small.onnx")], meta={"model_name": "small"})
        rows: dict[str, list[float]] = {"copy + SHA-256": [], "save": [], "verified load": []}
        for number in range(given.rounds):
            rows["copy + SHA-256"].append(seconds(lambda: copy_and_digest(folder / "model.onnx", folder / "copy")))
            member = Member("onnx/model.onnx", folder / "model.onnx")
            rows["save"].append(
                seconds(lambda m=member: write_archive(large, [m], meta={"model_name": "large"}, override=True))
            )
            target = folder / f"extracted{number}"
            rows["verified load"].append(seconds(lambda t=target: extract_archive(large, t)))
            shutil.rmtree(target)
        base = rows["copy + SHA-256"]
        print(f"Python {platform.python_version()}, {given.mebibytes} MiB, {given.rounds} rounds")
        for label, taken in rows.items():
            ratios = [one / other for one, other in zip(taken, base, strict=True)]
            print(f"{label:<16} {statistics.median(taken):6.2f} s   {statistics.median(ratios):5.2f}x")
        for label, path in (("inspect small", small), ("inspect large", large)):
            taken = [seconds(lambda p=path: read_manifest(p)) for _ in range(50)]
            print(f"{label:<16} {statistics.median(taken) * 1e3:6.2f} ms")


if __name__ == "__main__":
    main()
