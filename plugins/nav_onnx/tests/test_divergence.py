"""``nav.onnx.diverges``: real files in ONNX Runtime, one of them damaged in a place that has to be named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from hypothesis import given, strategies as st
from onnx import TensorProto, helper, numpy_helper

import navcore as nav
from nav_onnx import Divergence, diverges
from nav_onnx.commands import diverge
from nav_onnx.layer_errors import divergence
from nav_onnx.layer_values import inside, portions
from nav_onnx.model_file import ONNX
from nav_onnx.value_graph import Value, shared_values

from .onnx_models import graph_model

Change = Callable[[onnx.ModelProto], None]
Made = Callable[..., nav.PackageDescriptor]
RNG = np.random.default_rng(0)
WEIGHTS = {f"w{number}": RNG.normal(size=(6, 6)).astype(np.float32) / 2 for number in range(4)}


def layered() -> onnx.ModelProto:
    """Four products with a ReLU after each, in a chain."""
    nodes, last = [], "x"
    for number in range(4):
        nodes.append(helper.make_node("MatMul", [last, f"w{number}"], [f"h{number}"], name=f"product{number}"))
        nodes.append(helper.make_node("Relu", [f"h{number}"], [f"r{number}"], name=f"relu{number}"))
        last = f"r{number}"
    nodes.append(helper.make_node("ReduceMean", [last], ["y"], name="mean", keepdims=1))
    weights = [numpy_helper.from_array(array, name) for name, array in WEIGHTS.items()]
    return graph_model(nodes, [("x", TensorProto.FLOAT, ["n", 6])], [("y", TensorProto.FLOAT, [1, 1])], weights)


def items(count: int = 5, width: int = 6) -> list[dict[str, Any]]:
    return [{"x": RNG.normal(size=(2, width)).astype(np.float32)} for _ in range(count)]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A package of an ONNX model and its row in float16; the same model is taken through a run once."""
    known: dict[bytes, Path] = {}

    def pack(model: onnx.ModelProto, data: Any = None, **external: Any) -> Path:
        key = model.SerializeToString() + repr((data, external)).encode()
        if key not in known:
            folder = tmp_path_factory.mktemp("run")
            # Saving with external data changes the model that is saved.
            onnx.save_model(onnx.load_from_string(model.SerializeToString()), folder / "model.onnx", **external)
            package = nav.run(
                folder / "model.onnx", items() if data is None else data, targets=["onnx-fp16"], run_profiling=False,
                workdir=folder, batch_dim=None,
            )  # fmt: skip
            package.save(folder / "x.nav")
            known[key] = folder / "x.nav"
        return known[key]

    return pack


@pytest.fixture
def made(packed: Callable[..., Path], tmp_path: Path) -> Made:
    """A package of a model, whose second row is that model with a change made to it."""

    def make(model: onnx.ModelProto, change: Change, data: Any = None, **external: Any) -> nav.PackageDescriptor:
        package = nav.load(packed(model, data, **external), tmp_path / "work", retest_conversions=False)
        folder = package.workspace / "onnx-fp16"
        (folder / "model.onnx").unlink()
        changed = onnx.load_from_string(model.SerializeToString())
        change(changed)
        onnx.save_model(changed, folder / "model.onnx", **external)
        return package

    return make


def weight(name: str, factor: float, at: int | None = None) -> Change:
    """One weight multiplied, or one element of it."""

    def change(model: onnx.ModelProto) -> None:
        tensor = next(one for one in model.graph.initializer if one.name == name)
        array = numpy_helper.to_array(tensor).copy()
        array[... if at is None else at] *= factor
        tensor.CopyFrom(numpy_helper.from_array(array, name))

    return change


def test_the_first_layer_that_leaves_the_bound_is_named_with_those_before_it(made: Made) -> None:
    found = diverges(made(layered(), weight("w2", 1.5)), "onnx-fp16")
    assert found
    assert found.first is not None
    assert (found.first.layer, found.first.op_type, found.first.value) == ("product2", "MatMul", "h2")
    assert found.first.error == pytest.approx(0.5, rel=1e-3)
    assert found.bound == 1e-2
    assert [layer.layer for layer in found.preceding] == ["product0", "relu0", "product1", "relu1"]
    assert all(layer.within and layer.error < 1e-6 for layer in found.preceding)
    assert not found.outputs_within
    text = str(found)
    assert "the first to diverge is MatMul product2 (0.5 on sample" in text
    assert "→ product2" in text
    assert "It reaches the outputs." in text
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        found.row = "x"  # type: ignore[misc]


def test_where_nothing_diverges_it_says_so(made: Made) -> None:
    found = diverges(made(layered(), lambda _: None), "onnx-fp16")
    assert not found
    assert found.first is None
    assert len(found.layers) == 9
    assert all(layer.error == 0 for layer in found.layers)
    assert "nothing diverges" in str(found)


