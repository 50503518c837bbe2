"""Small random models of transformers, one of every type that `HubEmbedding` takes."""

import warnings
from operator import attrgetter

import torch

SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "hidden_size": 16}
# Frames of 60 samples, every 40.
CONVOLUTIONS = {
    "conv_dim": (8, 8),
    "conv_kernel": (20, 5),
    "conv_stride": (10, 4),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
ADAPTER = {"add_adapter": True, "num_adapter_layers": 1, "output_hidden_size": 12}
IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
# One layer of a language model.
TEXT = {
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "intermediate_size": 8,
    "hidden_size": 8,
    "vocab_size": 30,
}
ENCODER = {"encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 24}
DECODER = {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 24}
PARAKEET = {
    **SMALL,
    "num_mel_bins": 16,
    "subsampling_conv_channels": 4,
    "conv_kernel_size": 3,
    "initializer_range": 0.3,  # its rectifiers would shut with small weights
}
LASR = {**PARAKEET, "conv_kernel_size": 4}
GRANITE = {
    "input_dim": 160,
    "hidden_dim": 16,
    "num_layers": 2,
    "num_heads": 2,
    "dim_head": 8,
    "context_size": 10,
    "conv_kernel_size": 3,
    "output_dim": 8,
    "max_pos_emb": 16,
}
GRANITE5 = {
    **SMALL,
    "num_mel_bins": 16,
    "num_hidden_layers": 4,
    "subsample_layers": [1, 2],
    "context_size": 10,
    "conv_kernel_size": 3,
    "vocab_size": 20,
    "max_position_embeddings": 16,
}
# Frames of 24 samples.
DAC = {
    "encoder_hidden_size": 4,
    "downsampling_ratios": [2, 3, 4],
    "codebook_dim": 4,
    "codebook_size": 16,
    "n_codebooks": 1,
    "hop_length": 24,
    "decoder_hidden_size": 8,
    "upsampling_ratios": [4, 3, 2],
}
PE_AUDIO = {
    **SMALL,
    "head_dim": 8,
    "num_key_value_heads": 2,
    "dac_config": {**DAC, "model_type": "dac"},
    "model_type": "pe_audio_encoder",
}
PE_TEXT = {
    "model_type": "modernbert",
    "hidden_size": 16,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "vocab_size": 30,
    **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 0),
}
SEAMLESS = {
    "hidden_size": 16,
    "speech_encoder_layers": 2,
    "speech_encoder_attention_heads": 2,
    "speech_encoder_intermediate_size": 24,
    "feature_projection_input_dim": 32,
    "conv_depthwise_kernel_size": 3,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "adaptor_kernel_size": 4,
    "adaptor_stride": 4,
    "max_source_positions": 100,
    "vocab_size": 20,
    **ENCODER,
    **DECODER,
}
# Beginnings of the names of classes.
CLASSES = {
    "audioflamingo3": "AudioFlamingo3",
    "data2vec-audio": "Data2VecAudio",
    "glmasr": "GlmAsr",
    "musicflamingo": "MusicFlamingo",
    "parakeet_rnnt": "RNNT",
    "parakeet_tdt": "TDT",
    "seamless_m4t": "SeamlessM4T",
    "seamless_m4t_v2": "SeamlessM4Tv2",
    "sew": "SEW",
    "sew-d": "SEWD",
    "unispeech": "UniSpeech",
    "unispeech-sat": "UniSpeechSat",
    "voxtral": "Voxtral",
    "wav2vec2": "Wav2Vec2",
    "wav2vec2-bert": "Wav2Vec2Bert",
    "wav2vec2-conformer": "Wav2Vec2Conformer",
}
_MAKERS = {}


def _makes(*names):
    def note(maker):
        _MAKERS.update(dict.fromkeys(names, maker))
        return maker

    return note


@_makes("sew", "sew-d", "data2vec-audio", "unispeech", "unispeech-sat", "wav2vec2", "wav2vec2-conformer")
def _waveform(t, name, adapter):
    special = {
        "data2vec-audio": {"conv_pos_kernel_size": 3},
        "sew": {"squeeze_factor": 2},
        "sew-d": {"squeeze_factor": 2, "max_position_embeddings": 64},
    }.get(name, {})
    config = getattr(t, f"{CLASSES[name]}Config")(**SMALL, **CONVOLUTIONS, **special, **adapter)
    return getattr(t, f"{CLASSES[name]}Model")(config), t.Wav2Vec2FeatureExtractor(), ""


@_makes("wav2vec2-bert")
def _w2v_bert(t, name, adapter):
    config = t.Wav2Vec2BertConfig(
        **SMALL, **adapter, feature_projection_input_dim=32, conv_depthwise_kernel_size=3
    )
    return t.Wav2Vec2BertModel(config), t.SeamlessM4TFeatureExtractor(num_mel_bins=16, feature_size=16), ""


@_makes("seamless_m4t", "seamless_m4t_v2")
def _seamless(t, name, adapter):
    config = getattr(t, f"{CLASSES[name]}Config")(**SEAMLESS)
    model = getattr(t, f"{CLASSES[name]}ForSpeechToText")(config)
    return model, t.SeamlessM4TFeatureExtractor(num_mel_bins=16, feature_size=16), "speech_encoder"


@_makes("speech_to_text")
def _speech_to_text(t, name, adapter):
    config = t.Speech2TextConfig(
        **ENCODER, **DECODER, **IDS, d_model=16, vocab_size=20, input_feat_per_channel=16, conv_channels=8
    )
    model = t.Speech2TextForConditionalGeneration(config)
    return model, t.Speech2TextFeatureExtractor(16, num_mel_bins=16), "model.encoder"


@_makes("speecht5")
def _speecht5(t, name, adapter):
    config = t.SpeechT5Config(**ENCODER, **DECODER, **CONVOLUTIONS, hidden_size=16, vocab_size=20)
    return t.SpeechT5ForSpeechToText(config), t.SpeechT5FeatureExtractor(), "speecht5.encoder"


@_makes("canary", "parakeet_ctc", "parakeet_encoder", "parakeet_rnnt", "parakeet_tdt")
def _parakeet(t, name, adapter):
    front_end = t.ParakeetFeatureExtractor(feature_size=16)
    if name == "parakeet_encoder":
        return t.ParakeetEncoder(t.ParakeetEncoderConfig(**PARAKEET)), front_end, ""
    if name == "canary":
        config = t.CanaryConfig(
            encoder_config={**PARAKEET, "model_type": "parakeet_encoder"},
            decoder_config={**SMALL, "vocab_size": 20},
            vocab_size=20,
            decoder_start_token_id=1,
            **IDS,
        )
        return t.CanaryForConditionalGeneration(config), front_end, "model.encoder"
    if name == "parakeet_ctc":
        config = t.ParakeetCTCConfig(vocab_size=20, pad_token_id=0, encoder_config=PARAKEET)
        return t.ParakeetForCTC(config), front_end, "encoder"
    config = getattr(t, f"Parakeet{CLASSES[name]}Config")(
        vocab_size=20,
        pad_token_id=0,
        blank_token_id=19,
        decoder_hidden_size=8,
        num_decoder_layers=1,
        encoder_config=PARAKEET,
    )
    return getattr(t, f"ParakeetFor{CLASSES[name]}")(config), front_end, "encoder"


@_makes("lasr_ctc", "lasr_encoder")
def _lasr(t, name, adapter):
    front_end = t.LasrFeatureExtractor(feature_size=16)
    if name == "lasr_encoder":
        return t.LasrEncoder(t.LasrEncoderConfig(**LASR)), front_end, ""
    config = t.LasrCTCConfig(vocab_size=20, pad_token_id=0, encoder_config=LASR)
    return t.LasrForCTC(config), front_end, "encoder"


@_makes("granite_speech")
def _granite(t, name, adapter):
    config = t.GraniteSpeechConfig(
        encoder_config=GRANITE,
        text_config={**TEXT, "model_type": "llama"},
        projector_config={**SMALL, "model_type": "blip_2_qformer", "encoder_hidden_size": 16},
        has_lora_adapter=False,
    )
    return t.GraniteSpeechForConditionalGeneration(config), t.GraniteSpeechFeatureExtractor(), "model.encoder"


@_makes("granite_speech5_ctc", "granite_speech5_encoder")
def _granite5(t, name, adapter):
    front_end = t.GraniteSpeech5FeatureExtractor(num_mel_bins=16)
    if name == "granite_speech5_encoder":
        return t.GraniteSpeech5Encoder(t.GraniteSpeech5EncoderConfig(**GRANITE5)), front_end, ""
    config = t.GraniteSpeech5CTCConfig(encoder_config=GRANITE5, vocab_size=20)
    return t.GraniteSpeech5ForCTC(config), front_end, "encoder"


@_makes("moonshine")
def _moonshine(t, name, adapter):
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2}
    config = t.MoonshineConfig(
        hidden_size=16,
        intermediate_size=24,
        **{f"{part}_{size}": value for part in ("encoder", "decoder") for size, value in sizes.items()},
        vocab_size=30,
        decoder_start_token_id=1,
        **IDS,
    )
    front_end = t.Wav2Vec2FeatureExtractor(do_normalize=False)
    return t.MoonshineForConditionalGeneration(config), front_end, "model.encoder"


