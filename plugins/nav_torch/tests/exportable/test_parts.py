"""A model of parts: a file for each, all of them or none, and the chain that they make is held against the whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nav_torch import CheckFailed, Exportable
from navcore import InputError


class Encoder(nn.Module, Exportable):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv1d(4, 6, 3, padding=1)

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.body(audio)
        return result

    def input_example(self, max_batch: int = 1, max_dim: int = 8) -> tuple[torch.Tensor]:
        return (torch.randn(max_batch, 4, max_dim),)

    input_types = {"audio": "batch 4 time"}  # noqa: RUF012
    output_types = {"states": "batch 6 time"}  # noqa: RUF012


class Joint(nn.Module, Exportable):
    """Joins the states with what was said; how many states there are may be read as a number."""

    takes = "states"
    frozen = False

    def __init__(self) -> None:
        super().__init__()
        self.words, self.letters = nn.Embedding(5, 6), nn.Linear(6, 3)

    def forward(self, states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if self.frozen:
            states = states * float(states.sum())
        result: torch.Tensor = self.letters(states.transpose(1, 2)[:, :, None] + self.words(targets)[:, None])
        return result

    def input_example(self, max_batch: int = 1, max_dim: int = 8) -> tuple[torch.Tensor, ...]:
        return torch.randn(max_batch, 6, max_dim), torch.ones(max_batch, 2, dtype=torch.int64)

    @property
    def input_types(self) -> Mapping[str, str]:
        return {self.takes: "batch 6 time", "targets": "batch words"}

    output_types = {"logits": "batch time words 3"}  # noqa: RUF012


class Transducer(nn.Module, Exportable):
    parts: Any = ("encoder", "decoder_joint")

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.joint = Encoder(), Joint()

    def forward(self) -> None:
        raise RuntimeError("for training only")

    def list_export_subnets(self) -> Any:
        return self.parts

    @property
    def decoder_joint(self) -> Any:
        return self.joint


def variant(**members: Any) -> Any:
    return type("Variant", (Transducer,), members)()


@pytest.mark.parametrize("ending", ["onnx", "pt", "pt2"])
def test_each_part_has_a_file_and_an_entry(ending: str, tmp_path: Path, run: Any) -> None:
    model = Transducer()
    result = model.export(tmp_path / f"asr.{ending}", check_trace=True)
    names = [f"{part}-asr.{ending}" for part in ("encoder", "decoder_joint")]
    assert result.files == [str(tmp_path / name) for name in names]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert [told.split(" exported to ")[0].rpartition(".")[2] for told in result.descriptions] == ["Encoder", "Joint"]
    assert list(result.parts) == ["encoder", "decoder_joint"]
    assert (result.input_names, result.output_names) == (("audio",), ("logits",))
    assert all(part.verification is not None for part in result.parts.values())
    audio, targets = torch.randn(3, 4, 11), torch.tensor([[1], [2], [3]])
    (states,) = run(tmp_path / names[0], {"audio": audio})
    (logits,) = run(tmp_path / names[1], {"states": torch.from_numpy(states), "targets": targets})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(logits), model.joint(model.encoder(audio), targets))


def test_an_example_goes_to_the_first_part(tmp_path: Path) -> None:
    result = Transducer().export(tmp_path / "asr.onnx", (torch.randn(2, 4, 5),), use_dynamic_axes=False)
    assert result.parts["encoder"].input_names == ("audio",)


def test_a_part_of_a_part_can_be_any_module(tmp_path: Path) -> None:
    model = variant(parts=["first"], get_export_subnet=lambda self, name: {"first": self.encoder}[name])
    assert model.export(tmp_path / "asr.onnx").files == [str(tmp_path / "first-asr.onnx")]


def test_outputs_and_inputs_of_other_names_are_linked_by_the_model(tmp_path: Path) -> None:
    model = Transducer()
    model.joint.takes = "heard"
    unlinked = model.export(tmp_path / "asr.onnx", check_trace=True)
    assert any("was not checked as a chain: no input is called like an output" in note for note in unlinked.notes)
    linked = variant(export_subnet_links={"decoder_joint": {"heard": "encoder.states"}})
    linked.joint.takes = "heard"
    assert not any("chain" in note for note in linked.export(tmp_path / "asr.onnx", check_trace=True).notes)


def test_an_output_feeds_the_input_that_has_its_parts_name_before_it(tmp_path: Path) -> None:
    model = Transducer()
    model.joint.takes, model.joint.frozen = "encoder_states", True
    with pytest.raises(CheckFailed, match="in the chain encoder → decoder_joint"):
        model.export(tmp_path / "asr.onnx", use_dynamic_axes=False, check_trace=True)


@pytest.mark.parametrize(
    "links", [{"decoder_joint": {"heard": "encoder.none"}}, {"decoder_joint": {"none": "encoder.states"}}, ["states"]]
)
def test_a_link_to_nothing_is_refused(links: Any, tmp_path: Path) -> None:
    model = variant(export_subnet_links=links)
    model.joint.takes = "heard"
    with pytest.raises(InputError, match=r"Variant.export_subnet_links (feeds|is a list)"):
        model.export(tmp_path / "asr.onnx", check_trace=True)
    assert not list(tmp_path.iterdir())


def test_a_part_that_is_right_alone_and_wrong_in_the_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads a sum as a number is right on the example that was recorded, whose sum it holds."""
    model = Transducer()
    model.joint.frozen = True
    whole = variant(parts=("encoder",))
    assert whole.export(tmp_path / "asr.onnx", use_dynamic_axes=False, check_trace=True).files
    with pytest.raises(CheckFailed, match="in the chain encoder → decoder_joint, at decoder_joint"):
        model.export(tmp_path / "both.onnx", use_dynamic_axes=False, check_trace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["encoder-asr.onnx"]


def test_when_one_part_fails_there_is_no_file_at_all(tmp_path: Path) -> None:
    model = Transducer()
    model.joint.input_example = None  # type: ignore[assignment]
    with pytest.raises(InputError, match=r"^Joint.export \(example\): Joint.input_example gives None"):
        model.export(tmp_path / "asr.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ((), r"Variant.list_export_subnets gives \[\]"),
        (("encoder", "encoder"), "Name every part to export once"),
        (("parts",), "Variant has a list as its part 'parts'"),
        (("decoder",), "Variant.get_export_subnet failed: AttributeError"),
    ],
)
def test_what_is_no_part(parts: Any, told: str, tmp_path: Path) -> None:
    model = variant(parts=list(parts))
    with pytest.raises(InputError, match=told):
        model.export(tmp_path / "asr.onnx")
