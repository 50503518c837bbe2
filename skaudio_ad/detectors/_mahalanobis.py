"""`MahalanobisDetector`: the distance of a clip from the mean of the normal clips, by their covariance."""

from typing import Literal

from .._checks import check_option
from .._typing import Contamination
from ._clip_rows import check_others
from ._moments import Moments, measure
from ._row_detector import RowDetector


class MahalanobisDetector(RowDetector):
    """Detect anomalies as clips far from the mean of the training clips, in units of their spread.

    The score of a clip is minus its Mahalanobis distance ``sqrt((x - m)' C^-1 (x - m))`` from the mean m of the
    training clips, with their covariance C. On embeddings of a pretrained network this is a strong and cheap detector
    [1]_ [2]_: it keeps one matrix instead of all training clips, and directions in which normal clips differ count
    less.

    X holds one embedding per clip, (n_clips, n_features), or sequences of embeddings, (n_clips, n_features, n_frames)
    or a list of (n_features, n_frames_i). The mean and covariance of sequences are those of all training frames, and
    the score of a clip is pooled over time.

    Parameters
    ----------
    covariance : {"ledoit-wolf", "empirical", "oas"}, default="ledoit-wolf"
        Estimator of the covariance, as in :mod:`sklearn.covariance`. "ledoit-wolf" [3]_ and "oas" [4]_ shrink the
        covariance towards a multiple of the identity, so that a few clips are enough. "empirical" does not, and needs
        two clips (frames) more than there are features; then the distance does not depend on the scale of the features.

    time_pooling : {"mean", "max", "quantile"}, default="mean"
        How the distances of a clip's frames become one distance: their mean, the largest, or their `time_quantile`.
        "max" and "quantile" suit faults that sound for moments only. Clips of one embedding do not need it.

    time_quantile : float, default=0.95
        Quantile for ``time_pooling="quantile"``.

    contamination : "auto" or float, default="auto"
        "auto" sets ``offset_`` so that about one normal clip in twenty raises a false alarm, judged by
        ``held_out_scores_``: their conformal 0.05 quantile, or with fewer than 19 clips (groups) the lower end of
        Student's prediction interval for the logarithms of the distances. A float is the fraction of the leave-one-out
        scores that shall lie below ``offset_``.

    Attributes
    ----------
    location_ : ndarray of shape (n_features,), float64
        Mean of the training clips (frames).

    shrinkage_ : float
        Weight of the identity in the covariance, 0 to 1; 0 for "empirical".

    offset_ : float
        Threshold on the scale of `score_samples`.

    held_out_scores_ : ndarray of shape (n_samples_fit,), float64
        Score of every training clip by the mean, covariance and shrinkage of the other clips; with `groups` in `fit`,
        of the clips of other groups.

    n_features_in_ : int
        Number of values of an embedding.

    n_samples_fit_ : int
        Number of clips that `fit` could read.

    Notes
    -----
    ``held_out_scores_`` are exact: they equal those of a fit without the clip. With n clips (frames) of p features,
    `fit` takes ``n p^2 + 10 p^3`` operations for one eigendecomposition. The leave-one-out scores are updates of
    that decomposition by the formula of Sherman, Morrison and Woodbury, and so is the shrinkage, which changes when a
    clip leaves. They take ``n p^2`` operations more for n clips of one embedding; a clip or group of g frames takes
    ``g p^2``, and ``g^2 p`` or ``p^3``, whichever is less. A clip that holds nearly all variance in a direction is
    left out by a new fit. Everything is computed in float64.

    All parameters have effect when `fit` is called. Parameters that are set later wait for the next `fit`.

    References
    ----------
    .. [1] K. Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial
       attacks", NeurIPS, 2018.
    .. [2] O. Rippel, P. Mertens and D. Merhof, "Modeling the distribution of normal data in pre-trained deep features
       for anomaly detection", ICPR, 2020.
    .. [3] O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
       Multivariate Analysis, 2004.
    .. [4] Y. Chen, A. Wiesel, Y. C. Eldar and A. O. Hero, "Shrinkage algorithms for MMSE covariance estimation", IEEE
       Transactions on Signal Processing, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import MahalanobisDetector
    >>> rng = np.random.default_rng(1)
    >>> X = rng.normal(size=(101, 16))
    >>> detector = MahalanobisDetector().fit(X[:100])
    >>> detector.predict(X[100:]).tolist()
    [1]
    >>> detector.predict(X[100:] + 3).tolist()
    [-1]
    """

    def __init__(
        self,
        covariance: Literal["ledoit-wolf", "empirical", "oas"] = "ledoit-wolf",
        *,
        time_pooling: Literal["mean", "max", "quantile"] = "mean",
        time_quantile: float = 0.95,
        contamination: Contamination = "auto",
    ) -> None:
        self.covariance = covariance
        self.time_pooling = time_pooling
        self.time_quantile = time_quantile
        self.contamination = contamination

    def _check_parameters(self):
        check_option(self.covariance, "covariance", ("ledoit-wolf", "empirical", "oas"))

    def _fit_rows(self, rows, members, domains):
        n_needed = self.n_features_in_ + 1 if self.covariance == "empirical" else 3
        needs = f"covariance={self.covariance!r} of {self.n_features_in_} features needs {n_needed}"
        hint = 'use covariance="ledoit-wolf"' if self.covariance == "empirical" else None
        check_others(members, self.n_samples_fit_, n_needed, needs=needs, hint=hint)
        moments = Moments(rows, self.covariance)
        self.location_, self.shrinkage_, self._whitening = moments.mean, moments.shrinkage, moments.whitening
        return moments.left_out_distances(members)

    def _row_distances(self, rows):
        return measure(rows, self.location_, self._whitening)
