"""The reference page's signature and its code blocks, as written there."""

# ruff: noqa: RUF059  (the page unpacks more than it uses)
from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nav_torch import Exportable, TensorType, replace_for_export

PAGE = {
    "output": inspect.Parameter.empty,
    "input_example": None,
    "output_example": None,
    "verbose": False,
    "export_params": True,
    "do_constant_folding": True,
    "keep_initializers_as_inputs": False,
    "onnx_opset_version": 13,
    "try_script": False,
    "set_eval": True,
    "check_trace": False,
    "use_dynamic_axes": True,
    "dynamic_axes": None,
    "check_tolerance": 0.01,
}


def test_export_has_exactly_the_arguments_of_the_page() -> None:
    parameters = list(inspect.signature(Exportable.export).parameters.values())[1:]
    page = [one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    assert {one.name: one.default for one in page} == PAGE
    assert [one.name for one in page] == list(PAGE)
    assert all(one.kind is one.KEYWORD_ONLY for one in parameters[len(page) :])


class InnerFastPitch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 6)

    def forward(
        self, *, text: Any, durs: Any = None, pitch: Any = None, speaker: Any = 0, pace: Any = 1.0, spec: Any = None,
        attn_prior: Any = None, mel_lens: Any = None, input_lens: Any = None,
    ) -> Any:  # fmt: skip
        x = self.words(text)
        durs_predicted = text + 1
        return x, durs_predicted, durs_predicted.float().log(), x.sum(-1), None, None, None, None, x.mean(-1)

    @property
    def input_example(self) -> Any:
        return (torch.arange(10).reshape(2, 5),)

    @property
    def input_types(self) -> Any:
        names = ["text", "durs", "pitch", "speaker", "pace", "spec", "attn_prior", "mel_lens", "input_lens"]
        return dict.fromkeys(names, TensorType("batch", "text_time"))

    @property
    def output_types(self) -> Any:
        names = ["attn_soft", "attn_logprob", "attn_hard", "attn_hard_dur", "pitch"]
        return {
            "spect": TensorType("batch", "text_time", 6),
            "durs_predicted": TensorType("batch", "text_time"),
            "log_durs_predicted": TensorType("batch", "text_time"),
            "pitch_predicted": TensorType("batch", "text_time"),
            **dict.fromkeys(names, TensorType("batch", "text_time")),
        }


class FastPitch(nn.Module, Exportable):
    """The methods are the page's own text."""

    def __init__(self) -> None:
        super().__init__()
        self.fastpitch = InnerFastPitch()
        self.calls: list[dict[str, Any]] = []

    @property
    def input_module(self):  # type: ignore[no-untyped-def]
        return self.fastpitch

    @property
    def output_module(self):  # type: ignore[no-untyped-def]
        return self.fastpitch

    # Uses forced named args, many default parameters.
    def forward(  # type: ignore[no-untyped-def]
        self,
        *,
        text,
        durs=None,
        pitch=None,
        speaker=0,
        pace=1.0,
        spec=None,
        attn_prior=None,
        mel_lens=None,
        input_lens=None,
    ):
        # Passes through all self.fastpitch outputs
        return self.fastpitch(
            text=text,
            durs=durs,
            pitch=pitch,
            speaker=speaker,
            pace=pace,
            spec=spec,
            attn_prior=attn_prior,
            mel_lens=mel_lens,
            input_lens=input_lens,
        )

    # Uses less inputs, no '*', returns less outputs:
    def forward_for_export(self, text):  # type: ignore[no-untyped-def]
        (
            spect,
            durs_predicted,
            log_durs_predicted,
            pitch_predicted,
            attn_soft,
            attn_logprob,
            attn_hard,
            attn_hard_dur,
            pitch,
        ) = self.fastpitch(text=text)
        return spect, durs_predicted, log_durs_predicted, pitch_predicted

    @property
    def disabled_deployment_input_names(self):  # type: ignore[no-untyped-def]
        """Implement this method to return a set of input names disabled for export"""
        return set(["durs", "pitch", "speaker", "pace", "spec", "attn_prior", "mel_lens", "input_lens"])  # noqa: C405

    @property
    def disabled_deployment_output_names(self):  # type: ignore[no-untyped-def]
        return {"attn_soft", "attn_logprob", "attn_hard", "attn_hard_dur", "pitch"}

    def _prepare_for_export(self, **kwargs):  # type: ignore[no-untyped-def]
        """
        Override this method to prepare module for export. This is in-place operation.
        Base version does common necessary module replacements (Apex etc)
        """
        self.calls.append(kwargs)
        # do graph modifications specific for this model
        replace_1D_2D = kwargs.get("replace_1D_2D", False)  # noqa: N806
        replace_for_export(self, replace_1D_2D)
        # call base method for common set of modifications
        Exportable._prepare_for_export(self, **kwargs)


@pytest.mark.parametrize("name", ["mymodel.onnx", "mymodel.pt", "mymodel.ts", "mymodel.pt2"])
def test_the_pages_fastpitch(name: str, tmp_path: Path, run: Any) -> None:
    mymodel = FastPitch()
    files, descriptions = mymodel.export(str(tmp_path / name), check_trace=True)
    assert files == [str(tmp_path / name)]
    kind = {".onnx": "ONNX", ".pt2": "an ExportedProgram"}.get(Path(name).suffix, "TorchScript")
    assert descriptions == [f"{__name__}.FastPitch exported to {kind}"]
    text = torch.randint(0, 20, (3, 8))
    found = run(tmp_path / name, {"text": text})
    for one, other in zip(found, mymodel.forward_for_export(text), strict=True):
        torch.testing.assert_close(torch.from_numpy(one), other.detach())
    (arguments,) = mymodel.calls
    assert set(PAGE) <= set(arguments)
    assert torch.equal(arguments["input_example"][0], torch.arange(10).reshape(2, 5))


def test_the_arguments_of_torchscript_keep_their_names(tmp_path: Path) -> None:
    FastPitch().export(tmp_path / "model.ts")
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        schema = torch.jit.load(tmp_path / "model.ts").forward.schema
    assert [argument.name for argument in schema.arguments] == ["self", "text"]
