"""What a machine with an NVIDIA card is visited for: one command, without network, that ends with a report.

It needs nothing but the standard library, a CUDA build of PyTorch for the Python that runs it, and a folder of wheels::

    python tests/gpu/session.py --collect     # where there is a network; lists the wheels in gpu-wheels and their sizes
    python3.12 tests/gpu/session.py           # on the machine with the card

`nox --session gpu` calls the same. The second command makes an environment that sees the machine's PyTorch, installs
the wheels, runs every test that is marked `gpu`, and writes gpu-report.json and gpu-report.md. A machine without a card
gets as far as the tests, which are skipped with the reason; on one with a card a skip that no missing runtime explains
is a failure.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
WHEELS = TREE / "gpu-wheels"
PROJECTS = (".", "plugins/nav_torch", "plugins/nav_onnx", "plugins/nav_trt")
OWN = ("navcore", "nav-torch", "nav-onnx", "nav-trt")
TOOLS = ("pytest", "pytest-timeout", "hypothesis", "setuptools")
THERE = ("torch", "sympy", "mpmath")
"""What the machine has already: PyTorch would be gigabytes, and brought the others along."""

ALONE = "onnxruntime"
"""Brought unless ``onnxruntime-gpu``, which unpacks into the same place, is in the folder of wheels."""

UNSEEN = {
    "onnxruntime-gpu": "ONNX Runtime's CUDA and TensorRT providers (onnxruntime-gpu is 200 MB and more)",
    "tensorrt_rtx": "engines of TensorRT-RTX, run (tensorrt_rtx is more than a gigabyte)",
    "tensorrt": "engines of TensorRT proper (its builder is on NVIDIA's own package index)",
    "torch-tensorrt": "Torch-TensorRT (it needs TensorRT)",
}
"""What stays unseen without a distribution that is too large to be brought along."""

EXPLAINED = re.compile(
    r"onnxruntime|TensorRT|tensorrt|Torch-TensorRT|no .*ExecutionProvider|CUDA runtime|is not installed", re.IGNORECASE
)
"""A skip on a machine with a card has to speak of one of the runtimes in :data:`UNSEEN`."""

LIMIT = 64 * 2**20
MINUTES = 8.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one test ended, in seconds of wall time; ``reason`` is that of a skip or a failure."""

    test: str
    status: str
    seconds: float
    reason: str = ""


def main(arguments: list[str] | None = None) -> int:
    """Collect wheels, or run the tests; 0 when that went well."""
    parser = argparse.ArgumentParser(description="Run the tests that need an NVIDIA card, and write a report.")
    parser.add_argument(
        "--collect", type=Path, nargs="?", const=WHEELS, metavar="FOLDER", help="download, build and list the wheels"
    )
    parser.add_argument("--python", default="3.12", help="of the machine with the card, for --collect; by default 3.12")
    parser.add_argument("--wheels", type=Path, default=WHEELS, metavar="FOLDER", help="what to install")
    parser.add_argument("--report", type=Path, default=TREE, metavar="FOLDER", help="where the report goes")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="after which everything is ended; by default 8")
    asked = parser.parse_args(arguments)
    return collect(asked.collect, asked.python) if asked.collect else visit(asked.wheels, asked.report, asked.minutes)


