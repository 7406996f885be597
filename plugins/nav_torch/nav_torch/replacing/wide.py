"""The one-dimensional layers of PyTorch, computed by their two-dimensional kin on a height of one."""

from __future__ import annotations

import torch  # noqa: TID253  (imported only from inside functions, when there are layers to replace)
from torch import nn  # noqa: TID253
from torch.nn import functional  # noqa: TID253


class Conv1dAs2d(nn.Conv1d):
    """Takes and returns what ``Conv1d`` does, with the same weights under the same names."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        padding = self.padding if isinstance(self.padding, str) else (0, *self.padding)
        if self.padding_mode != "zeros":
            input = functional.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = (0, 0)
        return functional.conv2d(
            input.unsqueeze(-2),
            self.weight.unsqueeze(-2),
            self.bias,
            (1, *self.stride),
            padding,
            (1, *self.dilation),
            self.groups,
        ).squeeze(-2)


class ConvTranspose1dAs2d(nn.ConvTranspose1d):
    """Takes and returns what ``ConvTranspose1d`` does, with the same weights under the same names."""

    def forward(self, input: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
        assert isinstance(self.padding, tuple)
        extra = self._output_padding(
            input, output_size, list(self.stride), list(self.padding), list(self.kernel_size), 1, list(self.dilation)
        )
        return functional.conv_transpose2d(
            input.unsqueeze(-2),
            self.weight.unsqueeze(-2),
            self.bias,
            (1, *self.stride),
            (0, *self.padding),
            (0, *extra),
            self.groups,
            (1, *self.dilation),
        ).squeeze(-2)


class BatchNorm1dAs2d(nn.BatchNorm1d):
    """Takes and returns what ``BatchNorm1d`` does, with the same statistics under the same names."""

    def _check_input_dim(self, input: torch.Tensor) -> None:
        if input.dim() not in (2, 3, 4):
            raise ValueError(f"expected an input of 2 or 3 axes, got {input.dim()}")

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if input.dim() == 2:
            return super().forward(input.unsqueeze(-1).unsqueeze(-1)).squeeze(-1).squeeze(-1)
        return super().forward(input.unsqueeze(-2)).squeeze(-2)


class AvgPool1dAs2d(nn.AvgPool1d):
    """Takes and returns what ``AvgPool1d`` does."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return functional.avg_pool2d(
            input.unsqueeze(-2),
            (1, *_single(self.kernel_size)),
            (1, *_single(self.stride)),
            (0, *_single(self.padding)),
            self.ceil_mode,
            self.count_include_pad,
        ).squeeze(-2)


class AdaptiveAvgPool1dAs2d(nn.AdaptiveAvgPool1d):
    """Takes and returns what ``AdaptiveAvgPool1d`` does."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        size: tuple[int | None, int | None] = (1, _single(self.output_size)[0])
        return functional.adaptive_avg_pool2d(input.unsqueeze(-2), size).squeeze(-2)


def _single(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)
