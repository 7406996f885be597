"""How to get the same numbers again: the command and the call say what was asked for, and nobody's home is told."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

import navcore as nav
from navcore.cli.arguments import given_arguments
from navcore.cli.running import run
from navcore.package.report.html.reproduction import Reproduction, reproduction_of
from navcore.workspace import Settings, run_arguments

from .given_records import made, ranking, record, source


def settled(**asked: Any) -> Settings:
    """The settings of a run that was asked for this."""
    return Settings(**{name: run_arguments()[name].settle(name, value) for name, value in asked.items()})


def told(**asked: Any) -> Reproduction:
    settings = settled(**asked)
    return reproduction_of(record(source(1.0), made("onnx", 0.0, 1.0), settings=settings))


def test_a_run_without_arguments() -> None:
    assert told().command == "navcore run MODEL --data DATA"
    assert told().call == "import navcore as nav\n\npackage = nav.run(model, dataloader)"
    assert told().unsaid == ()


ASKED: dict[str, Any] = {
    "model_name": "encoder",
    "targets": ("onnx", "torchscript-trace"),
    "options": {"onnx": {"opset": 17, "names": ["a b", "c"]}, "onnx/cpu": {"fast": True}},
    "sample_count": 12,
    "atol": 1e-3,
    "input_names": ("x", "y"),
    "dynamic_axes": {"x": {0: "batch", 1: "time"}},
    "axis_ranges": {"batch": (1, 8, 32), "x": {1: (2, 3, 4)}},
    "batch_dim": None,
    "runtimes": {"onnx": ("CPUExecutionProvider", "other")},
    "run_profiling": False,
    "profiler_config": nav.ProfilerConfig(measurement_interval=250),
    "batch_sizes": (1, 8),
    "ranking": False,
    "budget": 20.0,
    "threads": "2",
    "prefer": {"onnx": "nav-torch"},
    "timeout": 600.0,
    "memory_limit": 2 << 30,
    "device": "cuda:0",
}


def test_a_word_in_place_of_a_list_is_one_word() -> None:
    assert told(batch_sizes="auto", callers=8).command == "navcore run MODEL --data DATA --batch-size auto --callers 8"


@pytest.mark.parametrize("name", list(ASKED))
def test_the_command_asks_for_what_was_asked_for(name: str) -> None:
    words = shlex.split(told(**{name: ASKED[name]}).command)
    assert words[:2] == ["navcore", "run"]
    given = given_arguments(run.make_context("run", words[2:]).params)
    assert settled(**{key: value for key, value in given.items() if key != "data"}) == settled(**{name: ASKED[name]})


@pytest.mark.parametrize("name", list(ASKED))
def test_the_call_asks_for_what_was_asked_for(name: str) -> None:
    asked: dict[str, Any] = {}
    call = told(**{name: ASKED[name]}).call.partition("package = nav.run(")[2].replace("model,\n", "", 1)
    exec(f"asked.update(read({call.replace('dataloader,', '', 1)})", {"asked": asked, "read": dict, "nav": nav})
    assert settled(**asked) == settled(**{name: ASKED[name]})


def test_what_the_command_has_no_option_for_is_said() -> None:
    config = nav.ProfilerConfig(measurement_mode="count_windows", measurement_request_count=5)
    found = told(profiler_config=config, git_info=False, dynamic_axes={"x": [0, 1, 2]})
    assert found.command == "navcore run MODEL --data DATA"
    assert [sentence.split()[6] for sentence in found.unsaid] == ["dynamic_axes;", "profiler_config;", "git_info;"]
    assert "nav.ProfilerConfig(measurement_mode='count_windows', measurement_request_count=5)" in found.call


def test_who_made_it_by_which_seeds_and_of_which_samples() -> None:
    facts = dict(reproduction_of(record(made("onnx", 0.0, 1.0), ranking=ranking(("onnx", 2.0, 1.9, 2.1)))).facts)
    assert facts["nav-maker"] == "1.2"
    assert facts["machine key"] == "a-machine"
    assert facts["seed of the order of blocks"] == "42"
    assert facts["seed of the choice of samples"] == "0"
    assert facts["digest of the samples"] == "b" * 64
    assert facts["ranking"] == "30 s, with a budget of 90 s; every ratio is known to 3 %"


def test_a_record_without_samples_ranking_or_repository_says_what_it_knows() -> None:
    facts = dict(reproduction_of(record(source(1.0), samples=None)).facts)
    assert not {"samples", "ranking", "machine key", "commit"} & set(facts)


@pytest.mark.parametrize("home", ["/home/ada", "/Users/ada", "/root"])
def test_no_home_folder_is_told(home: str) -> None:
    found = told(options={"onnx": {"cache": f"{home}/secret/cache.bin"}}, model_name="ada")
    text = f"{found}"
    assert home not in text
    assert "~/secret/cache.bin" in found.call
    assert "~/secret/cache.bin" in found.command
