"""Collect the clips that calibrate a detector, and select a threshold from their scores."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from ._conformal import ConformalThreshold
from ._fold_models import NONE
from ._group_conformal import fit_on_groups
from ._promises import fall_back, is_too_few, judge_promise, promise_nothing


@dataclass
class Calibration:
    """Clips that calibrate, and their scores by models that had not seen them.

    Attributes
    ----------
    scores : ndarray of shape (n_calibration,), float64
    labels : ndarray of shape (n_calibration,), int
        1 for normal, -1 for anomalous clips.
    indices : ndarray of shape (n_calibration,), int
        Positions in the X of `fit`.
    groups, folds : ndarray of shape (n_calibration,), int, or None
        Number of the group of every clip, and of the model that had not seen the clip.
    """

    scores: np.ndarray
    labels: np.ndarray
    indices: np.ndarray
    groups: np.ndarray | None
    folds: np.ndarray | None

    @classmethod
    def of(cls, estimator):
        """The calibration that a fitted ThresholdedDetector has kept."""
        return cls(**{name: getattr(estimator, f"calibration_{name}_") for name in cls.__dataclass_fields__})

    def keep_in(self, estimator):
        """Set the attributes ``calibration_scores_``, ``calibration_labels_`` and so on."""
        for name, value in vars(self).items():
            setattr(estimator, f"calibration_{name}_", value)

    def normal(self):
        """The part of the normal clips."""
        return self._take(self.labels == 1)

    def with_anomalies(self, indices, scores, groups):
        """Add anomalous clips that no model has seen, with the scores that new clips get.

        Parameters
        ----------
        indices : ndarray of shape (n_anomalous,), int
        scores : ndarray of shape (n_anomalous,)
            NaN for a clip that could not be read, which is left out.
        groups : ndarray of shape (n_clips,), int, or None
            Groups of all clips of `fit`.

        Returns
        -------
        Calibration
        """
        read = ~np.isnan(scores)
        added = np.full(np.count_nonzero(read), -1)
        indices = np.append(self.indices, indices[read])
        made = Calibration(
            np.append(self.scores, scores[read]),
            np.append(self.labels, added),
            indices,
            None if groups is None else groups[indices],
            None if self.folds is None else np.append(self.folds, added),
        )
        return made._take(np.argsort(indices))

    def fold_sizes(self, n_folds):
        """Number of normal clips, or groups, that each model of an ensemble had not seen. None without an ensemble."""
        if self.folds is None:
            return None
        units = np.arange(len(self.folds)) if self.groups is None else self.groups
        return np.array([len(np.unique(units[self.folds == n])) for n in range(n_folds)])

    def _take(self, chosen):
        parts: dict[str, Any] = {
            name: None if value is None else value[chosen] for name, value in vars(self).items()
        }
        return Calibration(**parts)


def select_threshold(selector, calibration, way, n_folds):
    """Select a threshold from the scores of the clips that calibrate.

    Parameters
    ----------
    selector : estimator or None
        It is cloned. None is the default: :class:`ConformalThreshold`, or a prediction interval with fewer clips than
        that selector takes.
    calibration : Calibration
    way : {"held out", "ensemble", "refit", "none"}
        Relation between the detector that scores new clips and the models that gave the calibration scores.
    n_folds : int
        Number of models of an ensemble.

    Returns
    -------
    threshold : float
    selector : fitted selector or None
        None where the default selector has too few clips, or no clip calibrates.
    promise : Promise
    """
    normal = calibration.normal()
    if way == NONE:
        return -np.inf, None, promise_nothing()
    if selector is None and len(normal.scores) and is_too_few(normal.scores, normal.groups):
        threshold, promise = fall_back(normal.scores, normal.groups)
        return threshold, None, promise
    selector = clone(ConformalThreshold() if selector is None else selector)
    if normal.groups is not None and isinstance(selector, ConformalThreshold):
        fit_on_groups(selector, normal.scores, normal.groups)
    else:
        selector.fit(calibration.scores, calibration.labels)
    promise = judge_promise(selector, normal.scores, way, normal.groups, calibration.fold_sizes(n_folds))
    if hasattr(selector, "promise_"):
        selector.promise_ = promise.promise_
    return selector.threshold_, selector, promise
