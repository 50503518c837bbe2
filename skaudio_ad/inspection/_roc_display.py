"""`ROCDisplay`: false alarms against detections, and where a threshold lies between them."""

import numpy as np
from sklearn.metrics import roc_curve

from ..metrics import anomaly_auc_score
from ._drawing import CURVE_STYLES, CURVES, THRESHOLD, count, get_axes
from ._thresholds import (
    WIDE,
    add_own_threshold,
    draw_points,
    fraction,
    place_legend,
    promises,
    rate_points,
    read_thresholds,
    split_scores,
)


class ROCDisplay:
    """Receiver operating characteristic, the anomaly being the positive class, with thresholds as points.

    Several detectors share a picture: give each the same `ax`, and a `name`.

    Parameters
    ----------
    false_alarm_rate : ndarray of shape (n_points,)
        False-alarm rates, rising.
    detection_rate : ndarray of shape (n_points,)
        Detection rates.
    auc : float
        Area under the curve.
    points : dict of str to tuple of float, default=None
        False-alarm rate and detection rate of every point to mark, by name.
    name : str, default=None
        Of the detector.
    n_left_out : int, default=0
        Clips without a score, for the title.
    promises : dict of str to str, default=None
        What was promised of the false-alarm rate of a point, by its name: "guaranteed 0.05".

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    See Also
    --------
    sklearn.metrics.RocCurveDisplay : The same for classifiers, where higher scores are the positive class.
    """

    def __init__(
        self, false_alarm_rate, detection_rate, auc, points=None, name=None, n_left_out=0, promises=None
    ):
        self.false_alarm_rate = false_alarm_rate
        self.detection_rate = detection_rate
        self.auc = auc
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
        ROCDisplay
        """
        scores = estimator.score_samples(X)
        thresholds = add_own_threshold(estimator, thresholds)
        return cls.from_predictions(y, scores, thresholds=thresholds, ax=ax, name=name)

    @classmethod
    def from_predictions(cls, y_true, scores, *, offset=None, thresholds=None, ax=None, name=None):
        """Draw from scores that are there already.

        A clip is called anomalous where its score is below the threshold, as ``predict`` does. Clips whose
        score is NaN, which ``predict`` calls anomalous, are neither false alarms nor detections here: they
        are left out, and counted in the title.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,)
            1 normal, -1 anomalous.
        scores : array-like of shape (n_clips,)
            On the scale of ``score_samples``: higher is more normal.
        offset : float, default=None
            The detector's threshold.
        thresholds : dict of str to float or selector, float or selector, default=None
            More thresholds to mark, by name: numbers on the same scale, such as ``{"mean": -1.2}``, or fitted
            selectors, whose promise stands beside what was found.
        ax : matplotlib.axes.Axes, default=None
        name : str, default=None
            For the legend.

        Returns
        -------
        ROCDisplay

        Raises
        ------
        ValueError
            If a label is neither 1 nor -1, a score is infinite, or one kind of clips is missing among those
            with a score.
        """
        normal, anomalous, n_left_out = split_scores(y_true, scores)
        y_true, scores = (
            np.repeat([1, -1], [len(normal), len(anomalous)]),
            np.concatenate([normal, anomalous]),
        )
        auc = anomaly_auc_score(y_true, scores)
        false_alarm_rate, detection_rate, _ = roc_curve(y_true, -scores, pos_label=-1)
        marked = read_thresholds(thresholds, offset)
        points = rate_points(normal, anomalous, marked)
        display = cls(
            false_alarm_rate, detection_rate, auc, points, name, n_left_out, promises(marked, fraction)
        )
        return display.plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            A new figure by default. On axes that hold a curve already, this one is drawn in the next colour.

        Returns
        -------
        ROCDisplay
        """
        n_points = len(self.points or {})
        self.figure_, self.ax_ = get_axes(ax, WIDE if n_points > 2 else None)
        n_before = sum(line.get_gid() == "roc" for line in self.ax_.lines)
        color, style = CURVES[n_before % len(CURVES)], CURVE_STYLES[n_before % len(CURVE_STYLES)]
        if not n_before:
            self.ax_.plot([0, 1], [0, 1], color=THRESHOLD, linestyle=":", linewidth=1, label="chance")
        label = f"AUC {self.auc:.3f}"
        if self.name is not None:
            label = f"{self.name}: {label}"
        self.ax_.plot(
            self.false_alarm_rate, self.detection_rate, color=color, linestyle=style, label=label, gid="roc"
        )
        draw_points(self.ax_, self.points or {}, color, "detected", self.promises or {}, fraction)
        self.ax_.set(
            xlabel="false-alarm rate",
            ylabel="detection rate",
            xlim=(0, 1),
            ylim=(0, 1),
            aspect="equal",
        )
        if self.n_left_out:
            self.ax_.set_title(f"{count(self.n_left_out, 'clip')} without a score left out")
        place_legend(self.ax_)
        return self
