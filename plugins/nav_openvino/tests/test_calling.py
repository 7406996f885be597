"""Names of outputs, and several threads that call one loaded model."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import navcore as nav
from nav_openvino import OPENVINO, RuntimeOptions, run_in_fp32
from nav_openvino.naming import names_of_outputs
from nav_openvino.silence import openvino
from navcore import Artifact, RunnerJob, Signature, StepError

from .openvino_models import rows

ov = openvino()
from openvino import opset13 as op  # noqa: E402


@pytest.mark.parametrize(
    ("known", "declared", "given"),
    [
        ([{"b"}, {"a"}], ("a", "b"), ("b", "a")),  # the file's own order
        ([{"x"}, {"y", "a"}], ("a", "b"), ("b", "a")),  # one is known, the other has what is left
        ([{"x"}, {"y"}], ("a", "b"), ("a", "b")),  # none is known: by position
        ([{"a", "b"}, {"a", "b"}], ("a", "b"), ("a", "b")),  # one tensor, returned twice
        ([{"z", "c"}], (), ("c",)),  # nobody has told yet
    ],
)
def test_every_output_gets_a_name_of_its_own(
    known: list[set[str]], declared: tuple[str, ...], given: tuple[str, ...]
) -> None:
    assert names_of_outputs(known, declared) == given


def test_another_number_of_outputs_than_is_declared_is_refused() -> None:
    with pytest.raises(StepError, match="has 1 outputs where 2 are declared"):
        names_of_outputs([{"a"}], ("a", "b"))


class Twice(torch.nn.Module):
    """Returns one tensor under two names."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = x * 2
        return {"first": y, "second": y}


def test_a_tensor_that_is_returned_twice_has_both_names(tmp_path: Path) -> None:
    data = [torch.randn(2, 3) for _ in range(3)]
    package = nav.run(Twice(), data, targets=["openvino"], workdir=tmp_path, run_profiling=False, git_info=False)
    assert rows(package)["openvino-cpu"].status == "ok"


@pytest.mark.parametrize("runtime", ["openvino-cpu", "openvino-cpu-throughput"])
def test_threads_that_call_at_once_get_their_own_answers(package: nav.PackageDescriptor, runtime: str) -> None:
    wrong: list[int] = []
    with package.open_runner("openvino", runtime=runtime) as runner:
        feeds = [{"input__0": np.full((1, 64), number / 8, np.float32)} for number in range(4)]
        alone = [runner(one)["output__0"].copy() for one in feeds]

        def call(number: int) -> None:
            answers = (runner(feeds[number])["output__0"] for _ in range(200))
            wrong.extend(number for answer in answers if not np.array_equal(answer, alone[number]))

        threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert len({one.tobytes() for one in alone}) == 4, "the inputs differ, so a mix-up would show"


def test_what_meets_weights_of_8_bits_is_not_rounded_to_8_bits_as_well(tmp_path: Path) -> None:
    """OpenVINO does so by itself, under a hint of float32 too, and is then off by about a per cent."""
    weights = np.random.default_rng(0).integers(-127, 128, (256, 512)).astype(np.int8)
    x = op.parameter([-1, 256], np.float32, name="x")
    scaled = op.multiply(op.convert(op.constant(weights), "f32"), op.constant(np.float32(0.01)))
    path = tmp_path / "model.xml"
    ov.save_model(ov.Model([op.matmul(x, scaled, False, False)], [x]), path, compress_to_fp16=False)
    feeds = np.random.default_rng(1).standard_normal((4, 256)).astype(np.float32)
    exact = feeds @ (weights.astype(np.float32) * np.float32(0.01))

    job = RunnerJob(Artifact(OPENVINO, Signature(()), path), "openvino-cpu", RuntimeOptions())
    with run_in_fp32(job) as runner:
        (answer,) = runner({"x": feeds}).values()
        assert runner.precision == "fp32"
    assert np.linalg.norm(answer - exact) < 1e-5 * np.linalg.norm(exact)
