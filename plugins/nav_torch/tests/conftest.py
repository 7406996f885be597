"""Jobs as the core would build them, and the same feeds for a model and for what it became."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnxruntime
import pytest
import torch

from nav_torch import TORCH
from nav_torch.live import from_array, is_tensor, to_array
from nav_torch.opset import OnnxOptions
from nav_torch.structures import parts
from navcore import Artifact, Axis, ExportJob, Format, Made, Runner, RunnerJob, Signature, TensorSpec
from navcore.contract import flatten_call, flatten_result

Arrays = Mapping[str, np.ndarray]


@attrs.frozen(eq=False)
class Case:
    """A model, its signature and an example; sizes of the example tell which output axes follow which symbol."""

    model: Any
    signature: Signature
    example: Arrays

    def feeds(self, seed: int = 0, **sizes: int) -> dict[str, np.ndarray]:
        """Random inputs; every axis that is not named has its typical size."""
        random = np.random.default_rng(seed)
        full = {axis.symbol: axis.typical for axis in self.signature.axes} | sizes
        return {
            spec.name: _values(
                random, spec, tuple(full[size] if isinstance(size, str) else size for size in spec.shape)
            )
            for spec in self.signature.inputs
        }

    def eager(self, feeds: Arrays) -> dict[str, np.ndarray]:
        args, kwargs = self.signature.bind(feeds, from_array)
        flags = [module.training for module in self.model.modules()]
        self.model.eval()
        with torch.no_grad():
            result = self.model(*args, **kwargs)
        for module, flag in zip(self.model.modules(), flags, strict=True):
            module.training = flag
        return self.signature.name_outputs(result, to_array, parts)


def _values(random: np.random.Generator, spec: TensorSpec, shape: tuple[int, ...]) -> np.ndarray:
    if spec.dtype == "bool":
        return random.integers(0, 2, shape).astype(bool)
    if spec.dtype.startswith("int"):
        return random.integers(0, 10, shape).astype(spec.dtype)
    return random.standard_normal(shape).astype(np.float32).astype(_dtype(spec.dtype))


def _dtype(name: str) -> Any:
    from navcore.contract import dtype_named

    return dtype_named(name)


@pytest.fixture
def case() -> Callable[..., Case]:
    """``case(model, item, axes={"x": {0: "batch"}}, ranges={"batch": (1, 2, 8)}, declared=("batch",))``."""

    def build(
        model: torch.nn.Module,
        item: Any,
        axes: Mapping[str, Mapping[int, str]] = {},
        ranges: Mapping[str, tuple[int, int, int]] = {},
        declared: Sequence[str] = (),
    ) -> Case:
        call, leaves = flatten_call(item, is_tensor)
        example = {name: np.asarray(to_array(tensor)) for name, tensor in leaves}
        inputs = tuple(_spec(name, array, axes.get(name, {})) for name, array in example.items())
        symbols = {
            array.shape[index]: symbol
            for name, array in example.items()
            for index, symbol in axes.get(name, {}).items()
        }
        moving = tuple(
            Axis(symbol, least, usual, most, declared=symbol in declared)
            for size, symbol in symbols.items()
            for least, usual, most in [ranges.get(symbol, (1, size, 4 * size))]
        )
        bare = Case(model, Signature(inputs, axes=moving, call=call), example)
        args, kwargs = bare.signature.bind(example, from_array)
        model_flags = [(module, module.training) for module in model.modules()]
        with torch.no_grad():
            result = model.eval()(*args, **kwargs)
        for module, flag in model_flags:
            module.training = flag
        outputs = tuple(
            TensorSpec(
                name, str(np.asarray(to_array(leaf)).dtype), tuple(symbols.get(size, size) for size in leaf.shape)
            )
            for name, leaf in flatten_result(result, is_tensor, parts)
        )
        return Case(model, attrs.evolve(bare.signature, outputs=outputs), example)

    return build


def _spec(name: str, array: np.ndarray, symbols: Mapping[int, str]) -> TensorSpec:
    shape = tuple(symbols.get(index, size) for index, size in enumerate(array.shape))
    return TensorSpec(name, str(array.dtype), shape)


@pytest.fixture(scope="session")
def compiler_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of inductor's for all tests: with an empty one it first compiles ten files, to know the processor."""
    return tmp_path_factory.mktemp("compiler-cache")


@attrs.frozen
class Result:
    made: Made
    path: Path
    target: Format
    signature: Signature


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Result]:
    """Run an export route on a case, as the core would."""

    def go(route: Callable[[Any], Made], subject: Case, **options: Any) -> Result:
        declared = vars(route)["__navcore_routes__"][0]
        folder = tmp_path / f"{declared.name}{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        target = declared.goal
        job = ExportJob(
            source=Artifact(TORCH, subject.signature, model=subject.model, calling="structure"),
            target=target,
            output=folder / target.filename,
            signature=subject.signature,
            example=subject.example,
            options=OnnxOptions(**options) if declared.options else None,
        )
        made = route(job)
        return Result(made, job.output, target, made.signature or subject.signature)

    return go


@pytest.fixture
def load() -> Callable[[Result], Callable[[Arrays], dict[str, np.ndarray]]]:
    """Open a result without any code of the plugin: by ONNX Runtime, ``torch.jit.load`` or ``torch.export.load``."""

    def open_result(result: Result) -> Callable[[Arrays], dict[str, np.ndarray]]:
        signature = result.signature
        if result.target.name == "onnx":
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            session = onnxruntime.InferenceSession(str(result.path), options, providers=["CPUExecutionProvider"])

            def call(feeds: Arrays) -> dict[str, np.ndarray]:
                kept = {name: feeds[name] for name in signature.input_names}
                return dict(zip(signature.output_names, session.run(None, kept), strict=True))

            return call
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if result.target.name == "torch-exportedprogram":
                module = torch.export.load(result.path).module()
            else:
                module = torch.jit.load(str(result.path))  # type: ignore[no-untyped-call]

        def call_module(feeds: Arrays) -> dict[str, np.ndarray]:
            with torch.no_grad():
                if result.made.calling == "positional":
                    answer = module(*signature.positional(feeds, from_array))
                else:
                    args, kwargs = signature.bind(feeds, from_array)
                    answer = module(*args, **kwargs)
            return signature.name_outputs(answer, to_array)

        return call_module

    return open_result


@pytest.fixture
def assert_follows(load: Callable[[Result], Any]) -> Callable[..., None]:
    """The result equals the eager model at each of the given sizes."""

    def check(subject: Case, result: Result, *sizes: Mapping[str, int], tolerance: float = 1e-5) -> None:
        call = load(result)
        for number, size in enumerate(sizes or ({},)):
            feeds = subject.feeds(number, **size)
            expected, found = subject.eager(feeds), call(feeds)
            assert list(found) == list(expected)
            for name in expected:
                assert found[name].shape == expected[name].shape, (name, size)
                assert found[name].dtype == expected[name].dtype
                np.testing.assert_allclose(
                    found[name].astype(np.float64), expected[name].astype(np.float64), rtol=tolerance, atol=tolerance
                )

    return check


@pytest.fixture
def open_runner() -> Callable[..., Runner]:
    """A runner of a live case or of a result."""

    def go(route: Callable[[Any], Runner], subject: Case | Result, **job: Any) -> Runner:
        if isinstance(subject, Case):
            artifact = Artifact(TORCH, subject.signature, model=subject.model, calling="structure")
        else:
            artifact = Artifact(subject.target, subject.signature, subject.path, calling=subject.made.calling)
        return route(RunnerJob(artifact, "PyTorchExecutionProvider", None, **job))

    return go
