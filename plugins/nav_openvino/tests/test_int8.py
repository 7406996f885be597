"""Quantised models: calibrated on the user's samples, a scale per channel, and a row that says what it computes in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import numpy as np
import pytest
import torch

import navcore as nav
from nav_openvino import OPENVINO, OPENVINO_INT8, Int8Options, openvino_int8_from_openvino
from nav_openvino.quantising import fitted, has_attention, on_processors, quantisers, settings_for
from nav_openvino.silence import nncf, openvino
from navcore import Artifact, ConversionError, ConvertJob, Signature, TensorSpec

from .openvino_models import DATA, exported, rows

ov = openvino()
from openvino import opset13 as op  # noqa: E402

SPECS = (TensorSpec("x", "float32", ("batch", 8)),)


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def layers(weights: np.ndarray | None = None) -> Any:
    """A matrix product, float32 ``(batch, 8)`` to ``(batch, 4)``, and a ReLU."""
    x = op.parameter([-1, 8], np.float32, name="x")
    x.output(0).get_tensor().set_names({"x"})
    return ov.Model(
        [op.relu(op.matmul(x, op.constant(drawn(8, 4) if weights is None else weights), False, False))], [x]
    )


def attention(*, weighing: bool = True) -> Any:
    """Three products of which one is with what a softmax gives, or would be."""
    x = op.parameter([-1, 5, 8], np.float32, name="x")
    query, key, value = (op.matmul(x, op.constant(drawn(8, 8, seed=seed)), False, False) for seed in range(3))
    scores = op.matmul(query, key, False, True)
    weights = op.softmax(scores, -1) if weighing else op.sigmoid(scores)
    return ov.Model([op.matmul(op.reshape(weights, op.constant(np.array([0, 5, 5])), True), value, False, False)], [x])


@pytest.fixture
def job(tmp_path: Path) -> Any:
    """A job as the core makes it, of a model and samples ``(1, 8)``; keywords are options."""

    def made(model: Any, samples: list[np.ndarray], **options: Any) -> ConvertJob[Int8Options]:
        path = tmp_path / "float" / "model.xml"
        path.parent.mkdir(exist_ok=True)
        ov.save_model(model, path, compress_to_fp16=False)
        signature = Signature(SPECS)
        source = Artifact(OPENVINO, signature, path)
        feeds = [{"x": sample} for sample in samples]
        output = tmp_path / "model.xml"
        return ConvertJob(source, OPENVINO_INT8, output, signature, feeds[0], Int8Options(**options), samples=feeds)

    return made


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> nav.PackageDescriptor:
    return exported(tmp_path_factory.mktemp("int8"), targets=["openvino-int8"])


def test_the_row_says_that_it_computes_in_8_bits_and_is_held_to_their_bound(quantised: nav.PackageDescriptor) -> None:
    row = rows(quantised, "openvino-int8")["openvino-cpu"]
    assert (row.status, row.precision, row.verification.bound) == ("ok", "int8", 0.1)
    assert row.notes == ("2 of 2 matrix products and convolutions are computed in int8.",)
    assert row.verification.differences[0].relative_l2 > 1e-3, "it would be no quantised model"


def test_the_record_says_what_it_was_calibrated_on(quantised: nav.PackageDescriptor) -> None:
    (row,) = (row for row in quantised.results if row.format.name == "openvino-int8")
    samples = len(DATA) + len(list((quantised.workspace / "model_input" / "conversion").iterdir()))
    assert row.facts["samples"] == str(samples)
    assert row.facts["nncf"] == nncf().__version__
    assert f"Calibrated on {samples} samples." in row.notes


def test_the_weights_take_a_quarter_of_the_space_and_travel_in_the_package(
    quantised: nav.PackageDescriptor, tmp_path: Path
) -> None:
    sizes = [(quantised.workspace / name / "model.bin").stat().st_size for name in ("openvino-int8", "openvino")]
    assert sizes[0] < sizes[1] / 3
    quantised.save(tmp_path / "model.nav")
    loaded = nav.load(tmp_path / "model.nav", workdir=tmp_path, run_profiling=False)
    assert rows(loaded, "openvino-int8")["openvino-cpu"].status == "ok"
    assert isinstance(loaded.get_model("openvino-int8"), ov.Model)


def test_a_quick_run_and_one_with_other_targets_have_none() -> None:
    model, data = Encoder(), [torch.randn(2, 5, 32)]
    assert "openvino-int8" in str(nav.plan(model, data))
    assert "openvino-int8" not in str(nav.plan(model, data, effort="quick"))
    assert "openvino-int8" not in str(nav.plan(model, data, targets=["openvino"]))
    assert "openvino-int8" in str(nav.plan(model, data, targets=["openvino-int8"], effort="quick"))


def test_a_normal_run_has_one_and_it_is_the_best_only_for_who_says_how_far_off_it_may_be(
    quantised: nav.PackageDescriptor, tmp_path: Path
) -> None:
    file = quantised.workspace / "onnx" / "model.onnx"
    package = nav.run(file, DATA, workdir=tmp_path, model_name="normal", budget=3, batch_sizes=[2], git_info=False)
    assert rows(package, "openvino-int8")["openvino-cpu"].performance
    seen: list[nav.Choice] = []

    class Quantised:
        def choose(self, candidates: Any) -> nav.Choice | None:
            seen.extend(candidates)
            return None

    assert package.best(Quantised()) is None
    lossy = {(one.format.name, one.runtime) for one in seen if one.coarser}
    assert ("openvino-int8", "openvino-cpu") in lossy
    assert ("openvino", "openvino-cpu") not in lossy
    best = package.best()
    assert best is not None
    assert (best.format.name, best.runtime) not in lossy
    coarse = [one for one in seen if one.coarser]  # alone: which of all is the fastest depends on the machine
    assert nav.MinLatency().choose(coarse) is None
    assert nav.MinLatency(max_error=0.2).choose(coarse) in coarse


def test_what_each_effort_runs_the_format_in() -> None:
    def runtimes(**asked: str) -> list[str]:
        plan = nav.plan(Encoder(), [torch.randn(2, 5, 32)], **asked)
        return sorted(check.runtime for check in plan.checks if check.format.name == "openvino")

    assert runtimes(effort="quick") == ["openvino-cpu"]
    assert runtimes() == ["openvino-cpu", "openvino-cpu-bf16"]
    assert runtimes(effort="thorough") == [*runtimes(), "openvino-cpu-fp16", "openvino-cpu-throughput"]


def test_without_nncf_the_row_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", ModuleType("nncf"))
    package = exported(tmp_path, targets=["openvino-int8"])
    (row,) = (row for row in package.results if row.format.name == "openvino-int8")
    assert row.failure is not None
    assert (row.status, row.failure.cause) == (
        "unavailable", 'NNCF is not installed: pip install "nav-openvino[int8]"'
    )  # fmt: skip
    assert package.get_status("openvino"), "what it is made from is made"


def test_the_scales_are_those_of_the_samples(job: Any) -> None:
    """Samples ten times as large give scales ten times as large: nothing else was calibrated on."""

    def largest(factor: float) -> float:
        made = job(layers(), [drawn(1, 8, seed=seed) * np.float32(factor) for seed in range(6)])
        openvino_int8_from_openvino(made)
        (of_input,) = (
            one for one in ov.Core().read_model(made.output).get_ops() if one.get_type_name() == "FakeQuantize"
        )
        return float(of_input.input_value(2).get_node().get_data().max())

    assert largest(10.0) == pytest.approx(10 * largest(1.0), rel=1e-3)


def test_weights_have_a_scale_for_each_channel(job: Any) -> None:
    """One channel is fifty times as large as the others, which one scale for all would round to next to nothing."""
    weights = drawn(8, 4)
    weights[:, 0] *= 50
    made = job(layers(weights), [drawn(1, 8, seed=seed) for seed in range(8)])
    openvino_int8_from_openvino(made)
    (scaling,) = (one for one in ov.Core().read_model(made.output).get_ops() if one.get_type_name() == "Multiply")
    stored, scales = (scaling.input_value(number).get_node() for number in (0, 1))
    assert stored.input_value(0).get_element_type() == ov.Type.i8
    kept = stored.input_value(0).get_node().get_data() * scales.get_data()
    for channel in range(4):
        assert np.linalg.norm((kept - weights)[:, channel]) < 0.03 * np.linalg.norm(weights[:, channel])


def test_no_more_samples_are_read_than_the_option_says(job: Any) -> None:
    read: list[int] = []

    class Counting:
        def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
            for number in range(100):
                read.append(number)
                yield {"x": drawn(1, 8, seed=number)}

    made = attrs.evolve(job(layers(), [drawn(1, 8)], subset=5), samples=Counting())
    assert openvino_int8_from_openvino(made).facts["samples"] == "5"
    assert read == [0, 1, 2, 3, 4]


def test_what_is_kept_is_not_quantised(job: Any) -> None:
    samples = [drawn(1, 8, seed=seed) for seed in range(3)]
    with pytest.raises(ConversionError, match="Nothing in this graph was quantised"):
        openvino_int8_from_openvino(job(layers(), samples, keep_ops=["MatMul"]))


def test_attention_makes_a_transformer_of_a_graph() -> None:
    assert has_attention(attention())
    assert not has_attention(attention(weighing=False))
    kinds = nncf().ModelType
    assert settings_for(attention(), Int8Options(), 1)["model_type"] == kinds.TRANSFORMER
    assert settings_for(layers(), Int8Options(), 1)["model_type"] is None
    assert settings_for(layers(), Int8Options(model_type="transformer"), 1)["model_type"] == kinds.TRANSFORMER
    assert settings_for(attention(), Int8Options(model_type="other"), 1)["model_type"] is None


class Encoder(torch.nn.Module):
    """One layer of a transformer; it moves along the length of the sequence and along the batch."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)  # type: ignore[no-any-return]