@_makes("moonshine_streaming")
def _moonshine_streaming(t, name, adapter):
    encoder = {**SMALL, "num_key_value_heads": 2, "head_dim": 8, "sliding_windows": [[16, 4], [16, 4]]}
    config = t.MoonshineStreamingConfig(
        encoder_config=encoder, **SMALL, num_key_value_heads=2, vocab_size=30, **IDS
    )
    front_end = t.Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True)
    return t.MoonshineStreamingForConditionalGeneration(config), front_end, "model.encoder"


@_makes("omniasr", "omniasr_audio", "omniasr_ctc")
def _omniasr(t, name, adapter):
    front_end = t.OmniASRFeatureExtractor()
    encoder = {**SMALL, **{k: v for k, v in CONVOLUTIONS.items() if k != "num_feat_extract_layers"}}
    if name == "omniasr_audio":
        return t.OmniASRAudioModel(t.OmniASRAudioConfig(**encoder)), front_end, ""
    if name == "omniasr_ctc":
        config = t.OmniASRCTCConfig(audio_config=encoder, vocab_size=20, pad_token_id=0)
        return t.OmniASRForCTC(config), front_end, "model.audio_tower"
    config = t.OmniASRConfig(audio_config=encoder, text_config={**TEXT, "model_type": "llama"})
    return t.OmniASRForConditionalGeneration(config), front_end, "model.audio_tower"