def test_the_bound_and_the_samples_are_the_callers(made: Made) -> None:
    package = made(layered(), weight("w1", 1.001))
    assert not diverges(package, "onnx-fp16")
    found = diverges(package, "onnx-fp16", bound=1e-5, samples=3)
    assert found.first is not None
    assert found.first.layer == "product1"
    assert (found.samples, found.bound) == (3, 1e-5)
    assert not diverges(package, "onnx-fp16", bound=0.5)


def test_an_error_on_one_sample_of_many_is_found_and_the_sample_is_named(made: Made) -> None:
    data = [{"x": np.eye(6, dtype=np.float32)[[number % 6]]} for number in range(6)]
    package = made(layered(), weight("w0", 3.0, at=4), data)
    found = diverges(package, "onnx-fp16", samples=100)
    assert found.first is not None
    assert found.first.layer == "product0"
    samples = list(package.samples())
    assert samples[found.first.sample]["x"][0, 4] == 1


def test_what_comes_back_within_the_bound_is_not_the_layer_to_look_at(made: Made) -> None:
    """A softmax does not see what is added to all of its inputs; the layer behind it is the one that is wrong."""
    nodes = [
        helper.make_node("Add", ["x", "shift"], ["shifted"], name="mask"),
        helper.make_node("Softmax", ["shifted"], ["p"], name="softmax"),
        helper.make_node("MatMul", ["p", "w0"], ["y"], name="product"),
    ]
    weights = [
        numpy_helper.from_array(np.float32(1).reshape(1), "shift"), numpy_helper.from_array(WEIGHTS["w0"], "w0"),
    ]  # fmt: skip
    model = graph_model(nodes, [("x", TensorProto.FLOAT, ["n", 6])], [("y", TensorProto.FLOAT, ["n", 6])], weights)

    def both(changed: onnx.ModelProto) -> None:
        weight("shift", 9.0)(changed)
        weight("w0", 2.0)(changed)

    found = diverges(made(model, both), "onnx-fp16")
    assert found.first is not None
    assert found.first.layer == "product"
    assert [layer.layer for layer in found.came_back] == ["mask"]
    assert "Before it these left the bound too, and what they lead to came back: mask" in str(found)


def test_an_inner_layer_that_moves_no_output_is_told_as_that(made: Made) -> None:
    nodes = [
        helper.make_node("Add", ["x", "shift"], ["shifted"], name="mask"),
        helper.make_node("Softmax", ["shifted"], ["y"], name="softmax"),
    ]
    weights = [numpy_helper.from_array(np.float32(1).reshape(1), "shift")]
    model = graph_model(nodes, [("x", TensorProto.FLOAT, ["n", 6])], [("y", TensorProto.FLOAT, ["n", 6])], weights)
    found = diverges(made(model, weight("shift", 9.0)), "onnx-fp16")
    assert found.first is not None
    assert (found.first.layer, found.outputs_within) == ("mask", True)
    assert "The outputs come back within the bound." in str(found)


def branching() -> onnx.ModelProto:
    bodies = {}
    for name, factor in (("then_branch", 2.0), ("else_branch", 3.0)):
        constant = helper.make_node("Constant", [], [f"{name} c"], value=helper.make_tensor("c", 1, [], [factor]))
        product = helper.make_node("Mul", ["h0", f"{name} c"], [f"{name} y"], name=f"inner {name}")
        output = [helper.make_tensor_value_info(f"{name} y", TensorProto.FLOAT, None)]
        bodies[name] = helper.make_graph([constant, product], name, [], output)
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["h0"], name="product"),
        helper.make_node("ReduceSum", ["h0"], ["sum"], name="sum", keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["positive"], name="question"),
        helper.make_node("If", ["positive"], ["z"], name="choice", **bodies),
        helper.make_node("Tanh", ["z"], ["y"], name="tanh"),
    ]
    weights = [
        numpy_helper.from_array(WEIGHTS["w0"], "w0"), numpy_helper.from_array(np.float32(0).reshape(()), "zero"),
    ]  # fmt: skip
    return graph_model(nodes, [("x", TensorProto.FLOAT, ["n", 6])], [("y", TensorProto.FLOAT, ["n", 6])], weights)


def test_a_body_is_not_looked_into_and_its_node_is_named(made: Made) -> None:
    def inside_both(model: onnx.ModelProto) -> None:
        node = next(one for one in model.graph.node if one.op_type == "If")
        for attribute in node.attribute:
            attribute.g.node[0].attribute[0].t.CopyFrom(helper.make_tensor("c", 1, [], [5.0]))

    found = diverges(made(branching(), inside_both), "onnx-fp16")
    assert found.first is not None
    assert (found.first.layer, found.first.op_type) == ("choice", "If")
    assert found.bodies == ("If choice",)
    assert "Not looked into are the bodies of If choice." in str(found)
    assert not any("inner" in layer.layer for layer in found.layers)


