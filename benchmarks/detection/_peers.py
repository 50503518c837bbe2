"""PyOD's detectors as configurations of the benchmark, on our features and on the features of PyOD.

=================================  ================================================================================
configuration                      detector
=================================  ================================================================================
mini/PyOD NAME                     KNN, ECOD, IForest, AutoEncoder, VAE or DeepSVDD on the features of
                                   ``make_detector``
pyod74/PyOD NAME                   ECOD, AutoEncoder, VAE or DeepSVDD on the 74 values of PyOD's audio encoder
pyod74/PyOD for_audio QUALITY      ``EmbeddingOD.for_audio(QUALITY)`` on these values: IForest with "fast", KNN
                                   with "balanced" (PyOD's default), LUNAR with "best"
pyod74-rms/PyOD for_audio ...      "balanced" on recordings that were brought to one level
pyod74/nearest                     the default head of ``make_detector`` on the 74 values
paths/PyOD AudioAE                 PyOD's autoencoder on windows of a log-mel spectrogram, from paths
=================================  ================================================================================

All detectors have PyOD's default parameters, except for the batch size of networks. PyOD drops incomplete batches, and
without any complete batch the training ends in an error. Therefore a batch is at most as large as the training set.
Features are standardised by the training clips, as ``EmbeddingOD`` does.

PyOD's own threshold takes the scores of clips that trained. Therefore every detector is calibrated for a rate of 0.05
as the heads of ``make_detector`` are. Leaving one out takes minutes for two detectors: LUNAR takes 5 folds instead, and
AudioAE holds out 30 % of the clips.

Facts that a reader of the results has to know:

- A score of ECOD depends on the batch, because ECOD ranks a clip among all clips of the batch. Here every clip is
  scored alone (:class:`PyODDetector`).
- VAE draws random numbers while it scores. Here every clip is scored alone, with the generators seeded anew.
- The audio encoder takes the mean of all channels, and keeps the loudness. The encoder pads an empty file with silence,
  and the file gets a score like any other.
- The default of VAE clamps the Kullback-Leibler divergence to 0, so that `beta` has no effect.
"""

import random
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio_ad.audio import AudioLoader, LevelNormalizer
from skaudio_ad.presets import make_detector
from skaudio_ad.thresholds import ConformalThreshold, ThresholdedDetector

from ._configurations import FALSE_ALARMS, Configuration, calibrated

PACKAGES = ("pyod", "librosa")
#: Module below ``pyod.models`` and class of every detector, by name.
MODELS = {
    "KNN": ("knn", "KNN"),
    "ECOD": ("ecod", "ECOD"),
    "IForest": ("iforest", "IForest"),
    "AutoEncoder": ("auto_encoder", "AutoEncoder"),
    "VAE": ("vae", "VAE"),
    "DeepSVDD": ("deep_svdd", "DeepSVDD"),
    "LUNAR": ("lunar", "LUNAR"),
    "AudioAE": ("audio_ae", "AudioAE"),
}
#: Detectors of ``EmbeddingOD.for_audio`` by quality.
QUALITIES = {"fast": "IForest", "balanced": "KNN", "best": "LUNAR"}
_RANDOM = ("IForest", "AutoEncoder", "VAE", "DeepSVDD", "LUNAR", "AudioAE")
# Detectors whose scores depend on the other clips in the batch.
_ALONE = ("ECOD", "VAE")
_NETWORKS = ("AutoEncoder", "VAE", "DeepSVDD")
# Number of rows in a batch of PyOD's networks: the default of all three.
_BATCH_SIZE = 32
# PyOD's sample rate, in hertz.
_RATE = 22050


class PyODDetector(BaseEstimator):
    """A detector of PyOD with the methods of scikit-learn: ``score_samples``, higher is more normal.

    Parameters
    ----------
    model : str
        A name of :data:`MODELS`, or "for_audio QUALITY" for ``EmbeddingOD.for_audio(QUALITY)`` on features that PyOD's
        encoder has already computed.
    seed : int or None, default=None
        Seed of the detectors that are random.

    Attributes
    ----------
    model_ : pyod.models.base.BaseDetector
    threshold_ : float
        PyOD's own threshold on the scale of ``score_samples``, from the scores of the training clips.
    """

    def __init__(self, model, seed=None):
        self.model = model
        self.seed = seed

    def fit(self, X, y=None):
        """Train on features, (n_clips, n_features), or on paths for "AudioAE".

        Parameters
        ----------
        X : array-like
        y : ignored

        Returns
        -------
        PyODDetector

        Raises
        ------
        ImportError
            If PyOD is not installed, or too old for the model.
        """
        with own_generators(self.seed):
            self.model_ = _make(self.model, self.seed, len(X), np.shape(X)[-1])
            self.model_.fit(self._check(X))
        self.threshold_ = -float(self.model_.threshold_)
        return self

    def score_samples(self, X):
        """Return the negative of PyOD's ``decision_function``, (n_clips,). ECOD and VAE get one clip at a time."""
        X = self._check(X)
        batches = [row[None] for row in X] if self.model in _ALONE else [X]
        scores = []
        for batch in batches:
            with own_generators(self.seed):
                scores.append(self.model_.decision_function(batch))
        return -np.concatenate(scores).astype(np.float64)

    def predict(self, X):
        """Return -1 for clips below PyOD's own threshold, 1 for others."""
        return np.where(self.score_samples(X) < self.threshold_, -1, 1)

    def _check(self, X):
        return [str(path) for path in X] if self.model == "AudioAE" else np.asarray(X, dtype=np.float64)


