"""`ConformalThreshold`: a threshold that keeps its promise whatever the distribution of scores."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._base import conformal_quantile, conformal_rank
from .._checks import check_number
from ._selector import GUARANTEED_ON_AVERAGE, ThresholdSelector, check_scores


class ConformalThreshold(ThresholdSelector):
    """No more false alarms than promised, whatever the detector and the distribution of its scores.

    The threshold is the k-th smallest of the n normal scores, ``k = floor(alpha * (n + 1))``. A new normal clip from
    the same source falls below it with probability k / (n + 1) at most [1]_, [2]_, and exactly that often where no two
    scores are equal.

    Parameters
    ----------
    alpha : float, default=0.05
        Largest rate of false alarms, in (0, 1). One in twenty is the customary level of a test, and takes 19 normal
        clips; `alpha` takes ``1 / alpha - 1``.

    Attributes
    ----------
    threshold_ : float
        On the scale of ``score_samples``: below it a clip is anomalous.

    false_alarm_rate_ : float
        k / (n + 1), at most `alpha`.

    promise_ : str
        "guaranteed on average". The rate is that of many thresholds, each from n clips of its own. A single
        threshold's rate varies around it, as a beta distribution with parameters k and n + 1 - k: less the more clips
        there are.

    calibration_scores_ : ndarray of shape (n_normal,), float64
        The normal scores, sorted.

    Notes
    -----
    What it takes is that the normal clips of tomorrow and those scored here come from the same source, and that the
    detector was trained on neither. Clips of another machine, microphone or season void it; so do many clips cut from
    one recording: keeping recordings together in the folds helps, and what counts is nearer their number than that of
    the clips. Scores that a :class:`ThresholdedDetector` has kept from folds, before it trained again on all clips, are
    not those of its final detector: its own selector says "approximate", one fitted by hand on them cannot know.

    References
    ----------
    .. [1] V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random World", Springer, 2005.
    .. [2] S. Bates et al., "Testing for outliers with conformal p-values", Annals of Statistics, 2023.

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
    """

    def __init__(self, alpha=0.05):
        self.alpha = alpha

    def p_values(self, scores):
        """How likely a normal clip is to score as low as that.

        A clip's p-value is at most `alpha` exactly where `predict` calls it anomalous.

        Parameters
        ----------
        scores : array-like of shape (n_clips,)

        Returns
        -------
        ndarray of shape (n_clips,), float64
            From 1 / (n_normal + 1) to 1; NaN for a clip that could not be read.
        """
        check_is_fitted(self)
        return conformal_p_values(self.calibration_scores_, scores)

    def _check_parameters(self):
        check_number(self.alpha, "alpha", low=0, high=1, closed="neither")

    def _select(self, normal, anomalous):
        n = len(normal)
        if conformal_rank(n, self.alpha) < 1:
            n_needed = int(np.ceil(1 / self.alpha - 1e-6)) - 1
            raise ValueError(
                f"alpha={self.alpha} takes the scores of at least {n_needed} normal clips, got {n}: with {n} no "
                f"threshold can promise less than 1 / {n + 1}. Pass more clips, or alpha={_round_up(1 / (n + 1))}"
                " or more; MeanStdThreshold takes fewer, and guarantees nothing."
            )
        self.calibration_scores_ = np.sort(normal)
        self.threshold_ = conformal_quantile(normal, self.alpha)
        self.false_alarm_rate_ = conformal_rank(n, self.alpha) / (n + 1)
        self.promise_ = GUARANTEED_ON_AVERAGE


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
        NaN where the score is.
    """
    scores = check_scores(scores)
    n_as_low = np.searchsorted(calibration_scores, scores, side="right")
    return np.where(np.isnan(scores), np.nan, (1 + n_as_low) / (1 + len(calibration_scores)))


def _round_up(value):
    """The next number of three decimals, for a message: what it recommends must work."""
    return np.ceil(value * 1000) / 1000
