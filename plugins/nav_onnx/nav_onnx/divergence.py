"""``nav.onnx.diverges``: the first layer of a stored ONNX model whose output leaves the bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from nav_onnx.layer_errors import SOURCE, Divergence, divergence
from nav_onnx.value_graph import Value
from navcore import (
    InputError,
    OptionError,
    PackageIncomplete,
    Signature,
    UnknownFormat,
)
from navcore.contract import bound_of

if TYPE_CHECKING:
    from navcore import Feeds, PackageDescriptor

_SUFFIX = ".onnx"
_CHILD = "nav_onnx.layer_child"


def diverges(
    package: PackageDescriptor,
    row: str,
    *,
    against: str | None = None,
    source: Any = None,
    bound: float | None = None,
    samples: int = 8,
    timeout: float | None = None,
    memory_limit: int | None = None,
) -> Divergence:
    """The first layer of ``row``, in graph order, whose output leaves the bound; with the layers before it.

    Args:
        package: what :func:`navcore.run` or :func:`navcore.load` returned.
        row: the ONNX format to look into, such as ``"onnx-int8"``.
        against: the ONNX format that is the measure, by default the one that ``row`` was made from.
        source: the live ``torch.nn.Module`` that is the measure instead, module by module, as far as the exporter kept
            their names. By default, for a row that was made of a live model, the package's own source.
        bound: what each layer may be off: the relative L2 distance of floats, the share of elements that differ of all
            else. By default the bounds that the coarser precision of the two is held to.
        samples: on how many of the package's samples, spread over all.
        timeout: seconds that the process may take in which the models are run, by default as for a step of
            :func:`navcore.load`.
        memory_limit: bytes of resident memory of that process.

    Raises:
        UnknownFormat: there is no such row.
        PackageIncomplete: a model, the samples or the source is not there.
        InputError: an argument cannot be used, or a model is no ONNX file.
        StepError: a model could not be run; :class:`StepCrashed` where that ended its process.
    """
    if bound is not None and not (isinstance(bound, int | float) and 0 <= bound < math.inf):
        raise OptionError(f"bound={bound!r} is no number from 0 on.")
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise OptionError(f"samples={samples!r} is no number from 1 on.")
    if against is not None and source is not None:
        raise OptionError("against and source are two measures.", hint="Give one of them.")
    asked = _Asked(package, _model(package, row), _spread(package.samples(), samples), timeout, memory_limit)
    measure = asked.measure(against, source)
    return asked.against_source(measure, bound) if isinstance(measure, _Live) else asked.against_file(measure, bound)


@attrs.frozen
class _Stored:
    """An ONNX file of the package, and how it is called."""

    name: str
    path: Path
    calling: str
    precision: str | None
    made_from: str
    signature: Signature


@attrs.frozen(eq=False)
class _Live:
    model: Any


@attrs.frozen(eq=False)
class _Asked:
    """A row of a package, and the samples that it is looked at on."""

    package: PackageDescriptor
    row: _Stored
    samples: Sequence[Feeds]
    timeout: float | None
    memory_limit: int | None

    def measure(self, against: str | None, source: Any) -> _Stored | _Live:
        if source is not None:
            return _Live(source)
        name = against or self.row.made_from
        if not name or name == self.row.name:
            raise InputError(
                f"{self.row.name} was not made from another model of the package.",
                hint="Say what it is to be held against: against= another ONNX format, or source= the live model.",
            )
        found = _result(self.package, name)
        if against is None and (found.live or found.path is None):
            return _Live(self._own_source(name))
        return _model(self.package, name)

    def _own_source(self, name: str) -> Any:
        try:
            return self.package.get_model(name)
        except PackageIncomplete as error:
            raise PackageIncomplete(
                f"{self.row.name} was made from {name}, which is not in the package.",
                hint="Give source= the live model.",
            ) from error

    def against_file(self, other: _Stored, bound: float | None) -> Divergence:
        with self.package.child_calls(self.timeout, self.memory_limit) as calls:
            told = calls(
                f"{_CHILD}:compared_files",
                {**self._given(calls.folder), "reference": _plain(other), "folder": str(calls.folder / "graphs")},
            )
        values = [_value(one) for one in told["values"]]
        return self._judged(
            values,
            told["gaps"],
            other.name,
            other.precision,
            bound,
            told["left_out"] + told["only_there"],
            told["bodies"],
        )

    def against_source(self, live: _Live, bound: float | None) -> Divergence:
        from nav_onnx.source_layers import stored_portions, watching
        from navcore import load_registry

        registry = load_registry()
        signature = self.row.signature
        with (
            self.package.child_calls(self.timeout, self.memory_limit) as calls,
            watching(live.model, signature, registry, calls.folder) as layers,
        ):
            given = self._given(calls.folder)
            told = calls(f"{_CHILD}:values_of_modules", {**given, "modules": layers.names})
            by_module = {value.module: value for value in map(_value, told["values"])}
            gaps: dict[str, Any] = {}
            for number, (modules, files) in enumerate(
                stored_portions(layers, list(by_module), self.samples, calls.folder)
            ):
                found = calls(
                    f"{_CHILD}:compared_arrays",
                    {
                        **given,
                        "folder": str(calls.folder / f"graph-{number}"),
                        "names": [by_module[module].name for module in modules],
                        "expected": [str(file) for file in files],
                    },
                )
                gaps |= found
        values = [attrs.evolve(value, node=value.module, module="") for value in by_module.values()]
        not_compared = len(layers.names) - len(gaps)
        return self._judged(values, gaps, SOURCE, None, bound, not_compared, told["bodies"])

    def _given(self, folder: Path) -> dict[str, Any]:
        """What every function in the child is told: the row, its inputs, and where the samples lie."""
        inputs = [
            (spec.name, spec.dtype, [size if isinstance(size, int) else str(size) for size in spec.shape])
            for spec in self.row.signature.inputs
        ]
        return {"row": _plain(self.row), "inputs": inputs, "samples": _written(self.samples, inputs, folder)}

    def _judged(
        self,
        values: Sequence[Value],
        gaps: Mapping[str, Any],
        against: str,
        precision: str | None,
        bound: float | None,
        not_compared: int,
        bodies: Sequence[str],
    ) -> Divergence:
        bounds = (bound, bound) if bound is not None else _bounds(self.row.precision, precision)
        return divergence(
            values, gaps, row=self.row.name, against=against, bounds=bounds, samples=len(self.samples),
            not_compared=not_compared, bodies=bodies,
        )  # fmt: skip


def _bounds(*precisions: str | None) -> tuple[float, float]:
    """Those of the coarser precision."""
    coarser = max((bound_of(name or "fp32") for name in precisions), key=lambda one: one.relative_l2)
    return coarser.relative_l2, coarser.differing


def _result(package: PackageDescriptor, name: str) -> Any:
    found = next((one for one in package.results if one.format.name == str(name)), None)
    if found is None:
        known = ", ".join(one.format.name for one in package.results if str(one.path or "").endswith(_SUFFIX))
        raise UnknownFormat(f"The package has no {str(name)!r}.", hint=f"Its ONNX files: {known or 'none'}.")
    return found


def _model(package: PackageDescriptor, name: str) -> _Stored:
    found = _result(package, name)
    if found.path is None or not (package.workspace / found.path).is_file():
        why = "its file is not in the workspace" if found.failure is None else found.failure.cause
        raise PackageIncomplete(
            f"There is no {name} model: {why}", hint="" if found.failure is None else found.failure.hint
        )
    if not str(found.path).endswith(_SUFFIX):
        raise InputError(f"{name} is no ONNX file.", hint="Only ONNX files can be looked into.")
    known = package.record.samples
    if known is None:
        raise PackageIncomplete("The package does not say how its models are called.")
    signature = found.signature or known.signature
    return _Stored(
        str(found.format.name), package.workspace / found.path, found.calling, found.format.precision, found.made_from,
        signature,
    )  # fmt: skip


def _spread(found: Any, count: int) -> tuple[Feeds, ...]:
    """So many of the samples, the first and the last among them."""
    total = sum(1 for _ in found)
    count = min(count, total)
    numbers = {round(step * (total - 1) / max(count - 1, 1)) for step in range(count)}
    return tuple(feeds for number, feeds in enumerate(found) if number in numbers)


def _written(samples: Sequence[Feeds], inputs: Sequence[Any], folder: Path) -> list[str]:
    import numpy as np

    paths = []
    for number, feeds in enumerate(samples):
        arrays = []
        for name, *_ in inputs:
            array = np.asarray(feeds[name], order="C")
            arrays.append(array if array.dtype.isbuiltin == 1 else array.view(f"u{array.dtype.itemsize}"))
        path = folder / f"sample-{number}.npz"
        np.savez(path, *arrays)
        paths.append(str(path))
    return paths


def _plain(stored: _Stored) -> dict[str, str]:
    return {"path": str(stored.path), "calling": stored.calling}


def _value(told: Mapping[str, Any]) -> Value:
    make: Callable[..., Value] = Value
    return make(**{**told, "following": tuple(told["following"])})
