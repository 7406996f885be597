"""What ``model.py`` does inside the server: open the package's own runner, stack requests, answer each."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nav_triton.description import opened
from navcore import Feeds, StepError

Array = np.ndarray[Any, Any]


class Model:
    """A model of a repository, loaded in the server's Python back end.

    ``folder`` is that of the version, ``backend`` the module ``triton_python_backend_utils``, which exists in the
    server only. Raises what the runner's plugin raises, and :class:`Unavailable` when it is not installed here.
    """

    def __init__(self, folder: Path | str, backend: Any) -> None:
        self._backend = backend
        self._logs = tempfile.TemporaryDirectory(prefix="nav-triton-")
        self._runner, self._signature = opened(Path(folder), Path(self._logs.name))
        self._names = self._signature.output_names

    def answers(self, requests: Sequence[Any]) -> list[Any]:
        """A response to each request, in order. One that fails has the error as its response, and fails alone."""
        feeds = [self._feeds(request) for request in requests]
        answers: dict[int, Any] = {}
        for group in _groups(feeds) if self._stacks else ([number] for number in range(len(feeds))):
            answers.update(zip(group, self._answered([feeds[number] for number in group]), strict=True))
        return [answers[number] for number in range(len(requests))]

    def close(self) -> None:
        """Release the runner."""
        self._runner.__exit__(None, None, None)
        self._logs.cleanup()

    @property
    def _stacks(self) -> bool:
        """Whether every tensor has its batch in front, as Triton has it for a model that batches."""
        signature = self._signature
        return all(signature.batch_axis(spec) == 0 for spec in (*signature.inputs, *signature.outputs))

    def _feeds(self, request: Any) -> dict[str, Array]:
        tensor = self._backend.get_input_tensor_by_name
        arrays = {spec: tensor(request, spec.name).as_numpy() for spec in self._signature.inputs}
        return {spec.name: array if spec.shape else array.reshape(()) for spec, array in arrays.items()}

    def _answered(self, group: Sequence[Feeds]) -> list[Any]:
        try:
            if len(group) == 1:
                return [self._response(self._called(group[0]))]
            sizes = [len(next(iter(feeds.values()))) for feeds in group]
            stacked = {name: np.concatenate([feeds[name] for feeds in group]) for name in group[0]}
            outputs = self._called(stacked)
            ends = np.cumsum(sizes)
            return [
                self._response({name: array[end - size : end] for name, array in outputs.items()})
                for size, end in zip(sizes, ends, strict=True)
            ]
        except Exception as error:
            if len(group) > 1:  # whose fault it is shows one by one
                return [answer for feeds in group for answer in self._answered([feeds])]
            return [self._refusal(error)]

    def _called(self, feeds: Feeds) -> Mapping[str, Array]:
        """The outputs. Raises :class:`StepError` for one that is not what the server was told it is."""
        outputs = self._runner(feeds)
        for spec in self._signature.outputs:
            if outputs[spec.name].dtype.name != spec.dtype:
                raise StepError(
                    f"The output {spec.name!r} is {outputs[spec.name].dtype}, and {spec.dtype} is declared."
                )
        return outputs

    def _response(self, outputs: Mapping[str, Array]) -> Any:
        # A number without axes becomes one element in an axis, as the configuration declares it.
        tensors = [self._backend.Tensor(name, np.ascontiguousarray(outputs[name])) for name in self._names]
        return self._backend.InferenceResponse(tensors)

    def _refusal(self, error: Exception) -> Any:
        told = f"{type(error).__name__}: {error}"
        return self._backend.InferenceResponse(error=self._backend.TritonError(told))


def _groups(feeds: Sequence[Feeds]) -> list[list[int]]:
    """The numbers of requests that can be stacked: all their tensors agree but for the first axis."""
    groups: dict[Any, list[int]] = {}
    for number, one in enumerate(feeds):
        groups.setdefault(tuple(array.shape[1:] for array in one.values()), []).append(number)
    return list(groups.values())
