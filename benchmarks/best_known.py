"""navcore's best row against the best of raw calls written by hand, in one process and in turn, at the same error.

MobileNetV2, ResNet-50 and BERT-base as transformers builds them, with random weights, batch 1. First navcore runs, with
all the effort it has; then its best row of each class of error is opened beside the raw calls, and all are called in
turn, in blocks of a quarter of a second, in an order that is drawn anew for each round. A class is what the relative L2
error to eager may be on the user's own data: that of fp32 (1e-4), and that of reduced precision (0.1). A share of 95 %
says that navcore's row reaches 95 % of the throughput of the fastest raw call of that class.

    python benchmarks/best_known.py [--model mobilenetv2|resnet50|bert] [--threads 1|all] [--rounds 12] [--budget 240]
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

MODELS = ("mobilenetv2", "resnet50", "bert")
CLASSES = {"fp32": 1e-4, "reduced": 0.1}
RAW = (
    "eager",
    "eager_channels_last",
    "eager_bf16",
    "torchscript_frozen",
    "torchscript_optimized",
    "compiled",
    "compiled_frozen",
    "compiled_frozen_bf16",
    "aotinductor",
    "aotinductor_frozen",
    "onnxruntime",
    "onnxruntime_dynamic_int8",
    "onnxruntime_static_int8",
    "openvino_f32",
    "openvino_bf16",
    "openvino_int8",
)
BLOCK = 0.25
_IMAGES = 4  # dimensions
ITEMS = 8
Call = Callable[..., Any]


def build(name: str) -> tuple[Any, list[Any]]:
    """The model, in eager mode, and its items."""
    import torch
    import transformers

    torch.manual_seed(0)
    if name == "bert":
        config = transformers.BertConfig(attn_implementation="sdpa")
        model = transformers.BertModel(config, add_pooling_layer=True)
        data = [
            {"input_ids": torch.randint(5, config.vocab_size, (1, 128)), "attention_mask": torch.ones(1, 128).long()}
            for _ in range(ITEMS)
        ]
    else:
        config = transformers.MobileNetV2Config() if name == "mobilenetv2" else transformers.ResNetConfig()
        kind = transformers.MobileNetV2Model if name == "mobilenetv2" else transformers.ResNetModel
        model = kind(config)
        for layer in model.modules():  # as transformers draws them nothing of a picture would be left in the end
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight)
        data = [{"pixel_values": torch.randn(1, 3, 224, 224)} for _ in range(ITEMS)]
    return tensors_of(model.eval(), list(data[0])), data


def tensors_of(model: Any, names: list[str]) -> Any:
    """The model with positional tensors as its inputs, and its two tensors as its only outputs."""
    import torch

    class Tensors(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def _answer(self, **inputs: Any) -> Any:
            found = self.inner(**inputs)
            return found.last_hidden_state, found.pooler_output

    class Pixels(Tensors):
        def forward(self, pixel_values: Any) -> Any:
            return self._answer(pixel_values=pixel_values)

    class Words(Tensors):
        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self._answer(input_ids=input_ids, attention_mask=attention_mask)

    return (Pixels if names == ["pixel_values"] else Words)().eval()


class Raw:
    """The calls that one would write by hand; each maker returns a function of an item's tensors, in order."""

    def __init__(self, model: Any, data: list[Any], folder: Path, threads: int) -> None:
        self.model, self.data, self.folder, self.threads = model, data, folder, threads
        self.args = tuple(data[0].values())

    def _eager(self) -> Call:
        return lambda *args: self.model(*args)

    def _eager_channels_last(self) -> Call:
        import copy

        import torch

        model = copy.deepcopy(self.model).to(memory_format=torch.channels_last)
        return lambda *args: model(*(arg.contiguous(memory_format=torch.channels_last) for arg in args))

    def _eager_bf16(self) -> Call:
        return self._bf16(self.model)

    def _torchscript_frozen(self) -> Call:
        import torch

        frozen = torch.jit.freeze(torch.jit.trace(self.model, self.args))
        return lambda *args: frozen(*args)

    def _torchscript_optimized(self) -> Call:
        import torch

        made = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(self.model, self.args)))
        return lambda *args: made(*args)

    def _compiled(self) -> Call:
        return self._inductor({})

    def _compiled_frozen(self) -> Call:
        return self._inductor({"freezing": True})

    def _compiled_frozen_bf16(self) -> Call:
        return self._bf16(self._inductor({"freezing": True, "epilogue_fusion": True}))

    def _aotinductor(self) -> Call:
        return self._aoti({})

    def _aotinductor_frozen(self) -> Call:
        return self._aoti({"freezing": True})

    def _onnxruntime(self) -> Call:
        return self._session(self._onnx())

    def _onnxruntime_dynamic_int8(self) -> Call:
        from onnxruntime.quantization import quantize_dynamic

        path = self.folder / "dynamic.onnx"
        quantize_dynamic(self._onnx(), path)
        return self._session(path)

    def _onnxruntime_static_int8(self) -> Call:
        from onnxruntime.quantization import CalibrationDataReader, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

        path, prepared = self.folder / "static.onnx", self.folder / "prepared.onnx"
        quant_pre_process(str(self._onnx()), str(prepared))
        items = iter([{name: value.numpy() for name, value in item.items()} for item in self.data])

        class Reader(CalibrationDataReader):  # type: ignore[misc]
            def get_next(self) -> Any:
                return next(items, None)

        quantize_static(str(prepared), str(path), Reader(), per_channel=True)
        return self._session(path)

    def _openvino_f32(self) -> Call:
        return self._openvino("f32")

    def _openvino_bf16(self) -> Call:
        return self._openvino("bf16")

    def _openvino_int8(self) -> Call:
        import nncf
        import openvino

        model = openvino.convert_model(str(self._onnx()))
        items = [{name: value.numpy() for name, value in item.items()} for item in self.data]
        kind = nncf.ModelType.TRANSFORMER if len(self.args) > 1 else None
        made = nncf.quantize(model, nncf.Dataset(items), model_type=kind, subset_size=len(items))
        return self._request(openvino.compile_model(made, "CPU", self._hints()))

    def _bf16(self, model: Any) -> Call:
        import torch

        def call(*args: Any) -> Any:
            with torch.autocast("cpu", torch.bfloat16):
                return model(*args)

        return call

    def _inductor(self, options: Mapping[str, Any]) -> Any:
        """Options of its own keep a call from taking what was compiled for another."""
        import torch

        return torch.compile(self.model, options=dict(options))

    def _aoti(self, options: Mapping[str, Any]) -> Call:
        import torch

        program = torch.export.export(self.model, self.args)
        path = self.folder / f"aoti{len(options)}.pt2"
        torch._inductor.aoti_compile_and_package(program, package_path=str(path), inductor_configs=dict(options))
        loaded = torch._inductor.aoti_load_package(str(path))
        return lambda *args: loaded(*args)

    def _onnx(self) -> Path:
        import torch

        path = self.folder / "model.onnx"
        if not path.exists():
            torch.onnx.export(
                self.model, self.args, path, dynamo=True, verbose=False, external_data=False,
                input_names=list(self.data[0]), optimize=True,
            )  # fmt: skip
        return path

    def _session(self, path: Path) -> Call:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return lambda *args: session.run(None, dict(zip(self.data[0], (arg.numpy() for arg in args), strict=True)))

    def _hints(self, precision: str = "f32") -> dict[str, Any]:
        return {
            "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self.threads,
        }  # fmt: skip

    def _openvino(self, precision: str) -> Call:
        import openvino

        return self._request(openvino.compile_model(str(self._onnx()), "CPU", self._hints(precision)))

    def _request(self, compiled: Any) -> Call:
        names = list(self.data[0])

        def call(*args: Any) -> Any:
            found = compiled(dict(zip(names, (arg.numpy() for arg in args), strict=True)), share_inputs=True)
            return [found[one] for one in compiled.outputs]

        return call

    def all(self) -> dict[str, Call]:
        """Every call that can be made here; why another cannot is printed."""
        found: dict[str, Call] = {}
        for name in RAW:
            if name == "eager_channels_last" and self.args[0].dim() != _IMAGES:
                continue
            started = time.perf_counter()
            try:
                call = getattr(self, f"_{name}")()
                call(*self.args)
            except Exception as error:
                print(f"  {name} cannot be made: {type(error).__name__}: {str(error).splitlines()[0][:150]}")
                continue
            found[name] = call
            print(f"  {name} made in {time.perf_counter() - started:.0f} s", flush=True)
        return found


