"""`QuantileThreshold` and `MeanStdThreshold`: the simple ones."""

import numpy as np
from scipy.stats import t as student_t

from .._checks import check_number
from ._selector import ESTIMATED, ThresholdSelector, check_spread


class QuantileThreshold(ThresholdSelector):
    """The `alpha` quantile of normal scores.

    Parameters
    ----------
    alpha : float, default=0.1
        Fraction of the normal clips that shall raise a false alarm, in (0, 1). The default is the 90th percentile of
        anomaly scores that autoencoders of machine sounds are customarily given.

    Attributes
    ----------
    threshold_ : float
        On the scale of ``score_samples``: below it a clip is anomalous.

    false_alarm_rate_ : float
        `alpha`.

    promise_ : str
        "estimated": right for very many scores. With n of them a new normal clip falls below the smallest with
        probability 1 / (n + 1) whatever `alpha`.

    promise_reason_ : str
        Why, in a sentence.

    See Also
    --------
    ConformalThreshold : Counts the new clip in, and so keeps its promise with few scores too.

    Examples
    --------
    >>> from skaudio_ad import QuantileThreshold
    >>> selector = QuantileThreshold(0.25).fit([1.0, 2.0, 3.0, 4.0, 5.0])
    >>> selector.threshold_
    2.0
    >>> selector.predict([1.9, 2.0]).tolist()
    [-1, 1]
    """

    def __init__(self, alpha=0.1):
        self.alpha = alpha

    def _check_parameters(self):
        check_number(self.alpha, "alpha", low=0, high=1, closed="neither")

    def _select(self, normal, anomalous):
        if len(normal) < 2:
            raise ValueError(
                "QuantileThreshold needs the scores of 2 normal clips or more, got 1: half of all clips lie below one "
                "score."
            )
        self.threshold_ = float(np.quantile(normal, self.alpha))
        self.false_alarm_rate_ = float(self.alpha)
        self.promise_ = ESTIMATED
        self.promise_reason_ = (
            "A quantile of few scores does not count the new clip in: the rate is right for very many scores."
        )


class MeanStdThreshold(ThresholdSelector):
    """So many standard deviations below the mean of normal scores.

    Parameters
    ----------
    n_deviations : float, default=1.0
        At least 0. For normally distributed scores 0 calls every second normal clip anomalous, 1 every sixth, 1.64
        every twentieth, 3 one in 740. 0 and 1 are the candidates of next-frame predictors of machine sounds: the mean
        of the validation scores, and the mean with its deviation.

    Attributes
    ----------
    threshold_ : float
        On the scale of ``score_samples``: below it a clip is anomalous.

    false_alarm_rate_ : float
        Probability that a new score lies below, if scores are normally distributed (Student's prediction interval,
        which knows how many they were).

    promise_ : str
        "estimated": most detectors' scores have a long tail of low ones, and raise more false alarms.

    promise_reason_ : str
        Why, in a sentence.

    Notes
    -----
    The deviation is the sample's, with n - 1 in the denominator.

    Examples
    --------
    >>> from skaudio_ad import MeanStdThreshold
    >>> MeanStdThreshold(2).fit([-1.0, 0.0, 1.0]).threshold_
    -2.0
    """

    def __init__(self, n_deviations=1.0):
        self.n_deviations = n_deviations

    def _check_parameters(self):
        check_number(self.n_deviations, "n_deviations", low=0, high=np.inf, closed="left")

    def _select(self, normal, anomalous):
        check_spread(self, normal)
        n = len(normal)
        self.threshold_ = float(normal.mean() - self.n_deviations * normal.std(ddof=1))
        self.false_alarm_rate_ = float(student_t.cdf(-self.n_deviations / np.sqrt(1 + 1 / n), n - 1))
        self.promise_ = ESTIMATED
        self.promise_reason_ = "The rate supposes that scores have a normal distribution."
