"""A whole run without profiling, over a plain script that makes the same exports and compares the same samples.

The model is a perceptron of 400 MB. Both sides are processes of their own and take turns; the plain script calls the
exporters directly, in one process and one after another, captures the program once for both formats that need it, loads
each result and compares it on the same samples, with no isolation, record or digest. navcore is asked for the same four
formats, whatever else is installed. It works side by side, so on a machine whose processors are busy it gains less:
therefore processor seconds are told too.

    python benchmarks/whole_run.py [--rounds 3] [--megabytes 400]
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

SAMPLES = 10
FORMATS = ("torchscript-script", "torchscript-trace", "torch-exportedprogram", "onnx")  # more plugins would bring more


def build(megabytes: int):  # type: ignore[no-untyped-def]
    """The model and its data."""
    import torch

    torch.manual_seed(0)
    width = int((megabytes * 1e6 / 4 / 4) ** 0.5)
    layers = [part for _ in range(4) for part in (torch.nn.Linear(width, width), torch.nn.ReLU())]
    model = torch.nn.Sequential(*layers).eval()
    return model, [torch.randn(2, width) for _ in range(SAMPLES)]


def plain(megabytes: int, folder: Path) -> None:
    """What one would write by hand."""
    import numpy as np
    import onnxruntime
    import torch

    warnings.simplefilter("ignore")
    model, data = build(megabytes)
    with torch.inference_mode():
        expected = [model(item) for item in data]
    batch = torch.export.Dim.AUTO
    torch.jit.save(torch.jit.script(model), folder / "script.pt")
    torch.jit.save(torch.jit.trace(model, data[0]), folder / "trace.pt")
    program = torch.export.export(model, (data[0],), dynamic_shapes=({0: batch},))
    torch.export.save(program, folder / "model.pt2")
    torch.onnx.export(program, dynamo=True, verbose=False, external_data=False).save(folder / "model.onnx")
    del program
    for load in (
        lambda: torch.jit.load(folder / "script.pt"),
        lambda: torch.jit.load(folder / "trace.pt"),
        lambda: torch.export.load(folder / "model.pt2").module(),
    ):
        loaded = load()
        with torch.inference_mode():
            for item, right in zip(data, expected, strict=True):
                torch.testing.assert_close(loaded(item), right, rtol=1e-3, atol=1e-4)
        del loaded
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    for item, right in zip(data, expected, strict=True):
        np.testing.assert_allclose(session.run(None, {name: item.numpy()})[0], right.numpy(), rtol=1e-3, atol=1e-4)


def ours(megabytes: int, folder: Path) -> None:
    """The same by navcore."""
    import navcore as nav

    model, data = build(megabytes)
    package = nav.run(model, data, targets=FORMATS, workdir=folder, run_profiling=False)
    assert all(package.get_status(name) for name in FORMATS), package


def seconds(side: str, megabytes: int) -> tuple[float, float]:
    """Wall seconds of one side, and processor seconds of it and its children."""
    with tempfile.TemporaryDirectory() as folder:
        started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, __file__, "--side", side, "--folder", folder, "--megabytes", str(megabytes)], check=True
        )
        wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def told(name: str, runs: list[tuple[float, float]]) -> str:
    wall, busy = (statistics.median(one) for one in zip(*runs, strict=True))
    return f"{name:<17} {wall:6.1f} s, {busy:6.1f} s of processors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--side", choices=("plain", "ours"))
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.side:
        (plain if given.side == "plain" else ours)(given.megabytes, given.folder)
        return
    import torch

    pairs = [(seconds("ours", given.megabytes), seconds("plain", given.megabytes)) for _ in range(given.rounds)]
    ratios = sorted(mine[0] / theirs[0] for mine, theirs in pairs)
    print(f"Python {platform.python_version()}, torch {torch.__version__}, {given.megabytes} MB, {given.rounds} pairs")
    print(told("navcore run", [mine for mine, _ in pairs]))
    print(told("plain script", [theirs for _, theirs in pairs]))
    print(f"ratio, pair by pair: median {statistics.median(ratios):.2f}x, {ratios[0]:.2f}x to {ratios[-1]:.2f}x")
    print(f"largest process of either side: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6:.1f} GB")


if __name__ == "__main__":
    main()
