"""`PValueCalibrationDisplay`: calibration of conformal p-values."""

from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import column_or_1d

from .._checks import check_number
from .._typing import Clips, Labels
from ..recordings._unwrap import last_step
from ..thresholds._group_conformal import hierarchical_p_values
from ._confidence_bands import p_value_band
from ._drawing import ANOMALOUS, NORMAL, THRESHOLD, check_labels, count, get_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class PValueCalibrationDisplay:
    """Share of clips with a p-value of alpha or less, for every alpha.

    The p-values of normal clips are calibrated if their curve follows the diagonal: at alpha = 0.05, one clip in twenty
    raises a false alarm. The curve of a finite number of clips cannot follow the diagonal exactly. The whole curve of
    calibrated p-values stays inside the band with probability `confidence`.

    - A curve above the band means more false alarms than promised, for example because the new clips come from another
      source than the clips that calibrate.
    - A curve below the band means fewer false alarms than promised, for example because worse models scored the clips
      that calibrate, or because scores are equal.

    The curve of the anomalous clips is the detection rate at every alpha.

    Parameters
    ----------
    p_values : array-like of shape (n_clips,)
        Conformal p-values: ``(1 + number of calibration scores at or below) / (1 + n_calibration)``. Clips with NaN are
        left out, and the title shows their number.
    y_true : array-like of shape (n_clips,), default=None
        1 for normal clips, -1 for anomalous clips. None means that all clips are normal.
    n_calibration : int
        Number of normal clips that calibrate, or of groups of such clips.
    confidence : float, default=0.95
        Probability that the curve of calibrated p-values stays inside the band, in (0, 1).

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    band_ : tuple of ndarray of shape (n_levels + 2,) or None
        Values of alpha, and the smallest and the largest share of normal clips at every alpha. None if there is no
        normal clip. The band has at most about 250 values of alpha, because it changes little between these values.

    Notes
    -----
    The band takes into account that both the new clips and the clips that calibrate are random. The band is exact for
    every distribution of scores, because all orders of n + m scores from one source are equally likely. Of m new
    clips, the number below the k-th smallest of n calibration scores is beta-binomial, with parameters m, k and
    n + 1 - k [1]_. The band has equal tails at all alpha. The tails are chosen by counting orders, so that the band
    holds at all alpha together, as in [2]_.

    The band holds for clips that were recorded independently. The curve of pieces of one recording deviates further.

    References
    ----------
    .. [1] V. Vovk, "Conditional validity of inductive conformal predictors", Machine Learning, 2013.
    .. [2] T. Sailynoja, P.-C. Burkner and A. Vehtari, "Graphical test for discrete uniformity and its applications in
       goodness-of-fit evaluation and multiple sample comparison", Statistics and Computing, 2022.
    """

    ax_: "Axes"
    figure_: "Figure"

    def __init__(
        self,
        p_values: npt.ArrayLike,
        y_true: Labels | None = None,
        *,
        n_calibration: int,
        confidence: float = 0.95,
    ) -> None:
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
                "conformal p-values are. Set n_calibration to the number of normal clips that calibrated the p-values."
            )

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Clips,
        y: Labels | None = None,
        *,
        confidence: float = 0.95,
        ax: "Axes | None" = None,
    ) -> Self:
        """Compute the p-values of X and draw their distribution.

        Parameters
        ----------
        estimator : fitted ThresholdedDetector, or Pipeline that ends in one
        X : array-like of clips
            New clips: `fit` did not get these clips.
        y : array-like of shape (n_clips,), default=None
            1 for normal clips, -1 for anomalous clips. None means that all clips are normal.
        confidence : float, default=0.95
            Probability that the curve of calibrated p-values stays inside the band.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        PValueCalibrationDisplay

        Raises
        ------
        ValueError
            If `estimator` is not a fitted `ThresholdedDetector`, or for the reasons of `from_predictions`.
        """
        detector = last_step(estimator)
        if not hasattr(detector, "calibration_scores_"):
            raise ValueError(
                "PValueCalibrationDisplay needs a fitted ThresholdedDetector, which keeps the scores that calibrate, "
                f"got {detector!r:.100}: wrap the detector in a ThresholdedDetector, or pass the p-values of a "
                "ConformalThreshold to from_predictions."
            )
        normal = detector.calibration_labels_ == 1
        groups = None if detector.calibration_groups_ is None else detector.calibration_groups_[normal]
        scores = detector.calibration_scores_[normal]
        p_values = hierarchical_p_values(scores, estimator.score_samples(X), groups)
        n_calibration = len(scores) if groups is None else len(np.unique(groups))
        return cls.from_predictions(y, p_values, n_calibration=n_calibration, confidence=confidence, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: Labels | None,
        p_values: npt.ArrayLike,
        *,
        n_calibration: int,
        confidence: float = 0.95,
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw given p-values.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,) or None
            1 for normal clips, -1 for anomalous clips. None means that all clips are normal.
        p_values : array-like of shape (n_clips,)
            Result of :meth:`ConformalThreshold.p_values`.
        n_calibration : int
            Number of normal clips that calibrate.
        confidence : float, default=0.95
            Probability that the curve of calibrated p-values stays inside the band.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        PValueCalibrationDisplay

        Raises
        ------
        ValueError
            If a label is neither 1 nor -1, a p-value cannot come from `n_calibration` clips, or all p-values are NaN.
        """
        return cls(p_values, y_true, n_calibration=n_calibration, confidence=confidence).plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. By default a new figure is made.

        Returns
        -------
        PValueCalibrationDisplay
        """
        present = ~np.isnan(self.p_values)
        if not present.any():
            raise ValueError("there is no p-value to draw: all p-values are NaN.")
        is_normal = np.ones(len(present), dtype=bool) if self.y_true is None else self.y_true == 1
        normal, anomalous = self.p_values[present & is_normal], self.p_values[present & ~is_normal]
        self.figure_, self.ax_ = get_axes(ax, (8, 4.8))
        self.band_ = self._find_band(len(normal)) if len(normal) else None
        if self.band_ is not None:
            alpha, low, high = self.band_
            self.ax_.fill_between(
                alpha,
                low,
                high,
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
            ylim=(0, 1.02),  # above 1, so that a curve along the upper edge can be seen
            box_aspect=1,
            anchor="W",
        )
        if not present.all():
            self.ax_.set_title(f"{count(np.count_nonzero(~present), 'clip')} without a score left out")
        # The legend is beside the axes, because inside the axes the legend would hide a part of the band.
        self.ax_.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize="small")
        return self

    def _distribution(self, p_values):
        """Return values of alpha, and the share of p-values up to each alpha."""
        numbers = (p_values * (self.n_calibration + 1)).round().astype(int)
        steps, counts = np.unique(numbers, return_counts=True)
        return [0, *steps / (self.n_calibration + 1), 1], [0, *np.cumsum(counts) / len(numbers), 1]

    def _find_band(self, n_clips):
        levels, low, high = p_value_band(self.n_calibration, n_clips, self.confidence)
        alpha = [0, *levels / (self.n_calibration + 1), 1]
        return alpha, [0, *low / n_clips, 1], [0, *high / n_clips, 1]
