"""One comparison carried out: what the export returned beside what was expected, or why nothing can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import numpy as np

from navcore.contract import Feeds, Signature
from navcore.errors import PluginError, first_line
from navcore.evaluation.columns import Columns, columns_of
from navcore.evaluation.comparison import Comparison
from navcore.evaluation.differences import Gap, gap_between, is_floating
from navcore.evaluation.resemblance import resemblance
from navcore.workspace import chance_in

Array = np.ndarray[Any, Any]
Model = Callable[[Feeds], Mapping[str, np.ndarray]]
_CAUSE_LENGTH = 300


@attrs.frozen
class Trial:
    """How one comparison went: a gap per output, or the problem that kept the numbers from being compared.

    ``batch`` is the number of samples in it (``None`` for a model that does not batch). ``columns`` are the errors
    along the last axis where that is fixed, ``likeness`` says for an output that is far off what it looks like.
    """

    label: str
    symbol: str | None
    size: int | None
    batch: int | None
    gaps: Mapping[str, Gap] = attrs.field(factory=dict)
    columns: Mapping[str, Columns] = attrs.field(factory=dict)
    likeness: Mapping[str, str] = attrs.field(factory=dict)
    problem: str = ""

    @property
    def place(self) -> str:
        """Where it was, for a sentence."""
        return self.label if self.symbol is None else f"{self.label} (axis {self.symbol!r} at size {self.size})"


def try_comparison(
    runner: Model,
    comparison: Comparison,
    signature: Signature,
    *,
    runs: int = 1,
    close: float | None = None,
    misfit: Callable[[Feeds], str],
) -> Trial:
    """Run the export, ``runs`` times where its mean is asked for, and compare; never raises for what it does.

    ``close`` asks how many elements are not as near as that (:func:`navcore.evaluation.differences.gap_between`).
    ``misfit`` says why the export is known not to take these inputs; they are not fed to it then.
    """
    trial = Trial(comparison.label, comparison.symbol, comparison.size, _batch_of(signature, comparison.feeds))
    try:
        problem = misfit(comparison.feeds)
        if not problem:
            outputs = mean_of([_named_arrays(runner(comparison.feeds)) for _ in range(runs)])
            problem = mismatch(comparison.expected, outputs)
    except Exception as error:
        if chance_in(error):  # that is no verdict
            raise
        problem = _cause_line(error)
    if problem:
        return attrs.evolve(trial, problem=problem)
    gaps = {name: gap_between(expected, outputs[name], close) for name, expected in comparison.expected.items()}
    moving = {spec.name for spec in signature.outputs if not spec.shape or isinstance(spec.shape[-1], str)}
    return attrs.evolve(
        trial,
        gaps=gaps,
        columns={
            name: found
            for name, expected in comparison.expected.items()
            if name not in moving and (found := columns_of(expected, outputs[name])) is not None
        },
        likeness={
            name: told
            for name, gap in gaps.items()
            if (told := resemblance(name, gap, comparison.expected, outputs, signature))
        },
    )


def mean_of(answers: list[dict[str, Array]]) -> dict[str, Array]:
    """The mean of several answers to one question, of the outputs that are rounded numbers; the first of any other."""
    first = answers[0]
    if len(answers) == 1:
        return first
    means = dict(first)
    for name, array in first.items():
        others = [answer.get(name) for answer in answers]
        if is_floating(array.dtype) and all(other is not None and other.shape == array.shape for other in others):
            wide = np.promote_types(array.dtype, np.float64)
            with np.errstate(invalid="ignore"):  # infinite values stay what they are
                means[name] = np.mean([np.asarray(other).astype(wide) for other in others], axis=0).astype(array.dtype)
    return means


def _batch_of(signature: Signature, feeds: Feeds) -> int | None:
    for spec in signature.inputs:
        if (axis := signature.batch_axis(spec)) is not None:
            return int(feeds[spec.name].shape[axis])
    for spec in signature.inputs:
        # The signature is the export's own, which may have fixed its batch: the axis is where the batch is.
        if signature.batch_dim is not None and -len(spec.shape) <= signature.batch_dim < len(spec.shape):
            return int(feeds[spec.name].shape[signature.batch_dim])
    return None


def _named_arrays(outputs: object) -> dict[str, np.ndarray]:
    if not isinstance(outputs, Mapping):
        raise PluginError(f"The runner returned a {type(outputs).__name__} instead of arrays by name.")
    return {name: np.asarray(value) for name, value in outputs.items()}


def _cause_line(error: Exception) -> str:
    """``RuntimeError: …`` in one line: the last of a message that carries a traceback of its own, else the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    line = lines[-1] if any(line.startswith("Traceback") for line in lines) else first_line(error)
    shown = line if len(line) <= _CAUSE_LENGTH else f"{line[:_CAUSE_LENGTH]} …"
    name = type(error).__name__
    return shown if shown.startswith(f"{name}:") else f"{name}: {shown}"


def mismatch(expected: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]) -> str:
    """What keeps the numbers from being compared, as a clause; empty when names, order, dtypes and shapes agree."""
    missing = [name for name in expected if name not in outputs]
    extra = [name for name in outputs if name not in expected]
    if missing or extra:
        return f"the outputs are {listed(outputs)} where the source returns {listed(expected)}"
    for name, wanted in expected.items():
        found = outputs[name]
        if found.dtype != wanted.dtype:
            return f"output {name!r} is {found.dtype.name} where the source returns {wanted.dtype.name}"
        if found.shape != wanted.shape:
            return f"output {name!r} has the shape {found.shape} where the source returns {wanted.shape}"
    if list(outputs) != list(expected):
        return f"the outputs come in the order {listed(outputs)} where the source returns {listed(expected)}"
    return ""


def listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
