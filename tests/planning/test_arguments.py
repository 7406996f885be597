"""What a caller may write for each argument, and what is said of everything else: one sentence, and what to write.

The tables are the specification: a kind of slip that was seen once stands here with the beginning of its sentence.
"""

from __future__ import annotations

import enum
import math
import pathlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import navcore as nav
from navcore.planning.arguments import settled

NAN, INF = math.nan, math.inf
NUMBER = "has to be a number. Write"
WHOLE = "has to be a whole number. Write"
SWITCH = "has to be True or False. Write"
NAMES = "has to be a name or a list of names. Write"
TENSORS = "has to be a list of names, in order. Write"
FOLDER = "cannot name a folder. Use letters"
RANGE = "has to be three whole numbers. Write"
RISING = "in rising order. Write"
TEXT = "has to be text. Write"
MAPPING = "has to be a mapping from"


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Precision(str, enum.Enum):  # noqa: UP042  (what a caller's own enumeration may be)
    FP16 = "onnx-fp16"


class Cuda:
    """As ``torch.device`` is: an object that prints as its name."""

    type = "cuda"

    def __str__(self) -> str:
        return "cuda:1"


def endless() -> Iterator[str]:
    while True:
        yield "onnx"


WRONG: list[tuple[str, Any, str]] = [
    ("atol", NAN, "has to be zero or more"),
    ("atol", -1, "has to be zero or more"),
    ("atol", "1e-3", NUMBER),
    ("atol", True, NUMBER),
    ("atol", 1j, NUMBER),
    ("atol", np.array([1.0, 2.0]), NUMBER),
    ("atol", Fraction(1), NUMBER),
    ("rtol", INF, "has to be finite. Write rtol=1e-3."),
    ("rtol", 10**400, "has to be finite"),
    ("rtol", [1], NUMBER),
    ("rtol", np.inf, "has to be finite"),
    ("sample_count", 0, "has to be more than 0. Write sample_count=100."),
    ("sample_count", -3, "has to be more than 0"),
    ("sample_count", 2.5, WHOLE),
    ("sample_count", "2", WHOLE),
    ("sample_count", True, WHOLE),
    ("sample_count", 10**30, "has to fit into 64 bits"),
    ("sample_count", NAN, WHOLE),
    ("batch_dim", "0", WHOLE),
    ("batch_dim", 0.0, WHOLE),
    ("batch_dim", False, WHOLE),
    ("batch_dim", (0,), WHOLE),
    ("timeout", -1, "has to be more than 0"),
    ("timeout", NAN, "has to be more than 0"),
    ("timeout", 0, "more than 0"),
    ("timeout", "10", NUMBER),
    ("timeout", INF, "has to be finite. Leave it out for no limit."),
    ("timeout", 1e300, "timeout=1e+300 has to be at most 1e+09. Leave it out for no limit."),
    ("timeout", 10**10, "at most 1e+09"),
    ("memory_limit", -1, "has to be more than 0"),
    ("memory_limit", "2GB", "2 * 1024**3, in bytes"),
    ("memory_limit", 0.5, WHOLE),
    ("memory_limit", 2**70, "64 bits"),
    ("targets", 5, NAMES),
    ("targets", b"onnx", NAMES),
    ("targets", {"onnx": 1}, NAMES),
    ("targets", [None], "holds None, which is no name"),
    ("targets", ["onnx", 3], "holds 3, which is no name"),
    ("targets", [b"onnx"], "which is no name"),
    ("targets", [["onnx"]], "which is no name"),
    ("targets", True, NAMES),
    ("targets", "", "is an empty name"),
    ("targets", ["a\0"], "control characters"),
    ("targets", endless(), "more than"),
    ("targets", bytearray(b"x"), NAMES),
    ("targets", [""], "targets=[''] holds an empty name. Write targets="),
    ("options", [1], MAPPING),
    ("options", {"opset": 17}, MAPPING),
    ("options", "opset=17", MAPPING),
    ("options", {1: {"a": 1}}, "has the key 1, which is no name"),
    ("options", {"onnx": None}, MAPPING),
    ("options", {"onnx": {1: 2}}, "options['onnx']={1: 2} has the key 1"),
    ("options", {"onnx/": {"a": 1}}, "cannot be written into status.yaml: '' cannot be a name: it is empty"),
    ("options", {"onnx": {"a": 10**400}}, "cannot be written into status.yaml: The file cannot be read"),
    ("options", {"onnx": {"a": "x" * 2_000_000}}, "status.yaml: it is longer than 1048576 characters"),
    ("dynamic_axes", {"x": {0: ".."}}, "status.yaml: '..' cannot be the name of a tensor: it is a path upwards"),
    ("model_name", "a/b", FOLDER),
    ("model_name", None, FOLDER),
    ("model_name", "", FOLDER),
    ("model_name", 3, FOLDER),
    ("model_name", pathlib.Path("x"), FOLDER),
    ("model_name", b"x", FOLDER),
    ("model_name", "a" * 300, FOLDER),
    ("model_name", "..", FOLDER),
    ("model_name", "a\n", FOLDER),
    ("model_name", "a\0b", FOLDER),
    ("workdir", 5, "has to be text or a Path"),
    ("workdir", b"bad/b", "os.fsdecode"),
    ("workdir", "a\0b", "has a NUL"),
    ("workdir", "bad/" + "x" * 300, "is too long"),
    ("workdir", "x/" * 3000, "is too long"),
    ("workdir", "", "is empty"),
    ("workdir", "\ud800", "cannot be the name of a file"),
    ("workdir", ["a"], "has to be text or a Path"),
    ("input_names", "x", TENSORS),
    ("input_names", [1], "holds 1, which is no name"),
    ("input_names", {"x"}, TENSORS),
    ("input_names", [""], "input_names=[''] holds an empty name"),
    ("input_names", {"x": 1}, TENSORS),
    ("input_names", ["../x"], "has no '/' or"),
    ("input_names", ["a\0b"], "control characters"),
    ("input_names", [".."], "has no '/' or"),
    ("input_names", ["a\\b"], "has no '/' or"),
    ("input_names", 5, TENSORS),
    ("input_names", ["x", "x"], "holds 'x' twice"),
    ("input_names", ["x" * 300], "holds a name of 300 letters"),
    ("output_names", [None], "which is no name"),
    ("output_names", b"y", TENSORS),
    ("output_names", [" "], "empty name"),
    ("dynamic_axes", [0], MAPPING),
    ("dynamic_axes", {"x": "b"}, MAPPING),
    ("dynamic_axes", {"x": 0}, MAPPING),
    ("dynamic_axes", {"x": {0: 5}}, "dynamic_axes['x'][0]=5 has to be text. Write"),
    ("dynamic_axes", {0: [0]}, "no name"),
    ("dynamic_axes", {"x": {0.5: "k"}}, "by something else than its number"),
    ("dynamic_axes", {"x": ["a"]}, "its number"),
    ("dynamic_axes", {"x": {True: "k"}}, "its number"),
    ("dynamic_axes", {"x": {0: ""}}, "empty name"),
    ("axis_ranges", {"batch": (9, 5, 1)}, RISING),
    ("axis_ranges", {"batch": (1, 2)}, RANGE),
    ("axis_ranges", 5, MAPPING),
    ("axis_ranges", {"batch": (-1, 1, 2)}, RISING),
    ("axis_ranges", {"batch": "1,2,3"}, RANGE),
    ("axis_ranges", {"batch": (1, NAN, 3)}, RANGE),
    ("axis_ranges", {"batch": (1, 2, 2**63)}, RISING),
    ("axis_ranges", {"x": {0: (1, 2)}}, "axis_ranges['x'][0]=(1, 2) has to be"),
    ("axis_ranges", {"batch": None}, RANGE),
    ("device", 0, "has to be text. Write device='cpu' or 'cuda:0'."),
    ("device", "", "empty name"),
    ("device", b"cpu", TEXT),
    ("device", "cuda\n", "control characters"),
    ("device", ["cpu"], TEXT),
    ("device", "../x", "status.yaml: '../x' cannot be a name: it holds a separator. Names have no '/'"),
    ("device", " cpu", "it begins or ends with a space"),
    ("device", "x" * 129, "it is longer than 128 bytes"),
    ("runtimes", ["CPUExecutionProvider"], MAPPING),
    ("runtimes", {"onnx": [1]}, "runtimes['onnx']=[1] holds 1"),
    ("runtimes", {"onnx": None}, NAMES),
    ("runtimes", {"onnx": {"a": 1}}, NAMES),
    ("runtimes", {1: ["a"]}, "no name"),
    ("profiler", 1, TEXT),
    ("profiler", "", "empty name"),
    ("profiler_config", {"batch_sizes": [1]}, "ProfilerConfig("),
    ("profiler_config", nav.ProfilerConfig, "has to be a navcore.ProfilerConfig"),
    ("profiler_config", [], "ProfilerConfig"),
    ("batch_sizes", 8, "has to be a list of whole numbers"),
    ("batch_sizes", [], "is empty"),
    ("batch_sizes", "all", "has to be a list of whole numbers, or 'auto'"),
    ("batch_sizes", [0], "has to be more than 0"),
    ("batch_sizes", {1, 8}, "has to be a list of whole numbers"),
    ("ranking", 1, "has to be True or False"),
    ("budget", 0, "has to be more than 0"),
    ("budget", float("inf"), "has to be finite"),
    ("threads", 0, "has to be more than 0"),
    ("threads", "many", "has to be a whole number"),
    ("threads", 10**6, "has to be at most 4096"),
    ("run_profiling", "no", SWITCH),
    ("run_profiling", 0, SWITCH),
    ("run_profiling", None, SWITCH),
    ("override_workdir", "no", SWITCH),
    ("override_workdir", 1, SWITCH),
    ("override_workdir", [], SWITCH),
    ("git_info", "no", SWITCH),
    ("git_info", np.array([True]), SWITCH),
    ("prefer", ["torch"], MAPPING),
    ("prefer", {"onnx": 1}, "prefer['onnx']=1 has to be text"),
    ("prefer", "torch", MAPPING),
    ("executor", 3, "has to be a concurrent.futures.Executor"),
    ("executor", ThreadPoolExecutor, "has to be a concurrent"),
    ("executor", "threads", "has to be a concurrent.futures.Executor"),
    ("progress", 3, "has to be callable"),
    ("progress", "bar", "has to be callable"),
    ("atol", Unshowable(), "atol=<Unshowable instance at"),
    ("atol", "x" * 10**6, NUMBER),
]


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG, ids=[f"{one[0]}-{n}" for n, one in enumerate(WRONG)])
def test_what_cannot_be_meant_gets_one_sentence_with_what_to_write_instead(
    name: str, value: Any, sentence: str
) -> None:
    with pytest.raises(nav.OptionError) as caught:
        settled("run", {name: value})
    told = str(caught.value)
    assert told.startswith(name)
    assert sentence in told
    assert caught.value.hint, "it says what to write instead"
    assert "\n" not in told
    assert len(told) < 300


