"""The table's cell: export a model, and hold the file against the model without any code of the plugin."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

Feeds = Mapping[str, torch.Tensor]

COLUMNS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "onnx 13": ("model.onnx", {"onnx_opset_version": 13}),
    "onnx 18": ("model.onnx", {"onnx_opset_version": 18}),
    "torchscript": ("model.pt", {}),
    "pt2": ("model.pt2", {}),
}


@attrs.frozen(eq=False)
class Row:
    """One model of the table.

    ``feeds`` makes inputs by their exported names at sizes other than the example's; ``eager`` calls the model with
    them. ``errors`` holds, for each cell that is not ok, the class of the error and a pattern of its message.
    """

    make: Callable[[], Any]
    feeds: Callable[..., Feeds]
    eager: Callable[[Any, Feeds], Sequence[torch.Tensor]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    sizes: tuple[Mapping[str, int], ...]
    errors: Mapping[str, tuple[type[Exception], str]] = {}
    options: Mapping[str, Any] = {}
    tolerance: float = 1e-4


def run_file(path: Path, feeds: Feeds) -> list[np.ndarray]:
    """What the file returns: ONNX by name, the others by position in the order of the feeds."""
    if path.suffix == ".onnx":
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        kept = {one.name for one in session.get_inputs()}
        return list(session.run(None, {name: one.numpy() for name, one in feeds.items() if name in kept}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.export.load(path).module() if path.suffix == ".pt2" else torch.jit.load(str(path))  # type: ignore[no-untyped-call]
        with torch.no_grad():
            answer = module(*feeds.values())
    tensors = (answer,) if isinstance(answer, torch.Tensor) else answer
    return [tensor.numpy() for tensor in tensors]


def state_of(model: torch.nn.Module) -> dict[str, Any]:
    """Everything that an export has to leave alone."""
    return {
        "class": type(model),
        "classes": [type(module) for module in model.modules()],
        "own": sorted(model.__dict__),
        "methods": sorted(vars(type(model))),
        "training": [module.training for module in model.modules()],
        "requires_grad": [parameter.requires_grad for parameter in model.parameters()],
        "weights": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
    }


def assert_same_state(before: dict[str, Any], model: torch.nn.Module) -> None:
    after = state_of(model)
    for name, tensor in before.pop("weights").items():
        assert torch.equal(tensor, after["weights"][name]), name
    after.pop("weights")
    assert before == after


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small gain nothing from more threads, and lose much on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=list(COLUMNS))
def column(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def check_cell(tmp_path: Path) -> Callable[[Row, str], None]:
    """Export one row to one column, and assert the cell: ok at every size, or exactly the error."""

    def check(row: Row, column: str) -> None:
        torch.manual_seed(0)
        model = row.make()
        filename, options = COLUMNS[column]
        path = tmp_path / filename
        arguments = {"check_trace": True, **options, **row.options}
        if column in row.errors:
            kind, pattern = row.errors[column]
            with pytest.raises(kind, match=pattern) as caught:
                model.export(path, **arguments)
            assert type(caught.value) is kind
            assert list(tmp_path.iterdir()) == []
            return
        result = model.export(path, **arguments)
        assert [*tmp_path.iterdir()] == [path]
        assert result.files == [str(path)]
        assert result.output_names == row.outputs
        assert set(result.input_names) <= set(row.inputs)
        if path.suffix == ".onnx":
            graph = onnx.load(path)
            assert [entry.version for entry in graph.opset_import if not entry.domain] == [int(column.split()[1])]
            assert tuple(value.name for value in graph.graph.output) == row.outputs
        model.eval()
        for size in row.sizes:
            feeds = row.feeds(**size)
            assert tuple(feeds) == row.inputs
            with torch.no_grad():
                wanted = [tensor.numpy() for tensor in row.eager(model, feeds)]
            found = run_file(path, feeds)
            assert len(found) == len(wanted)
            for name, one, other in zip(row.outputs, found, wanted, strict=True):
                assert (one.shape, one.dtype) == (other.shape, other.dtype), (name, size)
                np.testing.assert_allclose(
                    one.astype(np.float64), other.astype(np.float64), rtol=row.tolerance, atol=row.tolerance
                )

    return check


@pytest.fixture
def row() -> type[Row]:
    return Row


@pytest.fixture
def run() -> Callable[[Path, Feeds], list[np.ndarray]]:
    return run_file


@pytest.fixture
def same_state() -> Callable[[Any, Callable[[], Any]], Any]:
    """Call a function and assert that the model's state is what it was, also when the function raises."""

    def guard(model: Any, call: Callable[[], Any]) -> Any:
        before = state_of(model)
        try:
            return call()
        finally:
            assert_same_state(before, model)

    return guard
