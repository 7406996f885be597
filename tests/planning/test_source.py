"""What is handed in as the model is recognised by its class or its ending, and keyed by what it is made of."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import numpy as np
import pytest

from navcore.contract.formats import Format, Live, Provided
from navcore.contract.routes import Route
from navcore.errors import InputError
from navcore.planning.source import Source, identify, key_of, own_data
from navcore.registry.loading import load_registry
from navcore.registry.registry import Plugin, Registry
from navcore.testing import toy
from navcore.workspace.settings import Settings

INT8 = Format("quantised", suffixes=(".int8.toy", ".q8"))
FOLDER = Format("folder", suffixes=(".model",))
SPLIT = Format("split", suffixes=(".split",), files=lambda path: (path, path.with_suffix(".bin")))


@pytest.fixture(scope="module")
def registry() -> Registry:
    formats = (toy.TOY, toy.ALPHA, toy.BETA, INT8, FOLDER, SPLIT)
    routes = tuple(Route(hook="make_runner", name="run", source=f, owner="toy") for f in formats)
    fine = Plugin("toy", "nav-toy", "1.0", "toy", module=sys, routes=routes)
    broken = Plugin("other", "nav-other", "1.0", "nav_other", problem="ModuleNotFoundError: No module named 'other'")
    return Registry((fine, broken), load_registry().hooks)


def test_a_live_model_is_recognised_by_its_class(registry: Registry) -> None:
    class Derived(toy.ToyModel): ...

    model = Derived()
    source = identify(model, registry)
    assert (source.format, source.model, source.path) == (toy.TOY, model, None)
    assert source.is_live


@pytest.mark.parametrize(
    ("name", "format"),
    [("model.toy", toy.ALPHA), ("model.int8.toy", INT8), ("a.b.q8", INT8), ("x.model", FOLDER)],
)
def test_a_file_is_recognised_by_its_longest_ending(
    registry: Registry, tmp_path: Path, name: str, format: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.mkdir() if format is FOLDER else path.write_text("{}")
    monkeypatch.chdir(tmp_path)
    for given in (path, str(path), name):
        source = identify(given, registry)
        assert source == Source(format, path=path), "and kept as an absolute path"
        assert not source.is_live


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (
            3.5,
            "No installed plugin knows models of type builtins.float. "
            "It has to be one of: navcore.testing.toy.ToyModel. "
            "Not usable here: 'other' (ModuleNotFoundError: No module named 'other').",
        ),
        (None, "models of type builtins.NoneType"),
        (toy.ToyModel, "models of type builtins.type"),
        ("nowhere.toy", "The model file nowhere.toy does not exist."),
        (".", "No installed plugin reads '.' as a model"),
        (__file__, "No installed plugin reads 'test_source.py' as a model. Endings that are known: .int8.toy, .model"),
    ],
)
def test_anything_else_is_refused_with_what_would_do(registry: Registry, model: Any, told: str) -> None:
    with pytest.raises(InputError) as caught:
        identify(model, registry)
    assert told in str(caught.value)


def test_without_plugins_the_ones_to_install_are_named() -> None:
    with pytest.raises(InputError, match="Install nav-torch or nav-tf"):
        identify(object(), Registry((), load_registry().hooks))


def key(model: Any, registry: Registry, samples: str = "s") -> str:
    return key_of(identify(model, registry), samples)


def test_the_key_of_a_live_model_follows_its_weights_its_class_and_its_samples(registry: Registry) -> None:
    class Derived(toy.ToyModel): ...

    model = toy.ToyModel(2.0)
    assert key(model, registry) == key(toy.ToyModel(2.0), registry)
    keys = [key(m, registry) for m in (model, toy.ToyModel(2.0, 1.0), Derived(2.0))] + [key(model, registry, "t")]
    assert len(set(keys)) == 4
    model.factor = np.nextafter(2.0, 3.0)
    assert key(model, registry) != keys[0]


def test_the_key_of_a_file_follows_its_bytes_and_not_its_place(registry: Registry, tmp_path: Path) -> None:
    one, other = tmp_path / "one.toy", tmp_path / "other.toy"
    one.write_text("same")
    other.write_text("same")
    assert key(one, registry) == key(other, registry)
    other.write_text("else")
    assert key(one, registry) != key(other, registry)


def test_the_key_of_a_file_follows_the_files_that_it_refers_to(registry: Registry, tmp_path: Path) -> None:
    path, weights = tmp_path / "m.split", tmp_path / "m.bin"
    path.write_text("graph")
    weights.write_text("weights")
    before = key(path, registry)
    weights.write_text("other weights")
    assert key(path, registry) != before


def test_a_source_is_a_value() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Source(toy.TOY).path = Path()  # type: ignore[misc]


def providing(own: Provided | None, events: list[str]) -> Source:
    """A live source whose format lends ``own``."""

    @contextlib.contextmanager
    def provide(model: Any) -> Iterator[Provided | None]:
        events.append(f"lend {model}")
        yield own
        events.append("back")

    live = Live((), lambda value: None, lambda array, device: array, lambda model: (), provide=provide)
    return Source(Format("lent", live=live), model="model")


OWN = Provided("stand-in", ["item"], ("x",), ("y",), {"x": {0: "rows"}}, {"rows": (1, 2, 3)}, batch_dim=1)


def test_without_a_dataloader_a_model_provides_its_own_data() -> None:
    events: list[str] = []
    with own_data(providing(OWN, events), None, Settings()) as (source, dataloader, settings):
        assert events == ["lend model"]
        assert (source.model, dataloader) == ("stand-in", ["item"])
        assert (settings.input_names, settings.output_names, settings.batch_dim) == (("x",), ("y",), 1)
        assert (settings.dynamic_axes, settings.axis_ranges) == ({"x": {0: "rows"}}, {"rows": (1, 2, 3)})
    assert events == ["lend model", "back"]


def test_what_the_caller_gave_wins_over_what_the_model_provides() -> None:
    given = Settings(input_names=("a",), dynamic_axes={}, batch_dim=None)
    with own_data(providing(OWN, []), None, given) as (_, _, settings):
        assert (settings.input_names, settings.dynamic_axes, settings.batch_dim) == (("a",), {}, None)
        assert settings.output_names == ("y",)


def test_the_axes_that_the_model_provides_follow_the_callers_names() -> None:
    with own_data(providing(OWN, []), None, Settings(input_names=("a",))) as (_, _, settings):
        assert (settings.input_names, settings.dynamic_axes) == (("a",), {"a": {0: "rows"}})


@pytest.mark.parametrize("dataloader", [["mine"], None])
def test_a_dataloader_and_a_model_without_data_leave_all_as_it_is(dataloader: Any) -> None:
    events: list[str] = []
    before = providing(OWN if dataloader else None, events), dataloader, Settings()
    with own_data(*before) as after:
        assert after == before
    assert bool(events) == (dataloader is None)


def test_a_folder_whose_name_says_nothing_is_recognised_by_what_is_in_it(tmp_path: Path) -> None:
    saved = Format("saved", filename="model.saved", recognises=lambda path: (path / "graph.pb").is_file())
    route = Route(hook="make_runner", name="run_saved", source=saved, runtime="r")
    registry = Registry((Plugin("p", "p", "1", "p", module=ModuleType("p"), routes=(route,)),), hooks=None)
    (tmp_path / "anything").mkdir()

    with pytest.raises(InputError, match="No installed plugin reads 'anything'"):
        identify(tmp_path / "anything", registry)
    (tmp_path / "anything" / "graph.pb").write_bytes(b"graph")

    assert identify(tmp_path / "anything", registry).format == saved
