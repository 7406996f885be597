"""Run an exported file on the example and at other sizes, and compare it with the model by the core's verification."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from nav_torch.exportable.axes import other_sizes, resized, sizes_of, told_sizes
from nav_torch.exportable.hooks import class_name, forward_name, has_hook, input_module
from nav_torch.exportable.inputs import example_of
from nav_torch.exportable.naming import name_outputs
from nav_torch.exportable.result import CheckFailed
from nav_torch.exportable.understanding import Understood
from nav_torch.live import is_tensor, to_array
from nav_torch.restoring import LOGGER_NAME, home
from navcore import (
    Artifact,
    Comparison,
    Difference,
    ExportError,
    Feeds,
    Format,
    InputError,
    Made,
    NavcoreError,
    OptionError,
    Route,
    RunnerJob,
    RuntimeProvider,
    SourceError,
    Status,
    Verification,
    flatten_result,
    verify,
)

if TYPE_CHECKING:
    import numpy as np

    from navcore import Registry

_LARGEST = 2


@attrs.frozen(eq=False)
class AtSizes:
    """A further example: the first one with axes of other sizes, its values repeated or cut."""

    sizes: Mapping[str, int]


def comparisons(case: Understood, output_example: Any, further: Sequence[Any]) -> list[Comparison]:
    """The example, the ``further`` ones, and examples of other sizes until every dynamic axis has moved.

    ``output_example`` is what the file has to return for the example, in place of what the model returns. Raises
    :class:`SourceError` when the model itself takes no other size along an axis that is declared dynamic.
    """
    expected = case.expected if output_example is None else _given_outputs(case, output_example)
    found = [Comparison("the input example", case.example, expected)]
    for number, example in enumerate(further, 1):
        label = f"further example {number}"
        if isinstance(example, AtSizes):
            feeds = resized(case.signature.inputs, case.example, _checked_sizes(case, example.sizes))
        else:
            feeds = case.bound(example, f"The {label} of check_trace")
        found.append(Comparison(_told(case, label, feeds), feeds, case.returned(feeds)))
    still = _unmoved(case, found)
    if still == set(case.sizes) and still:
        found.append(other_example(case))
        still = _unmoved(case, found)
    if still:
        found += _moving(case, still)
    return found


def _checked_sizes(case: Understood, sizes: Mapping[str, int]) -> Mapping[str, int]:
    for axis, size in sizes.items():
        if axis not in case.sizes:
            raise OptionError(
                f"sizes names {axis!r}, which is no dynamic axis of an input of {class_name(case.model)}.",
                hint=f"Dynamic axes: {', '.join(case.sizes) or 'none'}.",
            )
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise OptionError(f"The size of axis {axis!r} is {size!r}.", hint="Give a number of 0 or more.")
    return sizes


def _unmoved(case: Understood, found: Sequence[Comparison]) -> set[str]:
    """The dynamic axes that have the example's size in every comparison."""
    seen = [sizes_of(case.signature.inputs, one.feeds) for one in found]
    return {symbol for symbol, size in case.sizes.items() if all(sizes[symbol] == size for sizes in seen)}


def _moving(case: Understood, symbols: set[str]) -> list[Comparison]:
    """The example with these axes resized, where the model takes that; otherwise a warning, and nothing."""
    for sizes in other_sizes(case.sizes, case.ranges):
        wanted = {symbol: size for symbol, size in sizes.items() if symbol in symbols}
        feeds = resized(case.signature.inputs, case.example, wanted)
        with contextlib.suppress(SourceError):
            if sizes_of(case.signature.inputs, feeds) != case.sizes:
                return [Comparison(_told(case, "an example", feeds), feeds, case.returned(feeds))]
    logging.getLogger(LOGGER_NAME).warning(
        "The check did not move %s: the model takes no other size of it that can be made from the example. "
        "Give check_trace=[another example].",
        ", ".join(sorted(symbols)),
    )
    return []


def _given_outputs(case: Understood, output_example: Any) -> dict[str, np.ndarray]:
    leaves = flatten_result(output_example, is_tensor)
    names = case.signature.output_names
    if len(leaves) != len(names):
        raise InputError(
            f"output_example holds {len(leaves)} tensors, and {class_name(case.model)} returns {len(names)}: "
            f"{', '.join(names)}.",
            hint="Give one tensor per output, in the same order.",
        )
    if isinstance(output_example, Mapping):
        found = {one.name: one.array for one in name_outputs(case.model, output_example, case.example)}
    else:
        arrays = [to_array(leaf) for _, leaf in leaves]
        found = {name: array for name, array in zip(names, arrays, strict=True) if array is not None}
    for name, own in case.expected.items():
        other = found.get(name)
        if other is None or (other.shape, other.dtype) != (own.shape, own.dtype):
            told = "nothing" if other is None else f"{other.dtype.name} {list(other.shape)}"
            raise InputError(
                f"output_example has {told} for {name!r}, and {class_name(case.model)} returns {own.dtype.name} "
                f"{list(own.shape)}.",
                hint="Give what the model has to return for the example.",
            )
    return {name: found[name] for name in names}


