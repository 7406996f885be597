"""Each argument of a run is defined once; what derives from the definition follows it."""

from __future__ import annotations

import importlib.resources
import inspect
import json
import typing

import attrs
import pytest

import navcore as nav
from navcore.contract.profiler_config import ProfilerConfig
from navcore.workspace.all_arguments import RunArguments, run_arguments
from navcore.workspace.argument import arguments_of
from navcore.workspace.settings import Settings
from navcore.workspace.status.export_config import config_to_data
from navcore.workspace.status.variant_config import _KEPT
from navcore.workspace.surroundings import Surroundings

SCHEMA = json.loads((importlib.resources.files("navcore") / "status.schema.json").read_text())


def test_type_checkers_are_told_of_every_argument_and_of_no_other() -> None:
    fields = [field.name for kind in (Settings, Surroundings) for field in attrs.fields(kind)]
    assert sorted(RunArguments.__annotations__) == sorted(fields)


@pytest.mark.parametrize("name", run_arguments())
def test_every_argument_has_a_type_a_meaning_and_a_default_that_its_type_takes(name: str) -> None:
    argument = run_arguments()[name]
    assert argument.meaning.endswith(".")
    kind = Settings if name in arguments_of(Settings) else Surroundings
    assert argument.settle(name, argument.default) == getattr(kind(), name)


def test_what_is_settled_is_settled_for_good() -> None:
    given = {
        "targets": {"onnx"}, "options": {"onnx": {"opset": 17}}, "dynamic_axes": {"x": [0, 1]}, "input_names": ["x"],
        "axis_ranges": {"x": {0: [1, 2, 3]}}, "runtimes": {"onnx": "cpu"}, "timeout": 3,
    }  # fmt: skip
    for name, value in given.items():
        settle = run_arguments()[name].settle
        assert settle(name, settle(name, value)) == settle(name, value)


def test_the_defaults_are_those_of_the_reference_page() -> None:
    settings = Settings()
    assert (settings.model_name, settings.sample_count, settings.batch_dim) == ("navigator_model", 100, 0)
    assert (settings.run_profiling, settings.measuring, settings.git_info) == (True, ProfilerConfig(), True)
    assert not Surroundings().override_workdir


@pytest.mark.parametrize("verb", [nav.run, nav.plan])
def test_the_signature_shows_every_argument_with_its_type_and_default(verb: typing.Any) -> None:
    parameters = inspect.signature(verb).parameters
    assert list(parameters) == ["model", "dataloader", *RunArguments.__annotations__]
    for name, argument in run_arguments().items():
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default == argument.default
    assert parameters["atol"].annotation == "float | None"


@pytest.mark.parametrize("verb", [nav.run, nav.plan])
def test_help_says_what_every_argument_means(verb: typing.Any) -> None:
    text = " ".join((verb.__doc__ or "").split())
    for name, argument in run_arguments().items():
        assert f"{name}: {' '.join(argument.meaning.split())}" in text


def test_status_yaml_has_every_setting_once_and_no_argument_that_is_not_recorded() -> None:
    data = config_to_data(
        Settings(), source="torch", live=True, timestamp="", signature=None, batch_size=None, results=()
    )
    for name, argument in arguments_of(Settings).items():
        assert (argument.reference or name) in data
        assert argument.reference in ("", name) or name not in data
    assert not set(arguments_of(Surroundings)) & set(data)
    own = {one.reference or name for name, one in arguments_of(Settings).items()}
    assert set(data) <= set(SCHEMA["properties"]["export_config"]["properties"]) | own


def test_config_yaml_has_what_decides_how_a_variant_comes_out() -> None:
    """The keys that version 1.0.0 of the file promises; arguments that come later add theirs."""
    assert set(_KEPT) >= {
        "options", "runtimes", "prefer", "batch_dim", "dynamic_axes", "axis_ranges", "input_names", "output_names",
        "device", "sample_count", "atol", "rtol", "timeout", "memory_limit",
    }  # fmt: skip


def test_every_option_of_the_command_line_has_a_flag_and_a_line_of_help() -> None:
    options = [one.option for one in run_arguments().values() if one.option is not None]
    assert len({option.flag for option in options}) == len(options)
    for option in options:
        assert option.flag.startswith("--")
        assert option.help.endswith(".")
