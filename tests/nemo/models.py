"""Small models of NeMo's with random weights: :data:`MODELS` has a function for each, which builds it anew.

Shapes are those of the published recipes, widths and depths as small as they can be. Models whose construction loads
weights or tokenizers from a hub are not among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

FEATURES = 16
WIDTH = 32
LETTERS = [" ", *"abcdefghijklmnopqrstuvwxyz'"]


def _asr() -> Any:
    import nemo.collections.asr as asr

    return asr


def _config(settings: Mapping[str, Any]) -> Any:
    from omegaconf import OmegaConf

    return OmegaConf.create(dict(settings))


def _target(name: str, **settings: Any) -> dict[str, Any]:
    return {"_target_": f"nemo.collections.{name}", **settings}


def _block(filters: int, kernel: int, **settings: Any) -> dict[str, Any]:
    plain = {"repeat": 1, "stride": [1], "dilation": [1], "dropout": 0.0, "residual": False, "separable": True}
    return {"filters": filters, "kernel": [kernel], **plain, **settings}


def _jasper_blocks() -> list[dict[str, Any]]:
    dense = {"repeat": 2, "residual": True, "residual_dense": True, "separable": False}
    return [_block(WIDTH, 11, stride=[2], separable=False), _block(WIDTH, 11, **dense), _block(WIDTH, 13, **dense),
            _block(WIDTH, 1, separable=False)]  # fmt: skip


def _quartznet_blocks() -> list[dict[str, Any]]:
    return [_block(WIDTH, 33, stride=[2]), _block(WIDTH, 33, repeat=2, residual=True), _block(WIDTH, 87, dilation=[2]),
            _block(WIDTH, 1, separable=False)]  # fmt: skip


def _citrinet_blocks(context: int = -1) -> list[dict[str, Any]]:
    squeeze = {"se": True, "se_context_size": context}
    return [_block(WIDTH, 5, **squeeze), _block(WIDTH, 11, stride=[2], **squeeze),
            _block(WIDTH, 13, repeat=2, residual=True, stride=[2], stride_last=True, residual_mode="stride_add",
                   **squeeze), _block(WIDTH, 41, **squeeze)]  # fmt: skip


def _convolutional(blocks: list[dict[str, Any]], **settings: Any) -> Any:
    return _asr().modules.ConvASREncoder(jasper=blocks, activation="relu", feat_in=FEATURES, **settings)


def jasper_encoder() -> Any:
    return _convolutional(_jasper_blocks(), residual_mode="add")


def quartznet_encoder() -> Any:
    return _convolutional(_quartznet_blocks())


def citrinet_encoder() -> Any:
    return _convolutional(_citrinet_blocks())


def contextnet_encoder() -> Any:
    return _convolutional(_citrinet_blocks(context=64))


def _conformer_settings(**settings: Any) -> dict[str, Any]:
    return {"feat_in": FEATURES, "n_layers": 2, "d_model": WIDTH, "n_heads": 4, "conv_kernel_size": 9,
            "subsampling_conv_channels": 8, "pos_emb_max_len": 300, **settings}  # fmt: skip


def _fast(**settings: Any) -> dict[str, Any]:
    return _conformer_settings(subsampling="dw_striding", subsampling_factor=8, **settings)


def _causal(**settings: Any) -> dict[str, Any]:
    return _fast(causal_downsampling=True, att_context_size=[[30, 4]], att_context_style="chunked_limited",
                 conv_context_size="causal", conv_norm_type="layer_norm", **settings)  # fmt: skip


def conformer_encoder() -> Any:
    return _asr().modules.ConformerEncoder(**_conformer_settings())


def conformer_absolute_positions() -> Any:
    return _asr().modules.ConformerEncoder(**_conformer_settings(self_attention_model="abs_pos"))


def conformer_fused_attention() -> Any:
    return _asr().modules.ConformerEncoder(**_conformer_settings(use_pytorch_sdpa=True))


def conformer_local_attention() -> Any:
    local = {"self_attention_model": "rel_pos_local_attn", "att_context_size": [16, 16]}
    return _asr().modules.ConformerEncoder(**_conformer_settings(**local))


def conformer_stacking() -> Any:
    stacked = {"subsampling": "stacking_norm", "conv_norm_type": "layer_norm"}
    return _asr().modules.ConformerEncoder(**_conformer_settings(**stacked))


def conformer_progressive() -> Any:
    """Reduces the time axis once more between two layers, as Squeezeformer does, whose own class NeMo 3 dropped."""
    reduced = {"reduction": "pooling", "reduction_position": 1, "reduction_factor": 2}
    return _asr().modules.ConformerEncoder(**_conformer_settings(**reduced))


def fastconformer_encoder() -> Any:
    return _asr().modules.ConformerEncoder(**_fast())


def _streaming(model: Any) -> Any:
    model.set_export_config({"cache_support": "True"})
    return model


def streaming_encoder() -> Any:
    encoder = _asr().modules.ConformerEncoder(**_causal())
    encoder.export_cache_support = True
    encoder.setup_streaming_params()
    return encoder


def mel_preprocessor() -> Any:
    settings = {name: value for name, value in _PREPROCESSOR.items() if name != "_target_"}
    return _asr().modules.AudioToMelSpectrogramPreprocessor(use_torchaudio=False, **settings)


def rnn_encoder() -> Any:
    return _asr().modules.RNNEncoder(feat_in=FEATURES, n_layers=2, d_model=WIDTH, proj_size=WIDTH, dropout=0.0)


def ctc_decoder() -> Any:
    return _asr().modules.ConvASRDecoder(feat_in=WIDTH, num_classes=len(LETTERS), vocabulary=LETTERS)


def lstm_decoder() -> Any:
    return _asr().modules.LSTMDecoder(feat_in=WIDTH, num_classes=len(LETTERS), lstm_hidden_size=WIDTH)


def classification_decoder() -> Any:
    return _asr().modules.ConvASRDecoderClassification(feat_in=WIDTH, num_classes=5)


def rnnt_decoder() -> Any:
    network = {"pred_hidden": WIDTH, "pred_rnn_layers": 2, "dropout": 0.0}
    return _asr().modules.RNNTDecoder(prednet=network, vocab_size=len(LETTERS))


def stateless_decoder() -> Any:
    from nemo.collections.asr.modules.rnnt import StatelessTransducerDecoder

    return StatelessTransducerDecoder(prednet={"pred_hidden": WIDTH}, vocab_size=len(LETTERS), context_size=2)


def rnnt_joint() -> Any:
    network = {"encoder_hidden": WIDTH, "pred_hidden": WIDTH, "joint_hidden": WIDTH, "activation": "relu"}
    return _asr().modules.RNNTJoint(jointnet=network, num_classes=len(LETTERS), vocabulary=LETTERS)


def rnnt_decoder_joint() -> Any:
    from nemo.collections.asr.modules.rnnt import RNNTDecoderJoint

    return RNNTDecoderJoint(rnnt_decoder(), rnnt_joint())


def transformer_encoder() -> Any:
    from nemo.collections.asr.modules.transformer.transformer import TransformerEncoderNM

    return TransformerEncoderNM(
        vocab_size=2048, hidden_size=WIDTH, num_layers=2, inner_size=WIDTH, num_attention_heads=4
    )


def transformer_decoder() -> Any:
    from nemo.collections.asr.modules.transformer.transformer import TransformerDecoderNM

    return TransformerDecoderNM(
        vocab_size=2048, hidden_size=WIDTH, num_layers=2, inner_size=WIDTH, num_attention_heads=4
    )


def token_classifier() -> Any:
    from nemo.collections.asr.parts.submodules.token_classifier import TokenClassifier

    return TokenClassifier(hidden_size=WIDTH, num_classes=7, num_layers=2)


_PREPROCESSOR = _target(
    "asr.modules.AudioToMelSpectrogramPreprocessor",
    features=FEATURES,
    window_size=0.025,
    window_stride=0.01,
    dither=0.0,
)
_CTC = _target("asr.modules.ConvASRDecoder", feat_in=None, num_classes=-1, vocabulary=LETTERS)
_RNNT = {
    "decoder": _target("asr.modules.RNNTDecoder", prednet={"pred_hidden": WIDTH, "pred_rnn_layers": 1, "dropout": 0.0}),
    "joint": _target("asr.modules.RNNTJoint", jointnet={"joint_hidden": WIDTH, "activation": "relu"}, log_softmax=None,
                     fuse_loss_wer=False),
    "decoding": {"strategy": "greedy", "greedy": {"max_symbols": 10}},
    "loss": {"loss_name": "default"},
    "model_defaults": {"enc_hidden": WIDTH, "pred_hidden": WIDTH},
    "labels": LETTERS,
}  # fmt: skip


def _conformer_target(settings: Mapping[str, Any]) -> dict[str, Any]:
    return _target("asr.modules.ConformerEncoder", **settings)


def _convolutional_target(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    return _target("asr.modules.ConvASREncoder", jasper=blocks, activation="relu", feat_in=FEATURES)


def _recogniser(encoder: Mapping[str, Any]) -> Any:
    return _asr().models.EncDecCTCModel(_config({"preprocessor": _PREPROCESSOR, "encoder": encoder, "decoder": _CTC}))


def quartznet_ctc() -> Any:
    return _recogniser(_convolutional_target(_quartznet_blocks()))


def citrinet_ctc() -> Any:
    return _recogniser(_convolutional_target(_citrinet_blocks()))


def conformer_ctc() -> Any:
    return _recogniser(_conformer_target(_conformer_settings()))


def streaming_ctc() -> Any:
    return _streaming(_recogniser(_conformer_target(_causal())))


def conformer_rnnt() -> Any:
    parts = {"preprocessor": _PREPROCESSOR, "encoder": _conformer_target(_conformer_settings()), **_RNNT}
    return _asr().models.EncDecRNNTModel(_config(parts))


def streaming_rnnt() -> Any:
    parts = {"preprocessor": _PREPROCESSOR, "encoder": _conformer_target(_causal()), **_RNNT}
    return _streaming(_asr().models.EncDecRNNTModel(_config(parts)))


def _hybrid() -> Any:
    auxiliary = {"ctc_loss_weight": 0.3, "decoder": {**_CTC, "feat_in": WIDTH}, "decoding": {"strategy": "greedy"}}
    parts = {"preprocessor": _PREPROCESSOR, "encoder": _conformer_target(_fast()), **_RNNT, "aux_ctc": auxiliary}
    return _asr().models.EncDecHybridRNNTCTCModel(_config(parts))


def hybrid_as_rnnt() -> Any:
    return _hybrid()


def hybrid_as_ctc() -> Any:
    model = _hybrid()
    model.set_export_config({"decoder_type": "ctc"})
    return model


def _speaker(encoder: Mapping[str, Any], pooling: str, width: int = WIDTH) -> Any:
    decoder = _target("asr.modules.SpeakerDecoder", feat_in=width, num_classes=5, emb_sizes=16, pool_mode=pooling,
                      attention_channels=8)  # fmt: skip
    parts = {"preprocessor": _PREPROCESSOR, "encoder": encoder, "decoder": decoder}
    return _asr().models.EncDecSpeakerLabelModel(_config(parts))


def titanet() -> Any:
    return _speaker(_convolutional_target(_citrinet_blocks()), "attention")


def ecapa() -> Any:
    """NeMo gives this encoder no example of its own."""
    import torch

    encoder = _target("asr.modules.ECAPAEncoder", feat_in=FEATURES, filters=[*[WIDTH] * 4, 3 * WIDTH],
                      kernel_sizes=[5, 3, 3, 3, 1], dilations=[1, 2, 3, 4, 1], scale=8)  # fmt: skip
    model = _speaker(encoder, "attention", 3 * WIDTH)

    def input_example(max_batch: int = 1, max_dim: int = 256) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.randn(max_batch, FEATURES, max_dim), torch.full((max_batch,), max_dim)

    model.encoder.input_example = input_example
    return model


def marblenet_vad() -> Any:
    decoder = _target("asr.modules.ConvASRDecoderClassification", feat_in=WIDTH, num_classes=2)
    parts = {"preprocessor": _PREPROCESSOR, "encoder": _convolutional_target(_quartznet_blocks()), "decoder": decoder,
             "labels": ["background", "speech"]}  # fmt: skip
    return _asr().models.EncDecClassificationModel(_config(parts))


def marblenet_frame_vad() -> Any:
    decoder = _target("common.parts.MultiLayerPerceptron", hidden_size=WIDTH, num_classes=2, num_layers=1,
                      log_softmax=False)  # fmt: skip
    parts = {"preprocessor": _PREPROCESSOR, "encoder": _convolutional_target(_quartznet_blocks()), "decoder": decoder,
             "labels": ["background", "speech"]}  # fmt: skip
    return _asr().models.EncDecFrameClassificationModel(_config(parts))


_MEL = _target("asr.parts.preprocessing.features.FilterbankFeatures", nfilt=FEATURES, highfreq=None, n_fft=512,
               n_window_size=512, n_window_stride=128, sample_rate=22050)  # fmt: skip


def _fastpitch(**options: Any) -> Any:
    from nemo.collections.tts.models import FastPitchModel

    layers = {"n_layer": 1, "n_head": 1, "d_model": WIDTH, "d_head": WIDTH, "d_inner": WIDTH, "kernel_size": 3,
              "dropout": 0.0, "dropatt": 0.0}  # fmt: skip
    predictor = _target("tts.modules.fastpitch.TemporalPredictor", input_size=WIDTH, kernel_size=3, filter_size=WIDTH,
                        dropout=0.0, n_layers=2)  # fmt: skip
    parts = {
        "learn_alignment": False, "n_mel_channels": FEATURES, "max_token_duration": 75, "symbols_embedding_dim": WIDTH,
        "pitch_embedding_kernel_size": 3, "labels": LETTERS, "preprocessor": _MEL,
        "input_fft": _target("tts.modules.transformer.FFTransformerEncoder", n_embed=64, d_embed=WIDTH, padding_idx=0,
                             **layers),
        "output_fft": _target("tts.modules.transformer.FFTransformerDecoder", **layers),
        "duration_predictor": predictor, "pitch_predictor": predictor, **options,
    }  # fmt: skip
    return FastPitchModel(_config(parts))


def fastpitch() -> Any:
    return _fastpitch()


def fastpitch_speakers() -> Any:
    return _fastpitch(n_speakers=4)


def fastpitch_ragged() -> Any:
    model = _fastpitch()
    model.set_export_config({"enable_ragged_batches": True, "enable_volume": True})
    return model


def hifigan() -> Any:
    from nemo.collections.tts.models import HifiGanModel

    generator = _target("tts.modules.hifigan_modules.Generator", resblock=1, upsample_rates=[4, 2],
                        upsample_kernel_sizes=[8, 4], upsample_initial_channel=WIDTH, resblock_kernel_sizes=[3, 7],
                        resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5]], initial_input_size=FEATURES)  # fmt: skip
    data = {"dataset": _target("tts.data.dataset.VocoderDataset"), "defer_setup": True}
    return HifiGanModel(_config({"train_ds": data, "preprocessor": _MEL, "generator": generator}))


MODELS: Mapping[str, Callable[[], Any]] = {
    make.__name__: make
    for make in (
        jasper_encoder, quartznet_encoder, citrinet_encoder, contextnet_encoder, conformer_encoder,
        conformer_absolute_positions, conformer_fused_attention, conformer_local_attention, conformer_stacking,
        conformer_progressive, fastconformer_encoder, streaming_encoder, mel_preprocessor, rnn_encoder, ctc_decoder,
        lstm_decoder, classification_decoder,
        rnnt_decoder, stateless_decoder, rnnt_joint, rnnt_decoder_joint,
        transformer_encoder, transformer_decoder, token_classifier, quartznet_ctc, citrinet_ctc, conformer_ctc,
        streaming_ctc, conformer_rnnt, streaming_rnnt, hybrid_as_rnnt, hybrid_as_ctc, titanet, ecapa, marblenet_vad,
        marblenet_frame_vad, fastpitch, fastpitch_speakers, fastpitch_ragged, hifigan,
    )
}  # fmt: skip
"""Name → function."""
