"""``export_config``: options that change an export, from Python or as texts, seen by hooks and gone afterwards."""

# ruff: noqa: RUF012  (hooks are plain class attributes here, as users write them)
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, strategies as st
from torch import nn

from nav_torch import Exportable
from nav_torch.exportable.config import option_value
from navcore import NavcoreError, OptionError, SourceError


class Decoder(nn.Module, Exportable):
    export_config = {"cache_support": False, "decoder_type": "rnnt", "speakers": 1, "scale": 1.0, "extra": None}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def forward_for_export(self, x: torch.Tensor) -> Any:
        scaled = x * self.export_config["scale"]
        return (scaled, x + 1) if self.export_config["cache_support"] else scaled

    def input_example(self) -> Any:
        return (torch.ones(2, 2 + self.export_config["speakers"]),)

    input_types = {"x": ("batch", None)}

    @property
    def output_types(self) -> Any:
        names = ("y", "cache") if self.export_config["cache_support"] else ("y",)
        return dict.fromkeys(names, ("batch", None))


FILES = ("a.onnx", "a.pt", "a.pt2")


@pytest.mark.parametrize("name", FILES)
def test_hooks_and_the_exported_method_see_the_options(name: str, tmp_path: Path, run: Any, same_state: Any) -> None:
    model = Decoder()
    model.set_export_config({"scale": "3"})
    config = {"cache_support": "True", "speakers": 2}
    result = same_state(model, lambda: model.export(tmp_path / name, check_trace=True, export_config=config))
    assert result.output_names == ("y", "cache")
    assert [one.tolist() for one in run(tmp_path / name, {"x": torch.ones(1, 4)})] == [[[3.0] * 4], [[2.0] * 4]]
    assert model.get_export_config() == {**Decoder.export_config, "scale": 3.0}


@pytest.mark.parametrize("script", [False, True])
def test_a_model_without_options_is_compiled_as_before(script: bool, tmp_path: Path) -> None:
    class Free(Decoder):
        export_config = Exportable.export_config  # type: ignore[assignment]
        forward_for_export: Any = None
        input_example = property(lambda self: (torch.ones(2, 3),))
        output_types = {"y": ("batch", None)}

    model = Free()
    assert model.get_export_config() == {}
    model.set_export_config({"mixed": "1", "values": "x"})
    assert model.get_export_config() == {"mixed": 1, "values": "x"}
    result = model.export(tmp_path / "a.pt", try_script=script, check_trace=True)
    assert result.exporter == ("torch.jit.script" if script else "torch.jit.trace")


def test_setting_changes_what_is_named_and_nobody_elses() -> None:
    model, other = Decoder(), Decoder()
    model.set_export_config({"cache_support": "yes"})
    model.set_export_config({"decoder_type": "ctc"})
    model.get_export_config()["speakers"] = 9
    assert model.get_export_config() == {**Decoder.export_config, "cache_support": True, "decoder_type": "ctc"}
    assert other.get_export_config() == Decoder.export_config
    assert Decoder.export_config["cache_support"] is False


class Composite(nn.Module, Exportable):
    """Passes its options on to its part."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = Decoder()

    def set_export_config(self, config: Any) -> None:
        self.decoder.set_export_config(config)

    def forward(self, x: torch.Tensor) -> Any:
        return self.decoder.forward_for_export(x)

    input_example = property(lambda self: (torch.ones(2, 3),))
    input_types = {"x": ("batch", None)}
    output_types = property(lambda self: self.decoder.output_types)


@pytest.mark.parametrize("inplace", [True, False])
def test_parts_get_their_options_and_lose_them(inplace: bool, tmp_path: Path, same_state: Any) -> None:
    model = Composite()
    config = {"cache_support": "on"}
    result = same_state(model, lambda: model.export(tmp_path / "a.onnx", export_config=config, inplace=inplace))
    assert result.output_names == ("y", "cache")
    assert "export_config" not in vars(model.decoder)
    with pytest.raises(OptionError, match="Decoder has no export option 'cache_suport'"):
        same_state(model, lambda: model.export(tmp_path / "b.onnx", export_config={"cache_suport": 1}))


def test_a_failed_export_puts_the_options_back(tmp_path: Path, same_state: Any) -> None:
    class Failing(Decoder):
        def _prepare_for_export(self, **kwargs: Any) -> None:
            assert self.export_config["speakers"] == 3
            assert kwargs["export_config"] == {"speakers": "3"}
            raise KeyError("no luck")

    model = Failing()
    with pytest.raises(SourceError, match="no luck"):
        same_state(model, lambda: model.export(tmp_path / "a.onnx", export_config={"speakers": "3"}))


@pytest.mark.parametrize(
    ("config", "pattern"),
    [
        ({"cache_suport": True}, "Decoder has no export option 'cache_suport'. Did you mean 'cache_support'?"),
        ({"z": 1}, "Decoder has no export option 'z'. Known options: cache_support, decoder_type, speakers, scale, ex"),
        ({"cache_support": "maybe"}, "the export option 'cache_support' of Decoder is 'maybe'. Give True or False"),
        ({"cache_support": 3}, "the export option 'cache_support' of Decoder is 3. Give True or False"),
        ({"speakers": "two"}, "the export option 'speakers' of Decoder is 'two'. Give a whole number"),
        ({"speakers": True}, "the export option 'speakers' of Decoder is True. Give a whole number"),
        ({"scale": "big"}, "the export option 'scale' of Decoder is 'big'. Give a number"),
        ({"decoder_type": 1}, "the export option 'decoder_type' of Decoder is 1. Give a text"),
        ({1: 2}, "has the key 1, which is no name of an option"),
        ("cache_support=True", "is a str. Give a dict from option to value"),
    ],
)
def test_what_is_refused(config: Any, pattern: str, tmp_path: Path, same_state: Any) -> None:
    model = Decoder()
    with pytest.raises(OptionError, match=f"export_config=.*{pattern.replace('?', '[?]')}"):
        same_state(model, lambda: model.export(tmp_path / "a.onnx", export_config=config))
    with pytest.raises(OptionError, match=f"Decoder.set_export_config.*{pattern.replace('?', '[?]')}"):
        same_state(model, lambda: model.set_export_config(config))
    assert list(tmp_path.iterdir()) == []


def test_a_declaration_that_is_none(tmp_path: Path) -> None:
    class Odd(Decoder):
        export_config: Any = ["cache_support"]

    with pytest.raises(NavcoreError, match=r"Odd.export_config is a list. Give a dict from option to value"):
        Odd().export(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("text", "value"),
    [("False", False), ("true", True), ("None", None), ("3", 3), ("-2", -2), ("1e-3", 1e-3), (".5", 0.5),
     ("ctc", "ctc"),
    (" 7 ", 7), ("", ""), ("1_000", "1_000"), ("nan", "nan"), ("0x10", "0x10")],
)  # fmt: skip
def test_a_text_without_a_declared_kind_is_what_it_looks_like(text: str, value: Any) -> None:
    assert (option_value(text), type(option_value(text))) == (value, type(value))


@given(st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text())
def test_a_value_survives_its_text(value: Any) -> None:
    assert option_value(str(value), value) == value
    assert option_value(value, value) == value


@pytest.mark.parametrize(("text", "value"), [("off", False), ("No", False), ("0", False), ("1", True), ("YES", True)])
def test_words_for_a_flag(text: str, value: bool) -> None:
    assert option_value(text, default=True) is value
    assert option_value(text, default="a text") == text
