"""A real subclass of Polygraphy's BaseRunner around the small runner, made when it is first asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from navcore.contract import Runner, Signature, dtype_named
from navcore.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from polygraphy.backend.base import BaseRunner

_BEYOND_POLYGRAPHY = ("bfloat16", "float8")


def wrap(name: str, signature: Signature, load: Callable[[], Runner]) -> BaseRunner:
    """A BaseRunner that calls ``load`` on activation and releases the runner on deactivation.

    Raises :class:`InputError` when an input has a dtype that Polygraphy cannot express.
    """
    for spec in signature.inputs:
        if spec.dtype.startswith(_BEYOND_POLYGRAPHY):
            raise InputError(
                f"Polygraphy has no {spec.dtype}, which the input {spec.name!r} of {name} is.",
                hint="Use package.open_runner(), which takes every dtype.",
            )
    runner: BaseRunner = _runner_class()(name, signature, load)
    return runner


@cache
def _runner_class() -> Any:
    from polygraphy.backend.base import BaseRunner
    from polygraphy.common import TensorMetadata
    from polygraphy.logger import G_LOGGER

    # Polygraphy's logger prints to stdout, which belongs to the user's program.
    G_LOGGER.use_python_logging_system = True

    class NavcoreRunner(BaseRunner):  # type: ignore[misc]  # Polygraphy is not typed
        """Runs a model of a navcore package."""

        def __init__(self, name: str, signature: Signature, load: Callable[[], Runner]) -> None:
            super().__init__(name=name, prefix="navcore")
            self._signature = signature
            self._load = load
            self._runner: Runner | None = None

        def activate_impl(self) -> None:
            self._runner = self._load().__enter__()

        def get_input_metadata_impl(self) -> Any:
            metadata = TensorMetadata()
            for spec in self._signature.inputs:
                shape = [size if isinstance(size, int) else -1 for size in spec.shape]
                metadata.add(spec.name, dtype_named(spec.dtype), shape)
            return metadata

        def infer_impl(self, feed_dict: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            assert self._runner is not None
            started = time.perf_counter()
            outputs = dict(self._runner(feed_dict))
            self.inference_time = time.perf_counter() - started
            return outputs

        def deactivate_impl(self) -> None:
            runner, self._runner = self._runner, None
            if runner is not None:
                runner.__exit__(None, None, None)

    return NavcoreRunner
