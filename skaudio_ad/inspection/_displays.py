"""`LossCurveDisplay` and `ScoreDistributionDisplay`, with the methods of scikit-learn's displays."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from .._typing import Clips, Labels
from ..recordings._unwrap import last_step
from ._drawing import (
    ANOMALOUS,
    HELD_OUT,
    NORMAL,
    SCORE_LABEL,
    THRESHOLD,
    check_labels,
    choose_scale,
    count,
    get_axes,
    histogram_edges,
    label_log_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class LossCurveDisplay:
    """Loss of every epoch on the training clips and on the held-out clips.

    The display shows whether a detector is underfitted or overfitted. The axis of the loss is logarithmic if all losses
    are positive and the largest loss is more than three times the smallest loss.

    Parameters
    ----------
    loss_curve : sequence of float
        Training loss of every epoch.
    validation_loss_curve : sequence of float, default=()
        Held-out loss of every epoch.
    best_epoch : int or None, default=None
        Epoch that the final weights come from. The first epoch is 0.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    """

    ax_: "Axes"
    figure_: "Figure"

    def __init__(
        self,
        loss_curve: Sequence[float],
        validation_loss_curve: Sequence[float] = (),
        best_epoch: int | None = None,
    ) -> None:
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(cls, estimator: BaseEstimator, *, ax: "Axes | None" = None) -> Self:
        """Draw the loss curves of a fitted detector or of the last step of a pipeline.

        Parameters
        ----------
        estimator : estimator with ``loss_curve_``, or Pipeline that ends in one
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        LossCurveDisplay
        """
        detector = last_step(estimator)
        if not hasattr(detector, "loss_curve_"):
            raise ValueError(
                f"{type(detector).__name__} has no loss_curve_: fit it first. Detectors that are not trained in epochs "
                "have no loss curve."
            )
        # Estimators that hold out no clips have no validation_loss_curve_.
        validation = getattr(detector, "validation_loss_curve_", ())
        return cls(detector.loss_curve_, validation, getattr(detector, "best_epoch_", None)).plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. By default a new figure is made.

        Returns
        -------
        LossCurveDisplay
        """
        self.figure_, self.ax_ = get_axes(ax)
        epochs = np.arange(1, len(self.loss_curve) + 1)
        marker = "." if len(epochs) < 30 else None
        self.ax_.plot(epochs, self.loss_curve, color=NORMAL, marker=marker, label="training clips")
        if len(self.validation_loss_curve):
            self.ax_.plot(
                epochs,
                self.validation_loss_curve,
                color=HELD_OUT,
                linestyle="--",
                marker=marker,
                label="held-out clips",
            )
        if self.best_epoch is not None:
            self.ax_.axvline(self.best_epoch + 1, color=THRESHOLD, linestyle=":", label="weights kept")
        losses = np.concatenate([self.loss_curve, self.validation_loss_curve])
        self.ax_.set(xlabel="epoch", ylabel="loss", yscale=choose_scale(losses))
        label_log_axis(self.ax_.yaxis)
        self.ax_.legend()
        return self


class ScoreDistributionDisplay:
    """Histogram of scores, with the threshold between normal and anomalous clips.

    Parameters
    ----------
    scores : array-like of shape (n_clips,)
        Scores on the scale of ``score_samples``. Clips with NaN are left out, and the title shows their number.
    y_true : array-like of shape (n_clips,), default=None
        1 for normal clips, -1 for anomalous clips. None if the labels are unknown.
    offset : float, default=None
        Threshold on the same scale.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    """

    ax_: "Axes"
    figure_: "Figure"

    def __init__(
        self, scores: npt.ArrayLike, y_true: Labels | None = None, offset: float | None = None
    ) -> None:
        self.scores = np.asarray(scores, dtype=np.float64)
        self.y_true = check_labels(y_true, len(self.scores))
        self.offset = offset

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Clips,
        y: Labels | None = None,
        *,
        ax: "Axes | None" = None,
        bins: int | str = "auto",
    ) -> Self:
        """Score X and draw the histogram.

        Parameters
        ----------
        estimator : fitted detector or Pipeline
        X : array-like of clips
        y : array-like of shape (n_clips,), default=None
            1 for normal clips, -1 for anomalous clips.
        ax : matplotlib.axes.Axes, default=None
        bins : int or str, default="auto"
            Bins as in :func:`numpy.histogram_bin_edges`, except that "auto" makes at most 100 bins, and that the bins
            are shifted until one edge is the threshold.

        Returns
        -------
        ScoreDistributionDisplay
        """
        offset = getattr(last_step(estimator), "offset_", None)
        return cls.from_predictions(y, estimator.score_samples(X), offset=offset, ax=ax, bins=bins)

    @classmethod
    def from_predictions(
        cls,
        y_true: Labels | None,
        scores: npt.ArrayLike,
        *,
        offset: float | None = None,
        ax: "Axes | None" = None,
        bins: int | str = "auto",
    ) -> Self:
        """Draw given scores.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,) or None
            1 for normal clips, -1 for anomalous clips. None if the labels are unknown.
        scores : array-like of shape (n_clips,)
            Scores on the scale of ``score_samples``.
        offset : float, default=None
            Threshold on the same scale.
        ax : matplotlib.axes.Axes, default=None
        bins : int or str, default="auto"
            Bins as in :func:`numpy.histogram_bin_edges`, except that "auto" makes at most 100 bins, and that the bins
            are shifted until one edge is the threshold.

        Returns
        -------
        ScoreDistributionDisplay
        """
        return cls(scores, y_true, offset).plot(ax=ax, bins=bins)

    def plot(self, *, ax: "Axes | None" = None, bins: int | str = "auto") -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. By default a new figure is made.
        bins : int or str, default="auto"
            Bins as in :func:`numpy.histogram_bin_edges`, except that "auto" makes at most 100 bins, and that the bins
            are shifted until one edge is the threshold.

        Returns
        -------
        ScoreDistributionDisplay
        """
        self.figure_, self.ax_ = get_axes(ax)
        finite = np.isfinite(self.scores)
        if not finite.any():
            raise ValueError("there is no score to draw: all scores are NaN.")
        edges = histogram_edges(self.scores[finite], bins, self.offset)
        groups = [("clips", finite, NORMAL, "-")]
        if self.y_true is not None:
            groups = [
                ("normal", finite & (self.y_true == 1), NORMAL, "-"),
                ("anomalous", finite & (self.y_true == -1), ANOMALOUS, "--"),
            ]
        for label, chosen, color, style in groups:
            if chosen.any():
                text = f"{label} ({np.count_nonzero(chosen)})"
                heights, *_ = self.ax_.hist(
                    self.scores[chosen], bins=edges, color=color, alpha=0.5, label=text
                )
                # The outlines tell the groups apart where their bars overlap.
                self.ax_.stairs(heights, edges, color=color, linestyle=style, linewidth=1.5)
        if self.offset is not None:
            self.ax_.axvline(
                self.offset, color=THRESHOLD, linestyle="--", label=f"threshold ({self.offset:.3g})"
            )
        self.ax_.set(xlabel=SCORE_LABEL, ylabel="clips")
        self.ax_.locator_params(axis="y", integer=True)
        if not finite.all():
            self.ax_.set_title(f"{count(np.count_nonzero(~finite), 'clip')} without a score left out")
        self.ax_.legend()
        return self