def test_weights_in_files_beside_the_model_are_used_where_they_lie(made: Made) -> None:
    external = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    package = made(layered(), weight("w3", 2.0), **external)
    before = {path: path.stat().st_mtime_ns for path in package.workspace.rglob("weights.bin")}
    found = diverges(package, "onnx-fp16")
    assert found.first is not None
    assert found.first.layer == "product3"
    assert len(before) == 2
    assert {path: path.stat().st_mtime_ns for path in package.workspace.rglob("weights.bin")} == before


def test_heavy_weights_inside_the_file_go_beside_it_once(tmp_path: Path) -> None:
    heavy = numpy_helper.from_array(RNG.normal(size=(6, 1 << 20)).astype(np.float32), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    ends = [("x", TensorProto.FLOAT, ["n", 6])], [("y", TensorProto.FLOAT, ["n", 1 << 20])]
    onnx.save_model(graph_model([node], *ends, [heavy]), tmp_path / "model.onnx")
    signature = nav.Signature((nav.TensorSpec("x", "float32", ("n", 6)),), ())
    found = inside(nav.Artifact(ONNX, signature, path=tmp_path / "model.onnx"), tmp_path / "folder")
    assert found.model.ByteSize() < 1000
    assert (tmp_path / "folder" / "inside.data").stat().st_size == 24 << 20
    feeds = {"x": np.eye(6, dtype=np.float32)[:1]}
    assert found.sizes(["y"], [feeds]) == {"y": 1 << 20}
    value = found.giving(["y"], found.types(["y"]))(feeds)["y"]
    assert np.array_equal(value[0], numpy_helper.to_array(heavy)[0])


@given(st.dictionaries(st.sampled_from("abcdefghijkl"), st.integers(0, 20 << 20), max_size=12))
def test_no_run_hands_out_more_than_it_may_unless_one_value_is_more(sizes: dict[str, int]) -> None:
    parts = list(portions(list(sizes), sizes))
    assert [name for part in parts for name in part] == list(sizes)
    assert all(part for part in parts)
    assert all(len(part) == 1 or sum(sizes[name] * 8 for name in part) <= 64 << 20 for part in parts)


def test_values_of_another_shape_or_with_infinity_are_infinitely_far_off(made: Made) -> None:
    def to_infinity(model: onnx.ModelProto) -> None:
        weight("w1", 3e38)(model)

    found = diverges(made(layered(), to_infinity), "onnx-fp16")
    assert found.first is not None
    assert (found.first.layer, found.first.error) == ("product1", float("inf"))


def test_a_fused_graph_is_matched_by_the_values_that_both_still_have(tmp_path: Path) -> None:
    gelu = [
        helper.make_node("MatMul", ["x", "w0"], ["h"], name="product"),
        helper.make_node("Div", ["h", "root"], ["d"], name="div"),
        helper.make_node("Erf", ["d"], ["e"], name="erf"),
        helper.make_node("Add", ["e", "one"], ["a"], name="add"),
        helper.make_node("Mul", ["h", "a"], ["m"], name="mul"),
        helper.make_node("Mul", ["m", "half"], ["g"], name="gelu"),
        helper.make_node("MatMul", ["g", "w1"], ["y"], name="last"),
    ]
    numbers = {"root": 2**0.5, "one": 1.0, "half": 0.5}
    weights = [numpy_helper.from_array(np.float32(number).reshape(()), name) for name, number in numbers.items()]
    weights += [numpy_helper.from_array(WEIGHTS[name], name) for name in ("w0", "w1")]
    onnx.save_model(
        graph_model(gelu, [("x", TensorProto.FLOAT, ["n", 6])], [("y", TensorProto.FLOAT, ["n", 6])], weights),
        tmp_path / "model.onnx",
    )
    package = nav.run(
        tmp_path / "model.onnx", items(), targets=["onnx-optimized"], run_profiling=False, workdir=tmp_path
    )
    found = diverges(package, "onnx-optimized")
    assert not found
    assert {layer.value: layer.becomes for layer in found.layers}["g"] == "Gelu"
    assert found.not_compared == 4
    path = package.workspace / "onnx-optimized" / "model.onnx"
    model = onnx.load(path)
    weight("w1", 2.0)(model)
    onnx.save_model(model, path)
    after = diverges(package, "onnx-optimized").first
    assert after is not None
    assert after.layer == "last"


def test_what_cannot_be_asked_is_refused_in_a_sentence(made: Made) -> None:
    package = made(layered(), lambda _: None)
    with pytest.raises(nav.UnknownFormat, match="no 'onnx-int8'") as unknown:
        diverges(package, "onnx-int8")
    assert "Its ONNX files: onnx, onnx-fp16" in str(unknown.value)
    with pytest.raises(nav.InputError, match="was not made from another model"):
        diverges(package, "onnx")
    with pytest.raises(nav.InputError, match="two measures"):
        diverges(package, "onnx-fp16", against="onnx", source=object())
    with pytest.raises(nav.InputError, match="no modules that could be watched"):
        diverges(package, "onnx", source=object())
    for wrong in ({"bound": -1.0}, {"bound": float("nan")}, {"samples": 0}, {"samples": True}, {"bound": "x"}):
        with pytest.raises(nav.OptionError, match="is no number"):
            diverges(package, "onnx-fp16", **wrong)  # type: ignore[arg-type]
    (package.workspace / "onnx-fp16" / "model.onnx").unlink()
    with pytest.raises(nav.PackageIncomplete, match="no onnx-fp16 model"):
        diverges(package, "onnx-fp16")


def endless(model: onnx.ModelProto) -> None:
    """Put a loop of 2^62 rounds behind the first product."""
    ends = {"i": TensorProto.INT64, "go": TensorProto.BOOL, "on": TensorProto.BOOL}
    told = {name: helper.make_tensor_value_info(name, kind, []) for name, kind in ends.items()}
    told |= {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("in", "out")}
    nodes = [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["in"], ["out"])]
    body = helper.make_graph(nodes, "body", [told["i"], told["go"], told["in"]], [told["on"], told["out"]])
    model.graph.initializer.append(helper.make_tensor("rounds", TensorProto.INT64, [], [1 << 62]))
    node = next(one for one in model.graph.node if one.name == "product1")
    node.input[0] = "looped"
    model.graph.node.insert(2, helper.make_node("Loop", ["rounds", "", "r0"], ["looped"], name="loop", body=body))


