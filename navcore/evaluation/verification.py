"""The verdict on an exported model: does it return what its source returned, for every sample and size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import attrs
import numpy as np

from navcore.contract import Feeds, Signature
from navcore.errors import PluginError
from navcore.evaluation.comparison import Comparison
from navcore.evaluation.differences import Gap, gap_between, relatives, summarise
from navcore.evaluation.precision_bounds import HOPELESS_NOISE, coarsest, known_precision, precision_for, precision_of
from navcore.evaluation.tolerance import Reading, Tolerance, beyond, beyond_precision
from navcore.workspace import Failure, Status, Verification

_NO_NOISE: Mapping[str, float] = MappingProxyType({})
_CAUSE_LENGTH = 300


@attrs.frozen
class _Trial:
    """How one comparison went: a gap per output, or the problem that kept the numbers from being compared."""

    label: str
    symbol: str | None
    size: int | None
    gaps: Mapping[str, Gap] = attrs.field(factory=dict)
    problem: str = ""

    @property
    def place(self) -> str:
        """Where it was, for a sentence."""
        return self.label if self.symbol is None else f"{self.label} (axis {self.symbol!r} at size {self.size})"


def verify(
    runner: Callable[[Feeds], Mapping[str, np.ndarray]],
    comparisons: Iterable[Comparison],
    *,
    signature: Signature,
    precision: str | None = None,
    noise: Mapping[str, float] = _NO_NOISE,
    atol: float | None = None,
    rtol: float | None = None,
    close: float | None = None,
) -> Verification:
    """Run ``runner`` on every comparison and judge what it returns.

    **Names, dtypes and shapes** come first; any that differ fail. **Numbers**: with ``atol`` or ``rtol`` given, each is
    enforced on its own on the largest absolute and relative difference (the reference page's definitions); with
    ``close``, every element has to be as near as |runner − source| ≤ ``close`` · (1 + |source|), integers and booleans
    equal; and nothing else is. Otherwise the relative L2 difference of every single comparison stays within the bound
    of ``precision`` (the table of :mod:`navcore.evaluation.precision_bounds`; ``None``: that of each output's dtype) or
    ten times ``noise[output]``, whichever is larger. For integer and boolean outputs it is the share of differing
    elements, over all comparisons, and in each of them (where one element may differ, unless the bound is 0). ``noise``
    is how far the source is from itself, as :func:`navcore.evaluation.distance` measures it. NaN and infinity fail
    unless the source has the same at the same place.

    **Axes**: a comparison with a ``symbol`` asks whether that axis still moves. When such fail and those without
    pass, the axis is in ``frozen_axes``. That is a failure when the user declared the axis dynamic, and for the batch
    axis of every model that batches, since stacking samples and profiling need it. An axis that was only seen to vary
    is noted as fixed. Wrong numbers at another size are always a failure.

    No comparison is skipped because an earlier one failed, and what was measured is recorded also on failure. An
    exception of the runner is a failure, not raised. With nothing to compare the status is ``UNVERIFIED``.
    """
    trials = [_try(runner, comparison, close) for comparison in comparisons]
    readings = _read(trials)
    known = known_precision(precision)
    visible = coarsest(precision_of(spec.dtype) for spec in (*signature.inputs, *signature.outputs))
    tolerances = {
        output: Tolerance(precision_for(found[0].gap.dtype, known, visible), noise.get(output, 0.0), atol, rtol, close)
        for output, found in readings.items()
    }
    failure, frozen, notes = _judge(trials, readings, tolerances, signature)
    status = Status.OK if failure is None else Status.FAILED
    if failure is None and not readings:
        status, failure = Status.UNVERIFIED, _nothing_compared(trials)
    shaky = [
        output for output, tolerance in tolerances.items() if not tolerance.given and tolerance.noise > HOPELESS_NOISE
    ]
    if failure is None and shaky:
        status, failure = Status.UNVERIFIED, _unprovable(shaky[0], tolerances[shaky[0]].noise)
    if failure is None:
        notes += _accepted(readings, tolerances)
    if precision is not None and known is None:
        notes.append(f"No bound is known for precision {precision!r}; that of each output's dtype applied.")
    held = [tolerance for tolerance in tolerances.values() if not tolerance.given]
    floating = [tolerance for output, tolerance in tolerances.items() if readings[output][0].relative is not None]
    return Verification(
        status=status,
        differences=tuple(
            summarise(output, [reading.label for reading in found], [reading.gap for reading in found])
            for output, found in readings.items()
        ),
        compared=sum(not trial.problem for trial in trials),
        precision=coarsest(tolerance.precision for tolerance in held) or "",
        bound=max((tolerance.relative_l2 for tolerance in floating if not tolerance.given), default=None),
        frozen_axes=frozen,
        notes=tuple(notes),
        failure=failure,
    )


def _failure(clause: str, hint: str = "") -> Failure:
    return Failure(cause=_sentence(clause), category="verification", hint=hint)


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:].rstrip('.')}."


def _nothing_compared(trials: Sequence[_Trial]) -> Failure:
    if trials:
        return _failure("nothing could be compared: every sample moves an axis that this export keeps fixed")
    return _failure("there was no sample to compare on", "Give a dataloader, or keep the samples in the package.")


def _unprovable(output: str, noise: float) -> Failure:
    """A source that differs from itself explains any difference: neither right nor wrong can be told."""
    return _failure(
        f"the source does not repeat itself: output {output!r} differs by {noise:.2g} (relative L2) between two runs "
        "on the same input, so nothing can be proved about the export",
        "Take randomness such as dropout out of the model, or give atol and rtol.",
    )


def _try(runner: Callable[[Feeds], Mapping[str, np.ndarray]], comparison: Comparison, close: float | None) -> _Trial:
    trial = _Trial(comparison.label, comparison.symbol, comparison.size)
    try:
        outputs = _named_arrays(runner(comparison.feeds))
        problem = _mismatch(comparison.expected, outputs)
    except Exception as error:
        return attrs.evolve(trial, problem=_cause_line(error))
    if problem:
        return attrs.evolve(trial, problem=problem)
    return attrs.evolve(
        trial,
        gaps={name: gap_between(expected, outputs[name], close) for name, expected in comparison.expected.items()},
    )


def _named_arrays(outputs: object) -> dict[str, np.ndarray]:
    if not isinstance(outputs, Mapping):
        raise PluginError(f"The runner returned a {type(outputs).__name__} instead of arrays by name.")
    return {name: np.asarray(value) for name, value in outputs.items()}


def _cause_line(error: Exception) -> str:
    """``RuntimeError: …`` in one line: the last of a message that carries a traceback of its own, else the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    line = lines[-1] if any(line.startswith("Traceback") for line in lines) else lines[0]
    shown = line if len(line) <= _CAUSE_LENGTH else f"{line[:_CAUSE_LENGTH]} …"
    name = type(error).__name__
    return shown if shown.startswith(f"{name}:") else f"{name}: {shown}"


def _mismatch(expected: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]) -> str:
    """What keeps the numbers from being compared, as a clause; empty when names, dtypes and shapes agree."""
    missing = [name for name in expected if name not in outputs]
    extra = [name for name in outputs if name not in expected]
    if missing or extra:
        return f"the outputs are {_listed(outputs)} where the source returns {_listed(expected)}"
    for name, wanted in expected.items():
        found = outputs[name]
        if found.dtype != wanted.dtype:
            return f"output {name!r} is {found.dtype.name} where the source returns {wanted.dtype.name}"
        if found.shape != wanted.shape:
            return f"output {name!r} has the shape {found.shape} where the source returns {wanted.shape}"
    return ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"


def _read(trials: Sequence[_Trial]) -> dict[str, list[Reading]]:
    """What was measured, by output."""
    found: dict[str, list[tuple[_Trial, Gap]]] = {}
    for trial in trials:
        for output, gap in trial.gaps.items():
            found.setdefault(output, []).append((trial, gap))
    readings: dict[str, list[Reading]] = {}
    for output, pairs in found.items():
        shares: Sequence[float | None] = relatives([gap for _, gap in pairs]) or [None] * len(pairs)
        readings[output] = [
            Reading(trial.label, trial.place, trial.symbol, gap, share)
            for (trial, gap), share in zip(pairs, shares, strict=True)
        ]
    return readings


def _judge(
    trials: Sequence[_Trial],
    readings: Mapping[str, Sequence[Reading]],
    tolerances: Mapping[str, Tolerance],
    signature: Signature,
) -> tuple[Failure | None, tuple[str, ...], list[str]]:
    """The failure, if any; the axes that froze; and notes, among them every fault after the first."""
    stuck = [f"in {trial.place}: {trial.problem}" for trial in trials if trial.symbol is None and trial.problem]
    wrong = _wrong_numbers(readings, tolerances, None)
    faults, notes, frozen = [*stuck, *wrong], list[str](), list[str]()
    # An export that fails at the sizes it was made for says nothing about its axes.
    sound = not faults
    for symbol in dict.fromkeys(trial.symbol for trial in trials if trial.symbol is not None):
        first = next((trial for trial in trials if trial.symbol == symbol and trial.problem), None)
        wrong_here = _wrong_numbers(readings, tolerances, symbol)
        if sound and (first is not None or wrong_here):
            frozen.append(symbol)
        if first is not None and not sound:
            notes.append(_sentence(f"in {first.place}: {first.problem}"))
        elif first is not None and _must_move(signature, symbol):
            faults.append(_frozen_clause(signature, first))
        elif first is not None:
            notes.append(_sentence(_frozen_clause(signature, first)))
        faults += wrong_here
        wrong += wrong_here
    if not faults:
        return None, tuple(frozen), notes
    hint = _acceptable_hint(tolerances) if faults[0] in wrong else ""
    further = [f"Also: {fault.rstrip('.')}." for fault in faults[1:]]
    return _failure(faults[0], hint), tuple(frozen), [*further, *notes]


def _declared(signature: Signature, symbol: str | None) -> bool:
    return any(axis.symbol == symbol and axis.declared for axis in signature.axes)


def _must_move(signature: Signature, symbol: str | None) -> bool:
    batches = signature.batch_dim is not None and symbol == signature.batch_symbol
    return batches or _declared(signature, symbol)


def _frozen_clause(signature: Signature, trial: _Trial) -> str:
    """What to say of the axis at which this trial failed."""
    fails = f"it fails at size {trial.size} ({trial.problem})"
    if _declared(signature, trial.symbol):
        return f"axis {trial.symbol!r} was declared dynamic, but the export is fixed: {fails}"
    if _must_move(signature, trial.symbol):
        return f"the batch axis {trial.symbol!r} has to move, but the export is fixed: {fails}"
    return f"axis {trial.symbol!r} varies in the data, but stays fixed in this export: {fails}"


def _acceptable_hint(tolerances: Mapping[str, Tolerance]) -> str:
    if any(tolerance.given for tolerance in tolerances.values()):
        return "Raise the limit if a difference of this size is acceptable."
    return "Give atol= or rtol= if a difference of this size is acceptable."


def _wrong_numbers(
    readings: Mapping[str, Sequence[Reading]], tolerances: Mapping[str, Tolerance], symbol: str | None
) -> list[str]:
    """A clause per broken limit, over the comparisons that ask about ``symbol`` (``None``: about no axis)."""
    return [
        clause
        for output, found in readings.items()
        for clause in beyond(output, [reading for reading in found if reading.symbol == symbol], tolerances[output])
    ]


def _accepted(readings: Mapping[str, Sequence[Reading]], tolerances: Mapping[str, Tolerance]) -> list[str]:
    """A note for every output that only the user's own limits let pass."""
    return [
        f"Accepted by the given atol or rtol: {clause}."
        for output, found in readings.items()
        if tolerances[output].given
        for clause in beyond_precision(output, found, tolerances[output])
    ]
