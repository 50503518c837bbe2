"""`check_shift`: test whether new clips come from the same source as the calibration clips."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import betabinom, mannwhitneyu
from sklearn.pipeline import Pipeline

from .._base import FALSE_ALARM_RATE, conformal_rank
from .._checks import check_number
from .._typing import FloatArray
from ._selector import check_scores

# Attributes that hold the fitted estimator inside a search or a wrapper.
_INNER = ("best_estimator_", "estimator_")


@dataclass(frozen=True)
class ShiftCheck:
    """Result of :func:`check_shift`.

    Attributes
    ----------
    n_calibration : int
        Number of calibration scores.

    n_new : int
        Number of new scores. Clips that could not be read (NaN) are not counted.

    statistic : float
        Fraction of the pairs of a calibration clip and a new clip in which the new clip scores lower. A tie counts
        half. The lowest new scores, `max_anomalies` of the batch, are left out. 1 means that every new clip scores
        lower than every calibration clip. NaN if no new clip is left.

    p_value : float
        Probability, at most, of a statistic as large as this without a shift. A small value means a shift.

    share_below : float
        Fraction of the new clips that score below the 0.05 quantile of the calibration scores, the threshold of
        ``ConformalThreshold(0.05)``. With fewer than 19 calibration scores, the smallest one replaces the quantile. NaN
        if no new clip could be read.

    median_shift : float
        Median of the new scores minus median of the calibration scores, on the scale of ``score_samples``.

    shifted : bool
        Whether the whole batch is shifted: `p_value` is at most `alpha`.

    some_anomalous : bool
        Whether more new clips lie below that quantile than chance allows, at the level `alpha`.

    alpha : float
        The level of the test.
    """

    n_calibration: int
    n_new: int
    statistic: float
    p_value: float
    share_below: float
    median_shift: float
    shifted: bool
    some_anomalous: bool
    alpha: float

    @property
    def summary(self) -> str:
        """The result in a sentence or two, for a person."""
        if not self.n_new:
            return "No new clip could be read: nothing is known about a shift."
        expected = max(1, conformal_rank(self.n_calibration, FALSE_ALARM_RATE)) / (self.n_calibration + 1)
        found = (
            f"{self.share_below:.0%} of {self.n_new} new clips score below a threshold that normal clips fall below "
            f"in {expected:.0%} of the cases (p = {self.p_value:.2g} for a shift of the whole batch)."
        )
        if self.shifted:
            return (
                f"The whole batch is shifted: {found} The clips do not come from the source of the "
                f"{self.n_calibration} calibration clips, and the promised false-alarm rate does not hold for them. "
                "Calibrate with normal clips of the new condition."
            )
        if self.some_anomalous:
            return f"Some of the new clips are anomalous, and no shift of the whole batch was found: {found}"
        return f"No shift was found: {found}"


def check_shift(
    calibration_scores: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    alpha: float = 0.01,
    max_anomalies: float = 0.2,
) -> ShiftCheck:
    """Test whether a whole batch of new clips scores lower than the calibration clips.

    A threshold keeps its promise only for clips from the source of the calibration clips. Normal clips of another
    machine, microphone or season may all raise a false alarm. This test distinguishes such a batch from a batch with a
    few anomalies among normal clips.

    Parameters
    ----------
    calibration_scores : array-like of shape (n_calibration,)
        Scores of normal clips by a detector that was not trained on them: see :func:`get_calibration_scores`.
    scores : array-like of shape (n_new,)
        Scores of the new clips by the same detector. NaN, a clip that could not be read, is left out.
    alpha : float, default=0.01
        Maximum probability, in (0, 1), of calling a batch shifted that is not shifted. The level is lower than the
        customary 0.05, because batches are checked again and again.
    max_anomalies : float, default=0.2
        Maximum fraction of anomalies, in [0, 1), in a batch that does not count as shifted. Raise this fraction if you
        expect more anomalies. Smaller shifts then go unnoticed.

    Returns
    -------
    ShiftCheck
        ``shifted`` is the answer, and ``summary`` puts the answer into words.

    Raises
    ------
    ValueError, TypeError
        If a parameter is out of range, or `calibration_scores` is empty or not finite.

    Notes
    -----
    The test is Mann and Whitney's rank test [1]_ between calibration scores and new scores, one-sided. A test of the
    p-values against a uniform distribution, such as Kolmogorov and Smirnov's, would find a shift too often, because all
    p-values of a batch come from the same calibration clips and are not independent.

    First the lowest ``ceil(max_anomalies * n_new)`` new scores are left out. The others are at least as high as the
    scores of the normal clips in the batch, for any scores of the anomalies. Therefore a batch of normal clips with up
    to that many anomalies is called shifted with probability `alpha` at most. A single new clip is never called a
    shift.

    The test assumes that clips are independent. Many clips of one new patient, machine or recording are alike. They may
    be called shifted only because this patient, machine or recording differs from those of the calibration. Scores from
    cross-validation are a little lower than scores of a detector that was trained again on all clips. With such a
    detector a small shift goes unnoticed.

    A batch that scores higher than the calibration clips is not called shifted, because this batch raises fewer false
    alarms than promised. See ``median_shift`` for such a batch.

    References
    ----------
    .. [1] H. B. Mann and D. R. Whitney, "On a test of whether one of two random variables is stochastically larger
       than the other", Annals of Mathematical Statistics, 1947.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.thresholds import check_shift
    >>> rng = np.random.default_rng(0)
    >>> calibration, normal = rng.normal(size=100), rng.normal(size=40)
    >>> check_shift(calibration, normal).shifted
    False
    >>> with_anomalies = np.append(normal, [-9.0] * 5)
    >>> check = check_shift(calibration, with_anomalies)
    >>> check.shifted, check.some_anomalous
    (False, True)
    >>> check_shift(calibration, normal - 3).shifted
    True
    """
    check_number(alpha, "alpha", low=0, high=1, closed="neither")
    check_number(max_anomalies, "max_anomalies", low=0, high=1, closed="left")
    calibration = np.sort(check_scores(calibration_scores, missing=False))
    checked = check_scores(scores)
    new = np.sort(checked[~np.isnan(checked)])
    n, m = len(calibration), len(new)
    kept = new[int(np.ceil(round(max_anomalies * m, 9))) :]
    statistic, p_value = np.nan, 1.0
    if len(kept):
        test = mannwhitneyu(calibration, kept, alternative="greater")
        statistic = test.statistic / (n * len(kept))
        # If all scores are equal, there is no variance and the test gives NaN.
        p_value = 1.0 if np.isnan(test.pvalue) else float(test.pvalue)
    k = max(1, conformal_rank(n, FALSE_ALARM_RATE))
    n_below = np.searchsorted(new, calibration[k - 1], side="left")
    return ShiftCheck(
        n_calibration=n,
        n_new=m,
        statistic=float(statistic),
        p_value=p_value,
        share_below=n_below / m if m else np.nan,
        median_shift=float(np.median(new) - np.median(calibration)) if m else np.nan,
        shifted=p_value <= alpha,
        # The number of new scores below the k-th smallest of n scores has a beta-binomial distribution.
        some_anomalous=bool(betabinom.sf(n_below - 1, m, k, n + 1 - k) <= alpha),
        alpha=float(alpha),
    )


def get_calibration_scores(detector: Any) -> FloatArray:
    """Get the scores of normal clips that a fitted detector keeps, by models that had not seen these clips.

    Parameters
    ----------
    detector : estimator
        A fitted :class:`ThresholdedDetector`, a detector with ``held_out_scores_``, or a Pipeline, a search or a
        :class:`~skaudio_ad.NormalOnly` around one.

    Returns
    -------
    ndarray of shape (n_calibration,), float64
        For :func:`check_shift`.

    Raises
    ------
    ValueError
        If the detector keeps no such scores.
    """
    estimator = detector
    while not hasattr(estimator, "calibration_scores_") and not hasattr(estimator, "held_out_scores_"):
        inner = [name for name in _INNER if hasattr(estimator, name)]
        if isinstance(estimator, Pipeline):
            estimator = estimator[-1]
        elif inner:
            estimator = getattr(estimator, inner[0])
        else:
            break
    if hasattr(estimator, "calibration_scores_"):
        return estimator.calibration_scores_[estimator.calibration_labels_ == 1]
    scores = getattr(estimator, "held_out_scores_", np.empty(0))
    if not len(scores):
        raise ValueError(
            f"{type(detector).__name__} keeps no scores of clips that it was not trained on. Fit it first, with a "
            "validation_fraction above 0 where it has that parameter, or put it into a ThresholdedDetector."
        )
    return scores
