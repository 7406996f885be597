"""The configuration of a model, ``config.pbtxt``, from what is known of a row."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from nav_triton.backends import Backend
from nav_triton.tensors import Served
from nav_triton.text_format import Message, Word, as_text, parameters


@attrs.frozen
class Batching:
    """Up to how many samples Triton may hand over at once; 0 for a model that does not batch.

    ``dynamic`` lets Triton stack requests that arrive together, for which one of them waits up to ``delay``
    microseconds.
    """

    maximum: int
    dynamic: bool = False
    delay: int = 0


@attrs.frozen
class WarmUp:
    """A request that Triton makes of every instance before it is ready.

    ``files`` are the names of files in the folder ``warmup`` of the model, by input, with the shape of what they hold;
    ``batch`` is how often the sample is stacked, 1 for a model that does not batch.
    """

    batch: int
    files: Sequence[tuple[Served, str, tuple[int, ...]]]

    def declared(self) -> Message:
        """An entry of the field ``model_warmup``."""
        inputs: list[Message] = [
            {
                "key": tensor.name,
                "value": {"data_type": Word(f"TYPE_{tensor.type}"), "dims": dims, "input_data_file": file},
            }
            for tensor, file, dims in self.files
        ]
        return {"name": f"sample, batch {self.batch}", "batch_size": self.batch, "inputs": inputs}


@attrs.frozen
class ModelConfig:
    """All that goes into a ``config.pbtxt``. ``threads`` is ``None`` where it is left to the runtime."""

    name: str
    backend: Backend
    inputs: Sequence[Served]
    outputs: Sequence[Served]
    batching: Batching
    instances: int = 1
    threads: int | None = None
    warm_up: Sequence[WarmUp] = ()

    def text(self) -> str:
        """The file, in protobuf's text format."""
        told = dict(self.backend.parameters)
        if self.backend.threads and self.threads is not None:
            told[self.backend.threads] = str(self.threads)
        batched = self.batching.maximum > 0
        message: dict[str, object] = {
            "name": self.name,
            "platform": self.backend.platform,
            "backend": self.backend.name,
            "max_batch_size": self.batching.maximum,
            "input": [one.declared(batched=batched) for one in self.inputs],
            "output": [one.declared(batched=batched) for one in self.outputs],
            "instance_group": [{"count": self.instances, "kind": Word("KIND_GPU" if self.backend.gpu else "KIND_CPU")}],
            "dynamic_batching": self._dynamic(),
            "optimization": self._optimization(),
            "parameters": parameters(told),
            "model_warmup": [one.declared() for one in self.warm_up],
        }
        return as_text({key: value for key, value in message.items() if value not in ("", None, [])})  # type: ignore[misc]

    def _dynamic(self) -> Message | None:
        if not self.batching.dynamic or not self.batching.maximum:
            return None
        return {"max_queue_delay_microseconds": self.batching.delay}

    def _optimization(self) -> Message | None:
        if not self.backend.accelerator:
            return None
        return {"execution_accelerators": {"gpu_execution_accelerator": [{"name": self.backend.accelerator}]}}
