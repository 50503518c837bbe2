"""Recordings through a fitted pipeline, one by one: score, decision, and when it sounds worst."""

import copy
import os
from dataclasses import dataclass, field

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .._clip_errors import explain
from .._lazy import LazySequence
from .._stream import stream
from ..audio import AudioLoader
from ..thresholds import ThresholdedDetector
from ..thresholds._cross_conformal import split_off_shared_steps
from ._drawing import unwrap


@dataclass
class ScoredRecording:
    """What a detector says about one recording.

    Attributes
    ----------
    path : str
    score : float
        As `score_samples`: higher is more normal. NaN if the recording could not be scored.
    decision : {"normal", "anomalous", "error"}
    times : ndarray of shape (n_windows,)
        Middles of the windows, in seconds. Empty where the features have no time axis.
    local_scores : ndarray of shape (n_windows,)
        Score of every window, as `score_frames`.
    n_edge : int
        Windows at either end that reach into the padding beyond the clip.
    error : str
        Why it could not be scored, or "".
    """

    path: str
    score: float = float("nan")
    decision: str = "error"
    times: np.ndarray = field(default_factory=lambda: np.empty(0))
    local_scores: np.ndarray = field(default_factory=lambda: np.empty(0))
    n_edge: int = 0
    error: str = ""

    @property
    def worst_window(self):
        """Position of the least normal window, or None where there are no windows.

        Windows that reach beyond the clip do not compete: in a steady sound the padding is what is least
        normal. No sound is overlooked, since the windows beside them reach the ends of the clip too.
        """
        if not len(self.times):
            return None
        n_edge = self.n_edge if 2 * self.n_edge < len(self.times) else 0
        return n_edge + int(np.argmin(self.local_scores[n_edge : len(self.times) - n_edge]))

    @property
    def worst_time(self):
        """Time of the least normal window, in seconds, or None where there are no windows."""
        return None if self.worst_window is None else float(self.times[self.worst_window])


def score_recordings(pipeline, paths):
    """Score recordings one by one, a few at a time in threads, and go on where one cannot be scored.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Fitted; begins with an :class:`AudioLoader` and ends in a detector. It may be inside a
        :class:`ThresholdedDetector`, a :class:`NormalOnly` or a search.
    paths : list of str or path-like

    Yields
    ------
    ScoredRecording
        In the order of `paths`. One that cannot be read, is too short for the features, or makes any step fail,
        has a score of NaN and its reason in ``error``.

    Raises
    ------
    ValueError
        If `pipeline` is no pipeline that begins with an AudioLoader.
    """
    loader, middle, detector = split_pipeline(pipeline)
    return stream(
        _Score(loader, middle, detector, find_clock(pipeline)), [os.fsdecode(path) for path in paths]
    )


def find_clock(pipeline):
    """The last step that knows how frames and seconds relate, or None."""
    pipeline = inner_pipeline(pipeline)
    steps = [step for _, step in pipeline.steps if hasattr(step, "frames_to_seconds")]
    return steps[-1] if steps else None


def inner_pipeline(estimator):
    """The fitted pipeline inside a search, a `NormalOnly` or a `ThresholdedDetector`, whose threshold it gets."""
    estimator = unwrap(estimator)
    if not isinstance(estimator, ThresholdedDetector):
        return estimator
    last = copy.copy(estimator)
    if hasattr(estimator, "detectors_"):
        # Of an ensemble, steps that learn nothing are those of all its models.
        shared, last.detectors_ = split_off_shared_steps(
            [inner_pipeline(model) for model in estimator.detectors_]
        )
        return estimator if shared is None else Pipeline([*shared.steps, ("detector", last)])
    pipeline = inner_pipeline(estimator.detector_)
    if not isinstance(pipeline, Pipeline):
        return estimator
    name, last.detector_ = pipeline.steps[-1]
    return Pipeline([*pipeline.steps[:-1], (name, last)])


def split_pipeline(pipeline):
    """The loader (which raises where a file cannot be read), the steps after it or None, and the detector."""
    pipeline = inner_pipeline(pipeline)
    if not isinstance(pipeline, Pipeline) or not isinstance(pipeline.steps[0][1], AudioLoader):
        raise ValueError(
            f"a Pipeline that begins with AudioLoader is needed to score recordings, got {pipeline!r:.200}."
        )
    # A failure must be reported with its reason, whatever the pipeline was trained with.
    loader = clone(pipeline.steps[0][1]).set_params(on_error="raise")
    return loader, pipeline[1:-1] if len(pipeline.steps) > 2 else None, pipeline.steps[-1][1]


def compute_features(loader, middle, path):
    """What the detector gets of one recording: an array or a list of one clip."""
    features = loader.transform([path])
    if middle is not None:
        features = middle.transform(features)
    # Computed once, though read several times by who asked.
    return list(features) if isinstance(features, LazySequence) else features


def has_frames(features):
    """Whether what a detector gets has a time axis."""
    return isinstance(features, list) or np.ndim(features) == 3


def local_threshold(detector, recording):
    """The detector's threshold where local scores are on its scale, else None.

    A clip's score that is pooled from its local scores lies among them. One that is not, of a variational
    autoencoder whose score weighs its two losses, has another scale, and so has the threshold.
    """
    scores = recording.local_scores
    rounding = 1e-5 * abs(recording.score)  # local scores may be float32
    pooled = len(scores) and scores.min() - rounding <= recording.score <= scores.max() + rounding
    return getattr(detector, "offset_", None) if pooled else None


class _Score:
    def __init__(self, loader, middle, detector, clock):
        self.loader, self.middle, self.detector, self.clock = loader, middle, detector, clock

    def __call__(self, path):
        try:
            features = compute_features(self.loader, self.middle, path)
            score = float(self.detector.score_samples(features)[0])
            # Asked for, not derived: a detector of another package may have no offset_.
            is_normal = self.detector.decision_function(features)[0] >= 0
            times, local_scores = self._locate(features)
        except Exception as error:  # whatever one recording causes, the others are scored
            # The path has a place of its own, and "clip 0" is how the detector calls it.
            reason = explain(error).removeprefix(f"{path}: ").removeprefix("clip 0: ")
            return ScoredRecording(path, error=reason or type(error).__name__)
        if np.isnan(score):
            return ScoredRecording(path, error="has no score: a step has made NaN of all its values.")
        n_edge = 0 if self.clock is None else self.clock.n_edge_frames
        said = "normal" if is_normal else "anomalous"
        return ScoredRecording(path, score, said, times, local_scores, n_edge)

    def _locate(self, features):
        if self.clock is None or not has_frames(features) or not hasattr(self.detector, "score_frames"):
            return np.empty(0), np.empty(0)
        local_scores = np.asarray(self.detector.score_frames(features)[0])
        return self.clock.frames_to_seconds(self.detector.window_centers(len(local_scores))), local_scores