RIGHT: list[tuple[str, Any, Any]] = [
    ("targets", {"b", "a"}, ("a", "b")),
    ("targets", (one for one in ["b", "a"]), ("b", "a")),
    ("targets", "a", ("a",)),
    ("targets", nav.Format.ONNX, ("onnx",)),
    ("targets", [nav.Format.ONNX, "a", "a"], ("onnx", "a", "a")),
    ("targets", Precision.FP16, ("onnx-fp16",)),
    ("targets", None, None),
    ("targets", {"a": 1}.keys(), ("a",)),
    ("sample_count", None, 100),
    ("sample_count", np.int64(7), 7),
    ("sample_count", 2**62, 2**62),
    ("atol", 0, 0),
    ("atol", np.float32(0.5), 0.5),
    ("rtol", 1, 1),
    ("rtol", None, None),
    ("timeout", 1e9, 1e9),
    ("timeout", np.int32(5), 5),
    ("memory_limit", 2**40, 2**40),
    ("memory_limit", None, None),
    ("batch_dim", None, None),
    ("batch_dim", -1, -1),
    ("batch_dim", np.int64(0), 0),
    ("device", Cuda(), "cuda:1"),
    ("device", "/device:GPU:0", "/device:GPU:0"),
    ("device", None, None),
    ("input_names", ["input.1", "tf:x"], ("input.1", "tf:x")),
    ("output_names", (one for one in "yz"), ("y", "z")),
    ("dynamic_axes", {"x": {-1: "n", np.int64(0): "b"}}, {"x": {-1: "n", 0: "b"}}),
    ("dynamic_axes", {}, {}),
    ("dynamic_axes", {"x": (0, 2), "y": {1, 0}}, {"x": [0, 2], "y": [0, 1]}),
    ("axis_ranges", {"batch": [1, 2, 10**18]}, {"batch": (1, 2, 10**18)}),
    ("axis_ranges", {"x": {0: np.array([1, 2, 3])}}, {"x": {0: (1, 2, 3)}}),
    ("runtimes", {nav.Format.ONNX: nav.RuntimeProvider.CPU}, {"onnx": ("CPUExecutionProvider",)}),
    ("runtimes", None, {}),
    ("options", {nav.Format.ONNX: {"opset": 17}}, {"onnx": {"opset": 17}}),
    ("options", None, {}),
    ("options", {}, {}),
    ("prefer", {"onnx": "nav-torch"}, {"onnx": "nav-torch"}),
    ("profiler", None, "navcore"),
    ("profiler_config", None, None),
    ("batch_sizes", [8, 1, 8], (8, 1)),
    ("batch_sizes", np.array([2, 4]), (2, 4)),
    ("batch_sizes", None, None),
    ("batch_sizes", "auto", "auto"),
    ("budget", 5, 5),
    ("threads", "auto", "auto"),
    ("threads", "2", 2),
    ("threads", np.int64(3), 3),
    ("run_profiling", np.True_, True),
    ("git_info", False, False),
    ("workdir", pathlib.Path("a"), pathlib.Path("a")),
    ("workdir", "a/", pathlib.Path("a")),
    ("workdir", None, None),
    ("workdir", "/proc/x", pathlib.Path("/proc/x")),
    ("override_workdir", True, True),
    ("progress", print, print),
]


