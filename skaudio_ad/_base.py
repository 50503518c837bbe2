"""The part of a detector that turns scores into decisions."""

import numpy as np
from scipy.stats import t as student_t
from sklearn.base import OutlierMixin

from ._checks import check_number

# The false-alarm rate that "auto" aims at: one normal clip in twenty, the customary level of a test. A tighter one
# needs more normal clips; threshold selectors say how many.
FALSE_ALARM_RATE = 0.05
# From so many held-out clips on, one of their scores is a threshold that keeps that rate.
ENOUGH_HELD_OUT = 19


class DetectorMixin(OutlierMixin):
    """``decision_function`` and ``predict`` from ``score_samples`` and ``offset_``.

    A score of NaN stands for a clip that could not be read: it is never called normal. Every other score is finite.

    `fit` takes all of X as normal. Where y is given and all its labels are 1 and -1, clips labelled -1 are left out of
    training, with a warning that counts them. Parameters have effect when `fit` is called; set later, they wait for the
    next `fit`. The device alone is read when it is used.
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
        "auto" is the 0.05 quantile of normal clips, from the held-out scores (:func:`lower_quantile`). A float
        is scikit-learn's meaning, the quantile of the training clips' own scores.
    held_out_scores : ndarray of shape (n_held_out,)
        Scores of normal clips that took no part in the fit. Where there are fewer than two, the training scores
        lend "auto" their spread, or all.
    training_scores : callable
        Returns the scores of all training clips, an ndarray of shape (n_clips,).

    Returns
    -------
    float
    """
    if contamination != "auto":
        return float(np.percentile(training_scores(), 100.0 * contamination))
    if len(held_out_scores) == 0:
        return lower_quantile(training_scores())
    if len(held_out_scores) == 1:
        training = training_scores()
        return lower_quantile(held_out_scores[0] + training - training.mean())
    return lower_quantile(held_out_scores)


def lower_quantile(scores, rate=FALSE_ALARM_RATE):
    """The value that a new normal score falls below with probability `rate`, as far as few scores can tell.

    The conformal quantile. With too few scores for one no value of theirs can promise that rate, and new scores
    would fall below the smallest far more often: then it is the lower end of Student's prediction interval, exact
    for normal distributions.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
    rate : float, default=0.05

    Returns
    -------
    float
    """
    n = len(scores)
    if conformal_rank(n, rate) >= 1:
        return conformal_quantile(scores, rate)
    if n == 1:
        return float(scores[0])
    spread = scores.std(ddof=1) * np.sqrt(1 + 1 / n)
    return float(scores.mean() + student_t.ppf(rate, n - 1) * spread)


def conformal_rank(n, rate):
    """Which of n sorted scores is the conformal quantile: ``floor(rate * (n + 1))``, 0 where there is none.

    Parameters
    ----------
    n : int
    rate : float

    Returns
    -------
    int
    """
    return int(np.floor(rate * (n + 1) + 1e-9))  # 0.2 * 5 may fall short of 1 in binary


def conformal_quantile(scores, rate):
    """The k-th smallest of n scores, k being their :func:`conformal_rank`.

    A new score from the same distribution, whatever it is, lies below it with probability ``k / (n + 1) <= rate``
    (V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random World", 2005).

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
        At least ``1 / rate - 1``.
    rate : float

    Returns
    -------
    float
    """
    return float(np.sort(scores)[conformal_rank(len(scores), rate) - 1])
