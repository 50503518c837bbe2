"""`ROCDisplay`: false alarms against detections, with thresholds as points."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.metrics import roc_curve

from .._typing import Clips, FloatArray, Labels
from ..metrics import anomaly_auc_score
from ._drawing import CURVE_STYLES, CURVES, THRESHOLD, count, get_axes
from ._thresholds import (
    WIDE,
    Thresholds,
    add_own_threshold,
    draw_points,
    fraction,
    place_legend,
    promises,
    rate_points,
    read_thresholds,
    split_scores,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class ROCDisplay:
    """Receiver operating characteristic with thresholds as points. The anomaly is the positive class.

    To compare detectors in one picture, give all of them the same `ax` and each its own `name`.

    Parameters
    ----------
    false_alarm_rate : ndarray of shape (n_points,)
        False-alarm rates in rising order.
    detection_rate : ndarray of shape (n_points,)
        Detection rates.
    auc : float
        Area under the curve.
    points : dict of str to tuple of float, default=None
        False-alarm rate and detection rate of every point to mark, by name.
    name : str, default=None
        Name of the detector.
    n_left_out : int, default=0
        Number of clips without a score. The title shows the number.
    promises : dict of str to str, default=None
        Promised false-alarm rates of points, by name, such as "guaranteed 0.05".

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    See Also
    --------
    sklearn.metrics.RocCurveDisplay : ROC curves of classifiers, whose higher scores mean the positive class.
    """

    ax_: "Axes"
    figure_: "Figure"

    def __init__(
        self,
        false_alarm_rate: FloatArray,
        detection_rate: FloatArray,
        auc: float,
        points: dict[str, tuple[float, float]] | None = None,
        name: str | None = None,
        n_left_out: int = 0,
        promises: dict[str, str] | None = None,
    ) -> None:
        self.false_alarm_rate = false_alarm_rate
        self.detection_rate = detection_rate
        self.auc = auc
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
        ROCDisplay
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
        offset: float | None = None,
        thresholds: Thresholds = None,
        ax: "Axes | None" = None,
        name: str | None = None,
        curve_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw given scores.

        A clip counts as anomalous if its score is below the threshold, as in ``predict``. Clips with the score NaN are
        left out, although ``predict`` calls these clips anomalous, because they are neither false alarms nor
        detections. The title shows the number of clips with NaN.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,)
            1 for normal clips, -1 for anomalous clips.
        scores : array-like of shape (n_clips,)
            Scores on the scale of ``score_samples``: higher is more normal.
        offset : float, default=None
            Threshold of the detector.
        thresholds : dict of str to float or selector, float or selector, default=None
            More thresholds to mark, by name: numbers on the same scale, such as ``{"mean": -1.2}``, or fitted
            selectors. The legend shows the promised false-alarm rate of a selector beside the rate that was found.
        ax : matplotlib.axes.Axes, default=None
        name : str, default=None
            Name in the legend.
        curve_kwargs : dict, default=None
            Parameters of ``matplotlib.axes.Axes.plot`` for the curve, such as ``{"color": "black"}``.

        Returns
        -------
        ROCDisplay

        Raises
        ------
        ValueError
            If a label is neither 1 nor -1, if a score is infinite, or if normal or anomalous clips are missing among
            the clips with a score.
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
        return display.plot(ax=ax, curve_kwargs=curve_kwargs)

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
        look = {"color": color, "linestyle": style, "label": label} | (curve_kwargs or {})
        (line,) = self.ax_.plot(self.false_alarm_rate, self.detection_rate, gid="roc", **look)
        draw_points(self.ax_, self.points or {}, line.get_color(), "detected", self.promises or {}, fraction)
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
