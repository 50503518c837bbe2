"""`BackboneEmbedding`: clips through a frozen backbone, a few windows at a time."""

import os
import warnings
from collections import deque
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.metaestimators import available_if

from .._checks import check_number, check_option
from .._lazy import ClipError, gather, is_missing
from ..audio import as_clips
from ._networks import load_backbone
from ._registry import get_backbone
from ._store import class_labels
from ._windows import adjacent_windows, averaged_windows, pad_to

# Outputs of one vector a clip; their windows are averaged. The others keep time.
_VECTORS = ("clip", "multilevel", "logits", "class_token", "distillation_token", "patch_mean")


def _gives_vectors(embedding):
    return embedding.output in _VECTORS


class BackboneEmbedding(TransformerMixin, BaseEstimator):
    """Transformer from waveforms to what a frozen, pretrained network makes of them.

    Nothing is learnt, and the network is no part of the estimator: a pickle holds the name of the weights and their
    checksum, and a process loads them once. Subclasses name their ``family`` and ``outputs`` and the geometry of
    their frames.
    """

    variant: Any
    weights: Any
    output: Any
    window: Any
    hop: Any
    batch_size: Any
    device: Any
    precision: Any
    random_state: Any
    _family: str
    _outputs: tuple[str, ...]
    _min_samples: int

    def fit(self, X, y=None):
        """Check parameters and input, and load the network; nothing is learnt.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths
        y : None
            Ignored.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, X holds no clips, or its clips are at another sample rate.
        WeightsError
            If the weights are not to be had, or are not those of the variant.
        """
        backbone = self._check_parameters()
        as_clips(self, X, sample_rate=backbone.sample_rate, reset=True)
        if self.weights is None:
            warnings.warn(
                f"{type(self).__name__} with weights=None has random weights: its outputs have the right shapes and "
                'no meaning. Use weights="pretrained" or a path.',
                UserWarning,
                stacklevel=2,
            )
        self.weights_digest_ = self._load(backbone, None).digest
        return self

    def transform(self, X):
        """Embed every clip.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths
            Arrays are taken to be at 32 kHz, files are resampled to it.

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_channels, ...), float32
            As `output` says, time last; a list where clips differ in length and `output` keeps time. Clips that
            could not be read (``on_error="skip"``) are NaN.
        """
        backbone = self._check_parameters()
        clips = as_clips(self, X, sample_rate=backbone.sample_rate, reset=False)
        loaded = self._load(backbone, getattr(self, "weights_digest_", None))
        return gather(self._embed(clips, loaded, self.output), len(clips))

    @available_if(_gives_vectors)
    def get_feature_names_out(self, input_features=None):
        """Names of the columns of `transform`, where it gives one vector a clip.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
            The variant, the output and a number.
        """
        backbone = get_backbone(self.variant, family=self._family)
        n_features = self._n_features(backbone)
        return np.array([f"{backbone.name}_{self.output}{i}" for i in range(n_features)], dtype=object)

    def predict_tags(self, X, top=5):
        """What the backbone hears: the likeliest of AudioSet's 527 classes.

        Parameters
        ----------
        X : AudioClips, array-like of shape (n_clips, n_samples), list of 1-D ndarray, or list of paths
        top : int, default=5
            How many classes to name.

        Returns
        -------
        list of list of (str, float)
            For every clip its classes and their probabilities, the likeliest first. They need not add up to one: a
            clip may hold several sounds. An empty list for a clip that could not be read.
        """
        check_number(top, "top", low=1, integer=True)
        backbone = self._check_parameters()
        clips = as_clips(self, X, sample_rate=backbone.sample_rate, reset=False)
        loaded = self._load(backbone, getattr(self, "weights_digest_", None))
        labels = class_labels()
        tags = []
        for logits in self._embed(clips, loaded, "logits"):
            heard = not np.isnan(logits).any()
            best = np.argsort(-logits, kind="stable")[: top if heard else 0]
            tags.append([(labels[i], float(expit(logits[i]))) for i in best])
        return tags

    def frames_to_seconds(self, frames):
        """Time of the middle of a frame of ``output="frames"`` or ``"grid"``.

        Parameters
        ----------
        frames : array-like of float
            Positions on the last axis of what `transform` returns; fractions lie between frames.

        Returns
        -------
        ndarray of float64
            Seconds from the start of the clip.
        """
        first, step, per_window = self._clock(get_backbone(self.variant, family=self._family))
        frames = np.asarray(frames, dtype=np.float64)
        window = np.floor((frames + 0.5) / per_window)
        return window * self.window + first + (frames - window * per_window) * step

    @property
    def n_edge_frames(self):
        """Frames at either end of a clip that reach beyond it: 0, all lie within."""
        return 0

    def _check_parameters(self):
        backbone = get_backbone(self.variant, family=self._family)
        if not (self.weights is None or isinstance(self.weights, (str, os.PathLike))):
            raise TypeError(f'weights must be "pretrained", a path or None, got {self.weights!r}.')
        check_option(self.output, "output", self._outputs)
        if self._family == "passt":
            check_number(self.window, "window", low=1, high=10.0)  # what its positions in time suffice for
        else:
            check_number(self.window, "window", low=1, high=np.inf, closed="left")
        check_number(self.hop, "hop", low=0, high=self.window, closed="right")
        check_number(self.batch_size, "batch_size", low=1, integer=True)
        check_option(self.precision, "precision", ("float32", "bfloat16"))
        check_number(self.random_state, "random_state", low=0, integer=True, none=True)
        return backbone

    def _load(self, backbone, expected_digest):
        return load_backbone(
            backbone,
            self.weights,
            device=self.device,
            random_state=self.random_state if self.weights is None else None,
            expected_digest=expected_digest,
        )

    def _embed(self, clips, loaded, output):
        """Yield one output of every clip, in order; a batch holds windows of one length, of one clip or of several."""
        averaged = output in _VECTORS
        # Not the rate of the clips, which may be unknown.
        rate = get_backbone(self.variant, family=self._family).sample_rate
        length, hop_length = round(self.window * rate), max(1, round(self.hop * rate))
        clips_begun: deque = deque()  # lists of the windows' outputs, and how many there will be
        batch: list[tuple[np.ndarray, list]] = []

        def flush():
            if batch:
                made = loaded.embed(np.stack([window for window, _ in batch]), output, self.precision)
                for part, (_, parts) in zip(made, batch):
                    parts.append(part)
                batch.clear()

        def finished():
            while clips_begun and len(clips_begun[0][0]) == clips_begun[0][1]:
                parts, _ = clips_begun.popleft()
                yield np.mean(parts, axis=0) if averaged else np.concatenate(parts, axis=-1)

        for index, clip in enumerate(clips):
            if is_missing(clip):
                flush()
                yield from finished()
                yield self._missing(loaded, output)
                continue
            clip = np.asarray(clip, dtype=np.float32)
            # What an earlier step made: all of an embedding would be NaN, as if the clip could not be read.
            if clip.size == 0 or not np.isfinite(clip).all():
                raise ClipError("is empty, or contains NaN or infinity.").of(clips, index)
            windows = (
                averaged_windows(clip, length, hop_length) if averaged else adjacent_windows(clip, length)
            )
            parts: list[np.ndarray] = []
            clips_begun.append((parts, len(windows)))
            for window in windows:
                window = pad_to(window, self._min_samples)
                if batch and (len(batch) == self.batch_size or len(batch[0][0]) != len(window)):
                    flush()
                    yield from finished()
                batch.append((window, parts))
        flush()
        yield from finished()

    def _missing(self, loaded, output):
        silence = np.zeros((1, self._min_samples), dtype=np.float32)
        return np.full_like(loaded.embed(silence, output, "float32")[0], np.nan)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags
