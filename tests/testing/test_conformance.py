"""The conformance kit finds each fault of a plugin that is sound but for one line, and nothing in one that is sound."""

from __future__ import annotations

import os
import pydoc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from navcore.errors import InputError
from navcore.testing import checks
from navcore.testing.checks import CHECK_NAMES
from navcore.testing.conformance import cases, conformance, examine
from navcore.testing.verdicts import Finding

pytestmark = pytest.mark.processes

SOUND = '''
"""A plugin without a fault."""

import json
import os
from pathlib import Path

import attrs
import click
import numpy as np

from navcore import Format, Runner, converter, exporter, profiler, runner
from navcore.testing.toy import TOY

STORED = Format("sample", filename="model.sample", suffixes=(".sample",))
DIRECT = Format("sample-direct", filename="model.sample")


@attrs.frozen
class Options:
    factor: float = attrs.field(default=1.0, validator=attrs.validators.instance_of((int, float)))


def why_not():
    return None


@converter("toy-alpha", STORED, options=Options, available=why_not)
def sample_from_alpha(job):
    content = json.loads(job.source.file.read_text())
    job.output.write_text(json.dumps(content))


@exporter(TOY, DIRECT, isolation="fork")
def sample_from_toy(job):
    model = job.source.model
    factor = model.factor
    job.output.write_text(json.dumps({"factor": factor, "offset": model.offset}))


@runner(STORED, runtime="sample-runtime")
def run_sample(job):
    content = json.loads(job.artifact.file.read_text())
    reused = np.zeros((3, 9), np.float32)

    def call(feeds):
        x = feeds["x"]
        y = (x * content["factor"] + content["offset"]).astype(x.dtype)
        return {"y": y}

    return Runner(call)


@profiler()
def sample_clock(job):
    calls = job.calls or 3
    for _ in range(calls):
        job.runner(job.feeds)
    return np.ones(calls)


class Fewest:
    def choose(self, candidates):
        return min(candidates, key=lambda one: len(one.format.name), default=None)


def as_sample(package, format):
    opened = package.open_runner(format)
    runner = opened.__enter__()

    def call(x):
        outputs = runner({"x": TOY.live.to_array(x)})
        return {key: TOY.live.from_array(array, None) for key, array in outputs.items()}

    call.close = lambda: opened.__exit__(None, None, None)
    return call


def largest(outputs, item):
    return float(outputs["y"].max())


@click.command()
def hello():
    """Say hello."""
'''

READ = "content = json.loads(job.source.file.read_text())"
LOAD = "content = json.loads(job.artifact.file.read_text())"
WRITE = "job.output.write_text(json.dumps(content))"
ANSWER = 'return {"y": y}'
OPEN = "return Runner(call)"
CLOCK = "return np.ones(calls)"
MODEL = "model = job.source.model"
EXPORTER = 'isolation="fork")\ndef sample_from_toy(job):'
OPTION = "factor: float = attrs.field(default=1.0, validator=attrs.validators.instance_of((int, float)))"

CHANGES_THE_SOURCE = f"{WRITE}; job.source.file.write_text(json.dumps(content) + ' ')"
CHANGES_THE_MODEL = 'isolation="caller")\ndef sample_from_toy(job):\n    job.source.model.factor = 5.0'
DECLARES_HERE_ONLY = """def later(f): return f
if 'navcore.testing.ground' in __import__('sys').modules: later = profiler()
@later
"""
TAKES_ANY_FILE = """text = job.source.file.read_text()
    content = json.loads(text) if text[0] == '{' else {'factor': 1.0, 'offset': 0.0}"""
EXITS = f"""try: {READ}
    except ValueError: os._exit(1)"""
TAKES_ANY_MODEL = """factor = getattr(model, 'factor', 1.0)
    model = type('Any', (), {'offset': 0.0})"""
OPENS_ANY_FILE = """text = job.artifact.file.read_text()
    content = json.loads(text) if text[0] == '{' else {'factor': 1.0, 'offset': 0.0}"""
