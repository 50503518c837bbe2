"""`QuantileThreshold` and `MeanStdThreshold`: simple thresholds from the scores of normal clips."""

import numpy as np
from scipy.stats import t as student_t

from .._checks import check_number
from ._selector import ESTIMATED, ThresholdSelector, check_spread


class QuantileThreshold(ThresholdSelector):
    """The `alpha` quantile of normal scores.

    Parameters
    ----------
    alpha : float, default=0.1
        Requested fraction of the normal clips that raise a false alarm, in (0, 1). The default corresponds to the 90th
        percentile of anomaly scores, the customary threshold of autoencoders of machine sounds.

    Attributes
    ----------
    threshold_ : float
        On the scale of ``score_samples``. A clip with a lower score is anomalous.

    false_alarm_rate_ : float
        `alpha`.

    promise_ : str
        "estimated": the rate is right for very many scores. With n scores a new normal clip falls below the smallest
        one with probability 1 / (n + 1), for any `alpha`.

    promise_reason_ : str
        The reason for ``promise_``, in a sentence.

    See Also
    --------
    ConformalThreshold : Keeps its promise with few scores too, because it counts the new clip.

    Examples
    --------
    >>> from skaudio_ad import QuantileThreshold
    >>> selector = QuantileThreshold(0.25).fit([1.0, 2.0, 3.0, 4.0, 5.0])
    >>> selector.threshold_
    2.0
    >>> selector.predict([1.9, 2.0]).tolist()
    [-1, 1]
    """

    def __init__(self, alpha: float = 0.1) -> None:
        self.alpha = alpha

    def _check_parameters(self):
        check_number(self.alpha, "alpha", low=0, high=1, closed="neither")

    def _select(self, normal, anomalous):
        if len(normal) < 2:
            raise ValueError(
                "QuantileThreshold needs the scores of 2 normal clips or more, got 1. Half of all normal clips "
                "score lower than a single score: pass more clips."
            )
        self.threshold_ = float(np.quantile(normal, self.alpha))
        self.false_alarm_rate_ = float(self.alpha)
        self.promise_ = ESTIMATED
        self.promise_reason_ = (
            "The quantile does not count the new clip. Therefore the rate is right only for very many scores."
        )


class MeanStdThreshold(ThresholdSelector):
    """The mean of normal scores minus a number of standard deviations.

    Parameters
    ----------
    n_deviations : float, default=1.0
        Number of standard deviations, at least 0. Next-frame predictors of machine sounds use 0 or 1 with the scores of
        validation clips. False-alarm rates for normally distributed scores:

        ============  ==================
        n_deviations  normal clips below
        ============  ==================
        0             1 in 2
        1             1 in 6
        1.64          1 in 20
        3             1 in 740
        ============  ==================

    Attributes
    ----------
    threshold_ : float
        On the scale of ``score_samples``. A clip with a lower score is anomalous.

    false_alarm_rate_ : float
        Probability that a new score lies below the threshold if scores are normally distributed. Student's prediction
        interval takes the number of scores into account.

    promise_ : str
        "estimated": scores of most detectors have a long lower tail and raise more false alarms.

    promise_reason_ : str
        The reason for ``promise_``, in a sentence.

    Notes
    -----
    The standard deviation has n - 1 in the denominator.

    Examples
    --------
    >>> from skaudio_ad import MeanStdThreshold
    >>> MeanStdThreshold(2).fit([-1.0, 0.0, 1.0]).threshold_
    -2.0
    """

    def __init__(self, n_deviations: float = 1.0) -> None:
        self.n_deviations = n_deviations

    def _check_parameters(self):
        check_number(self.n_deviations, "n_deviations", low=0, high=np.inf, closed="left")

    def _select(self, normal, anomalous):
        check_spread(self, normal)
        n = len(normal)
        self.threshold_ = float(normal.mean() - self.n_deviations * normal.std(ddof=1))
        self.false_alarm_rate_ = float(student_t.cdf(-self.n_deviations / np.sqrt(1 + 1 / n), n - 1))
        self.promise_ = ESTIMATED
        self.promise_reason_ = "The rate assumes that scores have a normal distribution."
