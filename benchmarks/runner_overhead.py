"""What the ONNX Runtime runner, and the module that stands for the source, cost per call over the bare session.

The module is that of ``nav_torch.as_module``, with one input and one output; it is made of a package of the same model.

The model is the smallest that does anything: Linear 5→7, batch 3, float32, one thread. Blocks of calls of both kinds
alternate, in changing order, so that a busy moment of the machine hits both; the medians over the blocks are compared.

    python benchmarks/runner_overhead.py [--blocks 200] [--calls 1000]
"""

from __future__ import annotations

import argparse
import contextlib
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

import nav_onnx
import nav_torch
import navcore as nav
from navcore import Artifact, Runner, RunnerJob, RuntimeProvider, Signature, TensorSpec


def linear(path: Path) -> None:
    """Write y = x·wᵀ + b with x of shape (batch, 5) and y of shape (batch, 7)."""
    random = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)
        for name, shape in (("w", (7, 5)), ("b", (7,)))
    ]
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 7])],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)


def open_runner(path: Path) -> Runner:
    """The plugin's runner, from its route, without the rest of navcore."""
    inputs, outputs = TensorSpec("x", "float32", ("batch", 5)), TensorSpec("y", "float32", ("batch", 7))
    artifact = Artifact(nav_onnx.ONNX, Signature((inputs,), (outputs,)), path=path)
    job = RunnerJob(artifact, str(RuntimeProvider.CPU), nav_onnx.RuntimeOptions(), threads=1)
    runner = nav_onnx.run_on_cpu(job)
    assert isinstance(runner, Runner)
    return runner


@contextlib.contextmanager
def open_module(path: Path) -> Iterator[torch.nn.Module]:
    """The module of a package of the file; the dataloader gives tensors by position, as an application does."""
    data = [np.random.default_rng(seed).normal(size=(3, 5)).astype(np.float32) for seed in range(4)]
    asked: dict[str, Any] = {"targets": ["onnx"], "run_profiling": False, "git_info": False}
    with tempfile.TemporaryDirectory() as folder:
        package = nav.run(str(path), data, input_names=["x"], workdir=folder, **asked)
        module = nav_torch.as_module(package, "onnx", threads=1, result=lambda y: y)
        yield module
        module.close()


def microseconds(call: Callable[..., Any], arguments: tuple[Any, ...], calls: int) -> float:
    """Mean time of one of ``calls`` calls."""
    start = time.perf_counter_ns()
    for _ in range(calls):
        call(*arguments)
    return (time.perf_counter_ns() - start) / calls / 1000


def compare(path: Path, blocks: int, calls: int) -> dict[str, list[float]]:
    """Microseconds per call, one number per block, for the bare session and for the runner."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    feeds = {"x": np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)}
    tensor = torch.from_numpy(feeds["x"])
    with open_runner(path) as runner, open_module(path) as module:
        np.testing.assert_array_equal(runner(feeds)["y"], session.run(None, feeds)[0])
        np.testing.assert_array_equal(module(tensor).numpy(), session.run(None, feeds)[0])
        kinds: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = [
            ("session.run(None, feeds)", session.run, (None, feeds)),
            ("session.run(['y'], feeds)", session.run, (["y"], feeds)),
            ("runner(feeds)", runner, (feeds,)),
            ("module(tensor)", module, (tensor,)),
        ]
        times: dict[str, list[float]] = {name: [] for name, _, _ in kinds}
        for block in range(blocks + 1):
            for offset in range(len(kinds)):
                name, call, arguments = kinds[(block + offset) % len(kinds)]
                taken = microseconds(call, arguments, calls)
                if block:  # the first block warms up
                    times[name].append(taken)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--blocks", type=int, default=200)
    parser.add_argument("--calls", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        linear(path)
        times = compare(path, asked.blocks, asked.calls)
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        quarter = statistics.quantiles(times[name], n=4)
        print(f"{name:28} {median:7.3f} µs   (middle half {quarter[0]:.3f} to {quarter[2]:.3f})")
    bare, named, ours, module = medians.values()
    print(f"runner over session.run(None, feeds):  {ours - bare:+.3f} µs, ratio {ours / bare:.3f}")
    print(f"runner over session.run(['y'], feeds): {ours - named:+.3f} µs, ratio {ours / named:.3f}")
    print(f"module over session.run(['y'], feeds): {module - named:+.3f} µs, ratio {module / named:.3f}")
    print(
        f"{asked.blocks} blocks of {asked.calls} calls; onnxruntime {onnxruntime.__version__}, "
        f"onnx {onnx.__version__}, numpy {np.__version__}, Python {platform.python_version()}, "
        f"{_processor()}, {platform.system()} {platform.release()}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
