"""`control_false_discoveries`: which clips of a batch to call anomalous, with few normal ones among them."""

import numpy as np
from scipy.stats import false_discovery_control

from .._checks import check_number
from ._selector import check_scores


def control_false_discoveries(p_values, q=0.1):
    """Choose clips of a batch so that few of the chosen clips are normal.

    A threshold with a rate of false alarms of 0.05 calls 50 of 1000 normal clips anomalous, and if there are ten
    anomalies, most alarms are false. This function bounds the fraction of normal clips among those that are called
    anomalous: on average at most `q`. It is the procedure of Benjamini and Hochberg [1]_ on conformal p-values: of m
    clips the k with the smallest p-values are chosen, k being the largest number for which the k-th smallest p-value is
    at most ``q * k / m``.

    Parameters
    ----------
    p_values : array-like of shape (n_clips,)
        Of all clips of the batch, from ``p_values`` of a :class:`ConformalThreshold` or a :class:`ThresholdedDetector`.
        NaN stands for a clip that could not be read.
    q : float, default=0.1
        Largest average fraction, in (0, 1), of normal clips among the chosen ones. One in ten is customary; where none
        is chosen, the fraction counts as 0.

    Returns
    -------
    ndarray of shape (n_clips,), bool
        True for the clips to call anomalous. A clip that could not be read is never chosen and does not count as one of
        the batch: nothing is known of it, ``np.isnan(p_values)`` finds such clips, and `predict` calls them -1.

    Raises
    ------
    ValueError, TypeError
        If `q` is out of range, or a p-value lies outside [0, 1].

    Notes
    -----
    When it holds: the p-values share one set of calibration clips, so they are not independent, but they are positively
    dependent in the way that the procedure allows (PRDS), and the bound is even ``q`` times the fraction of normal
    clips in the batch [2]_. This is proved for a detector that was not trained on the calibration clips: `cv` of
    :class:`ThresholdedDetector` a fraction or "prefit". The normal clips of the batch must come from the source of the
    calibration clips, be independent of each other, and not be copies: see :func:`check_shift`. For p-values from
    folds (cross-conformal) there is no proof. The fraction is an average over batches *and* draws of the calibration
    clips.

    How many calibration clips it takes: the smallest p-value of n clips is ``1 / (n + 1)``. To find k anomalies
    among m clips, ``1 / (n + 1) <= q * k / m`` must hold: for ``q=0.1`` and 5 anomalies among 100 clips at least 199
    calibration clips, and for one anomaly among 100 clips 999. With fewer, no clip is chosen.

    References
    ----------
    .. [1] Y. Benjamini and Y. Hochberg, "Controlling the false discovery rate: a practical and powerful approach to
       multiple testing", Journal of the Royal Statistical Society B, 1995.
    .. [2] S. Bates, E. Candes, L. Lei, Y. Romano and M. Sesia, "Testing for outliers with conformal p-values", Annals
       of Statistics, 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import ConformalThreshold
    >>> from skaudio_ad.thresholds import control_false_discoveries
    >>> rng = np.random.default_rng(3)
    >>> selector = ConformalThreshold().fit(rng.normal(size=399))
    >>> batch = np.append(rng.normal(size=95), [-6.0] * 5)  # five anomalies among 100 clips
    >>> np.flatnonzero(control_false_discoveries(selector.p_values(batch))).tolist()
    [95, 96, 97, 98, 99]
    >>> int(np.sum(selector.predict(batch) == -1))  # with a threshold for each clip by itself
    8
    """
    check_number(q, "q", low=0, high=1, closed="neither")
    p_values = check_scores(p_values)
    known = ~np.isnan(p_values)
    outside = p_values[known & ~((p_values >= 0) & (p_values <= 1))]
    if len(outside):
        raise ValueError(
            f"p_values must lie in [0, 1], got {outside[0]:g}: pass p_values(X) of a ThresholdedDetector or a "
            "ConformalThreshold, not scores."
        )
    chosen = np.zeros(len(p_values), dtype=bool)
    if known.any():
        # 0.05 * 20 / 100 may fall short of 1 / 100 in binary.
        chosen[known] = false_discovery_control(p_values[known]) <= q * (1 + 1e-9)
    return chosen