@pytest.mark.parametrize(("name", "value", "expected"), RIGHT, ids=[f"{one[0]}-{n}" for n, one in enumerate(RIGHT)])
def test_what_can_be_meant_is_settled(name: str, value: Any, expected: Any) -> None:
    settings, surroundings = settled("run", {name: value})
    found = getattr(settings if hasattr(settings, name) else surroundings, name)
    assert found == expected
    assert type(found) is type(expected)


def test_an_argument_that_there_is_not_is_named_with_the_one_that_was_meant() -> None:
    with pytest.raises(nav.UnknownArgument, match=r"run\(\) has no argument 'target'\. Did you mean 'targets'\?"):
        nav.run("model.onnx", [], target=["onnx"])  # type: ignore[call-arg]
    with pytest.raises(nav.UnknownArgument, match=r"'trust'\. It is for packages: navcore\.load\(path, trust="):
        nav.run("model.nav", trust=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"plan\(\) has no argument 'zzz'\. It takes targets, effort, options"):
        nav.plan("model.onnx", zzz=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"batch_sizes": "1,2"}, "batch_sizes is given '1'"),
        ({"batch_sizes": [0]}, "batch_sizes is given 0"),
        ({"batch_sizes": [1.5]}, "batch_sizes is given 1.5"),
        ({"batch_sizes": [True]}, "batch_sizes is given True"),
        ({"batch_sizes": 8}, "batch_sizes is 8. Give a list of sizes, such as [1, 8], or None."),
        ({"measurement_interval": INF}, "measurement_interval is inf"),
        ({"measurement_interval": "50"}, "measurement_interval is '50'"),
        ({"stability_percentage": NAN}, "stability_percentage is nan"),
    ],
)
def test_a_measurement_that_cannot_be_meant_is_refused_when_it_is_described(
    given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(nav.OptionError) as caught:
        nav.ProfilerConfig(**given)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("given", "most"),
    [
        ({"batch_sizes": [1, 10**12]}, 2**20),
        ({"measurement_interval": 10**12}, 86_400_000),
        ({"measurement_request_count": 10**12, "measurement_mode": "count_windows"}, 10**7),
        ({"max_trials": 10**9}, 1000),
    ],
)
def test_a_measurement_that_would_not_come_to_an_end_is_refused_where_it_is_asked_for(
    given: dict[str, Any], most: int
) -> None:
    with pytest.raises(nav.OptionError) as caught:
        settled("run", {"profiler_config": nav.ProfilerConfig(**given)})
    assert f"which no machine measures. Give at most {most}." in str(caught.value)


def test_a_measurement_takes_numbers_of_numpy() -> None:
    config = nav.ProfilerConfig(batch_sizes=np.array([1, 8]), max_trials=np.int64(4))
    assert config == nav.ProfilerConfig(batch_sizes=(1, 8), max_trials=4)
    assert type(config.max_trials) is int
