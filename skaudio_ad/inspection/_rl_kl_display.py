"""`RLKLDisplay`: clips in the plane of the two losses of a variational autoencoder."""

from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from .._checks import check_option
from .._lazy import is_missing
from .._typing import Clips, Labels
from ._drawing import (
    ANOMALOUS,
    NORMAL,
    THRESHOLD,
    check_labels,
    choose_scale,
    count,
    get_axes,
    label_log_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Number of grid points along each axis. With this number the steps of the boundary are smaller than a pixel.
_GRID = 400


class RLKLDisplay:
    """Scatter plot of clips by KL and RL, with the decisions of a classifier of the two losses.

    RL is the reconstruction loss of a variational autoencoder. KL is the Kullback-Leibler divergence of the posterior
    from the prior.

    Parameters
    ----------
    rl_kl : array-like of shape (n_clips, 2)
        Columns RL and KL. A row of NaN is a clip that could not be read. Such clips are left out, and the title shows
        their number.
    y_true : array-like of shape (n_clips,), default=None
        1 for normal clips, -1 for anomalous clips. None if the labels are unknown.
    classifier : fitted classifier, default=None
        Classifier of the columns RL and KL, with the classes 1 and -1.
    trained_on : array-like of bool of shape (n_clips,), default=None
        True for clips that took part in the training. These clips are drawn hollow.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure
    """

    ax_: "Axes"
    figure_: "Figure"

    def __init__(
        self,
        rl_kl: npt.ArrayLike,
        y_true: Labels | None = None,
        classifier: BaseEstimator | None = None,
        trained_on: npt.ArrayLike | None = None,
    ) -> None:
        self.rl_kl = check_array(
            rl_kl, dtype=np.float64, ensure_all_finite="allow-nan", input_name="rl_kl", ensure_min_samples=1
        )
        if self.rl_kl.shape[1] != 2:
            raise ValueError(f"rl_kl must have the two columns RL and KL, got shape {self.rl_kl.shape}.")
        broken = [i for i, row in enumerate(self.rl_kl) if np.isnan(row).any() and not is_missing(row)]
        if broken:
            raise ValueError(
                f"rl_kl contains NaN beside a number, first in clip {broken[0]}: a row needs two numbers, or two NaN."
            )
        self.y_true = check_labels(y_true, len(self.rl_kl))
        if classifier is not None:
            check_is_fitted(classifier)
            if not np.isin(classifier.classes_, (1, -1)).all():
                raise ValueError(
                    "classifier must tell 1 (normal) from -1 (anomalous), got the classes "
                    f"{classifier.classes_}: fit it on such labels."
                )
        self.classifier = classifier
        if trained_on is not None:
            trained_on = np.asarray(trained_on)
            if trained_on.shape != (len(self.rl_kl),) or trained_on.dtype != bool:
                raise ValueError(
                    f"trained_on must hold True or False for each of {len(self.rl_kl)} clips, got "
                    f"{trained_on.dtype} of shape {trained_on.shape}."
                )
        self.trained_on = trained_on

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Clips,
        y: Labels | None = None,
        *,
        trained_on: npt.ArrayLike | None = None,
        scale: Literal["auto", "log", "linear"] = "auto",
        ax: "Axes | None" = None,
    ) -> Self:
        """Compute RL and KL of X and draw the clips.

        Parameters
        ----------
        estimator : fitted detector or Pipeline
            A detector whose ``transform`` returns RL and KL, or a Pipeline that ends in such a detector. In a Pipeline
            of such a detector and a classifier, ``make_pipeline(VAEDetector(), RLKLClassifier())``, the decisions of
            the classifier are drawn too. Steps between the detector and the classifier, such as a scaler, belong to the
            classifier.
        X : array-like of clips
        y : array-like of shape (n_clips,), default=None
            1 for normal clips, -1 for anomalous clips.
        trained_on : array-like of bool of shape (n_clips,), default=None
            True for clips that took part in the training. These clips are drawn hollow.
        scale : {"auto", "log", "linear"}, default="auto"
            Scale of both axes, as in :meth:`plot`.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        RLKLDisplay

        Raises
        ------
        ValueError
            If the ``transform`` of `estimator` does not return two columns, a label is neither 1 nor -1, or RL or KL is
            infinite.
        """
        features, classifier = _split(estimator)
        if not hasattr(features, "transform"):
            raise ValueError(
                "RLKLDisplay needs a detector whose transform gives RL and KL, such as VAEDetector, alone or "
                f"before a classifier in a Pipeline, got {estimator!r:.200}."
            )
        return cls(features.transform(X), y, classifier, trained_on).plot(scale=scale, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: Labels | None,
        rl_kl: npt.ArrayLike,
        *,
        classifier: BaseEstimator | None = None,
        trained_on: npt.ArrayLike | None = None,
        scale: Literal["auto", "log", "linear"] = "auto",
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw given values of RL and KL.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,) or None
            1 for normal clips, -1 for anomalous clips. None if the labels are unknown.
        rl_kl : array-like of shape (n_clips, 2)
            Columns RL and KL.
        classifier : fitted classifier, default=None
            Classifier of the columns RL and KL, with the classes 1 and -1.
        trained_on : array-like of bool of shape (n_clips,), default=None
            True for clips that took part in the training. These clips are drawn hollow.
        scale : {"auto", "log", "linear"}, default="auto"
            Scale of both axes, as in :meth:`plot`.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        RLKLDisplay

        Raises
        ------
        ValueError
            If an array has another shape, a label or class is neither 1 nor -1, or RL or KL is infinite.
        """
        return cls(rl_kl, y_true, classifier, trained_on).plot(scale=scale, ax=ax)

    def plot(self, *, scale: Literal["auto", "log", "linear"] = "auto", ax: "Axes | None" = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        scale : {"auto", "log", "linear"}, default="auto"
            Scale of both axes. "auto" makes an axis logarithmic if all its values are positive and the largest value is
            more than three times the smallest value.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. By default a new figure is made.

        Returns
        -------
        RLKLDisplay
        """
        check_option(scale, "scale", ("auto", "log", "linear"))
        present = ~np.isnan(self.rl_kl[:, 0])
        if not present.any():
            raise ValueError("there is no clip to draw: all clips are NaN.")
        rl, kl = self.rl_kl[present].T
        scales = [_axis_scale(values, name, scale) for values, name in ((kl, "KL"), (rl, "RL"))]
        limits = [_limits(values, chosen) for values, chosen in zip((kl, rl), scales)]
        self.figure_, self.ax_ = get_axes(ax)
        if self.classifier is not None:
            self._draw_regions(self.classifier, limits, scales)
        for label, chosen, settings in self._groups():
            chosen &= present
            if chosen.any():
                self.ax_.scatter(
                    self.rl_kl[chosen, 1],
                    self.rl_kl[chosen, 0],
                    s=24,
                    linewidths=1,
                    label=f"{label} ({np.count_nonzero(chosen)})",
                    **settings,
                )
        self.ax_.set(
            xlabel="KL (divergence from the prior)",
            ylabel="RL (reconstruction loss)",
            xscale=scales[0],
            yscale=scales[1],
            xlim=limits[0],
            ylim=limits[1],
        )
        for axis in (self.ax_.xaxis, self.ax_.yaxis):
            label_log_axis(axis)
        if not present.all():
            self.ax_.set_title(f"{count(np.count_nonzero(~present), 'clip')} that could not be read left out")
        self.ax_.legend(fontsize="small")
        return self

    def _groups(self):
        """Yield the label, mask and look of every group of clips, from background to foreground."""
        everything = np.ones(len(self.rl_kl), dtype=bool)
        groups = [("clips", everything, NORMAL, "o")]
        if self.y_true is not None:
            groups = [
                ("anomalous", self.y_true == -1, ANOMALOUS, "^"),
                ("normal", self.y_true == 1, NORMAL, "o"),
            ]
        for label, chosen, color, marker in groups:
            look = {"marker": marker, "edgecolors": color}
            if self.trained_on is None:
                yield label, chosen, {**look, "facecolors": color, "alpha": 0.7}
            else:
                yield f"{label}, trained on", chosen & self.trained_on, {**look, "facecolors": "none"}
                yield f"{label}, new", chosen & ~self.trained_on, {**look, "facecolors": color, "alpha": 0.7}

    def _draw_regions(self, classifier, limits, scales):
        """Colour the plane by the decisions of the classifier, and draw the decision boundary."""
        kl, rl = (
            np.geomspace(low, high, _GRID) if scale == "log" else np.linspace(low, high, _GRID)
            for (low, high), scale in zip(limits, scales)
        )
        grid = np.stack(np.meshgrid(rl, kl, indexing="ij"), axis=-1)  # shape (n_rl, n_kl, 2)
        points = grid.reshape(-1, 2)
        if hasattr(classifier, "feature_names_in_"):
            import pandas as pd

            names = list(classifier.feature_names_in_)
            columns = ["RL", "KL"] if set(names) == {"RL", "KL"} else names
            points = pd.DataFrame(points, columns=columns)[names]
        decisions = np.asarray(classifier.predict(points)).reshape(_GRID, _GRID)
        self.ax_.contourf(kl, rl, decisions, levels=[-2, 0, 2], colors=[ANOMALOUS, NORMAL], alpha=0.15)
        if (decisions == 1).any() and (decisions == -1).any():
            self.ax_.contour(kl, rl, decisions, levels=[0], colors=[THRESHOLD], linewidths=1)
            self.ax_.plot([], [], color=THRESHOLD, linewidth=1, label="decision boundary")


def _split(estimator):
    """Return the part of an estimator that computes RL and KL, and the classifier after this part or None."""
    if not isinstance(estimator, Pipeline) or not is_classifier(estimator):
        return estimator, None
    for index, (_, step) in enumerate(estimator.steps[:-1]):
        if hasattr(step, "get_feature_names_out") and list(step.get_feature_names_out()) == ["RL", "KL"]:
            return estimator[: index + 1], estimator[index + 1 :]
    return estimator[:-1], estimator[-1]


def _axis_scale(values, name, scale):
    if scale == "log" and values.min() <= 0:
        raise ValueError(
            f'scale="log" needs positive values, got {name} down to {values.min():.4g}; use scale="auto" or '
            '"linear".'
        )
    return choose_scale(values) if scale == "auto" else scale


def _limits(values, scale):
    """Return the limits of an axis: a margin of 5 % of the length beyond the values."""
    low, high = values.min(), values.max()
    if low == high:
        low, high = (low / 2, high * 2) if scale == "log" else (low - 0.5, high + 0.5)
    if scale == "log":
        margin = (high / low) ** 0.05
        return low / margin, high * margin
    margin = 0.05 * (high - low)
    return low - margin, high + margin