class PyODFeatures(TransformerMixin, BaseEstimator):
    """The 74 values of PyOD's audio encoder: mean and deviation of MFCCs, chroma and spectral descriptors.

    Parameters
    ----------
    level : {None, "rms"}, default=None
        None gives PyOD the paths. "rms" gives PyOD the waveforms of 22.05 kHz after :class:`LevelNormalizer`.
    """

    def __init__(self, level=None):
        self.level = level

    def fit(self, X, y=None):
        """Do nothing, because the encoder learns nothing."""
        return self

    def transform(self, X):
        """Return the values of every recording, (n_clips, 74).

        Parameters
        ----------
        X : list of str

        Returns
        -------
        ndarray of shape (n_clips, 74), float64
        """
        encoder = _load("pyod.utils.encoders.audio", "AudioFeatureEncoder")()
        if self.level is None:
            clips = [str(path) for path in X]
        else:
            clips = list(LevelNormalizer(self.level).fit_transform(AudioLoader(_RATE).fit_transform(X)))
        return encoder.encode(clips, show_progress=False)


@contextmanager
def own_generators(seed):
    """Run a block with seeded global generators, and restore their states after the block.

    PyOD's networks seed the generators of Python, NumPy and torch in ``__init__``, and DeepSVDD shuffles with the one
    of NumPy. Without the seed here the scores would depend on what ran before.

    Parameters
    ----------
    seed : int or None
        None leaves the generators as they are.
    """
    import os

    import torch

    python, numpy, pytorch = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    hash_seed = os.environ.get("PYTHONHASHSEED")
    try:
        if seed is not None:
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            torch.manual_seed(seed)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(pytorch)
        if hash_seed is None:
            os.environ.pop("PYTHONHASHSEED", None)
        else:
            os.environ["PYTHONHASHSEED"] = hash_seed


def configurations():
    """Return the configurations whose packages are installed.

    Returns
    -------
    list of Configuration
    """
    return [own for own in _known() if why_left_out(own) is None]


def left_out():
    """Return why the other configurations cannot run, by name."""
    reasons = {own.name: why_left_out(own) for own in _known()}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def why_left_out(configuration):
    """Return why a configuration cannot run here, or None.

    Parameters
    ----------
    configuration : Configuration

    Returns
    -------
    str or None
    """
    for name in configuration.packages:
        try:
            version(name)
        except PackageNotFoundError:
            return f'{name} is not installed: pip install "skaudio_ad[bench]"'
    if "pyod" in configuration.packages and configuration.features != "mini" and _version("pyod") < (3, 6):
        return f"pyod {version('pyod')} has no audio encoder: install pyod 3.6 or newer"
    return None


def _version(name):
    """Return the first two numbers of the version of a distribution."""
    return tuple(int(part) for part in version(name).split(".")[:2])


def _known():
    plain = [name for name in MODELS if name not in ("LUNAR", "AudioAE")]
    made = [_configuration("mini", _mini, name) for name in plain]
    # "for_audio" has KNN, IForest and LUNAR on the 74 values.
    made += [_configuration("pyod74", _as_recorded, name) for name in plain if name not in QUALITIES.values()]
    made += [
        _configuration("pyod74", _as_recorded, f"for_audio {quality}", cv=5 if model == "LUNAR" else "auto")
        for quality, model in QUALITIES.items()
    ]
    made.append(_configuration("pyod74-rms", _levelled, "for_audio balanced"))
    made.append(
        Configuration(
            "pyod74/nearest",
            "pyod74",
            _as_recorded,
            lambda seed: calibrated("nearest", seed),
            False,
            PACKAGES,
        )
    )
    made.append(_configuration("paths", None, "AudioAE", cv=0.3))
    return made


def _configuration(features, embed, model, cv="auto"):
    """A configuration of one of PyOD's detectors."""
    scaled = model in MODELS and embed is not None  # "for_audio" standardises its features itself

    def detector(seed):
        head = PyODDetector(model, seed)
        return ThresholdedDetector(
            make_pipeline(StandardScaler(), head) if scaled else head,
            ConformalThreshold(FALSE_ALARMS, too_few="estimate"),
            cv=cv,
            random_state=seed,
        )

    is_random = QUALITIES.get(model.removeprefix("for_audio "), model) in _RANDOM
    packages = PACKAGES if features != "mini" else PACKAGES[:1]
    return Configuration(f"{features}/PyOD {model}", features, embed, detector, is_random, packages)


def _mini(memory):
    return make_detector(memory=memory)[:-1]


def _as_recorded(memory):
    return PyODFeatures()


def _levelled(memory):
    return PyODFeatures("rms")


def _make(name, seed, n_rows, n_features):
    """The unfitted detector of PyOD."""
    if name.startswith("for_audio "):
        return _load("pyod.models.embedding", "EmbeddingOD").for_audio(
            name.removeprefix("for_audio "),
            # The features are there already, so the encoder has nothing to do.
            encoder=np.asarray,
            contamination=FALSE_ALARMS,
            random_state=seed,
        )
    module, kind = MODELS[name]
    settings = {"contamination": FALSE_ALARMS}
    if name in _RANDOM:
        settings["random_state"] = seed
    if name in _NETWORKS:
        settings |= {"batch_size": min(_BATCH_SIZE, n_rows), "verbose": 0}
    if name == "DeepSVDD":
        settings["n_features"] = n_features
    return _load(f"pyod.models.{module}", kind)(**settings)


def _load(module, name):
    """A class of PyOD, or an error that says how to install PyOD."""
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ImportError(
            f'{module}.{name} cannot be imported ({error}). Install PyOD 3.6 or newer: pip install "pyod>=3.6"'
        ) from error
