"""`ROCDisplay`: false alarms against detections, and where a threshold lies between them."""

import numpy as np
from sklearn.metrics import roc_curve
from sklearn.utils import column_or_1d

from .._checks import check_number
from ..metrics import anomaly_auc_score
from ._drawing import CURVES, THRESHOLD, check_labels, count, get_axes, last_step

_MARKERS = ("o", "s", "D", "^", "v", "P", "X")


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

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    See Also
    --------
    sklearn.metrics.RocCurveDisplay : The same for classifiers, where higher scores are the positive class.
    """

    def __init__(self, false_alarm_rate, detection_rate, auc, points=None, name=None, n_left_out=0):
        self.false_alarm_rate = false_alarm_rate
        self.detection_rate = detection_rate
        self.auc = auc
        self.points = points
        self.name = name
        self.n_left_out = n_left_out

    @classmethod
    def from_estimator(cls, estimator, X, y, *, thresholds=None, ax=None, name=None):
        """Score X and draw, the detector's own threshold among the points.

        Parameters
        ----------
        estimator : fitted detector or Pipeline
        X : array-like of clips
        y : array-like of shape (n_clips,)
            1 normal, -1 anomalous.
        thresholds : dict of str to float, default=None
            More thresholds to mark, on the scale of ``score_samples``, by name.
        ax : matplotlib.axes.Axes, default=None
        name : str, default=None
            For the legend.

        Returns
        -------
        ROCDisplay
        """
        offset = getattr(last_step(estimator), "offset_", None)
        scores = estimator.score_samples(X)
        return cls.from_predictions(y, scores, offset=offset, thresholds=thresholds, ax=ax, name=name)

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
        thresholds : dict of str to float, default=None
            More thresholds to mark, by name and on the same scale, such as ``{"mean": -1.2}``.
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
        scores = column_or_1d(scores, dtype=np.float64)
        scored = ~np.isnan(scores)
        y_true, scores = check_labels(np.asarray(y_true), len(scored))[scored], scores[scored]
        auc = anomaly_auc_score(y_true, scores)
        false_alarm_rate, detection_rate, _ = roc_curve(y_true, -scores, pos_label=-1)
        values = ({} if offset is None else {"threshold": offset}) | (thresholds or {})
        points = {}
        for label, value in values.items():
            check_number(value, f"the threshold {label!r}")
            alarms = scores < value
            points[label] = alarms[y_true == 1].mean(), alarms[y_true == -1].mean()
        return cls(false_alarm_rate, detection_rate, auc, points, name, np.count_nonzero(~scored)).plot(ax=ax)

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
        self.figure_, self.ax_ = get_axes(ax)
        n_before = sum(line.get_gid() == "roc" for line in self.ax_.lines)
        color = CURVES[n_before % len(CURVES)]
        if not n_before:
            self.ax_.plot([0, 1], [0, 1], color=THRESHOLD, linestyle=":", linewidth=1, label="chance")
        label = f"AUC {self.auc:.3f}"
        if self.name is not None:
            label = f"{self.name}: {label}"
        self.ax_.plot(self.false_alarm_rate, self.detection_rate, color=color, label=label, gid="roc")
        for index, (name, (false_alarm_rate, detection_rate)) in enumerate((self.points or {}).items()):
            self.ax_.plot(
                false_alarm_rate,
                detection_rate,
                _MARKERS[index % len(_MARKERS)],
                color=color,
                markerfacecolor="none",  # two thresholds in one place can both be seen
                markeredgewidth=2,
                markersize=9,
                label=f"{name}: false alarms {false_alarm_rate:.2f}, detected {detection_rate:.2f}",
                clip_on=False,
            )
        self.ax_.set(
            xlabel="false-alarm rate",
            ylabel="detection rate",
            xlim=(0, 1),
            ylim=(0, 1),
            aspect="equal",
        )
        if self.n_left_out:
            self.ax_.set_title(f"{count(self.n_left_out, 'clip')} without a score left out")
        # A long legend finds no place inside that the curve leaves free.
        beside = {"loc": "center left", "bbox_to_anchor": (1.02, 0.5)} if len(self.points or {}) > 2 else {}
        self.ax_.legend(fontsize="small", **beside)
        return self
