"""Pictures in scikit-learn's way: ``Display.from_estimator``, ``Display.from_predictions``, ``plot``."""

import numpy as np

from ..recordings._unwrap import last_step
from ._drawing import (
    ANOMALOUS,
    NORMAL,
    THRESHOLD,
    check_labels,
    choose_scale,
    count,
    get_axes,
    histogram_edges,
    label_log_axis,
)


class LossCurveDisplay:
    """Loss of every epoch, on the training and the held-out clips: under- or over-fitted?

    The axis of the loss is logarithmic where the losses are positive (or it would hide some) and the largest
    is more than three times the smallest.

    Parameters
    ----------
    loss_curve : sequence of float
        Training loss of every epoch.
    validation_loss_curve : sequence of float, default=()
        Held-out loss of every epoch.
    best_epoch : int or None, default=None
        Epoch whose weights were kept, from 0.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    """

    def __init__(self, loss_curve, validation_loss_curve=(), best_epoch=None):
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.best_epoch = best_epoch

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the loss curves of a fitted detector, or of the one at the end of a pipeline.

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
                f"{type(detector).__name__} has no loss_curve_: fit it first, or it is not trained."
            )
        # Estimators that hold out nothing have the first of them alone.
        validation = getattr(detector, "validation_loss_curve_", ())
        return cls(detector.loss_curve_, validation, getattr(detector, "best_epoch_", None)).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            A new figure by default.

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
                epochs, self.validation_loss_curve, color=ANOMALOUS, marker=marker, label="held-out clips"
            )
        if self.best_epoch is not None:
            self.ax_.axvline(self.best_epoch + 1, color=THRESHOLD, linestyle=":", label="weights kept")
        losses = np.concatenate([self.loss_curve, self.validation_loss_curve])
        self.ax_.set(xlabel="epoch", ylabel="loss", yscale=choose_scale(losses))
        label_log_axis(self.ax_.yaxis)
        self.ax_.legend()
        return self


class ScoreDistributionDisplay:
    """Histogram of scores with the threshold between normal and anomalous.

    Parameters
    ----------
    scores : array-like of shape (n_clips,)
        On the scale of ``score_samples``. NaN is left out, and counted in the title.
    y_true : array-like of shape (n_clips,), default=None
        1 normal, -1 anomalous; None where it is not known.
    offset : float, default=None
        The threshold.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    """

    def __init__(self, scores, y_true=None, offset=None):
        self.scores = np.asarray(scores, dtype=np.float64)
        self.y_true = check_labels(y_true, len(self.scores))
        self.offset = offset

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, ax=None, bins="auto"):
        """Score X and draw.

        Parameters
        ----------
        estimator : fitted detector or Pipeline
        X : array-like of clips
        y : array-like of shape (n_clips,), default=None
            1 normal, -1 anomalous.
        ax : matplotlib.axes.Axes, default=None
        bins : int or str, default="auto"
            As ``numpy.histogram_bin_edges``; "auto" with 100 bins at most.

        Returns
        -------
        ScoreDistributionDisplay
        """
        offset = getattr(last_step(estimator), "offset_", None)
        return cls.from_predictions(y, estimator.score_samples(X), offset=offset, ax=ax, bins=bins)

    @classmethod
    def from_predictions(cls, y_true, scores, *, offset=None, ax=None, bins="auto"):
        """Draw scores that are there already.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,) or None
            1 normal, -1 anomalous; None where it is not known.
        scores : array-like of shape (n_clips,)
            On the scale of ``score_samples``.
        offset : float, default=None
            The threshold.
        ax : matplotlib.axes.Axes, default=None
        bins : int or str, default="auto"
            As ``numpy.histogram_bin_edges``; "auto" with 100 bins at most.

        Returns
        -------
        ScoreDistributionDisplay
        """
        return cls(scores, y_true, offset).plot(ax=ax, bins=bins)

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
        ScoreDistributionDisplay
        """
        self.figure_, self.ax_ = get_axes(ax)
        finite = np.isfinite(self.scores)
        if not finite.any():
            raise ValueError("there is no score to draw: all are NaN.")
        edges = histogram_edges(self.scores[finite], bins)
        groups = [("clips", finite, NORMAL)]
        if self.y_true is not None:
            groups = [
                ("normal", finite & (self.y_true == 1), NORMAL),
                ("anomalous", finite & (self.y_true == -1), ANOMALOUS),
            ]
        for label, chosen, color in groups:
            if chosen.any():
                text = f"{label} ({np.count_nonzero(chosen)})"
                self.ax_.hist(self.scores[chosen], bins=edges, color=color, alpha=0.6, label=text)
        if self.offset is not None:
            self.ax_.axvline(
                self.offset, color=THRESHOLD, linestyle="--", label=f"threshold ({self.offset:.3g})"
            )
        self.ax_.set(xlabel="score (higher is more normal)", ylabel="clips")
        self.ax_.yaxis.get_major_locator().set_params(integer=True)
        if not finite.all():
            self.ax_.set_title(f"{count(np.count_nonzero(~finite), 'clip')} without a score left out")
        self.ax_.legend()
        return self
