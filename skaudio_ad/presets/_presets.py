"""`make_preset`: pipelines from recordings to scores by name, such as the settings of published systems."""

from typing import Any, Literal, TypeAlias

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from .._checks import check_option
from .._typing import RandomState
from ..audio import AudioLoader, LevelNormalizer
from ..detectors import (
    AutoencoderDetector,
    SequenceAutoencoderDetector,
    SequencePredictorDetector,
    VAEDetector,
)
from ..features import ClipScaler, MelTransformer, MFCCTransformer, TemporalPooling
from ._detector_pipeline import DetectorPipeline
from ._make_detector import make_detector
from ._recipes import RECIPES, make_recipe

PresetName: TypeAlias = Literal[
    "embedding_nearest",
    "embedding_mahalanobis",
    "embedding_one_class_svm",
    "embedding_genrep",
    "embedding_beam",
    "autoencoder",
    "dcase_baseline",
    "dcase_mahalanobis",
    "dcase_mahalanobis_clip",
    "heart_lung",
    "dog_bark_vae",
    "next_frame_lstm",
    "window_gru",
]
#: Description of every preset, by name.
PRESETS: dict[str, str] = {
    "embedding_nearest": "nearest neighbour of whitened embeddings of a pretrained backbone, calibrated, 32 kHz",
    "embedding_mahalanobis": "Mahalanobis distance of embeddings of a pretrained backbone, calibrated, 32 kHz",
    "embedding_one_class_svm": "one-class SVM on embeddings of a pretrained backbone, calibrated, 32 kHz",
    **RECIPES,
    "autoencoder": "dense autoencoder on 5-frame windows of a log-mel spectrogram, every band standardised, 16 kHz",
    "dcase_baseline": "dense autoencoder on 5-frame windows of a log-mel spectrogram, 16 kHz: machines (DCASE Task 2)",
    "dcase_mahalanobis": "dcase_baseline with the Mahalanobis distance of every window, 16 kHz: machines (DCASE 2023)",
    "dcase_mahalanobis_clip": "dcase_baseline with the Mahalanobis distance of the mean residual, 16 kHz: machines",
    "heart_lung": "dense autoencoder on the MFCCs of 15 s, 22.05 kHz: heart and lung sounds (HLS-CMDS)",
    "dog_bark_vae": "convolutional VAE on the log-mel spectrogram of 3 s, 22.05 kHz: dog barks",
    "next_frame_lstm": "LSTM that predicts the next log-mel frame from 10, 16 kHz: machines",
    "window_gru": "GRU autoencoder on windows of 10 log-mel frames, 16 kHz: machines",
}