@pytest.mark.processes
def test_a_model_that_does_not_end_is_ended(made: Made) -> None:
    package = made(layered(), endless)
    with pytest.raises(nav.StepCrashed, match="time"):
        diverges(package, "onnx-fp16", timeout=15.0)
    assert not (package.workspace / ".navcore" / "work").exists()


@pytest.mark.processes
def test_the_command_names_the_layer_and_exits_with_one(made: Made, tmp_path: Path) -> None:
    package = made(layered(), weight("w2", 1.5))
    package.save(tmp_path / "x.nav")
    for where in (package.workspace, tmp_path / "x.nav"):
        done = CliRunner().invoke(diverge, [str(where), "onnx-fp16"])
        assert done.exit_code == 1, done.output
        assert "the first to diverge is MatMul product2" in done.output
    told = CliRunner().invoke(diverge, [str(package.workspace), "onnx-fp16", "--json", "--bound", "0.9"])
    assert told.exit_code == 0
    assert json.loads(told.output)["first"] is None
    wrong = CliRunner().invoke(diverge, [str(package.workspace), "onnx-int8"])
    assert wrong.exit_code == 1
    assert "Error: The package has no 'onnx-int8'" in wrong.output


def test_the_cast_of_nav_onnx_renames_values_and_they_are_found() -> None:
    model, cast = layered(), layered()
    for node in cast.graph.node:
        for place, name in enumerate(node.output):
            if name.startswith("h"):
                node.output[place] = f"{name}_float16"
    shared = {value.name: value.counterpart for value in shared_values(model, cast)}
    assert shared["h1"] == "h1_float16"
    assert shared["r1"] == "r1"


chains = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(chains)
def test_of_a_chain_the_first_of_the_last_stretch_beyond_the_bound_is_named(errors: list[float]) -> None:
    """From the definition, in another way: walk back from the output while the layers are beyond the bound."""
    names = [str(number) for number in range(len(errors))]
    values = [
        Value(name, name, name, "Op", "Op", "", number == len(names) - 1, tuple(names[number + 1 : number + 2]))
        for number, name in enumerate(names)
    ]
    gaps = {
        name: {"error": error, "max_abs": 0.0, "sample": 0, "is_float": True}
        for name, error in zip(names, errors, strict=True)
    }
    found: Divergence = divergence(
        values, gaps, row="a", against="b", bounds=(0.5, 0.5), samples=1, not_compared=0, bodies=()
    )
    last = len(errors)
    while last and errors[last - 1] > 0.5:
        last -= 1
    beyond = [number for number, error in enumerate(errors) if error > 0.5]
    expected = last if last < len(errors) else (beyond[0] if beyond else None)
    assert (None if found.first is None else int(found.first.layer)) == expected
    assert str(found)
