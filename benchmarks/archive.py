"""Saving and loading 1 GiB of weights, over a plain copy plus SHA-256; and inspecting, at two sizes.

All of it happens in one folder, in turns. The copy is synced to disk, as the archive is.

    python benchmarks/archive.py [--rounds 3] [--mebibytes 1024]
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mebibytes", type=int, default=1024)
    given = parser.parse_args()
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
