"""`ThresholdSelector`: the base class of all selectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._doc_links import DocLinkMixin
from .._labels import is_anomalous
from .._typing import IntArray, Labels

if TYPE_CHECKING:
    from typing import Self

# Values of `promise_`: the strength of the false-alarm rate of a selector.
GUARANTEED = "guaranteed"
GUARANTEED_ON_AVERAGE = "guaranteed on average"
ESTIMATED = "estimated"
OBSERVED = "observed"


class ThresholdSelector(DocLinkMixin, BaseEstimator):
    """Selects a threshold from scores. Subclasses define ``_check_parameters`` and ``_select``."""

    threshold_: float
    false_alarm_rate_: float
    promise_: str
    promise_reason_: str

    def fit(self, scores: npt.ArrayLike, y: Labels | None = None) -> Self:
        """Select the threshold.

        Parameters
        ----------
        scores : array-like of shape (n_clips,)
            On the scale of ``score_samples``: higher is more normal. They must come from a detector that was not
            trained on these clips.
        y : array-like of shape (n_clips,), default=None
            1 for normal, -1 for anomalous clips. None means that all clips are normal. Selectors that need no anomalous
            clips leave them out.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, a score is NaN or infinite, or there are too few scores.
        """
        self._check_parameters()
        checked = check_scores(scores, missing=False)
        anomalous = np.zeros(len(checked), dtype=np.bool_) if y is None else is_anomalous(y, name="y")
        if len(anomalous) != len(checked):
            raise ValueError(
                f"y must have one label a score: got {len(anomalous)} for {len(checked)} scores."
            )
        if anomalous.all():
            raise ValueError("y holds no normal clip (1), and a threshold is selected on normal ones.")
        self._select(checked[~anomalous], checked[anomalous])
        return self

    def predict(self, scores: npt.ArrayLike) -> IntArray:
        """Decide for every score.

        Parameters
        ----------
        scores : array-like of shape (n_clips,)
            On the scale of ``score_samples``.

        Returns
        -------
        ndarray of shape (n_clips,), int
            1 (normal) for scores of ``threshold_`` or more. -1 (anomalous) for lower scores and for a clip that could
            not be read (NaN).
        """
        check_is_fitted(self)
        return np.where(check_scores(scores) >= self.threshold_, 1, -1)

    def _check_parameters(self):
        raise NotImplementedError

    def _select(self, normal, anomalous):
        """Set the attributes from the scores of normal and of anomalous clips."""
        raise NotImplementedError

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags


def check_scores(scores, *, missing=True):
    """Scores as float64, shape (n_clips,). NaN and infinity are refused unless `missing`."""
    scores = np.asarray(scores)
    if scores.ndim != 1:
        raise ValueError(
            f"scores must have the shape (n_clips,), got {scores.shape}: pass score_samples(X), not X."
        )
    if scores.dtype.kind not in "fiu":
        raise TypeError(f"scores must be real numbers, got the dtype {scores.dtype}.")
    scores = scores.astype(np.float64)
    if missing:
        return scores
    if not len(scores):
        raise ValueError("scores is empty: a threshold needs scores of normal clips.")
    n_missing = np.count_nonzero(np.isnan(scores))
    if n_missing:
        raise ValueError(
            f"{n_missing} of {len(scores)} scores are NaN, which stands for a clip that could not be read: leave them "
            "out, as in scores[~np.isnan(scores)]."
        )
    if not np.isfinite(scores).all():
        raise ValueError(
            f"scores must be finite, got {scores[np.isinf(scores)][0]}: no threshold lies between such scores. Look "
            "for an overflow in the detector."
        )
    return scores


def check_spread(selector, scores):
    """Raise unless there are two or more scores, and not all are equal."""
    name = type(selector).__name__
    if len(scores) < 2:
        raise ValueError(f"{name} needs the scores of 2 normal clips or more, got {len(scores)}.")
    if scores.min() == scores.max():
        raise ValueError(
            f"{name} fits a distribution, but all {len(scores)} normal scores are {scores[0]}. Detectors that keep "
            "their training clips give these clips such scores: pass scores of clips that it was not trained on."
        )
