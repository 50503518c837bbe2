"""Score recordings one by one with a fitted pipeline: score, decision and worst moment."""

import os
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from .._base import DetectorMixin
from .._checksums import WeightsError
from .._clip_errors import explain
from .._lazy import LazySequence
from .._path_groups import labels_from_paths
from .._stream import stream
from .._typing import Labels, PathLike
from ..audio._open import read_duration
from ..detectors import FleetDetector
from ..thresholds import ThresholdedDetector, get_calibration_scores
from ..thresholds._calibration import Calibration
from ..thresholds._group_conformal import hierarchical_p_values
from ._scored import Decision, ScoredRecording, ScoredRecordings
from ._unwrap import find_clock, last_step, split_pipeline, unwrap


def score_recordings(
    pipeline: BaseEstimator, paths: Sequence[PathLike], *, machines: Labels | None = None
) -> ScoredRecordings:
    """Score recordings one by one, and go on when a recording cannot be scored.

    Recordings are scored when they are asked for. Threads score a few recordings ahead.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Fitted pipeline that begins with an :class:`AudioLoader` and ends in a detector. The pipeline may be inside a
        :class:`ThresholdedDetector`, a :class:`NormalOnly` or a search.
    paths : list of str or path-like
    machines : array-like of shape (n_recordings,), default=None
        Machine of every recording, for a :class:`FleetDetector`. None reads the machines from the paths if the
        :class:`DetectorPipeline` says how.

    Returns
    -------
    ScoredRecordings
        Iterator over a :class:`ScoredRecording` for every path, in the order of `paths`. A recording that cannot be
        read, is too short for the features, or makes a step fail has the score NaN, and ``error`` holds the reason.
        ``to_frame()`` of the iterator scores all recordings and returns a table of pandas.

    Raises
    ------
    ValueError
        If `pipeline` is not a pipeline that begins with an AudioLoader.
    WeightsError
        If the weights of the embedding network are missing or damaged.
    ImportError
        If a package that the pipeline needs is not installed.
    """
    score, items = make_scorer(pipeline, paths, machines)
    return ScoredRecordings(stream(score, items), len(items))


def make_scorer(pipeline, paths, machines=None, look=None):
    """Return a function that scores one recording, and the items that the function takes.

    Parameters
    ----------
    pipeline, paths, machines
        As for :func:`score_recordings`.
    look : callable, default=None
        ``look(path, detector, features)`` is called with the input of the detector for every recording that has a
        score, from several threads. In a fleet the detector is the one of the machine. An error of `look` counts as an
        error of the recording.

    Returns
    -------
    score : callable
        Maps an item to a :class:`ScoredRecording`.
    items : list
        One item a recording.
    """
    loader, middle, detector = split_pipeline(pipeline)
    names, clock = [os.fsdecode(path) for path in paths], find_clock(pipeline)
    if not isinstance(detector, FleetDetector):
        if machines is not None:
            raise ValueError(f"machines= needs a FleetDetector, got a {type(detector).__name__}.")
        return _Score(loader, middle, detector, clock, p_value_function(pipeline), look), names
    labels = [None] * len(names) if machines is None else np.asarray(machines).tolist()
    if len(labels) != len(names):
        raise ValueError(f"machines must have one entry a recording: got {len(labels)} for {len(names)}.")
    pattern = getattr(unwrap(pipeline), "machines", None) if machines is None else None
    return _FleetScore(loader, middle, detector, clock, pattern, look), list(zip(names, labels))


def p_value_function(pipeline: BaseEstimator) -> Callable[[npt.ArrayLike], npt.NDArray[np.float64]]:
    """Return a function of scores that computes conformal p-values from the calibration scores of a detector.

    Parameters
    ----------
    pipeline : fitted estimator
        Detector, also in a pipeline, a :class:`NormalOnly` or a search.

    Returns
    -------
    callable
        Maps scores to p-values. All p-values are NaN if the detector has no calibration scores.
    """
    detector = last_step(pipeline)
    groups = None
    try:
        if isinstance(detector, ThresholdedDetector):
            normal = Calibration.of(detector).normal()
            known, groups = normal.scores, normal.groups
        else:
            known = get_calibration_scores(pipeline)
    except (ValueError, AttributeError):  # the detector has no calibration scores
        known = np.empty(0)
    if not len(known):
        return lambda scores: np.full(len(np.asarray(scores)), np.nan)
    return lambda scores: hierarchical_p_values(known, scores, groups)


