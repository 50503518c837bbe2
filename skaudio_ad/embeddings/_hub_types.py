"""Types of audio models of the transformers library that `HubEmbedding` takes, one entry each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import _hub_geometry as geometry
from ._hub_frames import Geometry

_TIME = ("clip", "frames")
_CLASSIFIER = ("clip", "frames", "logits")


def _usual_options(config: Any, extractor: Any) -> dict[str, Any]:
    return {"sampling_rate": extractor.sampling_rate, "return_tensors": "pt"}


def _last_states(network: Any, inputs: dict[str, Any], layer: int | None) -> Any:
    """States of a layer, (n_windows, n_tokens, n_features); None is the last layer, normalised if the model does so."""
    if layer is None:
        return network(**inputs).last_hidden_state
    return network(**inputs, output_hidden_states=True).hidden_states[layer]


@dataclass(frozen=True)
class HubType:
    """How a type of model is loaded and run.

    Attributes
    ----------
    geometry : callable
        Makes the :class:`Geometry` from the configuration of the encoder and the front end.
    outputs : tuple of str
        Names of the outputs.
    part : str
        Attribute of the configuration that describes the encoder of audio, for a model that holds other parts too. Dots
        lead to attributes of attributes.
    network : str
        Class of transformers that encodes audio; ``folder.Class`` for a class that only the file of the model exports.
    weights : str
        Regular expression of what stands before the names of the encoder's weights in the file of the whole model.
    n_features, n_layers : str
        Attributes of the encoder's configuration; `n_layers` is "" for a model that takes ``layer=-1`` only.
    last_features : str
        Attribute with the number of features of the last layer, where an adapter changes the number.
    n_tokens : int
        Number of tokens before the frames. "clip" is their mean; without tokens "clip" is the mean over time.
    arguments : dict of {str: str}
        Names of the arguments of the network for outputs of the front end; other outputs are dropped. Empty: all are
        passed under their own names.
    options : callable
        Makes the options of a call of the front end from the encoder's configuration and the front end.
    states : callable
        Runs the network: (network, inputs, layer or None for the last) to states (n_windows, n_tokens, n_features).
    """

    geometry: Callable[[Any, Any], Geometry]
    outputs: tuple[str, ...] = _TIME
    part: str = ""
    network: str = "AutoModel"
    weights: str = ""
    n_features: str = "hidden_size"
    n_layers: str = "num_hidden_layers"
    last_features: str = ""
    n_tokens: int = 0
    arguments: dict[str, str] = field(default_factory=dict)
    options: Callable[[Any, Any], dict[str, Any]] = _usual_options
    states: Callable[[Any, dict[str, Any], int | None], Any] = _last_states


def _finite_states(network, inputs, layer):
    """States for a front end that divides by the deviation of every band: 0 / 0 in silence becomes 0, the mean."""
    import torch

    features = torch.nan_to_num(inputs["input_features"], nan=0.0, posinf=0.0, neginf=0.0)
    return _last_states(network, inputs | {"input_features": features}, layer)


def _audio_embeds(network, inputs, layer):
    return network(**inputs).audio_embeds.unsqueeze(1)


def _class_token_first(network, inputs, layer):
    """The class token and then the frames: the network gives them apart for its last layer only."""
    import torch

    if layer is not None:
        return _last_states(network, inputs, layer)
    made = network(**inputs)
    return torch.cat((made.pooler_output.unsqueeze(1), made.last_hidden_state), dim=1)


def _codec_states(network, inputs, layer):
    """What the encoder of a codec gives to its quantiser."""
    return network.encoder(inputs["input_values"]).transpose(1, 2)


def _mimi_states(network, inputs, layer):
    return network(**inputs).latents.transpose(1, 2)


def _with_mask(config, extractor):
    return _usual_options(config, extractor) | {"return_attention_mask": True}


def _whole_frames(config, extractor):
    return _with_mask(config, extractor) | {
        "padding": True,
        "pad_to_multiple_of": geometry.streaming_frame(config),
    }


def _only_waveforms(config, extractor):
    return {}


_FEATURES = {"input_features": "input_features"}
_VALUES = {"input_values": "input_values"}
_AUDIO_TOWER = r"^(model\.)?audio_tower\."
_ENCODER = r"^(model\.)?encoder\."


def _waveform(**settings: Any) -> HubType:
    """A model of the kind of wav2vec 2.0: convolutions over the waveform, and a transformer."""
    usual: dict[str, Any] = {"geometry": geometry.convolutions, "outputs": _CLASSIFIER}
    return HubType(**usual | settings)


def _whisper_tower(part: str, **settings: Any) -> HubType:
    """The audio encoder of a language model that follows Whisper; alone, or in the file of the whole model."""
    usual: dict[str, Any] = {
        "geometry": geometry.pooled_whisper,
        "part": part,
        "weights": _AUDIO_TOWER if part else "",
        "arguments": _FEATURES,
    }
    return HubType(**usual | settings)


def _seamless(network: str) -> HubType:
    return HubType(
        geometry.seamless,
        network=network,
        weights=r"^speech_encoder\.",
        n_layers="speech_encoder_layers",
    )


def _parakeet(part: str = "encoder_config") -> HubType:
    return HubType(geometry.parakeet, part=part, weights=_ENCODER if part else "")


def _pe_audio(part: str, weights: str) -> HubType:
    return HubType(
        geometry.codec,
        part=part,
        weights=weights,
        n_tokens=1,
        arguments=_VALUES,
        states=_class_token_first,
    )


_MASKED = {"input_features": "input_features", "attention_mask": "input_features_mask"}
_D_MODEL: dict[str, Any] = {"n_features": "d_model", "n_layers": "encoder_layers"}

TYPES: dict[str, HubType] = {
    "audio-spectrogram-transformer": HubType(
        geometry.ast, outputs=("clip", "frames", "grid", "logits"), n_tokens=2
    ),
    "audioflamingo3": _whisper_tower("audio_config", arguments=_MASKED, options=_with_mask),
    "audioflamingo3_encoder": _whisper_tower("", arguments=_MASKED, options=_with_mask),
    "canary": _parakeet(),
    "clap": HubType(
        geometry.clap,
        outputs=("clip",),
        part="audio_config",
        network="ClapAudioModelWithProjection",
        n_features="projection_dim",
        n_layers="",
        n_tokens=1,
        states=_audio_embeds,
    ),
    "dac": HubType(geometry.codec, n_layers="", arguments=_VALUES, states=_codec_states),
    "data2vec-audio": _waveform(last_features="output_hidden_size"),
    "encodec": HubType(geometry.encodec, n_layers="", arguments=_VALUES, states=_codec_states),
    "glmasr": _whisper_tower("audio_config", geometry=geometry.whisper),
    "glmasr_encoder": _whisper_tower("", geometry=geometry.whisper),
    "granite_speech": HubType(
        geometry.granite,
        part="encoder_config",
        network="granite_speech.GraniteSpeechCTCEncoder",
        weights=_ENCODER,
        n_features="hidden_dim",
        n_layers="num_layers",
        arguments={"input_features": "hidden_states"},
        options=_only_waveforms,
    ),
    "granite_speech5_ctc": HubType(geometry.granite5, part="encoder_config", weights=_ENCODER),
    "granite_speech5_encoder": HubType(geometry.granite5),
    "hubert": _waveform(),
    "lasr_ctc": HubType(geometry.lasr, part="encoder_config", weights=_ENCODER),
    "lasr_encoder": HubType(geometry.lasr),
    "mimi": HubType(
        geometry.mimi,
        part="encoder_config",
        n_features="latent_dim",
        n_layers="",
        arguments=_VALUES,
        states=_mimi_states,
    ),
    "moonshine": HubType(
        geometry.moonshine,
        network="moonshine.MoonshineEncoder",
        weights=_ENCODER,
        n_layers="encoder_num_hidden_layers",
    ),
    "moonshine_streaming": HubType(
        geometry.moonshine_streaming,
        part="encoder_config",
        network="moonshine_streaming.MoonshineStreamingEncoder",
        weights=_ENCODER,
        options=_whole_frames,
    ),
    "musicflamingo": _whisper_tower("audio_config", arguments=_MASKED, options=_with_mask),
    "omniasr": HubType(geometry.convolutions, part="audio_config", weights=_AUDIO_TOWER),
    "omniasr_audio": HubType(geometry.convolutions),
    "omniasr_ctc": HubType(geometry.convolutions, part="audio_config", weights=_AUDIO_TOWER),
    "parakeet_ctc": _parakeet(),
    "parakeet_encoder": _parakeet(part=""),
    "parakeet_rnnt": _parakeet(),
    "parakeet_tdt": _parakeet(),
    "pe_audio": _pe_audio("audio_config", r"^audio_encoder\."),
    "pe_audio_encoder": _pe_audio("", ""),
    "pe_audio_video": _pe_audio("audio_video_config.audio_config", r"^audio_model\.audio_encoder\."),
    "qwen2_audio": _whisper_tower("audio_config", **_D_MODEL),
    "qwen2_audio_encoder": _whisper_tower("", **_D_MODEL),
    "seamless_m4t": _seamless("seamless_m4t.SeamlessM4TSpeechEncoder"),
    "seamless_m4t_v2": _seamless("seamless_m4t_v2.SeamlessM4Tv2SpeechEncoder"),
    "sew": _waveform(geometry=geometry.squeezed),
    "sew-d": _waveform(geometry=geometry.squeezed),
    "speech_to_text": HubType(
        geometry.speech_to_text,
        network="speech_to_text.Speech2TextEncoder",
        weights=_ENCODER,
        states=_finite_states,
        **_D_MODEL,
    ),
    "speecht5": HubType(
        geometry.convolutions,
        network="speecht5.SpeechT5EncoderWithSpeechPrenet",
        weights=r"^speecht5\.encoder\.",
        n_layers="encoder_layers",
    ),
    "unispeech": _waveform(),
    "unispeech-sat": _waveform(),
    "voxtral": _whisper_tower("audio_config", geometry=geometry.whisper),
    "voxtral_encoder": _whisper_tower("", geometry=geometry.whisper),
    "wav2vec2": _waveform(last_features="output_hidden_size"),
    "wav2vec2-bert": _waveform(geometry=geometry.w2v_bert, last_features="output_hidden_size"),
    "wav2vec2-conformer": _waveform(last_features="output_hidden_size"),
    "wavlm": _waveform(last_features="output_hidden_size"),
    "whisper": HubType(
        geometry.whisper, outputs=_CLASSIFIER, network="whisper.WhisperEncoder", weights=_ENCODER
    ),
}