@_makes("qwen2_audio", "qwen2_audio_encoder")
def _qwen2_audio(t, name, adapter):
    front_end = t.WhisperFeatureExtractor(20, chunk_length=2)
    encoder = {**ENCODER, "d_model": 16, "num_mel_bins": 20, "max_source_positions": 100}
    if name == "qwen2_audio_encoder":
        return t.Qwen2AudioEncoder(t.Qwen2AudioEncoderConfig(**encoder)), front_end, ""
    config = t.Qwen2AudioConfig(audio_config=encoder, text_config={**TEXT, "model_type": "qwen2"})
    return t.Qwen2AudioForConditionalGeneration(config), front_end, "model.audio_tower"


@_makes(
    "audioflamingo3",
    "audioflamingo3_encoder",
    "glmasr",
    "glmasr_encoder",
    "musicflamingo",
    "voxtral",
    "voxtral_encoder",
)
def _whisper_tower(t, name, adapter):
    front_end = t.WhisperFeatureExtractor(20, chunk_length=2)
    family = name.removesuffix("_encoder")
    encoder = {**SMALL, "num_mel_bins": 20}
    if family != "glmasr":
        encoder["max_source_positions"] = 100
    if name.endswith("_encoder"):
        config = getattr(t, f"{CLASSES[family]}EncoderConfig")(**encoder)
        return getattr(t, f"{CLASSES[family]}Encoder")(config), front_end, ""
    audio_type = "audioflamingo3_encoder" if name == "musicflamingo" else f"{name}_encoder"
    config = getattr(t, f"{CLASSES[name]}Config")(
        audio_config={**encoder, "model_type": audio_type},
        text_config={**TEXT, "model_type": "llama" if name in ("glmasr", "voxtral") else "qwen2"},
    )
    return getattr(t, f"{CLASSES[name]}ForConditionalGeneration")(config), front_end, "model.audio_tower"


