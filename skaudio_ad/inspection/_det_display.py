"""`DETDisplay`: false alarms against misses, on axes that spread out small rates."""

import numpy as np
from scipy.stats import norm
from sklearn.metrics import det_curve

from ..metrics._scores import check_both_kinds
from ._drawing import CURVE_STYLES, CURVES, THRESHOLD, count, get_axes
from ._thresholds import (
    WIDE,
    add_own_threshold,
    draw_points,
    percent,
    place_legend,
    promises,
    rate_points,
    read_thresholds,
    split_scores,
)

_TICKS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)
# A rate of 0 lies infinitely far out; it is drawn where this share of one clip would be.
_SHARE_FOR_NONE = 0.5


class DETDisplay:
    """Detection error tradeoff: the false-alarm rate against the rate of misses, with thresholds as points.

    Both axes are stretched by the quantiles of the normal distribution [1]_: small rates, which decide between good
    detectors, get room, and the curve is straight where the scores of both kinds of clips are normally distributed.

    Several detectors share a picture: give each the same `ax`, and a `name`.

    Parameters
    ----------
    false_alarm_rate : ndarray of shape (n_points,)
        False-alarm rates, falling.
    miss_rate : ndarray of shape (n_points,)
        Rates of anomalous clips that are not detected, rising.
    equal_error_rate : float
        Where both rates are the same, between two points of the curve on the straight line.
    n_normal, n_anomalous : int
        Clips of either kind. A rate of 0 or 1, which lies at infinity, is drawn half a clip away from it.
    points : dict of str to tuple of float, default=None
        False-alarm rate and miss rate of every point to mark, by name.
    name : str, default=None
        Of the detector.
    n_left_out : int, default=0
        Clips without a score, for the title.
    promises : dict of str to str, default=None
        What was promised of the false-alarm rate of a point, by its name: "guaranteed 5 %".

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        Its data are rates: lines of your own need no conversion.
    figure_ : matplotlib.figure.Figure

    See Also
    --------
    ROCDisplay : The same rates on plain axes.
    sklearn.metrics.DetCurveDisplay : For classifiers, where higher scores are the positive class; without thresholds.

    References
    ----------
    .. [1] A. Martin, G. Doddington, T. Kamm, M. Ordowski and M. Przybocki, "The DET curve in assessment of detection
       task performance", Eurospeech, 1997.
    """

    def __init__(
        self,
        false_alarm_rate,
        miss_rate,
        equal_error_rate,
        n_normal,
        n_anomalous,
        *,
        points=None,
        name=None,
        n_left_out=0,
        promises=None,
    ):
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
    def from_estimator(cls, estimator, X, y, *, thresholds=None, ax=None, name=None):
        """Score X and draw, the detector's own threshold among the points.

        Parameters
        ----------
        estimator : fitted detector or Pipeline
        X : array-like of clips
        y : array-like of shape (n_clips,)
            1 normal, -1 anomalous.
        thresholds : dict of str to float or selector, float or selector, default=None
            More thresholds to mark, by name: numbers on the scale of ``score_samples``, or fitted selectors, whose
            promise stands beside what was found.
        ax : matplotlib.axes.Axes, default=None
        name : str, default=None
            For the legend.

        Returns
        -------
        DETDisplay
        """
        scores = estimator.score_samples(X)
        thresholds = add_own_threshold(estimator, thresholds)
        return cls.from_predictions(y, scores, thresholds=thresholds, ax=ax, name=name)

    @classmethod
    def from_predictions(cls, y_true, scores, *, thresholds=None, ax=None, name=None):
        """Draw from scores that are there already.

        Clips whose score is NaN are neither false alarms nor misses here: they are left out, and counted in the title.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,)
            1 normal, -1 anomalous.
        scores : array-like of shape (n_clips,)
            On the scale of ``score_samples``: higher is more normal.
        thresholds : dict of str to float or selector, float or selector, default=None
            Thresholds to mark, by name: numbers on the same scale, such as ``{"mean": -1.2}``, or fitted selectors,
            whose promise stands beside what was found.
        ax : matplotlib.axes.Axes, default=None
        name : str, default=None
            For the legend.

        Returns
        -------
        DETDisplay

        Raises
        ------
        ValueError
            If a label is neither 1 nor -1, a score is infinite, or one kind of clips is missing among those
            with a score.
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
        ).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            A new figure by default. On axes that hold a curve already, this one is drawn in the next colour.

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
        # The curve of clips that can all be told apart is a single point.
        marker = "." if len(self.miss_rate) == 1 else None
        self.ax_.plot(*curve, color=color, linestyle=style, marker=marker, label=label, gid="det")
        places = {name: self._within(*rates) for name, rates in points.items()}
        draw_points(self.ax_, points, color, "missed", self.promises or {}, percent, places)
        low = (
            _SHARE_FOR_NONE / max(self.n_normal, self.n_anomalous, 10) / 2
        )  # a rate of 0 is not on the frame
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
        """The rates, 0 and 1 moved half a clip inwards."""
        pairs = ((false_alarm_rate, self.n_normal), (miss_rate, self.n_anomalous))
        return tuple(np.clip(rate, _SHARE_FOR_NONE / n, 1 - _SHARE_FOR_NONE / n) for rate, n in pairs)
