"""`ThresholdDisplay`: scores on both sides of thresholds, with promised and observed rates."""

from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest
from sklearn.base import BaseEstimator
from sklearn.utils import column_or_1d

from .._typing import Clips, Labels
from ..recordings._unwrap import last_step
from ._drawing import (
    ANOMALOUS,
    MARKERS,
    NORMAL,
    SCORE_LABEL,
    THRESHOLD,
    check_labels,
    count,
    get_axes,
    histogram_edges,
)
from ._thresholds import Thresholds, add_own_threshold, percent, promises, read_thresholds, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLES = ("--", "-", ":", "-.")
# Maximum number of clips in a row with a mark for every clip. More marks would overlap.
_MAX_MARKS = 200
# Confidence of the intervals in the legend.
_CONFIDENCE = 0.95
# Maximum distance of a drawn score below the lower quartile, in interquartile ranges. A larger distance would leave no
# room for the other scores.
_MAX_DISTANCE = 10


class ThresholdDisplay:
    """Histograms of scores by kind of clip, with thresholds and their rates of false alarms and detections.

    Each kind of clip has a row: normal and anomalous clips that the threshold was selected from, if they are given, and
    normal and anomalous new clips. The highest bar of every row has the same height, because anomalous clips are few.
    Below the bars every clip has a mark if the row has at most 200 clips. A score more than ten interquartile ranges
    below the lower quartile is drawn at this limit, because the other scores would have no room. The title shows the
    number of these scores.

    Parameters
    ----------
    scores : array-like of shape (n_clips,)
        Scores on the scale of ``score_samples``. Clips with NaN are left out, and the title shows their number.
    y_true : array-like of shape (n_clips,), default=None
        1 for normal clips, -1 for anomalous clips. None if the labels are unknown.
    thresholds : dict of str to float or selector, float or selector, default=None
        Numbers on the same scale, or fitted selectors. The legend shows the promised false-alarm rate of a selector
        beside the rate that was found.
    calibration_scores : array-like of shape (n_calibration,), default=()
        Scores of the clips that the threshold was selected from.
    calibration_labels : array-like of shape (n_calibration,), default=None
        1 for normal clips, -1 for anomalous clips. None means that all clips are normal.

    Attributes
    ----------
    rates_ : dict of str to dict of str to tuple of float
        Rates among the new clips for every threshold, by name: ``"false_alarms"`` and ``"detected"``, or ``"alarms"``
        if the labels are unknown. Each value is a rate and the two ends of its confidence interval.
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    See Also
    --------
    ScoreDistributionDisplay : One histogram of all clips.
    ROCDisplay : Rates of all possible thresholds.

    Notes
    -----
    The legend shows the exact 95 % confidence interval of every rate [1]_. The intervals hold for clips that were
    recorded independently. For pieces of one recording the intervals are too narrow. The selectors document the words
    "guaranteed", "estimated" and "observed" under their attribute ``promise_``.

    References
    ----------
    .. [1] C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
       binomial", Biometrika, 1934.
    """

    rates_: dict[str, dict[str, tuple[float, float, float]]]
    ax_: "Axes"
    figure_: "Figure"

    def __init__(
        self,
        scores: npt.ArrayLike,
        y_true: Labels | None = None,
        *,
        thresholds: Thresholds = None,
        calibration_scores: npt.ArrayLike = (),
        calibration_labels: Labels | None = None,
    ) -> None:
        self.scores = _check_scores(scores, "scores")
        self.y_true = check_labels(y_true, len(self.scores))
        self.thresholds = thresholds
        self.calibration_scores = _check_scores(calibration_scores, "calibration_scores")
        self.calibration_labels = check_labels(
            calibration_labels, len(self.calibration_scores), "calibration_labels"
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Clips,
        y: Labels | None = None,
        *,
        thresholds: Thresholds = None,
        ax: "Axes | None" = None,
        bins: int | str = "auto",
    ) -> Self:
        """Score X and draw the scores with the threshold of the detector.

        Parameters
        ----------
        estimator : fitted detector or Pipeline
            For a :class:`ThresholdedDetector` the display also shows the scores that the threshold was selected from,
            and the promised false-alarm rate.
        X : array-like of clips
            New clips: `fit` did not get these clips.
        y : array-like of shape (n_clips,), default=None
            1 for normal clips, -1 for anomalous clips. None if the labels are unknown.
        thresholds : dict of str to float or selector, float or selector, default=None
            More thresholds, by name: numbers on the scale of ``score_samples``, or fitted selectors.
        ax : matplotlib.axes.Axes, default=None
        bins : int or str, default="auto"
            Bins as in :func:`numpy.histogram_bin_edges`, except that "auto" makes at most 100 bins.

        Returns
        -------
        ThresholdDisplay
        """
        detector = last_step(estimator)
        return cls.from_predictions(
            y,
            estimator.score_samples(X),
            thresholds=add_own_threshold(estimator, thresholds),
            calibration_scores=getattr(detector, "calibration_scores_", ()),
            calibration_labels=getattr(detector, "calibration_labels_", None),
            ax=ax,
            bins=bins,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        scores,
        *,
        thresholds: Thresholds = None,
        calibration_scores: npt.ArrayLike = (),
        calibration_labels: Labels | None = None,
        ax: "Axes | None" = None,
        bins: int | str = "auto",
    ):
        """Draw given scores.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,) or None
            1 for normal clips, -1 for anomalous clips. None if the labels are unknown.
        scores : array-like of shape (n_clips,)
            Scores on the scale of ``score_samples``. There may be none, to look at calibration scores.
        thresholds : dict of str to float or selector, float or selector, default=None
            Numbers on the same scale, or fitted selectors.
        calibration_scores : array-like of shape (n_calibration,), default=()
            Scores of the clips that the threshold was selected from.
        calibration_labels : array-like of shape (n_calibration,), default=None
            1 for normal clips, -1 for anomalous clips. None means that all clips are normal.
        ax : matplotlib.axes.Axes, default=None
        bins : int or str, default="auto"
            Bins as in :func:`numpy.histogram_bin_edges`, except that "auto" makes at most 100 bins.

        Returns
        -------
        ThresholdDisplay

        Raises
        ------
        ValueError
            If a label is neither 1 nor -1, a score is infinite, or all scores are NaN.
        """
        return cls(
            scores,
            y_true,
            thresholds=thresholds,
            calibration_scores=calibration_scores,
            calibration_labels=calibration_labels,
        ).plot(ax=ax, bins=bins)

    def plot(self, *, ax: "Axes | None" = None, bins: int | str = "auto") -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. By default a new figure is made.
        bins : int or str, default="auto"
            Bins as in :func:`numpy.histogram_bin_edges`, except that "auto" makes at most 100 bins.

        Returns
        -------
        ThresholdDisplay
        """
        thresholds = read_thresholds(self.thresholds)
        rows = [row for row in self._rows() if len(row[1])]
        if not rows:
            raise ValueError("there is no score to draw: all scores are NaN.")
        everything = np.concatenate([scores for _, scores, *_ in rows])
        lowest = _lowest_place(everything, thresholds)
        edges = histogram_edges(np.maximum(everything, lowest), bins)
        self.figure_, self.ax_ = get_axes(ax, (10, max(4, 0.5 + 0.6 * len(thresholds))))
        for place, (_, scores, color, is_filled, _) in enumerate(reversed(rows)):
            places = np.maximum(scores, lowest)
            heights = np.histogram(places, edges)[0]
            self.ax_.stairs(
                place + 0.7 * heights / max(1, heights.max()),
                edges,
                baseline=place,
                fill=True,
                facecolor=color if is_filled else "none",
                edgecolor=color,
                linewidth=1,
                alpha=0.7 if is_filled else None,
            )
            if len(scores) <= _MAX_MARKS:
                marks = np.full(len(scores), place - 0.08)
                self.ax_.plot(places, marks, "|", color=color, markersize=7)
        self.rates_ = {threshold.name: self._find_rates(threshold.value) for threshold in thresholds}
        promised = promises(thresholds, percent)
        for index, threshold in enumerate(thresholds):
            self.ax_.plot(
                [threshold.value] * 2,
                [-0.3, len(rows) - 0.12],
                color=THRESHOLD,
                linestyle=_STYLES[index % len(_STYLES)],
                linewidth=1.5,
                marker=MARKERS[index % len(MARKERS)],
                markerfacecolor="white",
                markevery=[1],
                label=_describe(threshold, self.rates_[threshold.name], promised.get(threshold.name)),
            )
        labels = [f"{label}\n({count(len(scores), 'clip')})" for label, scores, *_ in reversed(rows)]
        self.ax_.set_yticks(np.arange(len(rows)) + 0.35, labels)
        self.ax_.set(xlabel=SCORE_LABEL, ylim=(-0.3, len(rows)))
        n_left_out = np.count_nonzero(np.isnan(np.concatenate([self.scores, self.calibration_scores])))
        n_moved = np.count_nonzero(everything < lowest)
        notes = []
        if n_left_out:
            notes.append(f"{count(n_left_out, 'clip')} without a score left out")
        if n_moved:
            notes.append(f"{count(n_moved, 'clip')} below {lowest:.4g} drawn there")
        if notes:
            self.ax_.set_title("\n".join(notes))
        if thresholds:
            self.ax_.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize="small")
        return self

    def _rows(self):
        """Yield the label, scores, colour, fill and name of the rate of every row, from the top."""
        calibration = ~np.isnan(self.calibration_scores)
        faulty = np.zeros(len(calibration), dtype=bool)
        if self.calibration_labels is not None:
            faulty = self.calibration_labels == -1
        yield "calibration,\nnormal", self.calibration_scores[calibration & ~faulty], NORMAL, False, None
        yield "calibration,\nanomalous", self.calibration_scores[calibration & faulty], ANOMALOUS, False, None
        present = ~np.isnan(self.scores)
        if self.y_true is None:
            yield "new", self.scores[present], NORMAL, True, "alarms"
        else:
            yield "new,\nnormal", self.scores[present & (self.y_true == 1)], NORMAL, True, "false_alarms"
            yield "new,\nanomalous", self.scores[present & (self.y_true == -1)], ANOMALOUS, True, "detected"

    def _find_rates(self, threshold):
        """Return the rates of new clips below the threshold, with the ends of their confidence intervals."""
        rates = {}
        for _, scores, _, _, kind in self._rows():
            if kind is not None and len(scores):
                test = binomtest(int((scores < threshold).sum()), len(scores))
                interval = test.proportion_ci(_CONFIDENCE, method="exact")
                rates[kind] = float(test.statistic), float(interval.low), float(interval.high)
        return rates


def _lowest_place(scores, thresholds):
    """Return the lowest position at which scores are drawn."""
    lower, upper = np.quantile(scores, [0.25, 0.75])
    if lower == upper:
        return scores.min()
    spread = upper - lower
    # The position is below all thresholds, so that every score stays on its side of every threshold.
    places = [lower - _MAX_DISTANCE * spread, *(threshold.value - spread for threshold in thresholds)]
    return max(scores.min(), min(places))


def _check_scores(scores, name):
    scores = column_or_1d(scores, dtype=np.float64)
    if np.isinf(scores).any():
        raise ValueError(
            f"{name} must be finite, got infinity for clip {np.flatnonzero(np.isinf(scores))[0]}."
        )
    return scores


def _describe(threshold, rates, promise):
    """Return the text of the legend for a threshold."""
    lines = [f"{threshold.name}: {threshold.value:.4g}"]
    for kind, (rate, low, high) in rates.items():
        lines.append(f"   {kind.replace('_', ' ')} {percent(rate)} ({percent(low)[:-2]} to {percent(high)})")
        if promise is not None and kind == "false_alarms":
            lines[-1] += f", {promise}"
    if promise is not None and "false_alarms" not in rates:
        lines.insert(1, f"   false alarms {promise}")
    return wrap("\n".join(lines))
