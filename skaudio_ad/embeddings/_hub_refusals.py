"""Models that `HubEmbedding` refuses, and what to use instead."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ._hub_files import read_json
from ._hub_types import TYPES
from ._registry import known_backbones


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
        Name of the file of weights to give to the estimator, or words for it.
    """

    names: str
    words: str
    file: str = "model.safetensors"


_PT = "its .pt file"
# Estimators for networks that are on the hub with code of their own, or without any.
_NATIVE = {
    "BEATsEmbedding": _Native(
        r"(shikhar7ssu|espnet)/OpenBEATs-.+|.+/beats[_-](ckpts|checkpoints)", r"(open)?beats", _PT
    ),
    "CEDEmbedding": _Native(r"mispeech/ced-.+", r"ced"),
    "DashengEmbedding": _Native(r"mispeech/dasheng-(base|0\.6B|1\.2B)", r"dasheng"),
    "EATEmbedding": _Native(r"worstchan/EAT-.+|ta012/SSLAM.*", r"eat|sslam"),
    "ECHOEmbedding": _Native(r"yucongzh/echo-.+", r"echo"),
    "FISHEREmbedding": _Native(r"jiangab/FISHER-.+", r"fisher"),
    "PaSSTEmbedding": _Native(r".+/passt[_-].+", r"passt", _PT),
}

_OWN_CODE = "HubEmbedding never runs code that comes with a model"
_MAKES_AUDIO = "it makes audio and has no encoder of recordings"
_CODEC = (
    "its encoder needs inputs that only its own codec makes; DAC, EnCodec and Mimi are codecs that are taken"
)
_LANGUAGE = "its encoder of audio is part of a language model, and takes chunks or masks that only its processor makes"
_STREAMING = "its encoder is made for streams, and takes chunks and caches"

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
            "nemotron_h_omni",
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
    "pop2piano": "its front end cuts a recording at its beats, and gives notes",
    "speech-encoder-decoder": "it has no encoder of its own: take the model of its encoder",
}


def check_name(model_id: str) -> None:
    """Raise for a file, and for a model that another estimator takes by its name. Nothing is downloaded.

    Parameters
    ----------
    model_id : str
        Name on the hub, or a path that is no folder with a config.json.

    Raises
    ------
    ValueError
        If HubEmbedding does not take the model. The message says what takes it.
    """
    if os.path.exists(model_id):
        name = os.path.basename(os.path.normpath(model_id))
        estimator = _native([name if os.path.isdir(model_id) else os.path.splitext(name)[0]])
        if os.path.isdir(model_id) and estimator:
            raise ValueError(
                f"{model_id}: there is no config.json. {estimator} computes this network with code of skaudio_ad: give "
                f"{_NATIVE[estimator].file} to it as weights."
            )
        if os.path.isfile(model_id):
            use = (
                f"{estimator}(weights={model_id!r}) may take it"
                if estimator
                else "save_pretrained writes a folder"
            )
            raise ValueError(
                f"model_id must be a folder or a name on the hub, got the file {model_id!r}: {use}."
            )
    elif any(model_id == backbone.name for backbone in known_backbones()):
        raise ValueError(
            f"{model_id!r} is a backbone of skaudio_ad and no model of the hub: write BackboneEmbedding({model_id!r})."
        )
    for estimator, family in _NATIVE.items():
        if re.fullmatch(family.names, model_id, flags=re.IGNORECASE):
            call = f"{estimator}({_variant(model_id)}weights=...)"
            raise ValueError(
                f"{model_id!r}: {_OWN_CODE}. {estimator} computes this network with code of skaudio_ad: download "
                f"{family.file} (hf download {model_id}), and write {call} with the path of the file."
            )


def _variant(model_id: str) -> str:
    """The first argument of the estimator: the variant whose authors call it so, or an empty text."""
    last = model_id.rpartition("/")[2].lower()
    for backbone in known_backbones():
        if (backbone.author_name or "").rpartition("/")[2].lower() == last:
            return f'"{backbone.name}", '
    return ""


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
    import transformers

    config = read_json(path)
    model_type = config.get("model_type")
    known = model_type in transformers.CONFIG_MAPPING
    if known and model_type in TYPES:
        return
    estimator = _native(_class_names(config))
    if estimator:
        file = _NATIVE[estimator].file
        found = path.parent / file
        use = f"{estimator}(weights={str(found)!r})" if found.is_file() else f"give {file} to it as weights"
        raise ValueError(
            f"{name}: {_OWN_CODE}. {estimator} computes this network with code of skaudio_ad: {use}."
        )
    if model_type in _LEFT_OUT:
        reason = _LEFT_OUT[model_type]
        raise ValueError(f"{name}: HubEmbedding leaves out models of type {model_type!r}, because {reason}.")
    if not known and isinstance(model_type, str):
        own_code = f"{path} names such code (auto_map), and {_OWN_CODE}. " if "auto_map" in config else ""
        raise ValueError(
            f"{name}: transformers {transformers.__version__} has no models of type {model_type!r} without code that "
            f"comes with the model. {own_code}A later release may have them: pip install -U transformers. A "
            "ModuleEmbedding takes any network that you load yourself."
        )
    raise ValueError(
        f"{name}: model_type must be one of {', '.join(map(repr, sorted(TYPES)))}, {path} says {model_type!r}. A "
        "ModuleEmbedding takes any other model."
    )


def _class_names(config):
    """Type of a model and names of its classes: "modeling_ced.CedModel" is the class CedModel."""
    code = config.get("auto_map")
    named = [
        config.get("model_type"),
        config.get("architectures"),
        *(code.values() if isinstance(code, dict) else ()),
    ]
    names = [name for value in named for name in (value if isinstance(value, list) else [value])]
    return [name.rpartition(".")[2] for name in names if isinstance(name, str)]


def _native(names):
    """The estimator whose networks have such names; None if there is none."""
    for estimator, family in _NATIVE.items():
        # "EATModel", "eat_base" and "CedModel" begin with a word of a family, "Eaton" and "cedar" do not.
        if any(re.match(rf"(?i:{family.words})(?=[A-Z_-]|$)", name) for name in names):
            return estimator
    return None