def collect(folder: Path, python: str) -> int:
    """Put the wheels for that Python on x86-64 Linux into ``folder`` and say how large they are."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for project in PROJECTS:  # a copy, so that nothing of an earlier build comes along
            copy = Path(scratch, Path(project).name or "navcore")
            skipped = shutil.ignore_patterns(".*", "build", "dist", "site", "*.egg-info", "__pycache__", folder.name)
            shutil.copytree(TREE / project, copy, ignore=skipped)
            pip = (sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--wheel-dir", str(folder))
            subprocess.run([*pip, str(copy)], check=True)
    platforms = [f"--platform=manylinux{tag}_x86_64" for tag in ("_2_28", "_2_27", "_2_17", "2014")]
    runtime = () if "onnxruntime-gpu" in brought(folder) else (ALONE,)
    for names in (requirements(), (*TOOLS, *runtime)):
        pip = (sys.executable, "-m", "pip", "--quiet", "download", "--only-binary=:all:", "--dest", str(folder))
        where = (f"--python-version={python}", "--implementation=cp", *platforms, "--find-links", str(folder))
        constraints = ("--constraint", str(TREE / "constraints.txt"))
        subprocess.run([*pip, *where, *constraints, *names], check=True)
    for name in THERE:
        for file in folder.glob(f"{name}-*.whl"):
            file.unlink()
    print(listing(folder))
    return 0


def requirements() -> list[str]:
    """What our distributions ask for, less what the machine has."""
    import tomllib

    told = [
        tomllib.loads((TREE / project / "pyproject.toml").read_text())["project"]["dependencies"]
        for project in PROJECTS
    ]
    names = sorted({text for texts in told for text in texts})
    return [text for text in names if not re.match(rf"({'|'.join((*THERE, *OWN))})\b(?!-)", text)]


def listing(folder: Path) -> str:
    """The wheels with their sizes, the largest first, and what stays unseen with these."""
    files = sorted(folder.glob("*.whl"), key=lambda file: (-file.stat().st_size, file.name))
    total = sum(file.stat().st_size for file in files)
    lines = [f"{file.stat().st_size / 2**20:7.2f} MiB  {file.name}" for file in files]
    lines.append(f"{total / 2**20:7.2f} MiB  in all; {LIMIT // 2**20} MiB can be carried at once")
    if total > LIMIT:
        lines.append("That is too much: take out the largest that the machine has itself, numpy for one.")
    lines.append("Already there: " + ", ".join(THERE))
    lines += [f"Unseen: {what}" for what in unseen(folder)]
    return "\n".join(lines)


def unseen(folder: Path) -> list[str]:
    """What stays unseen, because its wheel is not in ``folder``."""
    return [what for name, what in UNSEEN.items() if name.replace("_", "-") not in brought(folder)]


def brought(folder: Path) -> set[str]:
    """The distributions whose wheels are in ``folder``, by their names on an index."""
    return {re.sub(r"[-_.]+", "-", file.name.split("-")[0]).lower() for file in folder.glob("*.whl")}


def visit(wheels: Path, report: Path, minutes: float) -> int:
    """Install, run the tests that are marked ``gpu``, write the report; 0 when nothing failed or was left out."""
    ends = time.monotonic() + 60 * minutes
    if not any(wheels.glob("*.whl")):
        print(
            f"There are no wheels in {wheels}. Collect them where there is a network: {Path(__file__).name} --collect."
        )
        return 2
    if unfit := why_unfit(wheels):
        print(unfit)
        return 2
    card = graphics_card()
    print(f"card: {card or 'none, so the tests will be skipped'}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            python = environment(Path(scratch, "environment"), wheels, ends)
            outcomes = run_tests(python, Path(scratch), ends, required=bool(card))
            machine = describe(python, card, ends)
        except subprocess.TimeoutExpired as error:
            print(f"{minutes:g} minutes were not enough: {error.cmd[0]} was ended.")
            return 1
        except subprocess.CalledProcessError as error:
            print(f"{' '.join(map(str, error.cmd[:6]))} … ended with {error.returncode}.")
            return 1
    wrong = problems(outcomes, card)
    write(report, machine, outcomes, wrong, unseen(wheels))
    print((report / "gpu-report.md").read_text())
    return 1 if wrong else 0


def why_unfit(wheels: Path) -> str:
    """Why this Python cannot use the wheels, or ``""``; pip would only say that it finds no matching distribution."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    for file in sorted(wheels.glob("*.whl")):
        found = re.search(r"-cp(\d)(\d+)-cp\d+-", file.name)
        if found and f"{found[1]}.{found[2]}" != here:
            there = f"{found[1]}.{found[2]}"
            return (
                f"{file.name} is for Python {there}, and this is Python {here} ({sys.executable}). "
                f"Start the visit with python{there}, or collect with --python {here}."
            )
    if importlib.util.find_spec("torch") is None:
        return f"{sys.executable} has no PyTorch, and none is brought along. Start the visit with a Python that has it."
    return ""