CATCHES_SIGNALS = """import ctypes
    libc = ctypes.CDLL(None)
    libc.signal(11, ctypes.cast(libc._exit, ctypes.c_void_p))
    """
TAKES_ONE_ROW = f"""assert len(x) == 1, 'one only'
        {ANSWER}"""
NEEDS_A_SIGNATURE = """(name,) = job.signature.output_names
        return {name: y}"""
COUNTS = f"""content['offset'] += 1
        {ANSWER}"""
WRITES_INTO_INPUTS = f"""x *= 2
        {ANSWER}"""
RETURNS_ITS_BUFFER = """view = reused[:len(x), :x.shape[1]]; view[:] = y
        return {'y': view}"""
OPENS_ONCE = f"""{LOAD}
    job.artifact.file.write_text('gone')"""
ANSWERS_FOREVER = """class Own(Runner):
        __slots__ = ()
        def __call__(self, feeds):
            return call(feeds)
        def __exit__(self, *_):
            pass

    return Own(call)"""
LEAVES_A_THREAD = """import threading
    threading.Thread(target=threading.Event().wait).start()
    return Runner(call)"""

FAULTS = [
    ("imports_light", "import attrs", "import attrs\nimport pytest", "also imports"),
    ("imports_silently", "import attrs", "import attrs\nprint('Sample 3.0')", "prints 'Sample 3.0' to standard output"),
    ("imports_silently", "import attrs", "import attrs\nos.write(1, b'C banner')", "prints 'C banner'"),
    ("imports_silently", "import attrs", "import attrs\nos.system('echo a child')", "prints 'a child'"),
    ("names_are_its_own", '"sample-runtime"', '"cpu"', "the runtime 'cpu' could be anybody's"),
    ("names_are_its_own", 'Format("sample", ', 'Format("widget", ', "the format 'widget' could be anybody's"),
    ("names_are_its_own", 'Format("sample", ', 'Format("samples", ', "the format 'samples' could be anybody's"),
    ("routes_are_the_same_in_a_child", "@profiler()\n", DECLARES_HERE_ONLY, "sample:sample_clock"),
    ("probe_answers", "return None", "raise OSError('no driver')", "the probe raised OSError: no driver"),
    ("probe_answers", "return None", "return ''", "neither None nor a reason"),
    ("options_are_frozen", "@attrs.frozen", "@attrs.define", "Options.factor can be assigned to"),
    ("options_are_frozen", OPTION, "sizes: list[int] = attrs.field(factory=list)", "the default of sizes"),
    ("options_survive_the_trip", OPTION, "phase: complex = 1j", "cannot be sent to a child"),
    ("options_survive_the_trip", OPTION, "factor: int = 1.5", "Options(factor=1.5) cannot be sent to a child"),
    ("wrong_options_are_refused", OPTION, "factor: float = 1.0", "accepts factor='no such value'"),
    ("output_is_made", WRITE, "job.output.with_suffix('.other').write_text('{}')", "wrote nothing"),
    ("output_is_made", WRITE, "raise ValueError('too hard')", "ValueError: too hard"),
    ("nothing_else_is_written", WRITE, f"{WRITE}; Path('scratch').touch()", "scratch in the current folder"),
    ("nothing_else_is_written", WRITE, f"{WRITE}; (Path.home() / 'id').touch()", "id in the home folder"),
    ("nothing_else_is_written", WRITE, f"{WRITE}; __import__('tempfile').mkstemp()", "in the temporary folder"),
    ("nothing_else_is_written", WRITE, f"{WRITE}; (job.source.file.parents[1] / 'x').touch()", "x in the workspace"),
    ("source_is_left_alone", WRITE, CHANGES_THE_SOURCE, "source file"),
    ("source_is_left_alone", EXPORTER, CHANGES_THE_MODEL, "weights of the live model"),
    ("product_agrees_with_the_source", WRITE, f"content['factor'] *= 1.01; {WRITE}", "relative L2"),
    ("failure_names_the_plugin", READ, TAKES_ANY_FILE, "success"),
    ("failure_names_the_plugin", READ, EXITS, "it ended its process"),
    ("failure_names_the_plugin", "factor = model.factor", TAKES_ANY_MODEL, "success"),
    ("failure_names_the_plugin", LOAD, OPENS_ANY_FILE, "it opened a file"),
    ("crash_is_contained", READ, CATCHES_SIGNALS + READ, "was reported as"),
    ("crash_is_contained", LOAD, CATCHES_SIGNALS + LOAD, "was reported as"),
    ("crash_is_contained", MODEL, CATCHES_SIGNALS + MODEL, "was reported as"),
    ("declared_outputs_are_returned", ANSWER, 'return {"0": y}', "it returned '0' (float32, rank 2)"),
    ("declared_outputs_are_returned", ANSWER, 'return {"y": y, "extra": y}', "'extra' (float32, rank 2)"),
    ("declared_outputs_are_returned", ANSWER, 'return {"y": y.astype("float64")}', "'y' (float64, rank 2)"),
    ("declared_outputs_are_returned", ANSWER, 'return {"y": y[0]}', "'y' (float32, rank 1)"),
    ("declared_outputs_are_returned", ANSWER, 'return {"y": y.tolist()}', "came back as list"),
    ("batches_of_one_and_three", ANSWER, TAKES_ONE_ROW, "one only (when it was called with a batch of 3)"),
    ("batches_of_one_and_three", ANSWER, 'return {"y": y[:1]}', "a batch of 3 came back as 'y' with shape (1,"),
    ("used_twice", ANSWER, COUNTS, "the second call: the values of 'y' changed"),
    ("used_twice", ANSWER, WRITES_INTO_INPUTS, "the inputs: the values of 'x' changed"),
    ("used_twice", ANSWER, RETURNS_ITS_BUFFER, "arrays returned by the first"),
    ("used_twice", LOAD, OPENS_ONCE, "opening it a second time"),
    ("closes", OPEN, "return Runner(call, close=lambda: 1 / 0)", "ZeroDivisionError"),
    ("closes", OPEN, ANSWERS_FOREVER, "it still answered after it was closed"),
    ("closes", OPEN, LEAVES_A_THREAD, "its process did not end well"),
    ("runner_agrees_with_the_source", ANSWER, 'return {"y": y * np.float32(1.01)}', "relative L2"),
    ("opens_as_a_source", ANSWER, NEEDS_A_SIGNATURE, "called before its signature is known, it failed: ValueError"),
    ("opens_as_a_source", ANSWER, "return {name: y for name in job.signature.output_names}", "it returned nothing"),
    ("window_is_measured", CLOCK, "return np.ones(calls - 1)", "The profiler measured 6 calls where 7 were asked for"),
    ("window_is_measured", CLOCK, "return [1.0] * calls", "gave a list"),
    ("window_is_measured", CLOCK, "return -np.ones(calls)", "negative"),
    ("window_is_measured", CLOCK, "return np.zeros(calls)", "The profiler returned only zeros"),
    ("strategy_chooses", ", default=None)", ")", "ValueError: min"),
    (
        "strategy_chooses",
        "return min(candidates, key=lambda one: len(one.format.name), default=None)",
        "return 'sample'",
        "of no candidates it chose 'sample', which is none of them",
    ),
    ("metric_gives_a_number", 'return float(outputs["y"].max())', 'return "high"', "it returned 'high'"),
    (
        "metric_gives_a_number",
        'return float(outputs["y"].max())',
        'outputs["y"] += 1; return 1.0',
        "it changed the outputs",
    ),
    (
        "drop_in_answers_as_the_source",
        'outputs = runner({"x": TOY.live.to_array(x)})',
        'outputs = {"y": runner({"x": TOY.live.to_array(x)})["y"] + 1}',
        "relative L2",
    ),
    (
        "drop_in_answers_as_the_source",
        'outputs = runner({"x": TOY.live.to_array(x)})',
        "raise ValueError('one argument only')",
        "ValueError: one argument only",
    ),
    ("command_answers", "@click.command()\n", "", "is not a click command"),
    ("further_models_are_right", ANSWER, "return {'y': y * np.float32(1 + (x.shape[1] == 5))}", "relative L2"),
]

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make a text the module of a plugin called ``sample``, beside the toy, for this process and its children."""

    def write(source: str) -> None:
        version = len(list(tmp_path.glob("*.py")))  # a module of its own each time: Python imports a name once
        module = f"sample_of_{''.join(letter if letter.isalnum() else '_' for letter in tmp_path.name)}_{version}"
        (tmp_path / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv("NAVCORE_EXTRA_PLUGINS", f"toy=navcore.testing.toy,sample={module}")
        monkeypatch.setenv("NAVCORE_EXTRA_COMMANDS", f"sample-hello={module}:hello" if "def hello" in source else "")
        monkeypatch.setenv("NAVCORE_DISABLE_PLUGINS", "torch,onnx,tf,trt,openvino")

    return write


def failed(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.verdict == "failed"]


def test_a_plugin_without_a_fault_passes_every_check(install: Install) -> None:
    install(SOUND)
    findings = examine("sample")
    assert not failed(findings)
    assert {finding.check for finding in findings if finding.verdict == "ok"} == set(CHECK_NAMES)


AS_DATA = {
    '@converter("toy-alpha", STORED, options=Options, available=why_not)\ndef sample_from_alpha(job):': (
        "@hookimpl\ndef convert(job, route):"
    ),
    '@exporter(TOY, DIRECT, isolation="fork")\ndef sample_from_toy(job):': "@hookimpl\ndef export_model(job):",
    '@runner(STORED, runtime="sample-runtime")\ndef run_sample(job):': "@hookimpl\ndef make_runner(job, route):",
    "@profiler()\ndef sample_clock(job):": "@hookimpl\ndef profile(job, route):",
    "from navcore import Format, Runner, converter, exporter, profiler, runner": (
        "from navcore import Format, Route, Runner, hookimpl"
    ),
}
ROUTES = """

