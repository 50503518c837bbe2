"""The part of a detector that turns scores into decisions."""

import numpy as np
from scipy.stats import t as student_t
from sklearn.base import OutlierMixin

from ._checks import check_number

# The false-alarm rate that "auto" aims at: one normal clip in twenty, the customary level of a test. A tighter one
# needs more normal clips; threshold selectors say how many.
FALSE_ALARM_RATE = 0.05
# Number of held-out clips from which on one of their scores is a threshold that keeps that rate.
ENOUGH_HELD_OUT = 19
# Smallest error whose logarithm is taken, in medians of the errors: smaller errors, such as those of copies, are raised
# to it. Otherwise two copies among ten clips set a threshold a thousand times too far away. With a tenth the rate of
# log-normal errors stays 0.05 (simulated with 2 to 18 scores).
_SMALLEST_ERROR = 0.1
# Largest number whose exponential is finite in float64, rounded down.
_LARGEST_LOGARITHM = 709.0


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


def choose_offset(contamination, *, held_out_scores, training_scores, groups=None, training_groups=None):
    """The threshold on the scale of ``score_samples``.

    Parameters
    ----------
    contamination : "auto" or float
        "auto" is the 0.05 quantile of normal clips, from the held-out scores (:func:`lower_quantile`). A float
        is scikit-learn's meaning, the quantile of the training clips' own scores.
    held_out_scores : ndarray of shape (n_held_out,)
        Scores of normal clips that took no part in the fit. With a single clip, or a single group of clips, "auto"
        takes the spread from the training scores; with none, "auto" takes the training scores themselves.
    training_scores : callable
        Returns the scores of all training clips, an ndarray of shape (n_clips,).
    groups : ndarray of shape (n_held_out,), default=None
        Group of every held-out clip: its patient, machine or recording. Every group counts once.
    training_groups : ndarray of shape (n_clips,), default=None
        The same for the training scores.

    Returns
    -------
    float
    """
    if contamination != "auto":
        return float(np.percentile(training_scores(), 100.0 * contamination))
    if len(held_out_scores) == 0:
        return lower_quantile(training_scores(), groups=training_groups)
    if group_weights(held_out_scores, groups)[1] == 1:
        training = training_scores(), training_groups
        return _prediction_end(held_out_scores, FALSE_ALARM_RATE, groups, spread_of=training)
    return lower_quantile(held_out_scores, groups=groups)


def lower_quantile(scores, rate=FALSE_ALARM_RATE, groups=None):
    """The value that a new normal score falls below with probability `rate`, as far as few scores can tell.

    The conformal quantile. With too few scores for a conformal quantile no score can promise that rate, because a new
    score falls below the smallest of n with probability ``1 / (n + 1)``. Then the value is the lower end of Student's
    prediction interval. Scores that are minus an error have a long lower tail: where no score is positive, the
    interval is that of the logarithms of the errors, exact for errors of a log-normal distribution. Errors with a
    shorter tail raise fewer false alarms. Other scores are supposed to have a normal distribution.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
    rate : float, default=0.05
    groups : ndarray of shape (n_scores,), default=None
        Group of every score. Every group counts once, and the new score is that of a new group.

    Returns
    -------
    float
    """
    n_groups = group_weights(scores, groups)[1]
    if conformal_rank(n_groups, rate) >= 1:
        return conformal_quantile(scores, rate, groups)
    # The spread between groups cannot be seen in a single one.
    return _prediction_end(scores, rate, groups if n_groups > 1 else None)


def conformal_rank(n, rate):
    """Which of n sorted scores is the conformal quantile: ``floor(rate * (n + 1))``, 0 where there is none.

    Parameters
    ----------
    n : int
    rate : float

    Returns
    -------
    int
        From 0 to n.
    """
    return min(n, int(np.floor(rate * (n + 1) + 1e-9)))  # 0.2 * 5 may fall short of 1 in binary


def conformal_quantile(scores, rate, groups=None):
    """The k-th smallest of n scores, k being their :func:`conformal_rank`.

    A new score from the same distribution, whatever it is, lies below the k-th smallest with probability
    ``k / (n + 1) <= rate`` [1]_.

    With groups, a score weighs 1 / (number of scores of its group), and the quantile is the largest score that has a
    weight of ``rate * (n_groups + 1) - 1`` below it at most. The score of a clip of a new group lies below this one
    with probability `rate` at most, however alike the clips of a group are, if groups are exchangeable [2]_.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
        At least ``1 / rate - 1``, or scores of as many groups.
    rate : float
    groups : ndarray of shape (n_scores,), default=None
        Group of every score.

    Returns
    -------
    float

    References
    ----------
    .. [1] V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random World", Springer, 2005.
    .. [2] Y. Lee, R. F. Barber and R. Willett, "Distribution-free inference with hierarchical data",
       arXiv:2306.06342, 2023.
    """
    if groups is None:
        return float(np.sort(scores)[conformal_rank(len(scores), rate) - 1])
    weights, n_groups = group_weights(scores, groups)
    order = np.argsort(scores, kind="stable")
    below = np.cumsum(weights[order]) - weights[order]
    last = np.flatnonzero(below <= rate * (n_groups + 1) - 1 + 1e-9)[-1]
    return float(scores[order[last]])


def group_weights(scores, groups):
    """Weight of every score, such that those of a group have the sum 1, and the number of groups."""
    if groups is None:
        return np.ones(len(scores)), len(scores)
    _, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return 1 / sizes[member], len(sizes)


def _prediction_end(scores, rate, groups, spread_of=None):
    """Lower end of Student's prediction interval, of the logarithms of errors where no score is positive.

    `spread_of`, scores and their groups, lends its spread to scores that are too few to have one.
    """
    other, other_groups = (scores, groups) if spread_of is None else spread_of
    if max(scores.max(), other.max()) > 0 or not (np.median(scores) and np.median(other)):
        return _student_end(scores, rate, groups, (other, other_groups))
    end = _student_end(_as_logarithms(scores), rate, groups, (_as_logarithms(other), other_groups))
    return -float(np.exp(min(-end, _LARGEST_LOGARITHM)))


def _as_logarithms(scores):
    """Minus the logarithms of the errors, which are in the order of the scores."""
    errors = -scores
    return -np.log(np.maximum(errors, _SMALLEST_ERROR * np.median(errors)))


def _student_end(scores, rate, groups, spread_of):
    weights, n = group_weights(scores, groups)
    center = np.average(scores, weights=weights)
    other, other_groups = spread_of
    weights, n_other = group_weights(other, other_groups)
    if n_other < 2:
        return float(center)
    mean = np.average(other, weights=weights)
    variance = np.average((other - mean) ** 2, weights=weights) * n_other / (n_other - 1)
    return float(center + student_t.ppf(rate, n_other - 1) * np.sqrt(variance * (1 + 1 / n)))