def test_a_transformer_with_two_moving_axes_is_quantised(tmp_path: Path) -> None:
    data = [torch.randn(2, length, 32) for length in (5, 9, 7, 6, 8, 11)]
    package = nav.run(
        Encoder().eval(), data, targets=["openvino-int8"], workdir=tmp_path, run_profiling=False, git_info=False
    )
    row = rows(package, "openvino-int8")["openvino-cpu"]
    assert (row.status, row.precision) == ("ok", "int8")


def test_a_sample_is_repeated_where_the_graph_fixes_a_batch() -> None:
    x = op.parameter([3, 8], np.float32, name="x")
    x.output(0).get_tensor().set_names({"x", "also"})
    model = ov.Model([op.relu(x)], [x])
    (array,) = fitted(model, {"also": drawn(1, 8)}).values()
    assert array.shape == (3, 8)
    with pytest.raises(ConversionError, match=r"is not among the samples' \(y\)"):
        fitted(model, {"y": drawn(1, 8)})


def test_weights_are_no_quantisers() -> None:
    assert quantisers(layers()) == 0


def test_no_more_processors_are_used_than_the_step_may() -> None:
    before = os.sched_getaffinity(0)
    with on_processors(1) as kept:
        assert os.sched_getaffinity(0) == set(kept)
        assert len(kept) == 1
    assert os.sched_getaffinity(0) == before
    with on_processors(len(before) + 1) as kept:
        assert set(kept) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"subset": 0},
        {"preset": "fast"},
        {"keep_ops": "MatMul"},
        {"keep_nodes": [1]},
        {"metric": "no_module"},
        {"metric_data": "module:data"},
        {"metric": "module:fn", "max_drop": -1.0},
    ],
    ids=str,
)
def test_options_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Int8Options(**wrong)


def test_a_metric_with_a_bound_judges_the_row_in_place_of_its_numbers(tmp_path: Path) -> None:
    def largest(outputs: Any, _item: Any) -> float:
        return float(np.abs(next(iter(outputs.values()))).max())

    asked: dict[str, Any] = {"metrics": {"largest": largest}, "verified_when": {"largest": 0.0}}
    package = exported(tmp_path, targets=["openvino-int8"], **asked)
    row = rows(package, "openvino-int8")["openvino-cpu"]
    assert row.verification is not None
    assert row.verification.status == "ok"  # near enough, and the metric is not the same to the last bit
    assert (row.status, row.judged_by) == ("failed", ("largest",))
    assert rows(package)["openvino-cpu"].judged_by == ()
    package.evaluate({"largest": largest}, DATA, verified_when={"largest": 0.5})
    assert package.get_status("openvino-int8")
    assert "ok by largest ✓ verified" in str(package)
