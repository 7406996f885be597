"""Accuracy control: the user's metric decides how much of a quantisation is undone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nav_openvino.accuracy import Controlled, feeds_of, imported, items_of, quantised_within, scored
from nav_openvino.options import Int8Options
from nav_openvino.quantising import quantisers, settings_for
from nav_openvino.silence import openvino
from navcore import InputError

from .openvino_models import exported, rows

ov = openvino()
from openvino import opset13 as op  # noqa: E402

Arrays = Mapping[str, np.ndarray]
SAMPLES = [{"x": np.random.default_rng(seed).standard_normal((1, 16)).astype(np.float32)} for seed in range(12)]
CHECKS = '''
import numpy as np
from openvino_models import DATA, model


def closeness(outputs, item):
    """Minus the largest difference from what the model itself says: 0 is best."""
    return -float(np.abs(outputs["output__0"] - item["expected"]).max())


def labelled():
    return [{"input__0": one.numpy(), "expected": model()(one).detach().numpy()} for one in DATA]


def broken(outputs, item):
    raise KeyError("labels")
'''


NUMBERS = np.random.default_rng(3)
FIRST, SECOND = (NUMBERS.standard_normal(shape).astype(np.float32) for shape in ((16, 8), (8, 4)))
STRETCH = np.array([1e3] + [1.0] * 7, np.float32)
SECOND[0] *= 1e-3


def layers() -> Any:
    """Two products, float32 ``(batch, 16)`` to ``(batch, 4)``; the second rounds badly, for one input is enormous."""
    x = op.parameter([-1, 16], np.float32, name="x")
    x.output(0).get_tensor().set_names({"x"})
    y = op.matmul(op.multiply(op.matmul(x, op.constant(FIRST), False, False), op.constant(STRETCH)),
                  op.constant(SECOND), False, False)  # fmt: skip
    y.output(0).get_tensor().set_names({"y"})
    return ov.Model([y], [x])


def closeness(outputs: Arrays, item: Arrays) -> float:
    """How near the outputs are to those of the model as it was, 1 where they are the same."""
    exact = item["x"] @ FIRST * STRETCH @ SECOND
    return 1.0 - float(np.linalg.norm(outputs["y"] - exact) / np.linalg.norm(exact))


class Worst:
    """The same over the whole pass: the farthest of all."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def update(self, outputs: Arrays, item: Arrays) -> None:
        self.seen.append(closeness(outputs, item))

    def compute(self) -> float:
        return min(self.seen)


worst = Worst()


def quantised(max_drop: float, metric: str = "closeness") -> Any:
    options = Int8Options(metric=f"{__name__}:{metric}", max_drop=max_drop)
    return quantised_within(layers(), SAMPLES, options, settings_for(layers(), options, len(SAMPLES)))


@pytest.mark.parametrize("metric", ["closeness", "worst"])
def test_quantisation_is_undone_until_the_metric_is_what_was_asked_for(metric: str) -> None:
    found = quantised(0.3, metric)
    assert found.before == pytest.approx(1.0, abs=1e-5)
    assert found.before - found.after <= 0.3
    assert str(found) == (
        f"{metric} is {found.after:.6g} after quantisation and was {found.before:.6g}: a fall of 0.3 is allowed."
    )
    assert 0 < quantisers(found.model) < quantisers(quantised(1e9).model)


def test_without_the_metric_it_would_have_fallen_further() -> None:
    found = quantised(1e9)
    assert found.before - found.after > 0.3


def test_what_cannot_be_had_is_told() -> None:
    told = str(Controlled(None, "accuracy", before=0.9, after=0.7, allowed=0.01))
    assert told.endswith("a fall of 0.01 is allowed, and no less could be had.")


def test_a_metric_of_the_users_reaches_the_process_that_quantises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_checks.py").write_text(CHECKS)
    for folder in (tmp_path, Path(__file__).parent):
        monkeypatch.syspath_prepend(folder)
    asked = {"metric": "my_checks:closeness", "metric_data": "my_checks:labelled", "max_drop": 0.5}
    package = exported(tmp_path / "work", targets=["openvino-int8"], options={"openvino-int8": asked})
    (row,) = (row for row in package.results if row.format.name == "openvino-int8")
    assert rows(package, "openvino-int8")["openvino-cpu"].status == "ok"
    (told,) = (note for note in row.notes if note.startswith("closeness is "))
    assert told.endswith("a fall of 0.5 is allowed.")


def test_a_metric_that_fails_is_told_before_anything_is_quantised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_checks.py").write_text(CHECKS)
    for folder in (tmp_path, Path(__file__).parent):
        monkeypatch.syspath_prepend(folder)
    asked = {"openvino-int8": {"metric": "my_checks:broken"}}
    package = exported(tmp_path / "work", targets=["openvino-int8"], options=asked)
    (row,) = (row for row in package.results if row.format.name == "openvino-int8")
    assert row.failure is not None
    assert "The metric my_checks:broken failed on item 0 of its data: KeyError: 'labels'" in row.failure.cause


X, Y = np.ones((2, 3), np.float32), np.zeros(2, np.int64)


@pytest.mark.parametrize(
    ("item", "names"),
    [
        ({"x": X, "labels": Y}, ["x"]),
        (({"x": X}, Y), ["x"]),
        ((X, Y), ["x"]),
        (X, ["x"]),
        ((X, X, Y), ["x", "also"]),
        ({"x": X, "also": X, "labels": Y}, ["x", "also"]),
    ],
)
def test_an_item_holds_the_inputs_as_everywhere_in_navcore(item: Any, names: list[str]) -> None:
    found = feeds_of(item, names)
    assert list(found) == names
    assert all(np.array_equal(array, X) for array in found.values())


@pytest.mark.parametrize(
    ("item", "says"),
    [({"y": X}, "has no input x, also"), ((X,), "has 1 parts, and the model 2 inputs")],
)
def test_an_item_without_the_inputs_is_refused(item: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        feeds_of(item, ["x", "also"])


def test_data_may_be_a_function_or_what_it_would_return() -> None:
    assert len(items_of(f"{__name__}:SAMPLES")) == len(items_of(f"{__name__}:same_samples")) == 12
    with pytest.raises(InputError, match="has no items"):
        items_of(f"{__name__}:nothing")


def same_samples() -> Any:
    return iter(SAMPLES)


nothing: list[Any] = []


@pytest.mark.parametrize("place", ["no_such_module:x", f"{__name__}:no_such_name"])
def test_what_cannot_be_imported_is_told_with_where_it_has_to_be(place: str) -> None:
    with pytest.raises(InputError, match=f"{place} cannot be imported") as caught:
        imported(place)
    assert "importable where navcore is called" in caught.value.hint


def test_a_metric_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="is nan, which nothing can be compared with"):
        scored("mine:metric", lambda _outputs, _item: float("nan"), lambda feeds: feeds, ["x"], SAMPLES)
