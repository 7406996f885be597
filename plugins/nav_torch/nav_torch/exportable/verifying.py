"""Run an exported file and compare it with the model, by the core's choice of a runtime and its verification."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from nav_torch.exportable.case import Case
from nav_torch.exportable.hooks import class_name
from nav_torch.exportable.result import CheckFailed
from nav_torch.restoring import LOGGER_NAME, home
from navcore import (
    Artifact,
    Comparison,
    ExportError,
    Feeds,
    Format,
    NavcoreError,
    Runner,
    RuntimeProvider,
    Status,
    Verification,
    load_registry,
    open_artifact,
    verify,
)

if TYPE_CHECKING:
    import numpy as np


def verified(case: Case, artifact: Artifact, compared: Sequence[Comparison], tolerance: float) -> Verification | None:
    """The core's verdict, with numbers that agree when |file − model| ≤ tolerance · (1 + |model|).

    ``None``, after a warning, where no installed plugin runs the format here. Raises :class:`CheckFailed`.
    """
    runner = opened(case, artifact)
    if runner is None:
        logging.getLogger(LOGGER_NAME).warning(
            "%s could not be checked: nothing that runs %s is installed. Install nav-onnx[cpu].",
            artifact.file.name, artifact.format,
        )  # fmt: skip
        return None
    with runner, plain_types(case):
        verdict = verify(called(runner, artifact), compared, signature=case.signature, close=tolerance)
    if verdict.status == Status.OK:
        return verdict
    raise refusal(case, verdict, tolerance)


def refusal(case: Case, verdict: Verification, tolerance: float) -> CheckFailed:
    """What to raise for a verdict: the differences, or that nothing can be compared with a model that draws numbers."""
    what = verdict.failure.cause if verdict.failure else "Nothing could be compared."
    what, hint = what.replace("close=", "check_tolerance="), ""
    if "differ by more than" in what:
        hint = "Raise check_tolerance if a difference of this size is acceptable."
        if _is_random(case, tolerance):
            what = (
                f"{class_name(case.model)} returns something else each time, so no file can be compared with it: {what}"
            )
            hint = "Leave check_trace away, or give the model no dropout and no random numbers while it is exported."
    told = [
        f"{one.output!r} absolute {one.atol:.3g}, relative {one.rtol:.3g}" for one in verdict.differences if one.atol
    ]
    largest = f" Largest differences: {'; '.join(told)}." if told else ""
    return CheckFailed(f"{what}{largest}", verification=attrs.evolve(verdict, status=Status.FAILED), hint=hint)


def right_on_its_example(case: Case, artifact: Artifact, example: Comparison, tolerance: float) -> None:
    """What is owed to a file that nobody asked to check. Raises :class:`CheckFailed` for one that is plainly wrong.

    One that cannot be run here, or cannot be compared because the model draws random numbers, passes.
    """
    try:
        runner = opened(case, artifact)
    except NavcoreError:
        return
    if runner is None:
        return
    with runner, plain_types(case):
        verdict = verify(called(runner, artifact), [example], signature=case.signature, close=tolerance)
    if verdict.status == Status.FAILED and not _is_random(case, tolerance):
        raise refusal(case, verdict, tolerance)


def _is_random(case: Case, tolerance: float) -> bool:
    """Whether the model returns something else with other random numbers."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch.initial_seed() + 1)
        again = case.returned(case.example)
    example = Comparison("", case.example, case.expected)
    return verify(lambda feeds: again, [example], signature=case.signature, close=tolerance).status != Status.OK


def called(runner: Runner, artifact: Artifact) -> Callable[[Feeds], Mapping[str, np.ndarray]]:
    """The runner without inputs that its file does not have, because the model does not use them."""
    taken = artifact.signature.input_names
    return lambda feeds: runner({name: feeds[name] for name in feeds if name in taken})


@contextlib.contextmanager
def plain_types(case: Case) -> Iterator[None]:
    """Without the caller's autocast, under which a file of PyTorch would compute in other types than the model did."""
    import torch

    with torch.autocast(torch.device(home(case.stand)).type, enabled=False):
        yield


def narrow_floats(case: Case) -> str:
    """Which of the 8-bit floats and bfloat16 the model's weights, inputs and outputs are, for a sentence."""
    weights = {str(tensor.dtype).removeprefix("torch.") for tensor in case.stand.state_dict().values()}
    ends = {spec.dtype for spec in (*case.signature.inputs, *case.signature.outputs)}
    return " and ".join(sorted(name for name in weights | ends if name.startswith(("bfloat16", "float8"))))


def opened(case: Case, artifact: Artifact) -> Runner | None:
    """The file in the runtime that fits the model's device, the CPU's otherwise; ``None`` where there is none."""
    import torch

    device = home(case.stand)
    fitting = [RuntimeProvider.CUDA] if device.startswith("cuda") else []
    try:
        return open_artifact(
            load_registry(),
            artifact,
            runtimes=[*fitting, RuntimeProvider.CPU, RuntimeProvider.PYT],
            device=device,
            threads=torch.get_num_threads(),
            log_dir=artifact.file.parent,
        )
    except NavcoreError as error:
        narrow = narrow_floats(case)
        if not narrow or artifact.format.name != Format.ONNX.name:
            raise
        raise ExportError(
            f"ONNX Runtime does not run {class_name(case.model)} in {narrow} here: {error.what.rstrip('.')}.",
            hint="Export a float32 copy (model.float()), or leave check_trace away for a runtime that computes in "
            f"{narrow}.",
        ) from error
