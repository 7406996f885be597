"""Tensors of every layout as dense ones: sparse, quantised, nested and mkldnn tensors, which few operators take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_COMPRESSED_ROWS = ("crow_indices", "col_indices", "values")
_COMPRESSED_COLUMNS = ("ccol_indices", "row_indices", "values")


def dense_parts(tensor: torch.Tensor) -> list[torch.Tensor]:
    """Dense tensors that together say everything about one of any layout; the tensor itself where it is dense.

    A tensor without content (on the ``meta`` device) has none.
    """
    import torch

    plain = tensor.detach()
    if plain.is_meta:
        return []
    if (inner := inner_tensors(plain)) is not None:
        return [part for one in inner for part in dense_parts(one)]
    if plain.is_nested:
        return [part for one in plain.unbind() for part in dense_parts(one)]
    if plain.is_quantized:
        return [plain.int_repr().contiguous(), *_quantisation(plain)]
    if plain.layout is torch.sparse_coo:
        whole = plain.coalesce()
        return [whole.indices(), *dense_parts(whole.values())]
    if plain.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [getattr(plain, name)() for name in _COMPRESSED_ROWS]
    if plain.layout in (torch.sparse_csc, torch.sparse_bsc):
        return [getattr(plain, name)() for name in _COMPRESSED_COLUMNS]
    return [plain.to_dense()] if plain.layout is not torch.strided else [plain]


def inner_tensors(tensor: torch.Tensor) -> list[torch.Tensor] | None:
    """The tensors that one of a class of its own is made of, as torchao's quantised weights are; ``None`` elsewhere.

    PyTorch asks such a class for them when it looks into it. They, and not itself, can be read as arrays.
    """
    import torch

    if type(tensor) in (torch.Tensor, torch.nn.Parameter) or tensor.is_nested:
        return None
    flatten = getattr(tensor, "__tensor_flatten__", None)
    return None if flatten is None else [getattr(tensor, name) for name in flatten()[0]]


def _quantisation(tensor: torch.Tensor) -> list[torch.Tensor]:
    """Scales and zero points, of the whole or by channel."""
    import torch

    if tensor.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        return [torch.tensor([tensor.q_scale(), tensor.q_zero_point()], dtype=torch.float64)]
    return [tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points()]


def same_content(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Whether two tensors of one layout hold the same."""
    import torch

    if left.shape != right.shape if not left.is_nested else left.size(0) != right.size(0):
        return False
    pairs = dense_parts(left), dense_parts(right)
    return len(pairs[0]) == len(pairs[1]) and all(torch.equal(one, other) for one, other in zip(*pairs, strict=True))
