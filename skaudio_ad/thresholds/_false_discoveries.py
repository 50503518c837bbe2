"""`control_false_discoveries`: call clips of a batch anomalous, with a bound on the false share of them."""

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control

from .._checks import check_number
from ._selector import check_scores


def control_false_discoveries(p_values: npt.ArrayLike, q: float = 0.1) -> npt.NDArray[np.bool_]:
    """Choose clips of a batch so that few of the chosen clips are normal.

    A threshold with a false-alarm rate of 0.05 calls 50 of 1000 normal clips anomalous. If there are ten anomalies,
    most alarms are false. This function bounds the fraction of normal clips among the chosen clips: on average this
    fraction is at most `q`. The function applies the procedure of Benjamini and Hochberg [1]_ to conformal p-values. Of
    m clips it chooses the k with the smallest p-values. k is the largest number for which the k-th smallest p-value is
    at most ``q * k / m``.

    Parameters
    ----------
    p_values : array-like of shape (n_clips,)
        P-values of all clips of the batch, from ``p_values`` of a :class:`ConformalThreshold` or a
        :class:`ThresholdedDetector`. NaN stands for a clip that could not be read.
    q : float, default=0.1
        Maximum average fraction, in (0, 1), of normal clips among the chosen clips. 0.1 is customary. The fraction
        counts as 0 if no clip is chosen.

    Returns
    -------
    ndarray of shape (n_clips,), bool
        True for the clips to call anomalous. A clip that could not be read is never chosen and does not count in the
        batch, because nothing is known about this clip. ``np.isnan(p_values)`` finds such clips, and `predict` calls
        them -1.

    Raises
    ------
    ValueError, TypeError
        If `q` is out of range, or a p-value lies outside [0, 1].

    Notes
    -----
    **Conditions.** The p-values share one set of calibration clips and are therefore not independent. They are
    positively dependent in the way that the procedure allows (PRDS). The bound is even ``q`` times the fraction of
    normal clips in the batch [2]_. This is proved for a detector that was not trained on the calibration clips: pass a
    fraction or "prefit" as `cv` of :class:`ThresholdedDetector`. For p-values from folds (cross-conformal) there is no
    proof. The normal clips of the batch must come from the source of the calibration clips, be independent of each
    other, and not be copies: see :func:`check_shift`. The fraction is an average over batches *and* draws of the
    calibration clips.

    **Number of calibration clips.** The smallest p-value with n calibration clips is ``1 / (n + 1)``. To find k
    anomalies among m clips, ``1 / (n + 1) <= q * k / m`` must hold. With fewer calibration clips, no clip is chosen.
    For ``q=0.1``:

    ======================  ==========================
    anomalies in 100 clips  calibration clips, minimum
    ======================  ==========================
    5                       199
    1                       999
    ======================  ==========================

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
    >>> int(np.sum(selector.predict(batch) == -1))  # one threshold for every clip
    8
    """
    check_number(q, "q", low=0, high=1, closed="neither")
    checked = check_scores(p_values)
    known = ~np.isnan(checked)
    outside = checked[known & ~((checked >= 0) & (checked <= 1))]
    if len(outside):
        raise ValueError(
            f"p_values must lie in [0, 1], got {outside[0]:g}: pass p_values(X) of a ThresholdedDetector or a "
            "ConformalThreshold, not scores."
        )
    chosen = np.zeros(len(checked), dtype=np.bool_)
    if known.any():
        # 0.05 * 20 / 100 may be slightly less than 1 / 100 in binary.
        chosen[known] = false_discovery_control(checked[known]) <= q * (1 + 1e-9)
    return chosen