@_makes("pe_audio", "pe_audio_encoder")
def _pe_audio(t, name, adapter):
    front_end = t.PeAudioFeatureExtractor(hop_length=24)
    if name == "pe_audio_encoder":
        return t.PeAudioEncoder(t.PeAudioEncoderConfig(**PE_AUDIO)), front_end, ""
    return (
        t.PeAudioModel(t.PeAudioConfig(audio_config=PE_AUDIO, text_config=PE_TEXT)),
        front_end,
        "audio_encoder",
    )


@_makes("pe_audio_video")
def _pe_audio_video(t, name, adapter):
    config = t.PeAudioVideoConfig(text_config=PE_TEXT, audio_video_config={"audio_config": PE_AUDIO})

    class OnlyAudio(t.PreTrainedModel):
        """The audio model under the name that it has in the model of audio and video."""

        def __init__(self):
            super().__init__(config)
            self.audio_model = t.PeAudioModel(config.audio_config)
            self.post_init()

    return OnlyAudio(), t.PeAudioFeatureExtractor(hop_length=24), "audio_model.audio_encoder"


@_makes("dac")
def _dac(t, name, adapter):
    return t.DacModel(t.DacConfig(**DAC, sampling_rate=16000)), t.DacFeatureExtractor(hop_length=24), ""


@_makes("encodec")
def _encodec(t, name, adapter):
    config = t.EncodecConfig(
        hidden_size=8, num_filters=4, upsampling_ratios=[4, 3, 2], codebook_size=16, codebook_dim=8
    )
    return t.EncodecModel(config), t.EncodecFeatureExtractor(), ""


@_makes("mimi")
def _mimi(t, name, adapter):
    config = t.MimiConfig(
        **SMALL,
        num_filters=4,
        num_key_value_heads=2,
        head_dim=8,
        upsampling_ratios=[4, 3, 2],
        codebook_size=16,
        codebook_dim=8,
        vector_quantization_hidden_dimension=8,
        num_quantizers=2,
        upsample_groups=16,
    )
    return t.MimiModel(config), t.EncodecFeatureExtractor(), "encoder"


def save(transformers, name, folder):
    """Write a model and its front end into a folder.

    Parameters
    ----------
    transformers : module
    name : str
        Type of the model; " with an adapter" may stand behind it.
    folder : path

    Returns
    -------
    encoder, front_end
        The part of the model that HubEmbedding runs, and what makes its inputs.
    """
    model_type = name.removesuffix(" with an adapter")
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about code of older releases
        torch.manual_seed(len(name))
        model, front_end, part = _MAKERS[model_type](
            transformers, model_type, ADAPTER if name != model_type else {}
        )
        # Biases of zero and scales of one would hide errors.
        for tensor in model.parameters():
            tensor.data += 0.05 * torch.randn(tensor.shape)
    model.eval().save_pretrained(folder)
    front_end.save_pretrained(folder)
    if not hasattr(model, "model"):  # an older release
        part = part.removeprefix("model.")
    return attrgetter(part)(model) if part else model, front_end
