"""Whole pipelines with the settings of published systems, from recordings to scores."""

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from ._checks import check_option
from .audio import AudioLoader, LevelNormalizer
from .detectors import AutoencoderDetector
from .features import MelTransformer, MFCCTransformer, TemporalPooling

#: What each preset is, for people.
PRESETS = {
    "dcase_baseline": "dense autoencoder on 5-frame windows of a log-mel spectrogram, 16 kHz: machines (DCASE Task 2)",
    "heart_lung": "dense autoencoder on the MFCCs of 15 s, 22.05 kHz: heart and lung sounds (HLS-CMDS)",
}


def make_preset(
    name, *, duration=None, level=None, on_error="raise", lazy=False, random_state=None, **detector
):
    """Build the pipeline of a published system, unfitted.

    Parameters
    ----------
    name : {"dcase_baseline", "heart_lung"}
        "dcase_baseline": log-mel of 128 bands at 16 kHz (n_fft 1024, hop 512), windows of 5 frames, autoencoder
        640-128x4-8-128x4-640. "heart_lung": 15 s at 22.05 kHz (330 000 samples), 13 MFCCs a frame, scaled to
        [0, 1] by the training set, autoencoder input-128-32-128-input.

    duration : float or None, default=None
        Seconds of every recording. None is the preset's own: all of it, and 15 s with silence after
        shorter recordings for "heart_lung", whose network needs one length.

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
        for), "features", "pool" and "scale" ("heart_lung" only), "detector".

    Examples
    --------
    >>> from skaudio_ad.presets import make_preset
    >>> list(make_preset("dcase_baseline", level="rms").named_steps)
    ['load', 'level', 'features', 'detector']
    """
    check_option(name, "name", tuple(PRESETS))
    model = AutoencoderDetector.from_preset(name, random_state=random_state, **detector)
    if name == "dcase_baseline":
        rate, cut = 16000, {"duration": duration}
        middle = [("features", MelTransformer(rate, lazy=lazy))]
    else:
        rate = 22050
        cut = {"duration": 330_000 / rate if duration is None else duration, "pad": "zeros"}
        middle = [
            ("features", MFCCTransformer(rate, n_mfcc=13, lazy=lazy)),
            ("pool", TemporalPooling("flatten")),
            ("scale", MinMaxScaler()),
        ]
    first = [("load", AudioLoader(rate, on_error=on_error, **cut))]
    if level is not None:
        first.append(("level", LevelNormalizer(level)))
    return Pipeline([*first, *middle, ("detector", model)])
