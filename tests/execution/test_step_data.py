"""A step crosses the door of a process as plain data, and is the same step behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from navcore import ProfilerConfig
from navcore.contract.formats import Format
from navcore.contract.jobs import Artifact
from navcore.contract.signature import Signature, TensorSpec
from navcore.errors import InputError, PluginError
from navcore.evaluation.check_requests import MeasureSettings, VerifySettings
from navcore.execution.step import CheckStep, ChildStep, ConvertStep, RouteCall, ServeStep, runner_job
from navcore.execution.step_data import announced_in, call_from_data, call_to_data, request_of, step_from
from navcore.registry.discovery import candidates
from navcore.registry.loading import load_registry
from navcore.registry.registry import Registry
from navcore.testing import toy
from navcore.workspace.plain_data import to_data

RUNNER, CONVERTER = "toy:run_toy_file[toy-alpha]", "toy:beta_from_alpha"
SIGNATURE = Signature((TensorSpec("x", "float32", ("batch", 4)),), (TensorSpec("y", "int64", (2, "n")),))


@pytest.fixture(scope="module")
def registry() -> Registry:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NAVCORE_EXTRA_PLUGINS", "toy=navcore.testing.toy")
        patch.setenv("NAVCORE_DISABLE_PLUGINS", "torch,onnx,tensorflow,openvino,trt,trace")
        return load_registry(tuple(candidates()))


_PATHS = st.sampled_from([Path("/place/a"), Path("/place/ä b/model.toy")])
_CALLS = st.builds(
    RouteCall,
    st.sampled_from([RUNNER, CONVERTER]),
    st.builds(
        Artifact,
        st.just(toy.ALPHA),
        st.just(SIGNATURE),
        _PATHS,
        st.none(),
        st.sampled_from(["named", "positional", "structure"]),
        st.dictionaries(st.text(), st.text(), max_size=2),
    ),
    st.builds(toy.Options, scale=st.floats(allow_nan=False), mischief=st.sampled_from(["", "raise"])),
    st.none() | st.just("cuda:0"),
    st.integers(1, 64),
    _PATHS,
)
_PROFILING = ProfilerConfig(measurement_mode="count_windows", measurement_request_count=7)
_STEPS: st.SearchStrategy[ChildStep] = st.one_of(
    st.builds(ConvertStep, _CALLS, st.just(SIGNATURE), _PATHS, _PATHS),
    st.builds(
        CheckStep,
        _CALLS,
        st.just(SIGNATURE),
        _PATHS,
        st.none() | st.builds(VerifySettings, noise=st.dictionaries(st.text(), st.floats(0, 1), max_size=2)),
        st.none() | st.builds(MeasureSettings, st.just(_PROFILING), st.just((1, 8)), st.just("toy:clock")),
    ),
    st.builds(ServeStep, _CALLS, st.text(), st.just("00ff")),
)


@given(step=_STEPS)
def test_a_step_is_the_same_on_the_other_side(registry: Registry, step: ChildStep) -> None:
    request = json.loads(json.dumps(request_of(step)))
    assert step_from(request, registry) == step


@given(call=_CALLS)
def test_so_is_a_call_alone(registry: Registry, call: RouteCall) -> None:
    assert call_from_data(json.loads(json.dumps(call_to_data(call))), registry) == call


def plain_call(**changes: Any) -> dict[str, Any]:
    artifact = Artifact(toy.ALPHA, SIGNATURE, Path("/model.toy"))
    return {**call_to_data(RouteCall(RUNNER, artifact, toy.Options(), None, 2, Path("/logs"))), **changes}


def test_the_format_arrives_as_its_plugin_knows_it(registry: Registry) -> None:
    """Its functions and its summary do not travel: the other side has its own."""
    assert call_from_data(plain_call(), registry).artifact.format.summary == "toy file"
    strange = plain_call(artifact=to_data(Artifact(Format("strange"), SIGNATURE, Path("/x"))))
    assert call_from_data(strange, registry).artifact.format == Format("strange")


def test_the_place_for_what_a_compiler_keeps_arrives(registry: Registry) -> None:
    assert call_from_data(plain_call(), registry).cache_dir is None
    assert call_from_data(plain_call(cache_dir="/cache"), registry).cache_dir == Path("/cache")


def test_a_call_becomes_the_job_of_its_runner(registry: Registry) -> None:
    job = runner_job(call_from_data(plain_call(), registry), registry)
    assert (job.runtime, job.threads, job.log_dir, job.options) == ("toy-runtime", 2, Path("/logs"), toy.Options())


def test_what_is_not_installed_or_no_kind_of_step_is_named(registry: Registry) -> None:
    with pytest.raises(PluginError, match="nobody:nothing"):
        call_from_data(plain_call(route="nobody:nothing"), registry)
    request = {**plain_call(), "kind": "bake", "reference": to_data(SIGNATURE), "workspace": "/w"}
    with pytest.raises(InputError, match="'bake', which is no kind of step"):
        step_from(request, registry)


def test_the_announced_plugins_travel_with_a_request() -> None:
    found = tuple(candidates())
    assert announced_in({"announced": json.loads(json.dumps(to_data(found)))}) == found
    assert announced_in({}) is None
