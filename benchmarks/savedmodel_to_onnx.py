"""Wall time and peak memory of SavedModel → ONNX by navcore, over bare tf2onnx.

Bare is tf2onnx's own command line with its defaults. navcore's numbers are those of the conversion's child process, its
start included; checking the file comes on top of what the command line does.

    python benchmarks/savedmodel_to_onnx.py [--megabytes 250]
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

LAYERS = 8


def width(megabytes: int) -> int:
    return int((megabytes * 10**6 / 4 / LAYERS) ** 0.5)


def build(megabytes: int, folder: Path) -> None:
    import keras

    size = width(megabytes)
    layers = [keras.layers.Dense(size, activation="relu", use_bias=False) for _ in range(LAYERS)]
    keras.Sequential([keras.Input((size,), name="x"), *layers]).export(folder, verbose=False)


def bare(source: Path, output: Path) -> tuple[float, float]:
    """Seconds, and bytes at the peak."""
    began = time.monotonic()
    command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", str(source), "--output", str(output)]
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024.0


def ours(source: Path, folder: Path, megabytes: int) -> tuple[float, float]:
    import numpy as np

    import navcore as nav

    random = np.random.default_rng(0)
    data = [random.standard_normal((2, width(megabytes))).astype(np.float32) for _ in range(2)]
    package = nav.run(source, data, targets=["onnx"], workdir=folder, run_profiling=False)
    row = next(row for row in package.results if row.format.name == "onnx")
    assert row.status == "ok", package
    outcome = row.attempts[-1].outcome
    assert outcome.peak_memory is not None
    return outcome.seconds, float(outcome.peak_memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=250)
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if given.build:
        build(given.megabytes, given.build)
        return
    told = ", ".join(f"{name} {version(name)}" for name in ("tensorflow-cpu", "tf2onnx", "protobuf"))
    print(f"Python {platform.python_version()}, {told}, weights {given.megabytes} MB")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as place:
        source = Path(place, "model.savedmodel")
        arguments = ["--build", str(source), "--megabytes", str(given.megabytes)]
        subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True)
        mine, my_peak = ours(source, Path(place, "work"), given.megabytes)
        theirs, their_peak = bare(source, Path(place, "bare.onnx"))
    print(f"time    bare {theirs:6.1f} s    navcore {mine:6.1f} s    {mine / theirs:.2f}x")
    print(f"memory  bare {their_peak / 1e9:6.1f} GB   navcore {my_peak / 1e9:6.1f} GB   {my_peak / their_peak:.2f}x")


if __name__ == "__main__":
    main()
