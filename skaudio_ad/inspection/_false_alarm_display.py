"""`FalseAlarmDisplay`: observed false alarms of normal clips beside the promised rate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from sklearn.base import BaseEstimator
from sklearn.utils import column_or_1d

from .._checks import check_number
from .._typing import Clips, Labels
from ._alarm_counts import count_alarms, decide_by_group, p_values_of, promised_rates, spread
from ._drawing import ANOMALOUS, NORMAL, THRESHOLD, check_labels, count, get_axes, scale_rates
from ._thresholds import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Promised rates that are counted by default: round numbers, at most half of the clips.
_RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
# Label, colour, marker and fill for every relation between the confidence interval and the promised rate.
_LOOKS = (
    ("as promised", NORMAL, "o", NORMAL),
    ("fewer than promised", NORMAL, "v", "white"),
    ("more than promised", ANOMALOUS, "^", ANOMALOUS),
)


class FalseAlarmDisplay:
    """False alarms among normal clips beside the promised rates, with exact confidence intervals.

    Without `groups` every promised rate is a point: the promised rate against the observed rate. Points on the diagonal
    keep the promise exactly. With `groups` every group is a row, such as a machine or a data set, and black marks show
    the promised rates. The interval shows how well so many clips know the rate. A promise is broken where the whole
    interval is above the promised rate.

    Parameters
    ----------
    n_alarms : array-like of shape (n_points,), int
        Number of false alarms at every promised rate, or in every group.
    n_clips : int or array-like of shape (n_points,), int
        Number of normal clips.
    promised : float or array-like of shape (n_points,)
        Promised false-alarm rates, in [0, 1].
    groups : array-like of shape (n_points,), default=None
        Name of every group. None means that the points differ in the promised rate.
    confidence : float, default=0.95
        Confidence of the interval of a point, in (0, 1).
    n_left_out : int, default=0
        Number of clips without a score. The title shows the number.

    Attributes
    ----------
    rates_ : ndarray of shape (n_points,)
        Observed false-alarm rates.
    intervals_ : ndarray of shape (n_points, 2)
        Ends of the confidence intervals.
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the shapes differ, a rate is outside [0, 1], or there are more alarms than clips.

    See Also
    --------
    PValueCalibrationDisplay : The whole distribution of p-values, with a band that holds at all rates together.

    Notes
    -----
    The intervals are exact binomial intervals [1]_ for clips that were recorded independently. For pieces of one
    recording the intervals are too narrow. Each interval holds by itself: of twenty intervals with 95 % confidence one
    misses the true rate on average. The intervals do not account for the chance of the clips that chose the threshold.
    A promise "on average" holds on average over such clips, so single detectors may raise somewhat more alarms.

    Both axes are stretched by the square root, so that small rates get more room and a rate of 0 can be drawn.

    References
    ----------
    .. [1] C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
       binomial", Biometrika, 1934.

    Examples
    --------
    >>> from skaudio_ad.inspection import FalseAlarmDisplay
    >>> display = FalseAlarmDisplay([2, 19], 100, 0.05, groups=["fan", "pump"]).plot()
    >>> display.intervals_.round(3).tolist()
    [[0.002, 0.07], [0.118, 0.281]]
    """

    rates_: npt.NDArray[np.float64]
    intervals_: npt.NDArray[np.float64]
    ax_: "Axes"
    figure_: "Figure"

    def __init__(
        self,
        n_alarms: npt.ArrayLike,
        n_clips: npt.ArrayLike,
        promised: npt.ArrayLike,
        *,
        groups: Labels | None = None,
        confidence: float = 0.95,
        n_left_out: int = 0,
    ) -> None:
        check_number(confidence, "confidence", low=0, high=1, closed="neither")
        self.n_alarms = np.atleast_1d(np.asarray(n_alarms))
        shape = self.n_alarms.shape
        self.n_clips = spread(n_clips, shape, "n_clips")
        self.promised = spread(promised, shape, "promised").astype(np.float64)
        for name, values in (("n_alarms", self.n_alarms), ("n_clips", self.n_clips)):
            if values.dtype.kind not in "iu":
                raise ValueError(f"{name} must hold whole numbers, got {values.dtype}.")
        if not len(self.n_alarms) or self.n_clips.min() < 1:
            raise ValueError("there is nothing to draw: every point needs at least one normal clip.")
        if ((self.n_alarms < 0) | (self.n_alarms > self.n_clips)).any():
            raise ValueError("n_alarms must lie between 0 and n_clips for every point.")
        if not ((self.promised >= 0) & (self.promised <= 1)).all():
            raise ValueError(f"promised rates must lie in [0, 1], got {self.promised.tolist()}.")
        self.groups = None if groups is None else spread(groups, shape, "groups")
        self.confidence = confidence
        self.n_left_out = n_left_out
        self.rates_ = self.n_alarms / self.n_clips
        tests = [binomtest(int(k), int(n)) for k, n in zip(self.n_alarms, self.n_clips)]
        self.intervals_ = np.array([test.proportion_ci(confidence, method="exact")[:] for test in tests])

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Clips,
        y: Labels | None = None,
        *,
        rates: Sequence[float] | None = None,
        groups: Labels | None = None,
        confidence: float = 0.95,
        ax: "Axes | None" = None,
    ) -> Self:
        """Count the false alarms of a detector among new normal clips.

        Without `groups` the alarms at several rates are counted by the p-values of the clips. With `groups` the
        decisions of the detector are counted in every group.

        Parameters
        ----------
        estimator : fitted detector or Pipeline
            Without `groups`, a detector with calibration scores, such as a :class:`ThresholdedDetector` or a
            :class:`NearestNeighborsDetector`. With `groups`, a :class:`ThresholdedDetector` whose selector promises a
            rate, or a :class:`FleetDetector` of such detectors.
        X : array-like of clips
            New clips: `fit` did not get these clips.
        y : array-like of shape (n_clips,), default=None
            1 for normal clips, -1 for anomalous clips, which are not counted. None means that all clips are normal.
        rates : sequence of float, default=None
            Promised rates, as in :meth:`from_predictions`. Not allowed with `groups`.
        groups : array-like of shape (n_clips,), default=None
            Machine, patient or data set of every clip. A `FleetDetector` takes the groups for the machines.
        confidence : float, default=0.95
            Confidence of the intervals.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        FalseAlarmDisplay

        Raises
        ------
        ValueError
            If the detector has no calibration scores or promises no rate, or for the reasons of `from_predictions`.
        """
        if groups is None:
            p_values = p_values_of(estimator, X)
            return cls.from_predictions(y, p_values, rates=rates, confidence=confidence, ax=ax)
        if rates is not None:
            raise ValueError(
                "pass rates or groups, not both: groups are compared at the threshold of the detector."
            )
        margins = decide_by_group(estimator, X, groups)
        names, n_alarms, n_clips, n_left_out = count_alarms(y, margins < 0, margins, groups)
        promised = promised_rates(estimator, names)
        settings: Any = {"groups": names, "confidence": confidence, "n_left_out": n_left_out}
        return cls(n_alarms, n_clips, promised, **settings).plot(ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: Labels | None,
        p_values: npt.ArrayLike,
        *,
        rates: Sequence[float] | None = None,
        groups: Labels | None = None,
        confidence: float = 0.95,
        ax: "Axes | None" = None,
    ) -> Self:
        """Count the false alarms by given p-values.

        A clip raises an alarm at a rate if its p-value is this rate or less.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,) or None
            1 for normal clips, -1 for anomalous clips, which are not counted. None means that all clips are normal.
        p_values : array-like of shape (n_clips,)
            P-values of the clips. Clips with NaN are left out, and the title shows their number.
        rates : sequence of float, default=None
            Promised rates. By default the rates are 0.01, 0.02, 0.05, 0.1, 0.2 and 0.5, or 0.05 alone with `groups`.
        groups : array-like of shape (n_clips,), default=None
            Machine, patient or data set of every clip. Needs a single rate.
        confidence : float, default=0.95
            Confidence of the intervals.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        FalseAlarmDisplay

        Raises
        ------
        ValueError
            If a label is neither 1 nor -1, a p-value is not in [0, 1], `groups` come with several rates, or no
            normal clip has a p-value.
        """
        values = column_or_1d(p_values, dtype=np.float64)
        if ((values < 0) | (values > 1)).any():
            raise ValueError("p_values must lie in [0, 1]. For scores, use ThresholdDisplay.")
        chosen = np.atleast_1d((_RATES if groups is None else 0.05) if rates is None else rates)
        if groups is None:
            y = check_labels(y_true, len(values))
            present = ~np.isnan(values)
            normal = values[present] if y is None else values[present & (y == 1)]
            alarms = (normal[:, None] <= chosen).sum(axis=0)
            n_left_out = int(np.count_nonzero(~present))
            return cls(alarms, len(normal), chosen, confidence=confidence, n_left_out=n_left_out).plot(ax=ax)
        if len(chosen) != 1:
            raise ValueError(f"groups need a single rate, got the rates {chosen.tolist()}.")
        names, n_alarms, n_clips, n_left_out = count_alarms(y_true, values <= chosen, values, groups)
        promised = float(chosen[0])
        settings: Any = {"groups": names, "confidence": confidence, "n_left_out": n_left_out}
        return cls(n_alarms, n_clips, promised, **settings).plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. By default a new figure is made.

        Returns
        -------
        FalseAlarmDisplay
        """
        by_group = self.groups is not None
        size = (7.5, max(3.0, 1.6 + 0.3 * len(self.rates_))) if by_group else (5.6, 5.2)
        self.figure_, self.ax_ = get_axes(ax, size)
        if by_group:
            self._draw_groups()
        else:
            self._draw_rates()
        if self.n_left_out:
            self.ax_.set_title(f"{count(self.n_left_out, 'clip')} without a score left out")
        return self

    def _draw_points(self, x, y, interval_axis):
        relation = np.where(
            self.intervals_[:, 0] > self.promised, 2, np.where(self.intervals_[:, 1] < self.promised, 1, 0)
        )
        distances = np.abs(self.intervals_.T - self.rates_)
        for index, (label, color, marker, fill) in enumerate(_LOOKS):
            chosen = relation == index
            if chosen.any():
                self.ax_.errorbar(
                    x[chosen],
                    y[chosen],
                    yerr=distances[:, chosen] if interval_axis == "y" else None,
                    xerr=distances[:, chosen] if interval_axis == "x" else None,
                    fmt=marker,
                    color=color,
                    markerfacecolor=fill,
                    capsize=3,
                    linewidth=1.2,
                    clip_on=False,  # a rate of 0 lies on the frame
                    label=f"{label} ({np.count_nonzero(chosen)})",
                )

    def _draw_rates(self):
        ax, highest = self.ax_, max(self.promised.max(), self.intervals_.max())
        ax.plot([0, 1], [0, 1], color=THRESHOLD, linestyle=":", linewidth=1, label="observed = promised")
        self._draw_points(self.promised, self.rates_, "y")
        one_size = np.ptp(self.n_clips) == 0
        for x, y, k, n in zip(self.promised, self.rates_, self.n_alarms, self.n_clips):
            ax.annotate(
                f"{k}" if one_size else f"{k} of {n}",
                (x, y),
                (-4, 3),
                textcoords="offset points",
                ha="right",
                va="bottom",
                fontsize="small",
            )
        limits = (0, min(1, 1.15 * highest))
        scale_rates(ax.xaxis, limits)
        scale_rates(ax.yaxis, limits)
        ax.set(
            xlabel="promised false-alarm rate (%)",
            ylabel=f"observed false-alarm rate (%), {100 * self.confidence:g} % interval",
            box_aspect=1,
        )
        title = f"numbers: alarms of {count(self.n_clips[0], 'normal clip')}" if one_size else None
        ax.legend(loc="upper left", fontsize="small", title=title, title_fontsize="small")

    def _draw_groups(self):
        ax, rows = self.ax_, np.arange(len(self.rates_))
        names: Any = self.groups
        ax.plot(
            self.promised,
            rows,
            "|",
            color=THRESHOLD,
            markersize=14,
            markeredgewidth=2,
            label=f"promised {percent(self.promised[0])}" if np.ptp(self.promised) == 0 else "promised",
        )
        self._draw_points(self.rates_, rows, "x")
        labels = [f"{g} ({k} of {n})" for g, k, n in zip(names, self.n_alarms, self.n_clips)]
        ax.set_yticks(rows, labels)
        ax.set(
            xlabel=f"observed false-alarm rate (%), {100 * self.confidence:g} % interval",
            ylim=(len(rows) - 0.4, -0.6),
        )
        scale_rates(ax.xaxis, (0, min(1, 1.15 * max(self.promised.max(), self.intervals_.max()))))
        ax.grid(axis="y", linewidth=0.5, alpha=0.5)
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, fontsize="small")
