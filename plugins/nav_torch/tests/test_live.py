"""Tensors and arrays, there and back."""

from __future__ import annotations

import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
import torch
from torch import nn

from nav_torch import TORCH
from nav_torch.live import from_array, state, to_array

DTYPES = [
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.int8,
    torch.uint8,
    torch.int32,
    torch.int64,
    torch.bool,
    torch.complex64,
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 0)], ids=str)
def test_values_dtype_and_shape_survive_the_round_trip(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = (torch.rand(shape) * 4).to(dtype)
    array = to_array(tensor)
    assert array is not None
    assert array.dtype.name == str(dtype).removeprefix("torch.")
    assert array.shape == shape
    back = from_array(array)
    assert back.dtype == dtype
    assert torch.equal(back.to(torch.complex128), tensor.to(torch.complex128))


def test_bfloat16_is_that_of_ml_dtypes() -> None:
    array = to_array(torch.tensor([1.5, -2.0], dtype=torch.bfloat16))
    assert array is not None
    assert array.dtype == ml_dtypes.bfloat16
    assert array.astype(np.float32).tolist() == [1.5, -2.0]


def test_awkward_tensors() -> None:
    base = torch.arange(6.0).reshape(2, 3)
    for tensor in (base.t(), base.clone().requires_grad_(), torch.complex(base, base).conj(), base[:, ::2]):
        array = to_array(tensor)
        assert array is not None
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, tensor.detach().resolve_conj().numpy())


@pytest.mark.parametrize("make", [lambda: np.arange(3.0)[::-1], lambda: np.broadcast_to(np.float32(1), (2, 2))])
def test_awkward_arrays(make: object) -> None:
    array = make()  # type: ignore[operator]
    assert from_array(array).tolist() == array.tolist()


def test_neither_side_shares_memory() -> None:
    tensor = torch.zeros(3)
    array = to_array(tensor)
    assert array is not None
    array[0] = 1
    back = from_array(array)
    back[1] = 1
    assert (tensor.tolist(), array.tolist()) == ([0, 0, 0], [1, 0, 0])


@pytest.mark.parametrize("value", [None, 1, "x", np.zeros(3), [torch.zeros(1)]], ids=repr)
def test_anything_but_a_tensor_is_none(value: object) -> None:
    assert to_array(value) is None


def test_state_names_every_weight_once_per_name() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model.append(model[0])
    model[0].bfloat16()
    found = dict(state(model))
    assert set(found) == {name for name, _ in model.named_parameters(remove_duplicate=False)} | {
        name for name, _ in model.named_buffers()
    } | {f"{name}()" for name, _ in model.named_modules(remove_duplicate=False)}
    assert found["0.weight"].dtype == ml_dtypes.bfloat16
    assert found["1.num_batches_tracked"].shape == ()


def test_modules_are_recognised_and_nothing_else() -> None:
    assert TORCH.live is not None
    assert TORCH.live.recognises(nn.Linear(1, 1))
    assert not TORCH.live.recognises(torch.zeros(1))


def test_importing_the_plugin_imports_no_framework() -> None:
    code = (
        "import sys, nav_torch, numpy\n"
        "assert nav_torch.TORCH.live.to_array(numpy.zeros(1)) is None\n"
        "heavy = {'torch', 'onnx', 'onnx_ir', 'onnxscript', 'onnxruntime'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.gpu
def test_tensors_on_cuda() -> None:
    tensor = torch.arange(6.0).reshape(2, 3).cuda().t()
    array = to_array(tensor)
    assert array is not None
    assert array.tolist() == tensor.tolist()
    assert from_array(array, "cuda").device.type == "cuda"


class Branching(torch.nn.Module):
    """Its constant shows only beyond a threshold that samples may never reach."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.where(x > 100, x * self.factor, x)


def test_what_a_module_does_beside_its_weights_is_part_of_its_state() -> None:
    def spelled(model: torch.nn.Module) -> list[bytes]:
        return [array.tobytes() for _, array in state(model)]

    assert spelled(Branching(2.0)) == spelled(Branching(2.0))
    assert spelled(Branching(2.0)) != spelled(Branching(5.0))
    assert spelled(Branching(2.0).eval()) == spelled(Branching(2.0).train())
