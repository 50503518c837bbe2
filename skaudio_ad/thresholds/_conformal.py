"""`ConformalThreshold`: a threshold that keeps its promise for any distribution of scores."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, binom
from sklearn.utils.validation import check_is_fitted

from .._base import conformal_quantile, conformal_rank, group_weights, lower_quantile
from .._checks import check_number, check_option
from .._typing import FloatArray
from ._selector import ESTIMATED, GUARANTEED, GUARANTEED_ON_AVERAGE, ThresholdSelector, check_scores


class ConformalThreshold(ThresholdSelector):
    """A threshold with a guaranteed false-alarm rate, for any detector and any distribution of its scores.

    The threshold is the k-th smallest of the n normal scores, ``k = floor(alpha * (n + 1))``. A new normal clip from
    the same source falls below the threshold with probability k / (n + 1) at most [1]_, [2]_. The probability is
    exactly k / (n + 1) if no two scores are equal. This rate is an average over draws of the n clips. With
    `confidence`, k is smaller, and the rate of this very threshold is at most `alpha` with that confidence.

    Parameters
    ----------
    alpha : float, default=0.05
        Maximum false-alarm rate, in (0, 1). 0.05 is the customary level of a test, and takes 19 normal clips. Any other
        `alpha` takes ``1 / alpha - 1`` clips.

    confidence : float or None, default=None
        Fraction, in (0, 1), of the draws of n normal clips for which the false-alarm rate is at most `alpha`. The rate
        of the threshold at the k-th smallest of n scores has a beta distribution with parameters k and n + 1 - k [3]_.
        k is the largest number for which this rate is at most `alpha` with probability `confidence`. A confidence of
        0.95 takes 59 normal clips for ``alpha=0.05``, in general ``log(1 - confidence) / log(1 - alpha)``. None
        promises only the average.

    too_few : {"raise", "estimate"}, default="raise"
        What to do with fewer scores than the promise takes. "raise" raises an error that tells the number. "estimate"
        takes the lower end of a prediction interval for the rate `alpha`, which assumes a distribution of the scores,
        or the smallest score if that is lower. ``promise_`` is then "estimated". On average the rate is at most
        ``1 / (n + 1)`` for n scores, whatever their distribution is.

    Attributes
    ----------
    threshold_ : float
        On the scale of ``score_samples``. A clip with a lower score is anomalous.

    false_alarm_rate_ : float
        Promised rate, at most `alpha`: k / (n + 1). With `confidence`, the `confidence` quantile of the beta
        distribution.

    promise_ : str
        "guaranteed on average": the rate is the mean over many thresholds, each from another n clips. The rate of a
        single threshold varies around this mean, and varies less with more clips. With `confidence`, "guaranteed": the
        rate of this threshold is at most ``false_alarm_rate_``, with that confidence. "estimated": see `too_few`.

    promise_reason_ : str
        The reason for ``promise_``, in a sentence.

    calibration_scores_ : ndarray of shape (n_normal,), float64
        The normal scores, sorted.

    Notes
    -----
    The promise has two conditions: new normal clips come from the same source as the clips scored here, and the
    detector was trained on neither. Clips of another machine, microphone or season break the first condition. Many
    clips cut from one recording break it too: keep the clips of a recording in one fold, and count recordings rather
    than clips.

    A :class:`ThresholdedDetector` that trains again on all clips keeps the scores of the models of the folds. These are
    not scores of the final detector. Its own selector tells so in ``promise_``. A selector that is fitted by hand on
    these scores cannot know.

    References
    ----------
    .. [1] V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random World", Springer, 2005.
    .. [2] S. Bates et al., "Testing for outliers with conformal p-values", Annals of Statistics, 2023.
    .. [3] V. Vovk, "Conditional validity of inductive conformal predictors", ACML, 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import ConformalThreshold
    >>> scores = np.arange(39.0)
    >>> selector = ConformalThreshold(0.05).fit(scores)
    >>> selector.threshold_, selector.false_alarm_rate_
    (1.0, 0.05)
    >>> selector.p_values([-5.0, 0.5, 20.0]).tolist()
    [0.025, 0.05, 0.55]

    With 95 % confidence the rate of the threshold from 99 clips is at most 0.05, not only on average:

    >>> selector = ConformalThreshold(0.05, confidence=0.95).fit(np.arange(99.0))
    >>> selector.threshold_, round(selector.false_alarm_rate_, 3), selector.promise_
    (1.0, 0.047, 'guaranteed')
    """

    calibration_scores_: FloatArray

    def __init__(
        self,
        alpha: float = 0.05,
        *,
        confidence: float | None = None,
        too_few: Literal["raise", "estimate"] = "raise",
    ) -> None:
        self.alpha = alpha
        self.confidence = confidence
        self.too_few = too_few

    def p_values(self, scores: npt.ArrayLike) -> FloatArray:
        """Conformal p-values: the probability that a normal clip scores as low as each of these scores.

        Without `confidence`, `predict` calls a clip anomalous exactly if its p-value is at most `alpha`. For every t,
        the p-value of a normal clip is at most t with a probability of at most t. This holds on average over draws of
        the calibration clips, with any `confidence`.

        Parameters
        ----------
        scores : array-like of shape (n_clips,)

        Returns
        -------
        ndarray of shape (n_clips,), float64
            From 1 / (n_normal + 1) to 1. NaN for a clip that could not be read.
        """
        check_is_fitted(self)
        return conformal_p_values(self.calibration_scores_, scores)

    def _check_parameters(self):
        check_number(self.alpha, "alpha", low=0, high=1, closed="neither")
        check_number(self.confidence, "confidence", low=0, high=1, closed="neither", none=True)
        check_option(self.too_few, "too_few", ("raise", "estimate"))

    def _select(self, normal, anomalous):
        self.calibration_scores_ = np.sort(normal)
        if self.confidence is None:
            self._select_on_average(len(normal))
        else:
            self._select_with_confidence(len(normal), self.confidence)

    def _select_on_average(self, n):
        k = conformal_rank(n, self.alpha)
        if k < 1 and self.too_few == "estimate":
            self._estimate(self.calibration_scores_)
            return
        if k < 1:
            raise ValueError(
                f"alpha={self.alpha} takes the scores of at least {n_needed(self.alpha)} normal clips, got {n}: with "
                f"{n} no threshold can promise less than 1 / {n + 1}. Pass more clips, or "
                f"alpha={_round_up(1 / (n + 1))} or more."
                '  too_few="estimate" takes fewer clips, and guarantees nothing.'
            )
        self.threshold_ = conformal_quantile(self.calibration_scores_, self.alpha)
        self.false_alarm_rate_ = k / (n + 1)
        self.promise_ = GUARANTEED_ON_AVERAGE
        self.promise_reason_ = (
            f"A new normal clip has every rank among {n} scores and its own score with the same probability. This "
            "holds on average over draws of the calibration clips."
        )

    def _select_with_confidence(self, n, confidence):
        # The rate is at most alpha if at least k of n clips lie in the lowest alpha of the distribution.
        k = np.count_nonzero(binom.sf(np.arange(n), n, self.alpha) >= confidence)
        if k < 1 and self.too_few == "estimate":
            self._estimate(self.calibration_scores_)
            return
        if k < 1:
            least = int(np.ceil(np.log1p(-confidence) / np.log1p(-self.alpha) - 1e-9))
            lowest = -np.expm1(np.log1p(-confidence) / n)
            raise ValueError(
                f"alpha={self.alpha} with confidence={confidence} takes the scores of at least {least} normal "
                f"clips, got {n}. Pass more clips, alpha={_round_up(lowest)} or more, or confidence=None, which "
                "promises the rate on average."
            )
        self.threshold_ = float(self.calibration_scores_[k - 1])
        self.false_alarm_rate_ = float(min(self.alpha, beta.ppf(confidence, k, n + 1 - k)))
        self.promise_ = GUARANTEED
        self.promise_reason_ = (
            f"The rate of the threshold at the score of rank {k} of {n} has a beta distribution. The rate is at most "
            f"{self.false_alarm_rate_:.3g} for {confidence:.4g} of all draws of the calibration clips."
        )

    def _estimate(self, scores, groups=None):
        """Set the attributes from fewer scores, or groups, than the promise takes."""
        unit = "clips" if groups is None else "groups"
        # A threshold above the smallest score has a rate of more than 1 / (n + 1), which is more than alpha already.
        self.threshold_ = min(lower_quantile(scores, self.alpha, groups), float(np.min(scores)))
        self.false_alarm_rate_ = float(self.alpha)
        self.promise_ = ESTIMATED
        self.promise_reason_ = (
            f"{group_weights(scores, groups)[1]} normal {unit} calibrate, and a promise of {self.alpha} takes "
            f"{n_needed(self.alpha)}. The threshold is the lower end of a prediction interval, which assumes a "
            "distribution of scores, or the smallest score if that is lower."
        )


def n_needed(alpha):
    """Number of normal clips, or groups, that a promise of the rate `alpha` takes."""
    return int(np.ceil(1 / alpha - 1e-6)) - 1


def conformal_p_values(calibration_scores, scores):
    """``(1 + number of calibration scores at or below the score) / (1 + number of calibration scores)``.

    Parameters
    ----------
    calibration_scores : ndarray of shape (n_normal,)
        Sorted.
    scores : array-like of shape (n_clips,)

    Returns
    -------
    ndarray of shape (n_clips,), float64
        NaN where the score is NaN.
    """
    scores = check_scores(scores)
    n_as_low = np.searchsorted(calibration_scores, scores, side="right")
    return np.where(np.isnan(scores), np.nan, (1 + n_as_low) / (1 + len(calibration_scores)))


def _round_up(value):
    """Round up to three decimals, because a message must recommend a value that works."""
    return np.ceil(value * 1000) / 1000
