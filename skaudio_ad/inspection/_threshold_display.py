"""`ThresholdDisplay`: scores on both sides of a threshold, what it promises and what it does."""

import numpy as np
from scipy.stats import binomtest
from sklearn.utils import column_or_1d

from ..recordings._unwrap import last_step
from ._drawing import (
    ANOMALOUS,
    MARKERS,
    NORMAL,
    THRESHOLD,
    check_labels,
    count,
    get_axes,
    histogram_edges,
)
from ._thresholds import add_own_threshold, percent, promises, read_thresholds, wrap

_STYLES = ("--", "-", ":", "-.")
# Of a row with more clips, marks of single ones run into one another.
_MOST_MARKS = 200
_CONFIDENCE = 0.95
# Scores that lie further below the lower quartile, in interquartile ranges, would leave the others no room.
_FARTHEST = 10


class ThresholdDisplay:
    """Scores of each kind of clips, thresholds across them, and beside it false alarms and detections.

    One row for each kind: the clips that the threshold was selected from, if they are given, and new ones, normal and
    anomalous. The bars of a row are as high as its own fullest, since anomalous clips are few; ticks below them are
    single clips, where there are no more than 200. Scores so low that the others would have no room, more than ten
    interquartile ranges below the lower quartile, are drawn at that place, and counted in the title.

    Parameters
    ----------
    scores : array-like of shape (n_clips,)
        On the scale of ``score_samples``. NaN is left out, and counted in the title.
    y_true : array-like of shape (n_clips,), default=None
        1 normal, -1 anomalous; None where it is not known.
    thresholds : dict of str to float or selector, float or selector, default=None
        Numbers on the same scale, or fitted selectors, whose promise stands beside what was found.
    calibration_scores : array-like of shape (n_calibration,), default=()
        Scores of the clips that the threshold was selected from.
    calibration_labels : array-like of shape (n_calibration,), default=None
        1 normal, -1 anomalous; None means that all are normal.

    Attributes
    ----------
    rates_ : dict of str to dict of str to tuple of float
        For every threshold, by its name, the rates among the new clips: ``"false_alarms"`` and ``"detected"``, or
        ``"alarms"`` where labels are not known. Each is a rate and the ends of its interval.
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    See Also
    --------
    ScoreDistributionDisplay : One histogram, of clips as they come.
    ROCDisplay : What other thresholds would do.

    Notes
    -----
    The intervals in the legend say how well so few clips can tell a rate. They are exact ones of 95 % [1]_, for clips
    that were recorded independently: pieces of one recording tell less. What "guaranteed", "promised", "estimated" mean
    is said by the selectors, as ``promise_``.

    References
    ----------
    .. [1] C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
       binomial", Biometrika, 1934.
    """

    def __init__(
        self, scores, y_true=None, *, thresholds=None, calibration_scores=(), calibration_labels=None
    ):
        self.scores = _check_scores(scores, "scores")
        self.y_true = check_labels(y_true, len(self.scores))
        self.thresholds = thresholds
        self.calibration_scores = _check_scores(calibration_scores, "calibration_scores")
        self.calibration_labels = check_labels(
            calibration_labels, len(self.calibration_scores), "calibration_labels"
        )

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, thresholds=None, ax=None, bins="auto"):
        """Score X and draw, with the detector's own threshold.

        Parameters
        ----------
        estimator : fitted detector or Pipeline
            Of a :class:`ThresholdedDetector`, the scores that it was selected from and its promise are shown as well.
        X : array-like of clips
            Others than those of `fit`.
        y : array-like of shape (n_clips,), default=None
            1 normal, -1 anomalous; None where it is not known.
        thresholds : dict of str to float or selector, float or selector, default=None
            More thresholds, by name: numbers on the scale of ``score_samples``, or fitted selectors.
        ax : matplotlib.axes.Axes, default=None
        bins : int or str, default="auto"
            As ``numpy.histogram_bin_edges``; "auto" with 100 bins at most.

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
        thresholds=None,
        calibration_scores=(),
        calibration_labels=None,
        ax=None,
        bins="auto",
    ):
        """Draw scores that are there already.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,) or None
            1 normal, -1 anomalous; None where it is not known.
        scores : array-like of shape (n_clips,)
            On the scale of ``score_samples``. There may be none, to look at calibration scores.
        thresholds : dict of str to float or selector, float or selector, default=None
            Numbers on the same scale, or fitted selectors.
        calibration_scores : array-like of shape (n_calibration,), default=()
            Scores of the clips that the threshold was selected from.
        calibration_labels : array-like of shape (n_calibration,), default=None
            1 normal, -1 anomalous; None means that all are normal.
        ax : matplotlib.axes.Axes, default=None
        bins : int or str, default="auto"
            As ``numpy.histogram_bin_edges``; "auto" with 100 bins at most.

        Returns
        -------
        ThresholdDisplay

        Raises
        ------
        ValueError
            If a label is neither 1 nor -1, a score is infinite, or there is no score at all.
        """
        return cls(
            scores,
            y_true,
            thresholds=thresholds,
            calibration_scores=calibration_scores,
            calibration_labels=calibration_labels,
        ).plot(ax=ax, bins=bins)

    def plot(self, *, ax=None, bins="auto"):
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            A new figure by default.
        bins : int or str, default="auto"
            As ``numpy.histogram_bin_edges``; "auto" with 100 bins at most.

        Returns
        -------
        ThresholdDisplay
        """
        thresholds = read_thresholds(self.thresholds)
        rows = [row for row in self._rows() if len(row[1])]
        if not rows:
            raise ValueError("there is no score to draw: all are NaN.")
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
            if len(scores) <= _MOST_MARKS:
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
        self.ax_.set(xlabel="score (higher is more normal)", ylim=(-0.3, len(rows)))
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
        """Label, scores, colour, whether it is filled and the rate's name of every row, from the top."""
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
        """Rates of the new clips below the threshold, with the ends of their intervals."""
        rates = {}
        for _, scores, _, _, kind in self._rows():
            if kind is not None and len(scores):
                test = binomtest(int((scores < threshold).sum()), len(scores))
                interval = test.proportion_ci(_CONFIDENCE, method="exact")
                rates[kind] = float(test.statistic), float(interval.low), float(interval.high)
        return rates


def _lowest_place(scores, thresholds):
    """Where the lowest scores are drawn: at themselves, or less far off."""
    lower, upper = np.quantile(scores, [0.25, 0.75])
    if lower == upper:
        return scores.min()
    spread = upper - lower
    # On the side of every threshold where they are.
    places = [lower - _FARTHEST * spread, *(threshold.value - spread for threshold in thresholds)]
    return max(scores.min(), min(places))


def _check_scores(scores, name):
    scores = column_or_1d(scores, dtype=np.float64)
    if np.isinf(scores).any():
        raise ValueError(
            f"{name} must be finite, got infinity for clip {np.flatnonzero(np.isinf(scores))[0]}."
        )
    return scores


def _describe(threshold, rates, promise):
    """What the legend says of a threshold."""
    lines = [f"{threshold.name}: {threshold.value:.4g}"]
    for kind, (rate, low, high) in rates.items():
        lines.append(f"   {kind.replace('_', ' ')} {percent(rate)} ({percent(low)[:-2]} to {percent(high)})")
        if promise is not None and kind == "false_alarms":
            lines[-1] += f", {promise}"
    if promise is not None and "false_alarms" not in rates:
        lines.insert(1, f"   false alarms {promise}")
    return wrap("\n".join(lines))
