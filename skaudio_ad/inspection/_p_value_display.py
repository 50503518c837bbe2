"""`PValueCalibrationDisplay`: whether conformal p-values are what they say."""

import numpy as np
from sklearn.utils import column_or_1d

from .._checks import check_number
from ..thresholds._group_conformal import hierarchical_p_values
from ._bands import p_value_band
from ._drawing import ANOMALOUS, NORMAL, THRESHOLD, check_labels, count, get_axes, last_step


class PValueCalibrationDisplay:
    """Share of clips with a p-value of alpha or less, for every alpha.

    The p-values of normal clips are calibrated where their curve follows the diagonal: at alpha = 0.05, one clip in
    twenty raises a false alarm. It cannot follow it exactly. The band says how far a calibrated curve of so many clips
    strays: all of it stays inside with probability `confidence`. Above the band there are more false alarms than
    promised, as of clips from another source than those that calibrate; below it there are fewer, as where the models
    that scored those clips were worse, or scores are equal. The curve of the anomalous clips is the detection rate at
    every alpha.

    Parameters
    ----------
    p_values : array-like of shape (n_clips,)
        Conformal: ``(1 + number of calibration scores at or below) / (1 + n_calibration)``. NaN is left out, and
        counted in the title.
    y_true : array-like of shape (n_clips,), default=None
        1 normal, -1 anomalous; None means that all are normal.
    n_calibration : int
        Normal clips that calibrate, or groups of them.
    confidence : float, default=0.95
        In (0, 1).

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    band_ : tuple of ndarray of shape (n_levels + 2,) or None
        Values of alpha, and the smallest and the largest share of normal clips there; None without a normal clip. At
        about 250 values of alpha at most, between which nothing changes or little.

    Notes
    -----
    The band allows for the chance in both the new clips and those that calibrate, and is exact whatever the
    distribution of scores: all orders of n + m scores from one source are equally likely, and the number of m new clips
    below the k-th smallest of n calibration scores is beta-binomial, with parameters m, k and n + 1 - k [1]_. The band
    has equal tails at all alpha, which are chosen, by counting orders, so that it holds at all of them at once, in the
    manner of [2]_. What it takes is clips that were recorded independently: pieces of one recording stray further.

    References
    ----------
    .. [1] V. Vovk, "Conditional validity of inductive conformal predictors", Machine Learning, 2013.
    .. [2] T. Sailynoja, P.-C. Burkner and A. Vehtari, "Graphical test for discrete uniformity and its applications in
       goodness-of-fit evaluation and multiple sample comparison", Statistics and Computing, 2022.
    """

    def __init__(self, p_values, y_true=None, *, n_calibration, confidence=0.95):
        check_number(n_calibration, "n_calibration", low=1, integer=True)
        check_number(confidence, "confidence", low=0, high=1, closed="neither")
        self.p_values = column_or_1d(p_values, dtype=np.float64)
        self.y_true = check_labels(y_true, len(self.p_values))
        self.n_calibration = n_calibration
        self.confidence = confidence
        numbers = self.p_values[~np.isnan(self.p_values)] * (n_calibration + 1)
        if (
            not np.allclose(numbers, numbers.round(), rtol=0, atol=1e-6)
            or not ((numbers > 0.5) & (numbers < n_calibration + 1.5)).all()
        ):
            raise ValueError(
                f"p_values must be whole multiples of 1 / (n_calibration + 1) = 1 / {n_calibration + 1} up to 1, as "
                "conformal p-values are. Pass the number of normal clips that gave them as n_calibration."
            )

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, confidence=0.95, ax=None):
        """Compute the p-values of X and draw.

        Parameters
        ----------
        estimator : fitted ThresholdedDetector, or Pipeline that ends in one
        X : array-like of clips
            Others than those of `fit`.
        y : array-like of shape (n_clips,), default=None
            1 normal, -1 anomalous; None means that all are normal.
        confidence : float, default=0.95
            Probability that the curve of calibrated p-values stays inside the band.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        PValueCalibrationDisplay

        Raises
        ------
        ValueError
            If `estimator` gives no p-values, or as `from_predictions`.
        """
        detector = last_step(estimator)
        if not hasattr(detector, "calibration_scores_"):
            raise ValueError(
                "PValueCalibrationDisplay needs a fitted ThresholdedDetector, which keeps the scores that calibrate, "
                f"got {detector!r:.100}: wrap the detector in one, or pass the p-values of a ConformalThreshold to "
                "from_predictions."
            )
        normal = detector.calibration_labels_ == 1
        groups = None if detector.calibration_groups_ is None else detector.calibration_groups_[normal]
        scores = detector.calibration_scores_[normal]
        p_values = hierarchical_p_values(scores, estimator.score_samples(X), groups)
        n_calibration = len(scores) if groups is None else len(np.unique(groups))
        return cls.from_predictions(y, p_values, n_calibration=n_calibration, confidence=confidence, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, p_values, *, n_calibration, confidence=0.95, ax=None):
        """Draw p-values that are there already.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,) or None
            1 normal, -1 anomalous; None means that all are normal.
        p_values : array-like of shape (n_clips,)
            As :meth:`ConformalThreshold.p_values` returns them.
        n_calibration : int
            Normal clips that calibrate.
        confidence : float, default=0.95
            Probability that the curve of calibrated p-values stays inside the band.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        PValueCalibrationDisplay

        Raises
        ------
        ValueError
            If a label is neither 1 nor -1, a p-value cannot come from `n_calibration` clips, or all are NaN.
        """
        return cls(p_values, y_true, n_calibration=n_calibration, confidence=confidence).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            A new figure by default.

        Returns
        -------
        PValueCalibrationDisplay
        """
        present = ~np.isnan(self.p_values)
        if not present.any():
            raise ValueError("there is no p-value to draw: all are NaN.")
        is_normal = np.ones(len(present), dtype=bool) if self.y_true is None else self.y_true == 1
        normal, anomalous = self.p_values[present & is_normal], self.p_values[present & ~is_normal]
        self.figure_, self.ax_ = get_axes(ax, (8, 4.8))
        self.band_ = self._find_band(len(normal)) if len(normal) else None
        if self.band_ is not None:
            self.ax_.fill_between(
                *self.band_,
                step="post",
                color=NORMAL,
                alpha=0.2,
                linewidth=0,
                label=f"{100 * self.confidence:g} % band for {self.n_calibration} clips\n"
                f"that calibrate and {len(normal)} new ones",
            )
        self.ax_.plot([0, 1], [0, 1], color=THRESHOLD, linestyle=":", linewidth=1, label="calibrated")
        for name, values, color, style in (
            ("normal", normal, NORMAL, "-"),
            ("anomalous", anomalous, ANOMALOUS, "--"),
        ):
            if len(values):
                steps, shares = self._distribution(values)
                label = f"{name} ({len(values)})"
                self.ax_.plot(
                    steps, shares, color=color, linestyle=style, drawstyle="steps-post", label=label
                )
        self.ax_.set(
            xlabel="p-value",
            ylabel="share of clips with this p-value or less",
            xlim=(0, 1),
            ylim=(0, 1.02),  # a curve along the upper edge can be seen
            box_aspect=1,
            anchor="W",
        )
        if not present.all():
            self.ax_.set_title(f"{count(np.count_nonzero(~present), 'clip')} without a score left out")
        # Inside it would hide a part of the band.
        self.ax_.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize="small")
        return self

    def _distribution(self, p_values):
        """Values of alpha with the share of p-values up to each."""
        numbers = (p_values * (self.n_calibration + 1)).round().astype(int)
        steps, counts = np.unique(numbers, return_counts=True)
        return [0, *steps / (self.n_calibration + 1), 1], [0, *np.cumsum(counts) / len(numbers), 1]

    def _find_band(self, n_clips):
        levels, low, high = p_value_band(self.n_calibration, n_clips, self.confidence)
        alpha = [0, *levels / (self.n_calibration + 1), 1]
        return alpha, [0, *low / n_clips, 1], [0, *high / n_clips, 1]
