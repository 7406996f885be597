"""What it costs to import navcore and to ask the command line for help, over an empty interpreter.

Each command is a process of its own; they take turns, so that a busy moment of the machine hits all of them, and the
medians are compared.

    python benchmarks/startup.py [--rounds 20]
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "empty interpreter": [sys.executable, "-c", "pass"],
    "import navcore": [sys.executable, "-c", "import navcore"],
    "navcore --help": [sys.executable, "-m", "navcore.cli", "--help"],
    "navcore plugins": [sys.executable, "-m", "navcore.cli", "plugins"],
}


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for command in COMMANDS.values():
        seconds(command)  # fills the page cache and writes bytecode
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
    base = statistics.median(times["empty interpreter"])
    print(f"Python {platform.python_version()} on {platform.machine()}, {rounds} rounds")
    for name, taken in times.items():
        print(f"{name:<20} {statistics.median(taken) * 1e3:7.1f} ms   {statistics.median(taken) / base:5.2f}x")


if __name__ == "__main__":
    main()
