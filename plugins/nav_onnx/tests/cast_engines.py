"""TensorRT-RTX engines from cast models, built in a child process."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from nav_onnx.casting import Low, write_cast

from .cast_checks import Feeds

BUILD = """
import json, sys
import tensorrt_rtx as trt
path, shapes = sys.argv[1], json.loads(sys.argv[2])
logger = trt.Logger(trt.Logger.ERROR)
builder = trt.Builder(logger)
network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
parser = trt.OnnxParser(network, logger)
if not parser.parse_from_file(path):
    sys.exit("; ".join(parser.get_error(index).desc() for index in range(parser.num_errors)))
config, profile = builder.create_builder_config(), builder.create_optimization_profile()
for name, shape in shapes.items():
    profile.set_shape(name, *((batch, *shape[1:]) for batch in (1, 2, 4)))
config.add_optimization_profile(profile)
plan = builder.build_serialized_network(network, config)
layers = [network.get_layer(index) for index in range(network.num_layers)]
inner = sorted({layer.get_output(index).dtype.name for layer in layers for index in range(layer.num_outputs)})
ends = [network.get_input(i) for i in range(network.num_inputs)]
ends += [network.get_output(i) for i in range(network.num_outputs)]
print(json.dumps({"bytes": plan.nbytes if plan else 0, "inner": inner, "ends": [end.dtype.name for end in ends]}))
"""


def assert_builds(source: Path, feeds: Feeds, low: Low) -> None:
    """Building needs no GPU. Nothing is deserialized and no timing cache attached: both would look for one."""
    if importlib.util.find_spec("tensorrt_rtx") is None:
        pytest.skip("TensorRT-RTX is not installed: pip install tensorrt_rtx")
    output = source.with_name(f"{source.stem}-engine-{low}.onnx")
    write_cast(source, output, low)
    shapes = json.dumps({name: value.shape for name, value in feeds.items()})

    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(output), shapes], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr[-2000:]
    built = json.loads(done.stdout)
    typed = {"float16": "HALF", "bfloat16": "BF16"}[low]
    assert built["bytes"]
    assert typed in built["inner"]
    assert typed not in built["ends"]
