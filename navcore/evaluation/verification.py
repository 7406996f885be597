"""The verdict on an exported model: does it return what its source returned, for every sample and size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from navcore.contract import Feeds, Signature, bound_of, known_precision, precision_of
from navcore.evaluation.columns import wrong_column
from navcore.evaluation.comparison import Comparison
from navcore.evaluation.differences import Gap, relatives, summarise
from navcore.evaluation.frozen_batch import FrozenBatch, frozen_batch
from navcore.evaluation.precision_bounds import coarsest, precision_for
from navcore.evaluation.tolerance import Reading, Tolerance, beyond, beyond_precision, has_no_signal
from navcore.evaluation.trial import Trial, listed, try_comparison
from navcore.evaluation.verdict_failures import (
    failed,
    nothing_compared,
    remembering,
    sentence,
    unprovable,
    without_signal,
)
from navcore.workspace import Failure, Status, Verification

_NO_NOISE: Mapping[str, float] = MappingProxyType({})
_ORDER_ONE = 0.3
"""From this relative difference on nobody is advised to accept it."""


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
    runs: int = 1,
    stateful: bool = False,
    inputs: Sequence[str] = (),
    misfit: Callable[[Feeds], str] = lambda _feeds: "",
    keep: Callable[[Mapping[str, Sequence[Reading]]], None] = lambda _readings: None,
) -> Verification:
    """Run ``runner`` on every comparison and judge what it returns.

    **Names, their order, dtypes and shapes** come first; any that differ fail. The order of the outputs is that of the
    mapping which the runner returns; ``inputs`` are the stored model's inputs in its own order, and compared for a
    source that is called by position. **Numbers**: with ``atol`` or ``rtol`` given, each is
    enforced on its own on the largest absolute and relative difference (the reference page's definitions); with
    ``close``, every element has to be as near as |runner − source| ≤ ``close`` · (1 + |source|), integers and booleans
    equal; and nothing else is. Otherwise the relative L2 difference of every single comparison stays within the bound
    of ``precision`` (the table of :mod:`navcore.contract.precision`; ``None``: that of each output's dtype) or
    ten times ``noise[output]``, whichever is larger. For integer and boolean outputs it is the share of differing
    elements, over all comparisons, and in each of them (where one element may differ, unless the bound is 0). ``noise``
    is how far the source is from itself, as :func:`navcore.evaluation.distance` measures it. NaN and infinity fail
    unless the source has the same at the same place. A column of the last axis may not be wrong either where the others
    are so much larger that the whole hides it (:mod:`navcore.evaluation.columns`). An output below :data:`NO_SIGNAL` on
    every sample, and its difference too, proves nothing: the status is ``UNVERIFIED`` unless a tolerance is given.

    **Noise**: where the expected outputs are means of ``runs`` runs of a noisy source, so are those of the export, and
    the bound shrinks with the noise. A bound that was widened is noted with its factor. ``stateful`` says that the
    source remembers from call to call, which is then part of the cause.

    **Axes**: a comparison with a ``symbol`` asks whether that axis still moves. When such fail and those without
    pass, the axis is in ``frozen_axes``. That is a failure when the user declared the axis dynamic, and for the batch
    axis of every model that batches, since stacking samples and profiling need it. An axis that was only seen to vary
    is noted as fixed. Wrong numbers at another size are always a failure. A comparison without a symbol is an item of
    the user's: one that the export does not take is a failure, and where it is the batch that keeps it from that, the
    batch axis is frozen. ``misfit`` says of inputs why the export is known not to take them.

    No comparison is skipped because an earlier one failed, and what was measured is recorded also on failure. An
    exception of the runner is a failure, not raised. With nothing to compare the status is ``UNVERIFIED``. ``keep``
    receives every single reading, by output.
    """
    trials = [try_comparison(runner, one, signature, runs=runs, close=close, misfit=misfit) for one in comparisons]
    readings = _read(trials)
    keep(readings)
    known = known_precision(precision)
    visible = coarsest(precision_of(spec.dtype) for spec in (*signature.inputs, *signature.outputs))
    tolerances = {
        output: Tolerance(
            precision_for(found[0].gap.dtype, known, visible),
            noise.get(output, 0.0),
            atol,
            rtol,
            close,
            runs if found[0].relative is not None else 1,
        )
        for output, found in readings.items()
    }
    silent = [output for output, found in readings.items() if has_no_signal(found, tolerances[output])]
    heard = {output: found for output, found in readings.items() if output not in silent}
    failure, frozen, notes, only_numbers = _judge(trials, heard, tolerances, signature, _wrong_order(signature, inputs))
    status = Status.OK if failure is None else Status.FAILED
    if failure is None and not readings:
        status, failure = Status.UNVERIFIED, nothing_compared(bool(trials))
    if stateful and failure is not None and failure.category == "verification":
        failure = remembering(failure)
    shaky = [output for output, tolerance in tolerances.items() if tolerance.hopeless]
    if failure is None and shaky:
        status, failure = Status.UNVERIFIED, unprovable(shaky[0], tolerances[shaky[0]].noise, stateful=stateful)
    if failure is None and silent:
        status, failure = Status.UNVERIFIED, without_signal(silent, readings)
    if failure is None:
        notes += [*_accepted(readings, tolerances), *_widened(readings, tolerances)]
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
        only_numbers=status == Status.FAILED and only_numbers,
    )


def _wrong_order(signature: Signature, inputs: Sequence[str]) -> str:
    """A clause when the stored model takes its inputs in another order; a call by keywords has none."""
    wanted = [name for name in signature.input_names if name in inputs]
    if signature.call["kwargs"] or set(inputs) != set(wanted) or list(inputs) == wanted:
        return ""
    return f"the inputs come in the order {listed(inputs)} where the source takes {listed(wanted)}"


def _read(trials: Sequence[Trial]) -> dict[str, list[Reading]]:
    """What was measured, by output."""
    found: dict[str, list[tuple[Trial, Gap]]] = {}
    for trial in trials:
        for output, gap in trial.gaps.items():
            found.setdefault(output, []).append((trial, gap))
    readings: dict[str, list[Reading]] = {}
    for output, pairs in found.items():
        shares: Sequence[float | None] = relatives([gap for _, gap in pairs]) or [None] * len(pairs)
        readings[output] = [
            Reading(trial.label, trial.place, trial.symbol, gap, share, trial.likeness.get(output, ""))
            for (trial, gap), share in zip(pairs, shares, strict=True)
        ]
    return readings


def _judge(
    trials: Sequence[Trial],
    readings: Mapping[str, Sequence[Reading]],
    tolerances: Mapping[str, Tolerance],
    signature: Signature,
    wrong_order: str,
) -> tuple[Failure | None, tuple[str, ...], list[str], bool]:
    """The failure, if any; the axes that froze; and notes, among them every fault after the first."""
    batch = frozen_batch(trials, signature)
    stuck = [f"in {trial.place}: {trial.problem}" for trial in trials if trial.symbol is None and trial.problem]
    if batch is not None:
        stuck = [_frozen_batch_clause(signature, batch)]
    wrong = [*_wrong_numbers(readings, tolerances, None), *_wrong_columns(trials, readings, tolerances)]
    faults, notes = [*([wrong_order] if wrong_order else []), *stuck, *wrong], list[str]()
    frozen = [] if batch is None else [signature.batch_symbol]
    # An export that fails at the sizes it was made for says nothing about its axes.
    sound = not faults
    for symbol in dict.fromkeys(trial.symbol for trial in trials if trial.symbol is not None):
        first = next((trial for trial in trials if trial.symbol == symbol and trial.problem), None)
        wrong_here = _wrong_numbers(readings, tolerances, symbol)
        if sound and (first is not None or (wrong_here and not _is_likeness(readings, symbol))):
            frozen.append(symbol)
        if batch is not None and symbol == signature.batch_symbol:
            first = None  # it is told already
        if first is not None and not sound:
            notes.append(sentence(f"in {first.place}: {first.problem}"))
        elif first is not None and _must_move(signature, symbol):
            faults.append(_frozen_clause(signature, first))
        elif first is not None:
            notes.append(sentence(_frozen_clause(signature, first)))
        faults += wrong_here
        wrong += wrong_here
    if not faults:
        return None, tuple(frozen), notes, False
    hint = _acceptable_hint(tolerances) if faults[0] in wrong and not _is_order_one(readings, tolerances) else ""
    further = [f"Also: {fault.rstrip('.')}." for fault in _folded(faults[1:])]
    stray = any(reading.gap.strays for found in readings.values() for reading in found)
    only_numbers = not stray and not frozen and all(fault in wrong for fault in faults)
    return failed(faults[0], hint), tuple(frozen), [*further, *notes], only_numbers


_SHOWN = 2


def _folded(faults: Sequence[str]) -> list[str]:
    """The faults, of those that say the same of several samples the first ones and how many there are besides."""
    groups: dict[str, list[str]] = {}
    for fault in faults:
        place, _, problem = fault.partition(": ")
        groups.setdefault(problem if place.startswith("in ") and problem else fault, []).append(fault)
    told: list[str] = []
    for same in groups.values():
        told += same[:_SHOWN]
        if len(same) > _SHOWN:
            told[-1] = f"{told[-1]} (and {len(same) - _SHOWN} more samples)"
    return told


def _is_likeness(readings: Mapping[str, Sequence[Reading]], symbol: str) -> bool:
    """Whether what is wrong there has a name of its own, so that it is no frozen axis."""
    return any(reading.likeness for found in readings.values() for reading in found if reading.symbol == symbol)


def _is_order_one(readings: Mapping[str, Sequence[Reading]], tolerances: Mapping[str, Tolerance]) -> bool:
    """Whether an output that breaks its limits is so far off that no tolerance should let it pass."""
    return any(
        reading.likeness or reading.off >= _ORDER_ONE
        for output, found in readings.items()
        if beyond(output, found, tolerances[output])
        for reading in found
    )


def _wrong_columns(
    trials: Sequence[Trial], readings: Mapping[str, Sequence[Reading]], tolerances: Mapping[str, Tolerance]
) -> list[str]:
    """A clause for every output that is right as a whole and wrong in a column, over all comparisons together."""
    clauses = []
    for output, found in readings.items():
        tolerance = tolerances[output]
        if tolerance.given or tolerance.widened > 1 or beyond(output, found, tolerance):
            continue
        worst = wrong_column(
            [trial.columns[output] for trial in trials if output in trial.columns], tolerance.precision
        )
        if worst is not None:
            clauses.append(
                f"column {worst[0]} of output {output!r}, which is small beside the others, differs by {worst[1]:.4g} "
                f"(relative L2), more than {tolerance.precision} explains"
            )
    return clauses


def _declared(signature: Signature, symbol: str | None) -> bool:
    return any(axis.symbol == symbol and axis.declared for axis in signature.axes)


def _must_move(signature: Signature, symbol: str | None) -> bool:
    batches = signature.batch_dim is not None and symbol == signature.batch_symbol
    return batches or _declared(signature, symbol)


def _frozen_clause(signature: Signature, trial: Trial) -> str:
    """What to say of the axis at which this trial failed."""
    fails = f"it fails at size {trial.size} ({trial.problem})"
    if _declared(signature, trial.symbol):
        return f"axis {trial.symbol!r} was declared dynamic, but the export is fixed: {fails}"
    if _must_move(signature, trial.symbol):
        return f"the batch axis {trial.symbol!r} has to move, but the export is fixed: {fails}"
    return f"axis {trial.symbol!r} varies in the data, but stays fixed in this export: {fails}"


def _frozen_batch_clause(signature: Signature, batch: FrozenBatch) -> str:
    moves = "was declared dynamic" if _declared(signature, signature.batch_symbol) else "has to move"
    taken = " and ".join(map(str, batch.taken))
    return (
        f"the batch axis {signature.batch_symbol!r} {moves}, but the export takes a batch of {taken} only: "
        f"it fails at size {batch.refused.batch} in {batch.refused.label} ({batch.refused.problem})"
    )


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


def _widened(readings: Mapping[str, Sequence[Reading]], tolerances: Mapping[str, Tolerance]) -> list[str]:
    """A note for every output whose bound is wider than its precision's, with the factor and why."""
    return [
        f"The bound of output {output!r} was widened {tolerance.widened:.3g} times, from "
        f"{bound_of(tolerance.precision).relative_l2:g} to {tolerance.relative_l2:.2g}, because the source differs "
        f"from itself by {tolerance.noise:.2g}"
        + (f"; means of {tolerance.runs} runs were compared." if tolerance.runs > 1 else ".")
        for output, tolerance in tolerances.items()
        if not tolerance.given and readings[output][0].relative is not None and tolerance.widened > 1
    ]
