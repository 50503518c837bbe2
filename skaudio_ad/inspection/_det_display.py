"""`DETDisplay`: false alarms against misses on axes that stretch small rates."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import norm
from sklearn.base import BaseEstimator
from sklearn.metrics import det_curve

from .._typing import Clips, FloatArray, Labels
from ..metrics._scores import check_both_kinds
from ._drawing import CURVE_STYLES, CURVES, THRESHOLD, count, get_axes
from ._thresholds import (
    WIDE,
    Thresholds,
    add_own_threshold,
    draw_points,
    percent,
    place_legend,
    promises,
    rate_points,
    read_thresholds,
    split_scores,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TICKS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)
# Number of clips that a rate of 0 is drawn as, because the axes put a rate of 0 at infinity.
_CLIPS_AT_ZERO = 0.5


class DETDisplay:
    """Detection error tradeoff: the false-alarm rate against the miss rate, with thresholds as points.

    Both axes are stretched by the quantiles of the normal distribution [1]_. Small rates get more room, because small
    rates decide between good detectors. The curve is a straight line if the scores of normal clips and of anomalous
    clips are normally distributed.

    To compare detectors in one picture, give all of them the same `ax` and each its own `name`.

    Parameters
    ----------
    false_alarm_rate : ndarray of shape (n_points,)
        False-alarm rates in falling order.
    miss_rate : ndarray of shape (n_points,)
        Rates of anomalous clips that are not detected, in rising order.
    equal_error_rate : float
        Rate at which the false-alarm rate equals the miss rate, interpolated linearly between two points of the curve.
    n_normal, n_anomalous : int
        Number of normal clips and of anomalous clips. A rate of 0 or 1 is drawn half a clip away, because the axes put
        0 and 1 at infinity.
    points : dict of str to tuple of float, default=None
        False-alarm rate and miss rate of every point to mark, by name.
    name : str, default=None
        Name of the detector.
    n_left_out : int, default=0
        Number of clips without a score. The title shows the number.
    promises : dict of str to str, default=None
        Promised false-alarm rates of points, by name, such as "guaranteed 5 %".

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The data coordinates are rates, so lines of your own need no conversion.
    figure_ : matplotlib.figure.Figure

    See Also
    --------
    ROCDisplay : The same rates on linear axes.
    sklearn.metrics.DetCurveDisplay : DET curves of classifiers, whose higher scores mean the positive class, without
        thresholds.

    References
    ----------
    .. [1] A. Martin, G. Doddington, T. Kamm, M. Ordowski and M. Przybocki, "The DET curve in assessment of detection
       task performance", Eurospeech, 1997.
    """

    ax_: "Axes"
    figure_: "Figure"

    def __init__(
        self,
        false_alarm_rate: FloatArray,
        miss_rate: FloatArray,
        equal_error_rate: float,
        n_normal: int,
        n_anomalous: int,
        *,
        points: dict[str, tuple[float, float]] | None = None,
        name: str | None = None,
        n_left_out: int = 0,
        promises: dict[str, str] | None = None,
    ) -> None:
        self.false_alarm_rate = false_alarm_rate
        self.miss_rate = miss_rate
        self.equal_error_rate = equal_error_rate
        self.n_normal = n_normal
        self.n_anomalous = n_anomalous
        self.points = points
        self.name = name
        self.n_left_out = n_left_out
        self.promises = promises

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Clips,
        y: Labels,
        *,
        thresholds: Thresholds = None,
        ax: "Axes | None" = None,
        name: str | None = None,
        curve_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Score X and draw the curve, with the threshold of the detector as a point.

        Parameters
        ----------
        estimator : fitted detector or Pipeline
        X : array-like of clips
        y : array-like of shape (n_clips,)
            1 for normal clips, -1 for anomalous clips.
        thresholds : dict of str to float or selector, float or selector, default=None
            More thresholds to mark, by name: numbers on the scale of ``score_samples``, or fitted selectors. The legend
            shows the promised false-alarm rate of a selector beside the rate that was found.
        ax : matplotlib.axes.Axes, default=None
        name : str, default=None
            Name in the legend.
        curve_kwargs : dict, default=None
            Parameters of ``matplotlib.axes.Axes.plot`` for the curve, such as ``{"color": "black"}``.

        Returns
        -------
        DETDisplay
        """
        scores = estimator.score_samples(X)
        thresholds = add_own_threshold(estimator, thresholds)
        return cls.from_predictions(
            y, scores, thresholds=thresholds, ax=ax, name=name, curve_kwargs=curve_kwargs
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Labels,
        scores: npt.ArrayLike,
        *,
        thresholds: Thresholds = None,
        ax: "Axes | None" = None,
        name: str | None = None,
        curve_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw given scores.

        Clips with the score NaN are left out, because these clips are neither false alarms nor misses. The title shows
        their number.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,)
            1 for normal clips, -1 for anomalous clips.
        scores : array-like of shape (n_clips,)
            Scores on the scale of ``score_samples``: higher is more normal.
        thresholds : dict of str to float or selector, float or selector, default=None
            Thresholds to mark, by name: numbers on the same scale, such as ``{"mean": -1.2}``, or fitted selectors. The
            legend shows the promised false-alarm rate of a selector beside the rate that was found.
        ax : matplotlib.axes.Axes, default=None
        name : str, default=None
            Name in the legend.
        curve_kwargs : dict, default=None
            Parameters of ``matplotlib.axes.Axes.plot`` for the curve, such as ``{"color": "black"}``.

        Returns
        -------
        DETDisplay

        Raises
        ------
        ValueError
            If a label is neither 1 nor -1, if a score is infinite, or if normal or anomalous clips are missing among
            the clips with a score.
        """
        normal, anomalous, n_left_out = split_scores(y_true, scores)
        is_anomalous = check_both_kinds(np.repeat([False, True], [len(normal), len(anomalous)]))
        false_alarm_rate, miss_rate, _ = det_curve(is_anomalous, -np.concatenate([normal, anomalous]))
        marked = read_thresholds(thresholds)
        rates = rate_points(normal, anomalous, marked)
        return cls(
            false_alarm_rate,
            miss_rate,
            float(np.interp(0, miss_rate - false_alarm_rate, false_alarm_rate)),
            len(normal),
            len(anomalous),
            points={label: (alarms, 1 - detected) for label, (alarms, detected) in rates.items()},
            name=name,
            n_left_out=n_left_out,
            promises=promises(marked, percent),
        ).plot(ax=ax, curve_kwargs=curve_kwargs)

    def plot(self, *, ax: "Axes | None" = None, curve_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. By default a new figure is made. If the axes hold a curve already, the new curve has the
            next colour.
        curve_kwargs : dict, default=None
            Parameters of ``matplotlib.axes.Axes.plot`` for the curve, such as ``{"color": "black"}``.

        Returns
        -------
        DETDisplay
        """
        points = self.points or {}
        self.figure_, self.ax_ = get_axes(ax, WIDE if len(points) > 2 else None)
        n_before = sum(line.get_gid() == "det" for line in self.ax_.lines)
        color, style = CURVES[n_before % len(CURVES)], CURVE_STYLES[n_before % len(CURVE_STYLES)]
        if not n_before:
            self._prepare_axes()
        label = f"equal error rate {percent(self.equal_error_rate)}"
        if self.name is not None:
            label = f"{self.name}: {label}"
        curve = self._within(self.false_alarm_rate, self.miss_rate)
        # The curve is a single point if every anomalous clip scores below every normal clip.
        marker = "." if len(self.miss_rate) == 1 else None
        look = {"color": color, "linestyle": style, "marker": marker, "label": label} | (curve_kwargs or {})
        (line,) = self.ax_.plot(*curve, gid="det", **look)
        places = {name: self._within(*rates) for name, rates in points.items()}
        draw_points(self.ax_, points, line.get_color(), "missed", self.promises or {}, percent, places)
        # The lower limit is below the point for a rate of 0, so that the point does not lie on the frame.
        low = _CLIPS_AT_ZERO / max(self.n_normal, self.n_anomalous, 10) / 2
        if n_before:
            low = min(low, self.ax_.get_xlim()[0])
        self.ax_.set(xlim=(low, 1 - low), ylim=(low, 1 - low))
        if self.n_left_out:
            self.ax_.set_title(f"{count(self.n_left_out, 'clip')} without a score left out")
        place_legend(self.ax_)
        return self

    def _prepare_axes(self):
        for axis in ("x", "y"):
            getattr(self.ax_, f"set_{axis}scale")("function", functions=(norm.ppf, norm.cdf))
            labels = [f"{100 * tick:g}" for tick in _TICKS]
            getattr(self.ax_, f"set_{axis}ticks")(_TICKS, labels)
        rates = norm.cdf(np.linspace(-5, 5, 2))
        self.ax_.plot(rates, 1 - rates, color=THRESHOLD, linestyle=":", linewidth=1, label="chance")
        self.ax_.set(xlabel="false-alarm rate (%)", ylabel="miss rate (%)", box_aspect=1)

    def _within(self, false_alarm_rate, miss_rate):
        """Return the rates, with 0 and 1 moved inwards by half a clip."""
        pairs = ((false_alarm_rate, self.n_normal), (miss_rate, self.n_anomalous))
        return tuple(np.clip(rate, _CLIPS_AT_ZERO / n, 1 - _CLIPS_AT_ZERO / n) for rate, n in pairs)