routes = (
    Route(hook="convert", source="toy-alpha", target=STORED, options=Options, available=why_not),
    Route(hook="export_model", source=TOY, target=DIRECT, isolation="fork"),
    Route(hook="make_runner", source=STORED, runtime="sample-runtime"),
    Route(hook="profile", name="sample_clock"),
)
"""


def as_data(source: str) -> str:
    """The same plugin, with its routes as data and plain implementations of the hooks."""
    for decorated, plain in AS_DATA.items():
        assert decorated in source
        source = source.replace(decorated, plain)
    return source + ROUTES


def test_a_plugin_whose_routes_are_data_passes_the_same_checks(install: Install) -> None:
    install(SOUND)
    decorated = {case.check for case in cases("sample")}
    install(as_data(SOUND))
    findings = examine("sample")
    assert not failed(findings)
    assert {finding.check for finding in findings if finding.verdict == "ok"} == decorated == set(CHECK_NAMES)
    assert {finding.route for finding in findings if finding.check in ("output_is_made", "closes")} == {
        "sample_from_toy_alpha", "sample_direct_from_toy_live", "run_sample_runtime, sample",
    }  # fmt: skip


def test_a_fault_of_a_plugin_whose_routes_are_data_is_found_on_its_route(install: Install) -> None:
    install(as_data(SOUND).replace(WRITE, f"content['factor'] *= 1.01; {WRITE}"))
    (found,) = failed(examine("sample", checks=["product_agrees_with_the_source"]))
    assert found.route == "sample_from_toy_alpha"
    assert "relative L2" in found.reason


def test_what_could_not_be_tried_says_why(install: Install) -> None:
    install(SOUND.replace("return None", "return 'no such device'"))
    skipped = {
        finding.reason for finding in examine("sample", checks=["output_is_made"]) if finding.verdict == "skipped"
    }
    assert skipped == {"no such device"}


@pytest.mark.parametrize(
    ("check", "sound", "faulty", "told"), FAULTS, ids=[f"{number}-{fault[0]}" for number, fault in enumerate(FAULTS)]
)
def test_a_fault_is_found_by_the_check_for_it(install: Install, check: str, sound: str, faulty: str, told: str) -> None:
    assert sound in SOUND
    install(SOUND.replace(sound, faulty, 1))
    found = failed(examine("sample", checks=[check], timeout=5))
    assert len(found) == 1, found
    assert told in found[0].reason


def test_every_check_is_tried_on_a_plugin_that_fails_it() -> None:
    assert {fault[0] for fault in FAULTS} == set(CHECK_NAMES)


def test_every_check_says_what_to_do(install: Install) -> None:
    install(SOUND)
    assert all(case.advice for case in cases("sample"))


@pytest.mark.slow  # some forty processes; the plugin above goes through the same checks
def test_the_toy_conforms(install: Install) -> None:
    install(SOUND)
    findings = examine("toy")
    assert not failed(findings)
    assert {finding.reason for finding in findings if finding.verdict == "skipped"} == {
        "there is no toy accelerator in this machine"
    }


def test_a_format_that_nobody_makes_leaves_its_runner_untried(install: Install) -> None:
    install(
        SOUND.replace('@runner(STORED, runtime="sample-runtime")', '@runner(Format("sample-lost"), runtime="sample-x")')
    )
    (lost,) = (finding for finding in examine("sample", checks=["closes"]))
    assert (lost.verdict, lost.reason) == (
        "skipped",
        "no installed plugin makes sample-lost from a model that a plugin offers with conformance_model()",
    )


def test_a_route_from_a_format_that_nobody_knows_is_untried_and_says_so(install: Install) -> None:
    install(SOUND.replace('"toy-alpha", STORED', '"toy-alhpa", STORED'))
    (untried,) = (one for one in examine("sample", checks=["output_is_made"]) if one.route == "sample_from_alpha")
    assert (untried.verdict, untried.reason) == (
        "skipped",
        "no installed plugin knows the format 'toy-alhpa', from which the route starts; did you mean 'toy-alpha'?",
    )


def test_a_plugin_that_declares_nothing_fails(install: Install) -> None:
    install("import navcore")
    (found,) = failed(examine("sample"))
    assert found.reason.endswith("declares no route and wraps no hook")


def test_a_plugin_that_only_wraps_a_hook_conforms(install: Install) -> None:
    install("import navcore\n\n\n@navcore.hookimpl(wrapper=True)\ndef convert():\n    return (yield)\n")
    assert not failed(examine("sample"))


OFFERS_ITS_OWN = """


