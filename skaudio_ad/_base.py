"""Turn scores into decisions: `DetectorMixin`, and thresholds from few or many scores."""

import numpy as np
from scipy.stats import t as student_t
from sklearn.base import OutlierMixin

from ._checks import check_number
from ._doc_links import DocLinkMixin
from ._typing import Clips, FloatArray, IntArray

# False-alarm rate that "auto" aims at: one normal clip in twenty, the customary level of a test. A lower rate needs
# more normal clips. The error messages of threshold selectors tell the number.
FALSE_ALARM_RATE = 0.05
# Minimum number of held-out clips for which one of their scores is a threshold that keeps this rate.
ENOUGH_HELD_OUT = 19
# Minimum error before the logarithm is taken, relative to the median error. Smaller errors, such as those of copies,
# are raised to this minimum. Otherwise two copies among ten clips set a threshold that is a thousand times too far
# away. With a tenth the false-alarm rate of log-normal errors stays 0.05 (simulated with 2 to 18 scores).
_SMALLEST_ERROR = 0.1
# Maximum logarithm of a finite float64, rounded down.
_LARGEST_LOGARITHM = 709.0


class DetectorMixin(DocLinkMixin, OutlierMixin):
    """Add ``decision_function`` and ``predict`` to a detector with ``score_samples`` and ``offset_``.

    A score of NaN stands for a clip that could not be read. Such a clip is never called normal. Every other score is
    finite.

    `fit` takes all clips of X as normal. If y holds only the labels 1 and -1, clips labelled -1 are left out of
    training, and a warning counts them. Parameters are read when `fit` is called, and a later change waits for the next
    `fit`. Only the device is read when the device is used.
    """

    offset_: float

    def decision_function(self, X: Clips) -> FloatArray:
        """Score relative to the threshold.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips,), float64
            ``score_samples(X) - offset_``. Negative is anomalous. NaN stands for a clip that could not be read.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Clips) -> IntArray:
        """Decide for every clip.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips,), int
            1 is normal, -1 anomalous. A clip that could not be read gets -1, because it is not known to be normal.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)


def check_contamination(contamination):
    """Raise unless `contamination` is "auto" or a fraction in (0, 0.5]."""
    if not (isinstance(contamination, str) and contamination == "auto"):
        if isinstance(contamination, str):
            raise ValueError(f'contamination must be "auto" or a number in (0, 0.5], got {contamination!r}.')
        check_number(contamination, "contamination", low=0, high=0.5, closed="right")


def choose_offset(contamination, *, held_out_scores, training_scores, groups=None, training_groups=None):
    """Choose the threshold on the scale of ``score_samples``.

    Parameters
    ----------
    contamination : "auto" or float
        "auto" is the 0.05 quantile of normal clips, from the held-out scores (:func:`lower_quantile`). A float has
        scikit-learn's meaning: the quantile of the training clips' own scores.
    held_out_scores : ndarray of shape (n_held_out,)
        Scores of normal clips that took no part in the fit. With a single clip, or a single group of clips, "auto"
        takes the spread from the training scores. With no held-out clip, "auto" takes the training scores themselves.
    training_scores : callable
        Returns the scores of all training clips, an ndarray of shape (n_clips,).
    groups : ndarray of shape (n_held_out,), default=None
        Group of every held-out clip: its patient, machine or recording. Every group counts once.
    training_groups : ndarray of shape (n_clips,), default=None
        Group of every training clip.

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
    """Estimate the value that a new normal score falls below with probability `rate`.

    With enough scores this value is the conformal quantile. With fewer scores no score can promise that rate, because a
    new score falls below the smallest of n scores with probability ``1 / (n + 1)``. The value is then the lower end of
    Student's prediction interval.

    Scores that are minus an error have a long lower tail. If no score is positive, the interval is therefore computed
    from the logarithms of the errors. This interval is exact for errors with a log-normal distribution. Errors with a
    shorter tail raise fewer false alarms. Scores with positive values are assumed to have a normal distribution.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
    rate : float, default=0.05
    groups : ndarray of shape (n_scores,), default=None
        Group of every score. Every group counts once, and the new score comes from a new group.

    Returns
    -------
    float
    """
    n_groups = group_weights(scores, groups)[1]
    if conformal_rank(n_groups, rate) >= 1:
        return conformal_quantile(scores, rate, groups)
    # A single group does not show the spread between groups.
    return _prediction_end(scores, rate, groups if n_groups > 1 else None)


def conformal_rank(n, rate):
    """Rank of the conformal quantile among n sorted scores: ``floor(rate * (n + 1))``. 0 means no such quantile.

    Parameters
    ----------
    n : int
    rate : float

    Returns
    -------
    int
        From 0 to n.
    """
    return min(n, int(np.floor(rate * (n + 1) + 1e-9)))  # 0.2 * 5 may be slightly less than 1 in binary


def conformal_quantile(scores, rate, groups=None):
    """The k-th smallest of n scores, where k is the :func:`conformal_rank`.

    For any distribution, a new score from the same distribution lies below the k-th smallest score with a probability
    of at most ``k / (n + 1) <= rate`` [1]_.

    With groups, a score weighs 1 / (number of scores of its group). The quantile is the largest score for which all
    lower scores together weigh at most ``rate * (n_groups + 1) - 1``. If groups are exchangeable, the score of a clip
    of a new group lies below this quantile with a probability of at most `rate`. Clips of a group may be alike [2]_.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
        At least ``1 / rate - 1`` scores, or scores of as many groups.
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
    """Weight of every score, and the number of groups. The weights of a group have the sum 1."""
    if groups is None:
        return np.ones(len(scores)), len(scores)
    _, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return 1 / sizes[member], len(sizes)


def _prediction_end(scores, rate, groups, spread_of=None):
    """Lower end of Student's prediction interval, computed from logarithms of errors if no score is positive.

    `spread_of` is a tuple of other scores and their groups. Their spread is used if a single score has no spread.
    """
    other, other_groups = (scores, groups) if spread_of is None else spread_of
    if max(scores.max(), other.max()) > 0 or not (np.median(scores) and np.median(other)):
        return _student_end(scores, rate, groups, (other, other_groups))
    end = _student_end(_as_logarithms(scores), rate, groups, (_as_logarithms(other), other_groups))
    return -float(np.exp(min(-end, _LARGEST_LOGARITHM)))


def _as_logarithms(scores):
    """Minus the logarithms of the errors. They have the same order as the scores."""
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
