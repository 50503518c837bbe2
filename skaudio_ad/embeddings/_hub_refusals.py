"""Models that `HubEmbedding` refuses, and what to use instead."""

import re
from dataclasses import dataclass
from pathlib import Path

from ._hub_files import read_json
from ._hub_types import TYPES


@dataclass(frozen=True)
class _Native:
    """A family of networks that skaudio_ad has code of its own for.

    Attributes
    ----------
    names : str
        Regular expression for names on the hub.
    words : str
        Regular expression for the type of the model and for the names of its classes.
    file : str
        File of weights to give to the estimator.
    """

    names: str
    words: str
    file: str = "model.safetensors"


# Estimators for networks that are on the hub with code of their own, or without any.
_NATIVE = {
    "BEATsEmbedding": _Native(
        r"(shikhar7ssu|espnet)/OpenBEATs-.+|.+/beats[_-](ckpts|checkpoints)",
        r"(open)?beats",
        "the .pt file, such as BEATs_iter3.pt",
    ),
    "CEDEmbedding": _Native(r"mispeech/ced-.+", r"ced"),
    "DashengEmbedding": _Native(r"mispeech/dasheng-(base|0\.6B|1\.2B)", r"dasheng"),
    "EATEmbedding": _Native(r"worstchan/EAT-.+|ta012/SSLAM.*", r"eat|sslam"),
    "ECHOEmbedding": _Native(r"yucongzh/echo-.+", r"echo"),
    "FISHEREmbedding": _Native(r"jiangab/FISHER-.+", r"fisher", "the .pt file"),
    "PaSSTEmbedding": _Native(r".+/passt[_-].+", r"passt", "the .pt file"),
}

_MAKES_AUDIO = "it makes audio and has no encoder of recordings"
_CODEC = (
    "its encoder needs inputs that only its own codec makes; DAC, EnCodec and Mimi are codecs that are taken"
)
_LANGUAGE = "its encoder of audio is part of a language model, and takes chunks and masks that only its own processor makes"
_STREAMING = "its encoder is made for streams, and takes chunks and caches"
_SEVERAL = "it has no encoder of its own: take the audio model that it was made from"

# Types of transformers that deal with audio and are left out, with the reason.
_LEFT_OUT = {
    **dict.fromkeys(
        (
            "bark",
            "csm",
            "dia",
            "fastspeech2_conformer",
            "fastspeech2_conformer_with_hifigan",
            "gradium_phonon_tts",
            "higgs_audio_v2",
            "musicgen",
            "musicgen_melody",
            "pocket_tts",
            "pop2piano",
            "univnet",
            "vibevoice",
            "vits",
        ),
        _MAKES_AUDIO,
    ),
    **dict.fromkeys(
        (
            "higgs_audio_v2_tokenizer",
            "neucodec",
            "pocket_tts_audio_tokenizer",
            "pocket_tts_audio_tokenizer_encoder",
            "vibevoice_acoustic_tokenizer",
            "vibevoice_acoustic_tokenizer_encoder",
            "wavtokenizer",
            "wavtokenizer_encoder",
            "xcodec",
            "xcodec2",
        ),
        _CODEC,
    ),
    **dict.fromkeys(
        (
            "apertus1p5",
            "dots3_note",
            "embedding_gemma2",
            "fun_asr_nano",
            "fun_asr_nano_encoder",
            "gemma3n",
            "gemma3n_audio",
            "gemma4",
            "gemma4_audio",
            "gemma4_unified",
            "granite_speech_plus",
            "inkling_mm_model",
            "kyutai_speech_to_text",
            "moshi",
            "moss_transcribe_diarize",
            "moss_transcribe_diarize_audio",
            "muse_spark",
            "muse_spark_audio",
            "phi4_multimodal",
            "qwen2_5_omni",
            "qwen3_asr",
            "qwen3_asr_encoder",
            "qwen3_omni_moe",
            "vibevoice_asr",
        ),
        _LANGUAGE,
    ),
    **dict.fromkeys(
        (
            "nemo_speechlm",
            "nemotron3_5_asr",
            "nemotron3_diarization",
            "nemotron_asr_streaming",
            "nemotron_asr_streaming_encoder",
            "voxtral_realtime",
            "voxtral_realtime_encoder",
        ),
        _STREAMING,
    ),
    "clvp": "its encoder of speech compares tokens of speech with texts, and takes no recordings",
    "cohere_asr": "its front end adds random noise, so that a clip has no embedding of its own",
    "mimi_encoder": "the configuration must be that of the whole codec, with model_type 'mimi'",
    "speech-encoder-decoder": _SEVERAL,
}