def conformance_model():
    from navcore.testing import toy
    return toy.ToyModel(factor=7.0), toy.dataloader()
"""
TAKES_SEVEN_ONLY = f"""{READ}
    if content["factor"] != 7.0:
        raise ValueError("this takes sevens only")"""


def test_what_a_check_starts_from_is_blamed_and_not_what_it_checks(install: Install) -> None:
    install(SOUND.replace(READ, TAKES_SEVEN_ONLY))
    (found,) = failed(examine("sample", checks=["closes"]))
    assert "this takes sevens only: sample of the model that toy offers is what this check starts from" in found.reason
    assert "conformance_model()" in found.advice


def test_a_plugin_that_does_not_take_every_model_is_tried_on_its_own(install: Install) -> None:
    install(SOUND.replace(READ, TAKES_SEVEN_ONLY) + OFFERS_ITS_OWN)
    assert not failed(examine("sample", checks=["output_is_made", "closes"]))


def test_a_route_gets_the_facts_that_the_maker_of_its_source_recorded(install: Install) -> None:
    """The toy records its scale."""
    install(SOUND.replace(READ, f'assert job.source.facts == {{"scale": "1.0"}}; {READ}'))
    assert not failed(examine("sample", checks=["output_is_made"]))


def test_a_plugin_that_is_not_there_fails_and_says_so(install: Install) -> None:
    install(SOUND)
    first, *others = examine("absent")
    assert first.verdict == "failed"
    assert first.reason == "no installed distribution brings a plugin named 'absent'"
    assert {one.verdict for one in others} == {"skipped"}


def test_a_plugin_that_does_not_load_fails_with_the_reason(install: Install) -> None:
    install("raise OSError('no library')")
    first, *others = examine("sample")
    assert first.verdict == "failed"
    assert first.reason == "OSError: no library: the plugin 'sample' cannot be used"
    assert {one.verdict for one in others} == {"skipped"}
    assert all("OSError: no library" in one.reason for one in others)


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ({"closses": "typing"}, "Did you mean 'closes'?"),
        ({"closes[run_sampel, sample]": "typing"}, "Did you mean 'closes[run_sample, sample]'?"),
        ({"closes": " "}, "gives no reason"),
    ],
)
def test_an_expected_failure_names_a_case_and_a_reason(install: Install, expected: dict[str, str], told: str) -> None:
    install(SOUND)
    with pytest.raises(InputError, match="expected_failures") as caught:
        conformance("sample", expected_failures=expected)
    assert told in str(caught.value)


def marks_of(test: Callable[..., None]) -> dict[str, set[str]]:
    """The names of the marks of each case, by its id."""
    (mark,) = [one for one in test.pytestmark if one.name == "parametrize"]  # type: ignore[attr-defined]
    return {case.id: {one.name for one in case.marks} for case in mark.args[1]}


def test_a_plugin_marks_checks_and_cases_for_its_own_suite(install: Install) -> None:
    install(SOUND)
    marks = {"used_twice": pytest.mark.slow, "closes[run_sample, sample]": pytest.mark.gpu}
    found = marks_of(conformance("sample", marks=marks))
    assert {name: found[name] & {"slow", "gpu"} for name in found if found[name] & {"slow", "gpu"}} == {
        "used_twice[run_sample, sample]": {"slow"},
        "closes[run_sample, sample]": {"gpu"},
    }
    with pytest.raises(InputError, match=r"marks\['closses'\] is no check of this plugin. Did you mean 'closes'?"):
        conformance("sample", marks={"closses": pytest.mark.slow})


def test_three_lines_are_a_plugins_test_file(install: Install, tmp_path: Path) -> None:
    install(SOUND.replace("return np.ones(calls)", "return np.ones(calls - 1)"))
    lines = tmp_path / "test_sample.py"
    lines.write_text(
        "from navcore.testing.conformance import conformance\n"
        "test_conformance = conformance('sample')\n"
        "test_excused = conformance('sample', expected_failures={'window_is_measured': 'the clock is slow',"
        " 'imports_light': 'it is not'})\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-k", "window or light", "-p", "no:cacheprovider", str(lines)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = done.stdout
    assert "PASSED test_sample.py::test_conformance[imports_light]" in told
    assert "FAILED test_sample.py::test_conformance[window_is_measured[sample_clock]]" in told
    assert "What to do: return a float64 array" in told
    assert "XFAIL test_sample.py::test_excused[window_is_measured[sample_clock]] - the clock is slow" in told
    assert "imports_light was expected to fail (it is not) and passes" in told


def test_collecting_the_tests_of_a_plugin_needs_no_framework(install: Install) -> None:
    install(SOUND)
    code = (
        "import sys; import navcore.testing.conformance as kit; kit.cases('sample'); "
        "print(sorted({'pytest', 'torch', 'onnxruntime', 'openvino'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_help_has_every_check_with_what_to_do() -> None:
    shown = pydoc.plain(pydoc.render_doc(checks))
    assert all(f"    {name}(" in shown for name in CHECK_NAMES)
    assert shown.count("If this fails: ") == len(CHECK_NAMES)


def test_the_page_lists_the_checks() -> None:
    page = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text()
    table = page.partition("## The checks")[2].partition("\n## ")[0]
    assert tuple(line.split("`")[1] for line in table.splitlines() if line.startswith("| `")) == CHECK_NAMES
