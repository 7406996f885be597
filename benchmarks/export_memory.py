"""Peak memory of an export by navcore, over the bare exporter, in multiples of the weights.

The bare exporter runs in a process that has built the model; what it needs beyond that is its own. navcore exports in a
fork of the process that holds the model; what the fork needs beyond what it inherits is its own.

    python benchmarks/export_memory.py [--mebibytes 1024]
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

TARGETS = ("torchscript-trace", "torch-exportedprogram", "onnx")


def build(mebibytes: int):  # type: ignore[no-untyped-def]
    import torch

    width = int((mebibytes * 2**20 / 4 / 8) ** 0.5)
    return torch.nn.Sequential(*(torch.nn.Linear(width, width) for _ in range(8))).eval(), torch.randn(2, width)


def memory(field: str) -> int:
    """A field of this process's status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def bare(target: str, mebibytes: int, folder: Path) -> int:
    import torch

    warnings.simplefilter("ignore")
    model, item = build(mebibytes)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of building the model
    before = memory("VmRSS")
    if target == "torchscript-trace":
        torch.jit.save(torch.jit.trace(model, item), folder / "model.pt")
    else:
        program = torch.export.export(model, (item,), dynamic_shapes=({0: torch.export.Dim.AUTO},))
        if target == "torch-exportedprogram":
            torch.export.save(program, folder / "model.pt2")
        else:
            torch.onnx.export(program, dynamo=True, verbose=False, external_data=False).save(folder / "model.onnx")
    return memory("VmHWM") - before


def ours(target: str, mebibytes: int, folder: Path) -> int:
    import navcore as nav

    model, item = build(mebibytes)
    package = nav.run(model, [item, item + 1], workdir=folder, targets=[target], run_profiling=False)
    (row,) = (row for row in package.results if row.format.name == target)
    assert row.status == "ok", package
    peak = row.attempts[-1].outcome.peak_memory
    assert peak is not None
    return peak


def measured(side: str, target: str, mebibytes: int) -> int:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        arguments = ["--side", side, "--target", target, "--folder", folder, "--mebibytes", str(mebibytes)]
        answer = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    return int(answer.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--side", choices=("bare", "ours"))
    parser.add_argument("--target", choices=TARGETS)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.side:
        print((bare if given.side == "bare" else ours)(given.target, given.mebibytes, given.folder))
        return
    import torch

    weights = given.mebibytes * 2**20
    print(f"Python {platform.python_version()}, torch {torch.__version__}, weights {given.mebibytes} MiB")
    for target in TARGETS:
        theirs, mine = measured("bare", target, given.mebibytes), measured("ours", target, given.mebibytes)
        print(
            f"{target:<18} bare {theirs / weights:5.2f}x the weights   navcore {mine / weights:5.2f}x   "
            f"difference {(mine - theirs) / weights:+.2f}x"
        )


if __name__ == "__main__":
    main()