def check_name(model_id: str) -> None:
    """Raise for the name of a model on the hub that a public class has code for. Nothing is downloaded.

    Parameters
    ----------
    model_id : str
        Name on the hub.

    Raises
    ------
    ValueError
        If the name is that of a published model that another estimator takes.
    """
    for estimator, family in _NATIVE.items():
        if re.fullmatch(family.names, model_id, flags=re.IGNORECASE):
            raise ValueError(
                f"{model_id!r}: {_use(estimator)}: download {family.file} of it (hf download {model_id}), and write "
                f"{estimator}(weights=...) with the path of the file."
            )


def check_type(path: Path, name: str) -> None:
    """Raise unless the type of a model is one that `HubEmbedding` takes.

    Parameters
    ----------
    path : pathlib.Path
        Configuration of the model, config.json.
    name : str
        Name of the model, in messages.

    Raises
    ------
    ValueError
        If the type is not taken. The message says why, and what takes the model instead.
    WeightsError
        If the file holds no JSON.
    """
    config = read_json(path)
    model_type = config.get("model_type")
    if isinstance(model_type, str) and model_type in TYPES and _is_known(model_type):
        return
    own_code = config.get("auto_map")
    code = (
        f"{name}: {path} names code that comes with the model (auto_map), and HubEmbedding never runs such code. "
        if own_code
        else ""
    )
    estimator = _native(config)
    if estimator:
        family = _NATIVE[estimator]
        raise ValueError(
            f"{code or name + ': '}{_use(estimator)}. Give {family.file} of the model to it: "
            f"{estimator}(weights={str(path.parent / 'model.safetensors')!r})."
            if family.file == "model.safetensors"
            else f"{code or name + ': '}{_use(estimator)}. Give its file to it as weights, {family.file}."
        )
    if model_type in _LEFT_OUT:
        raise ValueError(
            f"{name}: HubEmbedding leaves out models of type {model_type!r}: {_LEFT_OUT[model_type]}."
        )
    if model_type in TYPES or own_code or not _is_known(model_type):
        import transformers

        raise ValueError(
            f"{code or name + ': '}The installed transformers {transformers.__version__} has no model of type "
            f"{model_type!r}, which {path} names. If a later release has it, pip install -U transformers. A "
            "ModuleEmbedding takes any network that you load yourself."
        )
    raise ValueError(
        f"{name}: model_type must be one of {', '.join(map(repr, sorted(TYPES)))}, {path} says {model_type!r}. A "
        "ModuleEmbedding takes any other model."
    )


def _use(estimator):
    return f"{estimator} takes this network, by code of skaudio_ad"


def _is_known(model_type):
    """Whether the installed transformers has models of a type."""
    from transformers import CONFIG_MAPPING

    return model_type in CONFIG_MAPPING


def _native(config):
    """The estimator for a network, by the type of the model and the names of its classes; None if there is none."""
    named = [config.get("model_type"), *(config.get("architectures") or ())]
    for value in (config.get("auto_map") or {}).values():
        named += value if isinstance(value, list) else [value]
    # "modeling_ced.CedForAudioClassification" is the class CedForAudioClassification, and its first word is "Ced".
    classes = [name.rpartition(".")[2] for name in named if isinstance(name, str)]
    for estimator, family in _NATIVE.items():
        for name in classes:
            if re.match(rf"(?i:{family.words})(?=[A-Z_-]|$)", name):
                return estimator
    return None
