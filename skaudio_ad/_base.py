"""The part of a detector that turns scores into decisions."""

import numpy as np
from sklearn.base import OutlierMixin

from ._checks import check_number

# "auto": this fraction of the held-out normal clips lies below the offset. An everyday false-alarm rate of
# one clip in twenty, as statistics has it; issue a tighter one with a threshold selector.
HELD_OUT_QUANTILE = 0.05


class DetectorMixin(OutlierMixin):
    """``decision_function`` and ``predict`` from ``score_samples`` and ``offset_``.

    A score of NaN stands for a clip that could not be read: it is never called normal.
    """

    def decision_function(self, X):
        """Score relative to the threshold.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips,), float64
            ``score_samples(X) - offset_``: negative is anomalous, NaN a clip that could not be read.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Decide for every clip.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips,), int
            1 is normal, -1 anomalous. A clip that could not be read is -1: it is not known to be normal.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)


def check_contamination(contamination):
    """Raise unless `contamination` is "auto" or a fraction in (0, 0.5]."""
    if not (isinstance(contamination, str) and contamination == "auto"):
        if isinstance(contamination, str):
            raise ValueError(f'contamination must be "auto" or a number in (0, 0.5], got {contamination!r}.')
        check_number(contamination, "contamination", low=0, high=0.5, closed="right")


def choose_offset(contamination, *, held_out_scores, training_scores):
    """The threshold on the scale of ``score_samples``.

    Parameters
    ----------
    contamination : "auto" or float
        "auto" is the 0.05 quantile of the held-out scores; a float is scikit-learn's meaning, the quantile
        of the training clips' own scores below which they count as anomalous.
    held_out_scores : ndarray of shape (n_held_out,)
        Scores of normal clips that took no part in the fit. Where there are none, "auto" falls back on
        `training_scores`.
    training_scores : callable
        Returns the scores of all training clips, an ndarray of shape (n_clips,).

    Returns
    -------
    float
    """
    if contamination == "auto":
        scores = held_out_scores if len(held_out_scores) else training_scores()
        return float(np.quantile(scores, HELD_OUT_QUANTILE))
    return float(np.percentile(training_scores(), 100.0 * contamination))
