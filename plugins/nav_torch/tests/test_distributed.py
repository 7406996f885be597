"""Models of a distributed training, in a group of one process: unwrapped, or refused with what to pass."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch._C._distributed_c10d import HashStore

import navcore as nav

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
TARGETS = ("torchscript-script", "torchscript-trace", "torch-exportedprogram", "onnx")
DATA = [torch.randn(2, 6) for _ in range(3)]


def start() -> None:
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)


@pytest.fixture
def group() -> Iterator[None]:
    start()
    try:
        yield
    finally:
        dist.destroy_process_group()


def plain() -> Any:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).eval()


def with_first(wrap: Any) -> Any:
    """The plain model whose first layer is wrapped."""
    model = plain()
    model[0] = wrap(model[0])
    return model.eval()


def wrapped_by_fsdp(module: nn.Module) -> nn.Module:
    from torch.distributed.fsdp import FullyShardedDataParallel

    return FullyShardedDataParallel(module, device_id=torch.device("cpu"))


def sharded(module: nn.Module) -> nn.Module:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    fully_shard(module, mesh=init_device_mesh("cpu", (1,)))
    return module


def in_parallel(module: nn.Module) -> nn.Module:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module

    return parallelize_module(module, init_device_mesh("cpu", (1,)), {"0": ColwiseParallel()})


@pytest.mark.parametrize("wrap", [nn.parallel.DistributedDataParallel, nn.DataParallel])
@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("inside", [False, True], ids=("around", "inside"))
def test_what_only_distributes_the_inputs_is_taken_off(wrap: Any, inside: bool, tmp_path: Path) -> None:
    model = with_first(wrap) if inside else wrap(plain()).eval()
    package = nav.run(model, DATA, targets=TARGETS, workdir=tmp_path, run_profiling=False)
    assert package.get_formats_status() == dict.fromkeys(TARGETS, True)
    made = [row for row in package.results if not row.live]
    assert not any(one.outcome.contained for row in made for one in row.attempts)  # a fork could hang
    assert isinstance(model[0] if inside else model, wrap)  # it is the user's again


SHARDED = {
    "FSDP": lambda: wrapped_by_fsdp(plain()),
    "FSDP inside": lambda: with_first(wrapped_by_fsdp),
    "fully_shard": lambda: sharded(plain()),
    "fully_shard inside": lambda: with_first(sharded),
    "tensor parallel": lambda: in_parallel(plain()),
}
TOLD = {
    "FSDP": "It is wrapped by FullyShardedDataParallel.",
    "FSDP inside": "'0' in it is wrapped by FullyShardedDataParallel.",
    "fully_shard": "It is sharded by fully_shard.",
    "fully_shard inside": "'0' in it is sharded by fully_shard.",
    "tensor parallel": "'0.weight' is a DTensor.",
}


def refuse_all(place: Path) -> None:
    """What the test below runs in a process of its own: the group lives on in what sharded tensors leave behind."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    for name, make in SHARDED.items():
        model: Any = make()
        with pytest.raises(nav.ExportError, match="spread over the processes of a training") as caught:
            nav.run(model, DATA, targets="torchscript-trace", workdir=place, run_profiling=False)
        assert TOLD[name] in str(caught.value)
        assert "get_model_state_dict(model, options=StateDictOptions(full_state_dict=True" in caught.value.hint
        with torch.no_grad():
            found = model(DATA[0]).numpy()  # the refusal left it as it was
        gathered = plain()  # and what is advised gives the model
        gathered[0].reset_parameters()
        gathered.load_state_dict(get_model_state_dict(model, options=options))
        with torch.no_grad():
            np.testing.assert_allclose(gathered(DATA[0]).numpy(), found, rtol=1e-6)
        sys.stdout.write(f"{name}\n")


def test_sharded_weights_are_refused_with_what_to_pass(tmp_path: Path) -> None:
    asked = f"import pathlib, test_distributed as t; t.start(); t.refuse_all(pathlib.Path({str(tmp_path)!r}))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", asked], capture_output=True, text=True, env=environment
    )
    assert done.stdout.splitlines() == list(SHARDED), done.stderr
