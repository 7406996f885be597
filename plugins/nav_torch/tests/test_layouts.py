"""Buffers that are not dense, modules in wrappers: what a source needs to be run again never ends the run."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_map

import navcore as nav
from nav_torch.layouts import dense_parts, same_content
from nav_torch.live import state
from nav_torch.remembering import remembered
from nav_torch.restoring import evaluating, exporting
from nav_torch.subject import subject
from navcore.errors import ExportError


class Coded(torch.Tensor):
    """A matrix in eight bits, as libraries of quantisation keep it: a class of its own around a tensor."""

    codes: torch.Tensor

    def __new__(cls, codes: torch.Tensor) -> Any:
        return torch.Tensor._make_wrapper_subclass(cls, codes.shape, dtype=torch.float32)

    def __init__(self, codes: torch.Tensor) -> None:
        self.codes = codes

    def __tensor_flatten__(self) -> Any:
        return ["codes"], None

    @classmethod
    def __tensor_unflatten__(cls, inner: Any, context: Any, size: Any, stride: Any) -> Any:
        return cls(inner["codes"])

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.ops.aten.detach.default, torch.ops.aten.alias.default):
            return cls(args[0].codes)
        plain = tree_map(lambda one: one.codes.float() / 8 if isinstance(one, cls) else one, (args, kwargs or {}))
        return func(*plain[0], **plain[1])


ADJACENCY = torch.tensor([[0.0, 2.0], [3.0, 0.0]])
LAYOUTS = {
    "coo": lambda: ADJACENCY.to_sparse(),
    "csr": lambda: ADJACENCY.to_sparse_csr(),
    "csc": lambda: ADJACENCY.to_sparse_csc(),
    "mkldnn": lambda: ADJACENCY.to_mkldnn(),
    "quantised": lambda: torch.quantize_per_tensor(ADJACENCY, 0.5, 0, torch.qint8),
    "quantised by channel": lambda: torch.quantize_per_channel(
        ADJACENCY, torch.tensor([0.5, 1.0]), torch.tensor([0, 0]), 0, torch.qint8
    ),
    "a class of its own": lambda: Coded(torch.tensor([[0, 16], [24, 0]], dtype=torch.int8)),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
}


def made(layout: str) -> torch.Tensor:
    """A tensor of that layout; PyTorch warns of the younger and of the older ones when the first is made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return LAYOUTS[layout]()