def make_preset(
    name: PresetName,
    *,
    duration: float | None = None,
    level: Literal["rms", "peak", "preset"] | None = "preset",
    on_error: Literal["raise", "skip"] = "raise",
    lazy: bool = False,
    random_state: RandomState = None,
    **detector: Any,
) -> Pipeline:
    """Build the unfitted pipeline of a named system.

    Parameters
    ----------
    name : str
        Name of the system, one of :data:`PRESETS`.

        - "embedding_nearest", "embedding_mahalanobis" and "embedding_one_class_svm": :func:`make_detector` with this
          head, and with its defaults.
        - "embedding_genrep": cosine distance to the nearest normal clip on the embeddings of a frozen backbone, after
          GenRep [1]_. With ``domains=True``, `fit` must get domains: every domain has a bank, the banks of scarce
          domains get mixtures with clips of the largest one, and the distances to every bank are standardised.
        - "embedding_beam": the nearest normal clip in every frequency band of a grid of embeddings, after BEAM [2]_:
          :class:`BandMemoryDetector` with relative deviation pooling over time and local density.
        - "dcase_baseline": log-mel of 128 bands at 16 kHz (n_fft 1024, hop 512), windows of 5 frames, autoencoder
          640-128x4-8-128x4-640.
        - "dcase_mahalanobis" and "dcase_mahalanobis_clip": the same with ``error="mahalanobis"``, the form of the
          paper, and ``error="mahalanobis-clip"``, the form of the released program (:class:`AutoencoderDetector`).
          `fit` takes the domains of the clips.
        - "autoencoder": the same features, every band standardised by the training set, and
          :class:`AutoencoderDetector` with its defaults. No publication describes this system.
        - "heart_lung": 15 s at 22.05 kHz (330 000 samples), 13 MFCCs per frame, scaled to [0, 1] by the training set,
          autoencoder input-128-32-128-input.
        - "dog_bark_vae": 3 s at 22.05 kHz, log-mel of 128 bands (n_fft 2048, hop 512), every clip scaled to [0, 1],
          :class:`VAEDetector`.
        - "next_frame_lstm" and "window_gru": log-mel as for "dcase_baseline", every band standardised by the
          training set, :class:`SequencePredictorDetector` and :class:`SequenceAutoencoderDetector`. The published
          systems name no scaling; on raw decibels the GRU learns nothing in 10 epochs.

    duration : float or None, default=None
        Duration of every recording, in seconds. None uses the duration of the preset: 15 s for "heart_lung", 3 s for
        "dog_bark_vae", and the whole recording for the others. The networks of "heart_lung" and "dog_bark_vae" need
        clips of one length, so shorter recordings are padded with silence.

    level : {"rms", "peak", "preset", None}, default="preset"
        Level that every recording is normalised to (:class:`LevelNormalizer`). None keeps the loudness. "preset" is
        "rms" for embeddings, and None for the other presets, as published.

    on_error : {"raise", "skip"}, default="raise"
        Whether a file that cannot be read raises an error or is skipped (:class:`AudioLoader`).

    lazy : bool, default=False
        Whether every spectrogram is computed when the next step needs it. Scoring then holds one spectrogram at a time
        in memory. Training holds the spectrograms of the training clips once instead of twice. Embeddings are small,
        so there is no lazy form, and `lazy` has no effect on them.

    random_state : int, RandomState instance or None, default=None
        Seed of the detector.

    **detector : dict
        Parameters of the detector that differ from the preset, such as ``max_epochs=20``; for embeddings, parameters of
        :func:`make_detector`, such as ``false_alarms=0.02``, and for "embedding_genrep" also ``domains=True``.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Pipeline as :func:`make_detector` returns it, for embeddings. Otherwise a pipeline for a list of paths, or for
        waveforms at the sample rate of the preset. Steps: "load", "level" (with
        `level`), "features", "pool" ("heart_lung" only), "scale" (all but the baselines of DCASE), "detector".
        ``fit(X, domains=...)`` of the presets that take domains passes the domains to the detector.

    Notes
    -----
    "dcase_baseline" takes raw decibels, as published. Standardised bands suit an autoencoder better, because the bands
    that vary most dominate its loss on raw decibels.

    "embedding_genrep" and "embedding_beam" train nothing. They differ from the publications:

    - The backbone is the one that `backbone` names, with ``output="clip"`` or "grid", instead of BEATs with selected
      layers. `level` is "rms".
    - "embedding_genrep" standardises the distances of a domain by leave-one-out distances of training clips, instead of
      statistics of the test set, so that the score of a clip does not depend on other test clips. Without domains there
      are neither mixtures nor a standardisation.
    - "embedding_beam" always pools by relative deviation, instead of an adaptive fusion, and divides by the local
      density of every band.

    References
    ----------
    .. [1] P. Saengthong and T. Shinozaki, "Deep generic representations for domain-generalized anomalous sound
       detection", arXiv:2409.05035, 2024.
    .. [2] P. Saengthong and T. Shinozaki, "Sub-band spectral matching with localized score aggregation for robust
       anomalous sound detection", arXiv:2603.13749, 2026.

    Examples
    --------
    >>> from skaudio_ad.presets import make_preset
    >>> list(make_preset("dcase_baseline", level="rms").named_steps)
    ['load', 'level', 'features', 'detector']
    """
    check_option(name, "name", tuple(PRESETS))
    if name in RECIPES:
        level = "rms" if level == "preset" else level
        settings: dict[str, Any] = {
            "duration": duration,
            "level": level,
            "on_error": on_error,
            "random_state": random_state,
        }
        return make_recipe(name, **settings, **detector)
    head = name.removeprefix("embedding_")
    if head != name:
        return make_detector(
            head=head,
            duration=duration,
            level="rms" if level == "preset" else level,
            on_error=on_error,
            random_state=random_state,
            **detector,
        )
    if level == "preset":
        level = None
    detector = {"random_state": random_state, **detector}
    rate, length = 16000, None
    features: MelTransformer | MFCCTransformer = MelTransformer(rate, lazy=lazy)
    if name.startswith("dcase_"):
        error = name.removeprefix("dcase_").replace("_", "-")
        if error != "baseline":
            detector = {"error": error, **detector}
        last = [("detector", AutoencoderDetector.from_preset("dcase_baseline", **detector))]
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
    kind = DetectorPipeline if "error" in detector else Pipeline
    return kind([*first, ("features", features), *last])