def other_example(case: Understood) -> Comparison:
    """An example of other sizes: from ``input_example(max_batch=, max_dim=)`` where it takes these, else resized.

    Raises :class:`SourceError` when the model takes none of them.
    """
    reasons: list[InputError] = []
    for make in (lambda: _from_hook(case), *(_resizing(case, sizes) for sizes in other_sizes(case.sizes, case.ranges))):
        try:
            feeds = make()
            if feeds is not None:
                return Comparison(_told(case, "an example", feeds), feeds, case.returned(feeds))
        except InputError as error:
            reasons.append(error)
    reason = reasons[-1] if reasons else None
    told = reason.what if reason is not None else "Its axis_ranges allow no other size."
    raise SourceError(
        f"{class_name(case.model)} declares the axes {', '.join(case.sizes)} dynamic, and "
        f"{class_name(case.model)}.{forward_name(case.model)} could not be run at other sizes than the example's: "
        f"{told}",
        hint="Give axis_ranges=, check_trace=[another example], an input_example(max_batch, max_dim), or declare the "
        "axis fixed.",
    ) from reason


def _resizing(case: Understood, sizes: Mapping[str, int]) -> Callable[[], dict[str, np.ndarray] | None]:
    return lambda: resized(case.signature.inputs, case.example, sizes)


def _from_hook(case: Understood) -> dict[str, np.ndarray] | None:
    """A larger example by the class's own means; ``None`` where it has none, or what comes is not of another size."""
    module = input_module(case.model)
    if not has_hook(module, "input_example") or case.ranges:
        return None
    largest = max(case.sizes.values())
    batch = case.sizes.get("batch", min(case.sizes.values()))
    sizes = {"max_batch": batch + 1, "max_dim": _LARGEST * largest}
    feeds = case.bound(example_of(case.model, **sizes), f"{class_name(module)}.input_example{tuple(sizes.values())}")
    return feeds if sizes_of(case.signature.inputs, feeds) != case.sizes else None


def _told(case: Understood, label: str, feeds: Feeds) -> str:
    sizes = sizes_of(case.signature.inputs, feeds)
    return f"{label} of {told_sizes(sizes)}" if sizes else label


def check(
    case: Understood, target: Format, file: Path, made: Made, compared: Sequence[Comparison], tolerance: float
) -> Verification | None:
    """The verdict of the core's verification, with numbers that agree when |file − model| ≤ tolerance · (1 + |model|).

    Integers and booleans have to be equal.
    ``None``, after a warning, where no installed plugin runs the format here. Raises :class:`CheckFailed`.
    """
    runner = _runner(case, target, file, made)
    if runner is None:
        logging.getLogger(LOGGER_NAME).warning(
            "%s could not be checked: nothing that runs %s is installed. Install nav-onnx[cpu].", file.name, target
        )
        return None
    known = {id(one.feeds): one.expected for one in compared}
    beyond: list[str] = []
    labels = iter(compared)
    taken = set((made.signature or case.signature).input_names)
    with runner, _plain_types(case):

        def watched(feeds: Feeds) -> Mapping[str, np.ndarray]:
            label = next(labels).label
            # An input that the model does not use may be none of the file's.
            outputs: Mapping[str, np.ndarray] = runner({name: feeds[name] for name in feeds if name in taken})
            beyond.extend(_beyond(known[id(feeds)], outputs, tolerance, label))
            return outputs

        verdict = verify(watched, compared, signature=case.signature, atol=math.inf, rtol=math.inf)
    if verdict.failure is not None or verdict.status is not Status.OK:
        cause = verdict.failure.cause if verdict.failure else "Nothing could be compared."
        seen = [one for one in verdict.differences if one.atol > 0]
        raise CheckFailed(f"{cause}{_measured(seen)}", verification=verdict)
    if beyond:
        what, hint = beyond[0], "Raise check_tolerance if a difference of this size is acceptable."
        if _beyond(case.expected, case.returned(case.example), tolerance, ""):
            what = (
                f"{class_name(case.model)} returns something else each time, so no file can be compared with it: {what}"
            )
            hint = "Leave check_trace away, or give the model no dropout and no random numbers while it is exported."
        raise CheckFailed(
            f"{what}{_measured(verdict.differences)}",
            verification=attrs.evolve(verdict, status=Status.FAILED),
            hint=hint,
        )
    return verdict