class Holding(nn.Module):
    held: torch.Tensor

    def __init__(self, buffer: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("held", buffer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_buffer_of_any_layout_is_part_of_the_state_and_comes_back(layout: str) -> None:
    model = Holding(made(layout))
    arrays = [array for name, array in state(model) if name == "held"]
    assert len(arrays) >= 1
    assert all(array.dtype.kind in "fiu" for array in arrays)
    with remembered(model):
        pass
    assert same_content(model.held, made(layout))


def test_a_sparse_buffer_that_a_call_replaced_comes_back() -> None:
    model = Holding(ADJACENCY.to_sparse())
    with remembered(model):
        model.held = (2 * ADJACENCY).to_sparse()
    assert torch.equal(model.held.to_dense(), ADJACENCY)


def test_a_sparse_buffer_that_a_call_wrote_into_comes_back() -> None:
    model = Holding(ADJACENCY.to_sparse())
    with remembered(model):
        model.held.mul_(2)
    assert torch.equal(model.held.to_dense(), ADJACENCY)


def test_the_content_of_a_sparse_tensor_is_told_by_its_parts() -> None:
    indices, values = dense_parts(ADJACENCY.to_sparse())
    assert indices.tolist() == [[0, 1], [1, 0]]
    assert values.tolist() == [2.0, 3.0]
    assert not same_content(ADJACENCY.to_sparse(), (2 * ADJACENCY).to_sparse())
    assert dense_parts(torch.empty(2, device="meta")) == []


def test_a_module_that_torch_export_made_has_no_evaluation_mode_and_needs_none() -> None:
    exported = torch.export.export(nn.Linear(3, 2).eval(), (torch.ones(2, 3),)).module()
    with evaluating(exported), torch.no_grad():
        assert exported(torch.ones(2, 3)).shape == (2, 2)


def test_a_wrapper_for_several_devices_is_taken_off() -> None:
    plain = nn.Linear(3, 2)
    assert subject(nn.DataParallel(plain)) is plain
    assert subject(torch.compile(nn.DataParallel(plain), backend="eager")) is plain


def test_a_model_that_is_prepared_for_quantisation_is_refused_with_what_to_pass() -> None:
    base = type("ObserverBase", (nn.Module,), {"__module__": "torchao.quantization.pt2e.observer"})
    observer = type("HistogramObserver", (base,), {"__module__": "torchao.quantization.pt2e.observer"})
    with pytest.raises(ExportError, match="prepared for quantisation") as caught:
        subject(nn.Sequential(nn.Linear(3, 2), observer()))
    assert "convert_pt2e" in caught.value.hint
    simulated = type("FakeQuantizeBase", (nn.Sequential,), {"__module__": "torchao.quantization.pt2e.fake_quantize"})
    subject(nn.Sequential(simulated(observer())))  # it computes what it will be, and its observer is part of it
    users = type("ObserverBase", (nn.Module,), {"__module__": "a_users_own"})
    subject(nn.Sequential(nn.Linear(3, 2), users()))


def test_compiled_parts_are_as_they_were_before_while_the_model_is_exported() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.compile(nn.Linear(3, 2), backend="eager")

        def forward(self, x: torch.Tensor) -> Any:
            return self.inner(x)

    model = Outer()
    compiled = model.inner
    with exporting(model, None, None):
        assert type(model.inner) is nn.Linear
        traced: Any = torch.jit.trace(model, torch.ones(1, 3))  # type: ignore[no-untyped-call]
        found = traced(torch.ones(1, 3))
    assert model.inner is compiled
    np.testing.assert_allclose(found.detach().numpy(), model(torch.ones(1, 3)).detach().numpy())


def statuses(model: nn.Module, place: Any) -> dict[str, str]:
    """What becomes of a model that was wrapped, by format."""
    data = [torch.randn(2, 3) for _ in range(3)]
    package = nav.run(model, data, targets="torchscript-trace", workdir=place, run_profiling=False)
    return {str(row.format.name): str(row.status) for row in package.results if not row.live}


def exported(model: nn.Module) -> Any:
    return torch.export.export(model, (torch.ones(2, 3),), dynamic_shapes=({0: torch.export.Dim.AUTO},)).module()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: torch.compile(model, backend="eager"),
        nn.DataParallel,
        torch.jit.script,
        lambda model: torch.jit.trace(model, torch.ones(2, 3)),
        exported,
    ],
    ids=("compiled", "data parallel", "scripted", "traced", "exported"),
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_wrapped_model_is_a_source(wrap: Any, tmp_path: Any) -> None:
    assert statuses(wrap(nn.Linear(3, 2).eval()), tmp_path) == {"torchscript-trace": "ok"}


def test_weights_of_a_class_of_their_own_are_exported_and_never_taken_for_plain_ones(tmp_path: Any) -> None:
    model = nn.Linear(4, 3).eval()
    model.weight = nn.Parameter(Coded(torch.randint(-9, 9, (3, 4), dtype=torch.int8)), requires_grad=False)
    data = [torch.randn(2, 4) for _ in range(3)]
    targets = ("torch-exportedprogram", "torchscript-script")
    package = nav.run(model, data, targets=targets, workdir=tmp_path, run_profiling=False)
    assert package.get_formats_status() == dict(zip(targets, (True, False), strict=True)), package.results
    (failure,) = [row.failure for row in package.results if row.failure is not None]
    assert "torch.jit.script takes 'weight', a weight of the class Coded, for a plain tensor." in failure.cause


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_weights_that_pytorch_packed_stay_in_torchscript_and_the_reason_is_told(tmp_path: Any) -> None:
    model = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 3)).eval(), {nn.Linear}, torch.qint8)
    data = [torch.randn(2, 4) for _ in range(3)]
    targets = ("torchscript-trace", "torch-exportedprogram", "onnx")
    package = nav.run(model, data, targets=targets, workdir=tmp_path, run_profiling=False)
    assert package.get_formats_status() == dict(zip(targets, (True, False, False), strict=True))
    for failure in [row.failure for row in package.results if row.failure is not None]:
        assert "torch.export cannot look into the quantised weights of '0'" in failure.cause
        assert "torchao" in failure.hint
