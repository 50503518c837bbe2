"""Audio models of the transformers library, as their configuration describes them."""

import json
import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from .._checksums import WeightsError
from ._hub_files import digest_of, find_folder, model_files, stamps_of

# Types of model that take the waveform itself.
_WAVEFORM_TYPES = (
    "data2vec-audio",
    "hubert",
    "unispeech",
    "unispeech-sat",
    "wav2vec2",
    "wav2vec2-conformer",
    "wavlm",
)
OUTPUTS = {
    "audio-spectrogram-transformer": ("clip", "frames", "grid", "logits"),
    "clap": ("clip",),
    "whisper": ("clip", "frames", "logits"),
    **dict.fromkeys(_WAVEFORM_TYPES, ("clip", "frames", "logits")),
}


@dataclass(frozen=True)
class HubModel:
    """Inputs and outputs of a model, read from the configuration files beside its weights.

    Attributes
    ----------
    folder : str
    name : str
        Name of the model, in messages and columns.
    digest : str
        SHA-256 of configuration and weights.
    model_type : str
        Type of the model, as transformers calls it.
    sample_rate : int
        Sample rate of the waveforms, in hertz.
    n_features : int
        Number of values of an embedding.
    n_layers : int
    labels : tuple of str
        Classes of the logits; () without a classifier.
    min_samples, max_samples : int, int or None
        Minimum and maximum number of samples of a window; None is any number.
    frames : Frames or None
        None for a model that keeps no time.
    grid : (int, int) or None
        Number of bands and of frames of the patches, including the frames after the end of a short clip.
    """

    folder: str
    name: str
    digest: str
    model_type: str
    sample_rate: int
    n_features: int
    n_layers: int
    labels: tuple
    min_samples: int
    max_samples: int | None
    frames: Any
    grid: tuple | None


@dataclass(frozen=True)
class Frames:
    """Samples that every frame sees: `width` samples, `step` samples after the frame before, the first from `start`."""

    start: int
    width: int
    step: int

    def number(self, n_samples: int) -> int:
        """Number of frames of a window, without the frames that lie in padding alone."""
        return max(1, (n_samples - self.start - self.width) // self.step + 1)

    def centre(self, frame: float) -> float:
        """The sample in the middle of a frame."""
        return self.start + self.width / 2 + frame * self.step


def hub_model(model_id: str | os.PathLike[str], revision: str | None) -> HubModel:
    """Find a model on the disk, or if it is not there on the hub, and read its configuration.

    Parameters
    ----------
    model_id : str or path-like
        Folder, or name on the hub.
    revision : str or None
        Branch, tag or commit on the hub.

    Returns
    -------
    HubModel

    Raises
    ------
    ImportError
        If transformers is missing.
    WeightsError
        If files of the model cannot be found or downloaded.
    ValueError
        If the type of the model is not known here, or its configuration has no sample rate.
    """
    import_transformers()
    folder = find_folder(os.fspath(model_id), revision)
    name = os.path.basename(os.path.normpath(os.fspath(model_id)))
    return _describe(str(folder), name, stamps_of(model_files(folder)))


def import_transformers():
    """The transformers library, or an ImportError that says how to install it."""
    try:
        with quiet_warnings():
            import transformers
    except ImportError as error:
        raise ImportError(
            "HubEmbedding needs the transformers library: pip install 'skaudio_ad[hub]'."
        ) from error
    return transformers


@contextmanager
def quiet_warnings():
    """Run a block without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def quiet():
    """Run a block without the bars, reports and warnings of transformers."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with quiet_warnings():
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


@lru_cache(maxsize=16)
def _describe(folder, name, stamps):
    config_path, extractor_path = (Path(stamp[0]) for stamp in stamps[:2])
    model_type = _read_json(config_path).get("model_type")
    if model_type not in OUTPUTS:
        raise ValueError(
            f"{name}: model_type must be one of {', '.join(map(repr, sorted(OUTPUTS)))}, {config_path} says "
            f"{model_type!r}. A ModuleEmbedding takes any other model."
        )
    front_end = _read_json(extractor_path)
    front_end = front_end.get("feature_extractor", front_end)
    if not isinstance(front_end.get("sampling_rate"), int):
        raise ValueError(
            f"{name}: {extractor_path} must give the sampling_rate that the model was trained at, in hertz, and gives "
            f"{front_end.get('sampling_rate')!r}. Write it there."
        )
    transformers = import_transformers()
    with quiet():
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
        extractor = transformers.AutoFeatureExtractor.from_pretrained(folder, trust_remote_code=False)
    # Only a classifier of the checkpoint itself counts: any other would have random weights.
    classifies = any(
        name.endswith(("ForAudioClassification", "ForSequenceClassification"))
        for name in config.architectures or ()
    )
    return HubModel(
        folder=folder,
        name=name,
        digest=digest_of(stamps),
        model_type=model_type,
        sample_rate=extractor.sampling_rate,
        n_features=config.audio_config.projection_dim if model_type == "clap" else config.hidden_size,
        n_layers=config.audio_config.num_hidden_layers if model_type == "clap" else config.num_hidden_layers,
        labels=tuple(config.id2label[i] for i in range(config.num_labels)) if classifies else (),
        **_geometry(model_type, config, extractor),
    )


def _read_json(path):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{path}: no JSON ({error}).") from error
    return content if isinstance(content, dict) else {}


def _geometry(model_type, config, extractor):
    """Samples that a window may have, and where frames lie in it."""
    if model_type == "clap":
        return {"min_samples": 1, "max_samples": extractor.nb_max_samples, "frames": None, "grid": None}
    if model_type == "whisper":
        # A frame spans two frames of the spectrogram, the first of them centred on the first sample.
        step = 2 * extractor.hop_length
        frames = Frames(start=-step // 2, width=step, step=step)
        return {"min_samples": 1, "max_samples": extractor.n_samples, "frames": frames, "grid": None}
    if model_type == "audio-spectrogram-transformer":
        # Kaldi's spectrogram has frames of 25 ms every 10 ms.
        width, hop_length = round(0.025 * extractor.sampling_rate), round(0.01 * extractor.sampling_rate)
        patch = config.patch_size
        return {
            "min_samples": width,
            "max_samples": width + (min(extractor.max_length, config.max_length) - 1) * hop_length,
            "frames": Frames(0, width + (patch - 1) * hop_length, config.time_stride * hop_length),
            "grid": (
                (config.num_mel_bins - patch) // config.frequency_stride + 1,
                (config.max_length - patch) // config.time_stride + 1,
            ),
        }
    width, step = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride):
        width, step = width + (kernel - 1) * step, step * stride
    return {"min_samples": width, "max_samples": None, "frames": Frames(0, width, step), "grid": None}