def compute_features(loader, middle, path):
    """Compute the input of the detector for one recording: an array or a list of one clip."""
    features = loader.transform([path])
    if middle is not None:
        features = middle.transform(features)
    # A list computes the features once, although the caller reads the features several times.
    return list(features) if isinstance(features, LazySequence) else features


def has_frames(features):
    """Whether the features, the input of a detector, have a time axis."""
    return isinstance(features, list) or np.ndim(features) == 3


def local_threshold(detector, recording):
    """Threshold of the detector if local scores have the scale of the threshold, else None.

    ``ScoredRecording.local_threshold`` says when local scores have this scale.
    """
    return None if recording.local_threshold is None else getattr(detector, "offset_", None)


class _Score:
    def __init__(self, loader, middle, detector, clock, p_values, look):
        self.loader, self.middle, self.detector, self.clock = loader, middle, detector, clock
        self.p_values, self.look = p_values, look

    def __call__(self, path):
        try:
            features = compute_features(self.loader, self.middle, path)
            score = float(self.detector.score_samples(features)[0])
            margin = self._margin(features, score)
            times, local_scores, window_duration = self._locate(features)
            if self.look is not None and not np.isnan(score):
                self.look(path, self.detector, features)
        except (WeightsError, ImportError):  # no recording can be scored without the network
            raise
        except Exception as error:  # any error: the other recordings are scored all the same
            # The prefixes are removed because `path` names the recording already.
            reason = explain(error).removeprefix(f"{path}: ").removeprefix("clip 0: ")
            return ScoredRecording(path, error=reason or type(error).__name__)
        if np.isnan(score):
            return ScoredRecording(
                path, error="has no score: all its features are NaN after a step of the pipeline."
            )
        n_edge = 0 if self.clock is None else self.clock.n_edge_frames
        decision: Decision = "normal" if margin >= 0 else "anomalous"
        return ScoredRecording(
            path,
            score,
            decision,
            times,
            local_scores,
            n_edge,
            margin=margin,
            p_value=float(self.p_values([score])[0]),
            window_duration=window_duration,
            start=float(self.loader.offset),
            duration=used_duration(path, self.loader),
        )

    def _margin(self, features, score):
        """Score minus threshold. Only a detector of another package scores again, because it may have no offset_."""
        if isinstance(self.detector, DetectorMixin):
            return score - self.detector.offset_
        return float(self.detector.decision_function(features)[0])

    def _locate(self, features):
        """Return the middles of the windows, their scores, and the duration of a window."""
        if self.clock is None or not has_frames(features) or not hasattr(self.detector, "score_frames"):
            return np.empty(0), np.empty(0), float("nan")
        local_scores = np.asarray(self.detector.score_frames(features)[0])
        centers = self.detector.window_centers(len(local_scores))
        # The last window ends with the last frame, so the distance between its middle and this frame is half a window.
        n_frames = max(1.0, 2 * (features[0].shape[-1] - 1 - centers[-1]) + 1)
        return self.clock.frames_to_seconds(centers), local_scores, _span(self.clock, n_frames)


def _span(clock, n_frames):
    """Duration of neighbouring frames, in seconds, with the whole of the first and the last frame."""
    step = float(np.diff(clock.frames_to_seconds([0, 1]))[0])
    return (n_frames - 1) * step + getattr(clock, "frame_duration", step)


def used_duration(path, loader):
    """Duration of the part of a file that an AudioLoader loads, in seconds, without padding. NaN if unknown."""
    duration = read_duration(path)
    if duration is None:
        return float("nan")
    rest = max(0.0, duration - loader.offset)
    return rest if loader.duration is None else min(rest, float(loader.duration))


class _FleetScore:
    """Score a recording with the detector of its machine. `pattern` says how the path gives the machine."""

    def __init__(self, loader, middle, fleet, clock, pattern, look):
        self.parts, self.fleet, self.clock, self.pattern = (loader, middle), fleet, clock, pattern
        self.look, self.scores = look, {}

    def __call__(self, path_and_machine):
        path, machine = path_and_machine
        try:
            if self.pattern is not None:
                (machine,) = labels_from_paths(self.pattern, [path])
            detector = self.fleet.detector_of(machine)
        except ValueError as error:  # the other recordings are scored all the same
            return ScoredRecording(path, error=str(error))
        if id(detector) not in self.scores:
            p_values = p_value_function(detector)
            self.scores[id(detector)] = _Score(*self.parts, detector, self.clock, p_values, self.look)
        return self.scores[id(detector)](path)
