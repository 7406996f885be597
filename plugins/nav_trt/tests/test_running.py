"""Running an engine, as far as that can be told without a device: nothing here loads a plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, create_autospec

import numpy as np
import polygraphy.backend.trt
import polygraphy.config
import pytest
import tensorrt_rtx as trt
from polygraphy.exception import PolygraphyException

from nav_trt import running
from nav_trt.flavours import RTX, TENSORRT
from nav_trt.formats import RTX_FP32
from navcore import Artifact, InputError, Runner, RunnerJob, Signature, StepError, TensorSpec

INPUTS = {"x": trt.float32, "ids": trt.int64}
FEEDS: dict[str, np.ndarray] = {"x": np.ones((2, 4), np.float32), "ids": np.arange(2)}
Open = Callable[..., Runner]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """Polygraphy's runner, specced on the real class, around an engine of two inputs and one output."""
    inside = create_autospec(trt.ICudaEngine, instance=True)
    names = [*INPUTS, "y"]
    inside.num_io_tensors = len(names)
    inside.get_tensor_name.side_effect = names.__getitem__
    inside.get_tensor_mode.side_effect = lambda name: (
        trt.TensorIOMode.INPUT if name in INPUTS else trt.TensorIOMode.OUTPUT
    )
    inside.get_tensor_dtype.side_effect = INPUTS.__getitem__
    opened: MagicMock = create_autospec(polygraphy.backend.trt.TrtRunner, instance=True)
    opened.engine = inside
    opened.infer.return_value = {"y": np.zeros((2, 4), np.float32)}
    monkeypatch.setattr(polygraphy.backend.trt, "TrtRunner", lambda _engine: opened)
    monkeypatch.setattr(polygraphy.config, "USE_TENSORRT_RTX", True)
    monkeypatch.setattr(running, "select_device", lambda _device: 0)
    monkeypatch.setattr(running, "lend_runtime_to_polygraphy", lambda: None)
    return opened


@pytest.fixture
def opened(engine: MagicMock, tmp_path: Path) -> Open:
    def go(*names: str, outputs: tuple[str, ...] = ("y",), **facts: str) -> Runner:
        plan = tmp_path / "model.plan"
        plan.write_bytes(b"a plan")
        specs = [tuple(TensorSpec(name, "float32", ("n", 4)) for name in side) for side in (names, outputs)]
        artifact = Artifact(RTX_FP32, Signature(specs[0], specs[1]), path=plan, facts=facts)
        job: Any = RunnerJob(artifact, running.RTX_RUNTIME, None)
        runner = running._open(job, RTX)
        assert isinstance(runner, Runner)
        return runner

    return go


def test_arrays_go_in_by_name_and_come_out_as_the_callers(engine: MagicMock, opened: Open) -> None:
    buffer = engine.infer.return_value["y"]
    with opened("x", "unused", "ids", outputs=("result",)) as runner:
        result = runner({**FEEDS, "unused": FEEDS["x"]})

    assert list(result) == ["result"]
    assert not np.shares_memory(result["result"], buffer)
    (given,) = engine.infer.call_args.args
    assert list(given) == ["x", "ids"]
    assert (runner.provider, runner.precision, runner.inputs) == ("cuda:0", "fp32", ("x", "ids"))
    engine.deactivate.assert_called_once_with()


def test_polygraphys_own_checks_are_not_measured(engine: MagicMock, opened: Open) -> None:
    with opened("x", "ids") as runner:
        runner(FEEDS)
    assert engine.infer.call_args.kwargs == {"check_inputs": False}


def test_scalars_and_views_reach_the_engine_with_their_shape(engine: MagicMock, opened: Open) -> None:
    with opened("x", "ids") as runner:
        runner({"x": np.ones((8, 4), np.float32)[::2], "ids": np.array(3)})
    (given,) = engine.infer.call_args.args
    assert given["ids"].shape == ()
    assert given["x"].flags["C_CONTIGUOUS"]


def test_a_wrong_type_or_a_missing_input_is_named(engine: MagicMock, opened: Open) -> None:
    with opened("x", "ids") as runner:
        with pytest.raises(InputError, match="The input 'x' is float64, and the engine takes float32"):
            runner({**FEEDS, "x": np.ones((2, 4))})
        with pytest.raises(InputError, match="The input 'ids' is missing"):
            runner({"x": FEEDS["x"]})
    engine.infer.assert_not_called()


def test_a_size_outside_the_profile_says_so(engine: MagicMock, opened: Open) -> None:
    engine.infer.side_effect = PolygraphyException("For input: x, failed to set shape to: (9, 4)")
    with opened("x", "ids") as runner, pytest.raises(StepError, match=r"does not take x \[9, 4\], ids \[2\]") as caught:
        runner({**FEEDS, "x": np.ones((9, 4), np.float32)})
    assert "wider trt_dynamic_axes" in caught.value.hint


def test_an_engine_that_does_not_fit_the_names_is_released(engine: MagicMock, opened: Open) -> None:
    with pytest.raises(StepError, match="The model takes x, ids, and its recorded inputs are other"):
        opened("other")
    engine.deactivate.assert_called_once_with()


def test_an_engine_that_is_not_loaded_names_who_built_it(engine: MagicMock, opened: Open) -> None:
    engine.activate.side_effect = PolygraphyException("Could not deserialize engine. See log for details.")
    with pytest.raises(StepError, match=r"does not load the engine that tensorrt-rtx 1\.6\.0 built") as caught:
        opened("x", "ids", flavour="tensorrt-rtx", version="1.6.0")
    assert "build it again here" in caught.value.hint


def test_a_foreign_plan_is_refused_before_it_is_opened(engine: MagicMock, opened: Open) -> None:
    with pytest.raises(StepError, match=r"built by tensorrt 10\.3\.0, and tensorrt-rtx cannot load it"):
        opened("x", "ids", flavour="tensorrt", version="10.3.0")
    engine.activate.assert_not_called()


def test_one_process_runs_one_flavour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polygraphy.config, "USE_TENSORRT_RTX", True)
    running._choose_for_polygraphy(RTX)
    with pytest.raises(StepError, match="runs engines of the other flavour already; TensorRT needs a process"):
        running._choose_for_polygraphy(TENSORRT)