def error_of(call: Call, model: Any, data: list[Any]) -> float:
    """The largest relative L2 error of an output to eager's, over the items."""
    import numpy as np

    worst = 0.0
    for item in data:
        expected = [one.numpy().astype("float64") for one in model(*item.values())]
        answers = [np.asarray(getattr(one, "float", lambda one=one: one)()) for one in call(*item.values())]
        for right, answer in zip(expected, answers, strict=True):
            worst = max(worst, float(np.linalg.norm(answer - right) / np.linalg.norm(right)))
    return worst


def in_turn(calls: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The median over rounds of the median latency of a block, in ms."""
    order, blocks = list(calls), {name: list[float]() for name in calls}
    shuffled = random.Random(0)
    for _ in range(rounds):
        shuffled.shuffle(order)
        for name in order:
            taken, until = list[float](), time.perf_counter() + BLOCK
            while not taken or time.perf_counter() < until:
                started = time.perf_counter()
                calls[name]()
                taken.append(time.perf_counter() - started)
            blocks[name].append(1000 * statistics.median(taken))
    return {name: statistics.median(taken) for name, taken in blocks.items()}


def measure(name: str, rounds: int, budget: float, effort: str) -> None:
    """One model in this process, whose threads OMP_NUM_THREADS says."""
    import torch

    import navcore as nav

    warnings.simplefilter("ignore")
    threads = int(os.environ["OMP_NUM_THREADS"])
    torch.set_num_threads(threads)
    model, data = build(name)
    print(f"{name}, at most {threads} thread{'s' * (threads > 1)}", flush=True)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as open_models, torch.no_grad():
        began = time.perf_counter()
        package = nav.run(model, data, workdir=Path(folder), effort=effort, budget=budget)
        print(f"  navcore took {time.perf_counter() - began:.0f} s")
        print(package)
        raw = Raw(model, data, Path(folder), threads).all()
        errors = {each: error_of(call, model, data) for each, call in raw.items()}
        timed: dict[str, Callable[[], Any]] = {each: lambda c=call: c(*data[0].values()) for each, call in raw.items()}
        rows = {each: package.best(nav.MinLatency(max_error=bound)) for each, bound in CLASSES.items()}
        feeds = {key: value.numpy() for key, value in data[0].items()}
        for place in {(row.format.name, row.runtime) for row in rows.values()}:
            runner = open_models.enter_context(package.open_runner(place[0], runtime=place[1], threads=threads))
            timed[ours(place)] = lambda runner=runner: runner(feeds)
        found = in_turn(timed, rounds)
    for each, milliseconds in sorted(found.items(), key=lambda pair: pair[1]):
        error = f", error {errors[each]:.0e}" if each in errors else ""
        print(f"  {milliseconds:8.2f} ms  {found['eager'] / milliseconds:5.2f}x  {each}{error}")
    for each, bound in CLASSES.items():
        best = min((one for one in raw if errors[one] <= bound), key=found.__getitem__)
        mine = found[ours((rows[each].format.name, rows[each].runtime))]
        print(f"  {each}: navcore reaches {100 * found[best] / mine:.0f} % of {best}", flush=True)


def ours(place: tuple[str, str]) -> str:
    """What navcore's row is called beside the raw calls."""
    return f"navcore: {' in '.join(place)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=MODELS)
    parser.add_argument("--threads", choices=("1", "all"))
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--budget", type=float, default=240.0)
    parser.add_argument("--effort", default="thorough", help="what navcore may try; normal is much shorter")
    parser.add_argument("--child", action="store_true")
    given = parser.parse_args()
    if given.child:
        measure(given.model, given.rounds, given.budget, given.effort)
        return
    import torch

    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, {platform.processor() or platform.machine()}"
    )
    for name in [given.model] if given.model else MODELS:
        for threads in [given.threads] if given.threads else ("1", "all"):
            count = "1" if threads == "1" else str(len(os.sched_getaffinity(0)))
            command = [sys.executable, __file__, "--child", "--model", name]
            command += ["--rounds", str(given.rounds), "--budget", str(given.budget), "--effort", given.effort]
            subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": count})


if __name__ == "__main__":
    main()
