"""Whole pipelines with the settings of published systems, from recordings to scores."""

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from ._checks import check_option
from .audio import AudioLoader, LevelNormalizer
from .detectors import (
    AutoencoderDetector,
    SequenceAutoencoderDetector,
    SequencePredictorDetector,
    VAEDetector,
)
from .features import ClipScaler, MelTransformer, MFCCTransformer, TemporalPooling

#: What each preset is, for people.
PRESETS = {
    "autoencoder": "dense autoencoder on 5-frame windows of a log-mel spectrogram, every band standardised, 16 kHz",
    "dcase_baseline": "dense autoencoder on 5-frame windows of a log-mel spectrogram, 16 kHz: machines (DCASE Task 2)",
    "heart_lung": "dense autoencoder on the MFCCs of 15 s, 22.05 kHz: heart and lung sounds (HLS-CMDS)",
    "dog_bark_vae": "convolutional VAE on the log-mel spectrogram of 3 s, 22.05 kHz: dog barks",
    "next_frame_lstm": "LSTM that predicts the next log-mel frame from 10, 16 kHz: machines",
    "window_gru": "GRU autoencoder on windows of 10 log-mel frames, 16 kHz: machines",
}


def make_preset(
    name, *, duration=None, level=None, on_error="raise", lazy=False, random_state=None, **detector
):
    """Build the pipeline of a named system, unfitted.

    Parameters
    ----------
    name : {"autoencoder", "dcase_baseline", "heart_lung", "dog_bark_vae", "next_frame_lstm", "window_gru"}
        "autoencoder", the only one that is not published: features as for "dcase_baseline", every band standardised
        by the training set, and :class:`AutoencoderDetector` with its defaults. "dcase_baseline": log-mel of 128 bands
        at 16 kHz (n_fft 1024, hop 512), windows of 5 frames, autoencoder 640-128x4-8-128x4-640. "heart_lung": 15 s at
        22.05 kHz (330 000 samples), 13 MFCCs a frame, scaled to [0, 1] by the training set, autoencoder
        input-128-32-128-input. "dog_bark_vae": 3 s at 22.05 kHz, log-mel of 128 bands (n_fft 2048, hop 512), scaled to
        [0, 1] clip by clip, :class:`VAEDetector`.
        "next_frame_lstm" and "window_gru": log-mel as for "dcase_baseline", every band standardised by the
        training set, :class:`SequencePredictorDetector` and :class:`SequenceAutoencoderDetector`. (Their
        published systems name no scaling; on raw decibels the GRU learns nothing in 10 epochs.)

    duration : float or None, default=None
        Seconds of every recording. None is the preset's own: all of it; 15 s for "heart_lung" and 3 s for
        "dog_bark_vae", whose networks need one length, with silence after shorter recordings.

    level : {"rms", "peak", None}, default=None
        Bring every recording to one level first (:class:`LevelNormalizer`). None keeps loudness, as the
        published systems do.

    on_error : {"raise", "skip"}, default="raise"
        What to do about files that cannot be read (:class:`AudioLoader`).

    lazy : bool, default=False
        Whether spectrograms are computed when the detector asks, for corpora larger than memory.

    random_state : int, RandomState instance or None, default=None
        Of the detector.

    **detector : dict
        Parameters of the detector that differ from the preset, such as ``max_epochs=20``.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Takes a list of paths, or waveforms at the preset's sample rate. Steps: "load", "level" (if asked
        for), "features", "pool" ("heart_lung" only), "scale" (all but "dcase_baseline"), "detector".

    Notes
    -----
    "dcase_baseline" takes raw decibels, as published. Standardised bands suit an autoencoder better, because on raw
    decibels the bands that vary most make up most of its loss.

    Examples
    --------
    >>> from skaudio_ad.presets import make_preset
    >>> list(make_preset("dcase_baseline", level="rms").named_steps)
    ['load', 'level', 'features', 'detector']
    """
    check_option(name, "name", tuple(PRESETS))
    detector = {"random_state": random_state, **detector}
    rate, length = 16000, None
    features: MelTransformer | MFCCTransformer = MelTransformer(rate, lazy=lazy)
    if name == "dcase_baseline":
        last = [("detector", AutoencoderDetector.from_preset(name, **detector))]
    elif name == "heart_lung":
        rate, length = 22050, 330_000 / 22050
        features = MFCCTransformer(rate, n_mfcc=13, lazy=lazy)
        model = AutoencoderDetector.from_preset(name, **detector)
        last = [("pool", TemporalPooling("flatten")), ("scale", MinMaxScaler()), ("detector", model)]
    elif name == "dog_bark_vae":
        rate, length = 22050, 3.0
        features = MelTransformer(rate, n_fft=2048, lazy=lazy)
        last = [("scale", ClipScaler("minmax", statistics="clip")), ("detector", VAEDetector(**detector))]
    else:
        kinds: dict[str, type] = {
            "autoencoder": AutoencoderDetector,
            "next_frame_lstm": SequencePredictorDetector,
            "window_gru": SequenceAutoencoderDetector,
        }
        last = [("scale", ClipScaler("zscore", statistics="bin")), ("detector", kinds[name](**detector))]
    cut = (
        {"duration": duration}
        if length is None
        else {"duration": length if duration is None else duration, "pad": "zeros"}
    )
    first = [("load", AudioLoader(rate, on_error=on_error, **cut))]
    if level is not None:
        first.append(("level", LevelNormalizer(level)))
    return Pipeline([*first, ("features", features), *last])