@contextlib.contextmanager
def _plain_types(case: Understood) -> Iterator[None]:
    """Without the caller's autocast, under which a file of PyTorch would compute in other types than the model did."""
    import torch

    with torch.autocast(torch.device(home(case.stand)).type, enabled=False):
        yield


def narrow_floats(case: Understood) -> str:
    """Which of the 8-bit floats and bfloat16 the model's weights, inputs and outputs are, for a sentence."""
    weights = {str(tensor.dtype).removeprefix("torch.") for tensor in case.stand.state_dict().values()}
    ends = {spec.dtype for spec in (*case.signature.inputs, *case.signature.outputs)}
    return " and ".join(sorted(name for name in weights | ends if name.startswith(("bfloat16", "float8"))))


def _beyond(
    expected: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray], tolerance: float, label: str
) -> list[str]:
    """A sentence for every output with elements that are further away than the tolerance."""
    import numpy as np

    sentences = []
    for name, wanted in expected.items():
        found = np.asarray(outputs.get(name))
        if found.shape != wanted.shape or found.dtype != wanted.dtype:
            continue  # the verification's to tell
        exact = wanted.dtype.kind in "biu"
        if exact:
            near = found == wanted  # a length or an index that is nearly right is wrong
        else:
            wide = np.promote_types(wanted.dtype, np.float64)
            near = np.isclose(found.astype(wide), wanted.astype(wide), rtol=tolerance, atol=tolerance, equal_nan=True)
        if not near.all():
            sentences.append(
                f"{int((~near).sum())} of {near.size} elements of output {name!r} differ by more than "
                f"{'0' if exact else f'check_tolerance={tolerance:g}'} in {label}."
            )
    return sentences


def _measured(differences: Sequence[Difference]) -> str:
    """The largest differences of every output, as a further sentence."""
    told = [f"{one.output!r} absolute {one.atol:.3g}, relative {one.rtol:.3g}" for one in differences]
    return f" Largest differences: {'; '.join(told)}." if told else ""


def _runner(case: Understood, target: Format, file: Path, made: Made) -> Any:
    """The file in the runtime that fits the model's device, the CPU's otherwise; ``None`` where there is none."""
    import torch

    from navcore import load_registry

    registry = load_registry()
    name = next((one.name for one in (target, *_variants(target, made)) if _routes(registry, one.name)), target.name)
    routes = [route for route in _routes(registry, name) if not registry.unavailable(route)]
    device = home(case.stand)
    wanted = [RuntimeProvider.CUDA] if device.startswith("cuda") else []
    order = [str(one) for one in (*wanted, RuntimeProvider.CPU, RuntimeProvider.PYT)]
    routes.sort(key=lambda route: (order.index(route.runtime) if route.runtime in order else len(order), route.cost))
    if not routes:
        return None
    route = routes[0]
    artifact = Artifact(target, made.signature or case.signature, file, calling=made.calling)
    options = route.options() if route.options else None
    place = None if route.runtime == RuntimeProvider.CPU else device
    job: RunnerJob[Any] = RunnerJob(artifact, route.runtime, options, place, torch.get_num_threads(), file.parent)
    try:
        return registry.ask("make_runner", job, route)
    except NavcoreError as error:
        narrow = narrow_floats(case)
        if not narrow or target.name != Format.ONNX.name:
            raise
        raise ExportError(
            f"ONNX Runtime does not run {class_name(case.model)} in {narrow} here: {error.what.rstrip('.')}.",
            hint="Export a float32 copy (model.float()), or leave check_trace away for a runtime that computes in "
            f"{narrow}.",
        ) from error


def _variants(target: Format, made: Made) -> tuple[Format, ...]:
    from nav_torch.formats import TORCHSCRIPT_SCRIPT, TORCHSCRIPT_TRACE

    if target.name != Format.TORCHSCRIPT.name:
        return ()
    return (TORCHSCRIPT_SCRIPT if made.calling == "structure" else TORCHSCRIPT_TRACE,)


def _routes(registry: Registry, name: str) -> list[Route]:
    return [route for route in registry.routes if route.hook == "make_runner" and route.source == name]
