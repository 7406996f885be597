"""Whether a larger batch gives for every sample what the smallest gave, where it holds one sample many times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from navcore.contract import Feeds, Runner, Signature
from navcore.evaluation.check_requests import VerifySettings
from navcore.evaluation.comparison import Comparison
from navcore.evaluation.verification import verify
from navcore.workspace import Status

if TYPE_CHECKING:
    from navcore.registry import Registry


class SameRows:
    """Holds the batches of one model against the first of them, as an export is held against its source.

    ``signature`` is the model's own; every output has a batch axis. ``settings`` say how near is near enough.
    """

    def __init__(self, signature: Signature, settings: VerifySettings, registry: Registry) -> None:
        self._signature = signature
        self._settings = settings
        self._registry = registry
        self._first: Mapping[str, np.ndarray] = {}

    def refusal(self, runner: Runner, feeds: Feeds, size: int) -> str:
        """Why that batch, ``size`` times one sample, does not count; ``""`` for the first, and for one that does."""
        if not self._first:
            self._first = dict(zip(self._signature.output_names, runner(feeds).values(), strict=True))
            return ""
        expected = {spec.name: self._stacked(spec.name, size) for spec in self._signature.outputs}
        found = verify(
            runner,
            [Comparison(f"a batch of {size}", feeds, expected)],
            signature=self._signature,
            precision=self._registry.precision(runner.precision or self._settings.precision),
            noise=self._settings.noise,
            atol=self._settings.atol,
            rtol=self._settings.rtol,
        )
        return found.failure.cause if found.status == Status.FAILED and found.failure is not None else ""

    def _stacked(self, name: str, size: int) -> np.ndarray:
        spec = next(spec for spec in self._signature.outputs if spec.name == name)
        axis = self._signature.batch_axis(spec)
        assert axis is not None, "every output has a batch axis"
        first = self._first[name]
        stacked: np.ndarray = np.take(first, np.arange(size) % first.shape[axis], axis)
        return stacked