def graphics_card() -> str:
    """The name and driver of the NVIDIA card, or ``""``; no framework is asked, since a broken one would say no."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    if shutil.which(command[0]):
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        if told:
            return told.splitlines()[0]
    return "unnamed" if Path("/dev/nvidia0").exists() else ""


def environment(folder: Path, wheels: Path, ends: float) -> Path:
    """An environment that sees what this Python sees, with the wheels installed; its interpreter."""
    started([sys.executable, "-m", "venv", "--system-site-packages", str(folder)], ends)
    python = folder / "bin/python"
    if sys.prefix != sys.base_prefix:  # an environment made from another sees that one's base only
        (own,) = folder.glob("lib/python*/site-packages")
        found = [path for path in sys.path if path.endswith("site-packages") and path.startswith(sys.prefix)]
        (own / "beneath.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in found))
    pip = (str(python), "-m", "pip", "install", "--quiet", "--no-index", "--find-links", str(wheels))
    runtimes = {ALONE, *(name.replace("_", "-") for name in UNSEEN)} & brought(wheels)
    started([*pip, *OWN, *TOOLS, *sorted(runtimes)], ends)
    started([*pip, "--no-deps", "--force-reinstall", *OWN], ends)
    return python


def started(command: list[str], ends: float, **more: object) -> None:
    """Run a command in a process group of its own, ended whole where the time is up."""
    process = subprocess.Popen(command, start_new_session=True, **more)  # type: ignore[call-overload]
    try:
        code = process.wait(timeout=max(1.0, ends - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if code:
        raise subprocess.CalledProcessError(code, command)


def marked() -> list[str]:
    """The test files of the projects here that have a test marked ``gpu``."""
    folders = [TREE / "tests/gpu", *(TREE / project / "tests" for project in PROJECTS[1:])]
    files = [file for folder in folders for file in sorted(folder.rglob("test_*.py"))]
    return [str(file.relative_to(TREE)) for file in files if "mark.gpu" in file.read_text()]


def run_tests(python: Path, scratch: Path, ends: float, *, required: bool) -> list[Outcome]:
    """How every test that is marked ``gpu`` ended; one that could not even be collected is one of them."""
    answer = scratch / "junit.xml"
    command = [
        str(python),
        "-m",
        "pytest",
        "-m",
        "gpu",
        "-q",
        "-p",
        "no:cacheprovider",
        "--continue-on-collection-errors",
        f"--junitxml={answer}",
    ]
    variables = {**os.environ, "NAVCORE_CI_REQUIRES": "gpu" if required else ""}
    variables.pop("PYTHONPATH", None)
    try:
        started([*command, *marked()], ends, cwd=TREE, env=variables)
    except subprocess.CalledProcessError as error:
        if error.returncode != 1 or not answer.exists():  # 1 is what pytest says of failed tests
            raise
    return [outcome(case) for case in ElementTree.parse(answer).getroot().iter("testcase")]


def outcome(case: ElementTree.Element) -> Outcome:
    """What pytest's report says of one test."""
    test = f"{case.get('classname')}::{case.get('name')}"
    seconds = float(case.get("time") or 0)
    for element, status in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        found = case.find(element)
        if found is not None:
            return Outcome(test, status, seconds, ((found.get("message") or "").splitlines() or [element])[0])
    return Outcome(test, "passed", seconds)


def problems(outcomes: list[Outcome], card: str) -> list[str]:
    """What makes the visit a failure: failed tests, none at all, and on a machine with a card an unexplained skip."""
    wrong = [f"failed: {one.test}: {one.reason}" for one in outcomes if one.status == "failed"]
    if not outcomes:
        wrong.append("no test was run")
    if card:
        skips = [one for one in outcomes if one.status == "skipped" and not EXPLAINED.search(one.reason)]
        wrong += [f"skipped although the card is here: {one.test}: {one.reason}" for one in skips]
        if outcomes and not any(one.status == "passed" for one in outcomes):
            wrong.append("no test passed on the card")
    return wrong


_ASK = """
import importlib.metadata, json
versions = {}
for name in %r:
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
try:
    import torch
    versions["CUDA of torch"] = torch.version.cuda
except ImportError:
    pass
print(json.dumps(versions))
"""


def describe(python: Path, card: str, ends: float) -> dict[str, object]:
    """The machine and the versions that were tested."""
    names = (*OWN, "torch", "numpy", "onnx", "onnxscript", "onnxruntime", *UNSEEN)
    told = subprocess.run(
        [str(python), "-c", _ASK % (names,)],
        capture_output=True,
        text=True,
        check=True,
        timeout=max(1.0, ends - time.monotonic()),
    )
    return {
        "card": card,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "date": datetime.date.today().isoformat(),
        "versions": json.loads(told.stdout),
    }


def write(
    folder: Path, machine: dict[str, object], outcomes: list[Outcome], wrong: list[str], left_out: list[str]
) -> None:
    """Both reports; the one in Markdown is what docs/verified-on.md quotes."""
    folder.mkdir(parents=True, exist_ok=True)
    report = {
        "machine": machine,
        "tests": [dataclasses.asdict(one) for one in outcomes],
        "problems": wrong,
        "unseen": left_out,
    }
    (folder / "gpu-report.json").write_text(json.dumps(report, indent=1) + "\n")
    versions = machine["versions"]
    assert isinstance(versions, dict)
    counts = {status: sum(one.status == status for one in outcomes) for status in ("passed", "failed", "skipped")}
    lines = [
        f"**{machine['card'] or 'No card'}**, {machine['system']}, Python {machine['python']}, {machine['date']}: "
        + ", ".join(f"{count} {status}" for status, count in counts.items())
        + ".",
        "",
        ", ".join(f"{name} {version}" for name, version in versions.items() if version) + ".",
        "",
        "| test | result | seconds |",
        "|---|---|---|",
        *(
            f"| `{one.test}` | {one.status}{': ' + one.reason if one.reason else ''} | {one.seconds:.1f} |"
            for one in outcomes
        ),
        "",
        *(f"- Problem: {text}" for text in wrong),
        *(f"- Unseen: {text}" for text in left_out),
    ]
    (folder / "gpu-report.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
