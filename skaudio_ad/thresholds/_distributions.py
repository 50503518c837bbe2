"""`GammaThreshold` and `ParetoTailThreshold`: quantiles of fitted distributions."""

import numpy as np
from scipy.stats import gamma, genpareto

from .._checks import check_number
from ._selector import ESTIMATED, ThresholdSelector, check_spread

# Minimum number of exceedances for a fit of shape and scale. With 10 exceedances and a requested rate of 1 in 100, one
# clip in 65 raises a false alarm (simulated for normal, exponential, gamma and Student's distributions).
_FEWEST_EXCEEDANCES = 10


class GammaThreshold(ThresholdSelector):
    """A quantile of the gamma distribution that is fitted to the errors of normal clips.

    The baselines of the DCASE challenges choose their threshold this way. An error is minus a score. A gamma
    distribution has only positive values, so the score must be minus a distance or a reconstruction error.

    Parameters
    ----------
    alpha : float, default=0.1
        Requested fraction of the normal clips that raise a false alarm, in (0, 1). By default the threshold is the 0.9
        quantile of the errors, as in the baselines of DCASE Task 2 [1]_.

    Attributes
    ----------
    threshold_ : float
        On the scale of ``score_samples``. A clip with a lower score is anomalous.

    false_alarm_rate_ : float
        `alpha`.

    promise_ : str
        "estimated": the rate is right if the errors have a gamma distribution.

    promise_reason_ : str
        The reason for ``promise_``, in a sentence.

    shape_, scale_ : float
        Parameters of the distribution, by maximum likelihood. The distribution begins at 0. The baselines fit the
        beginning too, which is unstable for few clips.

    References
    ----------
    .. [1] K. Dohi et al., "Description and discussion on DCASE 2022 challenge Task 2", DCASE workshop, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import GammaThreshold
    >>> errors = np.random.default_rng(0).gamma(2.0, size=1000)
    >>> selector = GammaThreshold().fit(-errors)
    >>> round(float(np.mean(selector.predict(-errors) == -1)), 2)
    0.1
    """

    shape_: float
    scale_: float

    def __init__(self, alpha: float = 0.1) -> None:
        self.alpha = alpha

    def _check_parameters(self):
        check_number(self.alpha, "alpha", low=0, high=1, closed="neither")

    def _select(self, normal, anomalous):
        if normal.max() >= 0:
            raise ValueError(
                "GammaThreshold needs scores below 0, minus a distance or an error, got scores up to "
                f"{normal.max():g}. ConformalThreshold, QuantileThreshold and ParetoTailThreshold take scores of any "
                "sign. A score of exactly 0 usually belongs to a clip that the detector was trained on."
            )
        check_spread(self, normal)
        # The mean is the unit, because errors of 1e-8 or 1e8 must not disturb the fit.
        unit = -normal.mean()
        self.shape_, _, scale = map(float, gamma.fit(-normal / unit, floc=0))
        self.scale_ = float(scale * unit)
        self.threshold_ = -float(gamma.isf(self.alpha, self.shape_, scale=self.scale_))
        self.false_alarm_rate_ = float(self.alpha)
        self.promise_ = ESTIMATED
        self.promise_reason_ = "The rate assumes that errors have a gamma distribution."


class ParetoTailThreshold(ThresholdSelector):
    """Extrapolate the tail of the most anomalous normal clips (peaks over threshold).

    Use this selector for false-alarm rates that are too small to be observed on the clips at hand. Far out, the tail of
    almost any distribution of scores is close to a generalised Pareto distribution [1]_. This distribution is fitted
    by maximum likelihood to the distances of the lowest scores from the start of the tail. The threshold is the
    quantile of the fit at `alpha`.

    Parameters
    ----------
    alpha : float, default=0.01
        Requested fraction of the normal clips that raise a false alarm, in (0, `tail_fraction`).

    tail_fraction : float, default=0.1
        Fraction of the scores that form the tail, in (0, 1). The default is the customary tenth [2]_. The tail must
        hold at least 10 scores.

    Attributes
    ----------
    threshold_ : float
        On the scale of ``score_samples``. A clip with a lower score is anomalous.

    false_alarm_rate_ : float
        `alpha`.

    promise_ : str
        "estimated": the rate is as good as the extrapolation. With 100 clips, the minimum, expect about 1.5 times as
        many false alarms.

    promise_reason_ : str
        The reason for ``promise_``, in a sentence.

    tail_start_ : float
        Score below which the tail begins.

    n_exceedances_ : int
        Number of scores in the tail.

    shape_, scale_ : float
        Parameters of the generalised Pareto distribution. A tail with a positive shape is heavy. A tail with a negative
        shape has an end.

    References
    ----------
    .. [1] J. Pickands, "Statistical inference using extreme order statistics", Annals of Statistics, 1975.
    .. [2] W. H. DuMouchel, "Estimating the stable index in order to measure tail thickness: a critique", Annals of
       Statistics, 1983.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import ParetoTailThreshold
    >>> rng = np.random.default_rng(0)
    >>> selector = ParetoTailThreshold(0.001).fit(rng.normal(size=500))
    >>> selector.n_exceedances_
    50
    >>> bool(selector.threshold_ < -2.5)
    True
    """

    tail_start_: float
    n_exceedances_: int
    shape_: float
    scale_: float

    def __init__(self, alpha: float = 0.01, *, tail_fraction: float = 0.1) -> None:
        self.alpha = alpha
        self.tail_fraction = tail_fraction

    def _check_parameters(self):
        check_number(self.tail_fraction, "tail_fraction", low=0, high=1, closed="neither")
        check_number(self.alpha, "alpha", low=0, high=1, closed="neither")
        if self.alpha >= self.tail_fraction:
            raise ValueError(
                f"alpha must be smaller than tail_fraction={self.tail_fraction}, got {self.alpha!r}: that quantile "
                "does not lie in the tail of the scores. Use ConformalThreshold for such rates."
            )

    def _select(self, normal, anomalous):
        check_spread(self, normal)
        errors = np.sort(-normal)
        n_tail = int(np.floor(round(self.tail_fraction * len(errors), 9)))
        start = errors[-n_tail - 1]
        excesses = errors[errors > start] - start
        if len(excesses) < _FEWEST_EXCEEDANCES:
            n_needed = int(np.ceil(_FEWEST_EXCEEDANCES / self.tail_fraction))
            raise ValueError(
                f"ParetoTailThreshold needs {_FEWEST_EXCEEDANCES} scores in the tail to fit it, got {len(excesses)} of "
                f"n_samples={len(normal)} with tail_fraction={self.tail_fraction}. Pass {n_needed} normal clips or "
                "more (all with different scores), or a larger tail_fraction."
            )
        unit = excesses.mean()
        self.shape_, _, scale = map(float, genpareto.fit(excesses / unit, floc=0))
        self.scale_ = float(scale * unit)
        self.tail_start_, self.n_exceedances_ = -float(start), len(excesses)
        beyond = self.alpha * len(normal) / len(excesses)  # conditional probability within the tail
        self.threshold_ = self.tail_start_ - float(genpareto.isf(beyond, self.shape_, scale=self.scale_))
        self.false_alarm_rate_ = float(self.alpha)
        self.promise_ = ESTIMATED
        self.promise_reason_ = "The tail of the scores is extrapolated by a generalised Pareto distribution."
