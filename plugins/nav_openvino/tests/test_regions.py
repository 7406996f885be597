"""Where the constants of OpenVINO's files lie: what is at each place is the weight, byte for byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
import openvino.opset13 as ops

from nav_openvino.formats import OPENVINO


def test_every_constant_is_at_a_place(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    weights = [generator.normal(size=shape).astype(np.float32) for shape in ((40, 50), (50, 30))]
    value = source = ops.parameter([-1, 40], np.float32)
    for weight in weights:
        value = ops.matmul(value, ops.constant(weight), False, False)
    openvino.save_model(openvino.Model([value], [source]), tmp_path / "model.xml", compress_to_fp16=False)

    assert OPENVINO.regions is not None
    places = OPENVINO.regions(tmp_path / "model.xml")
    data = (tmp_path / "model.bin").read_bytes()
    assert list(places) == [tmp_path / "model.bin"]
    found = {data[offset : offset + size] for offset, size in places[tmp_path / "model.bin"]}
    assert {weight.tobytes() for weight in weights} <= found
