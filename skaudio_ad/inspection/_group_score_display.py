"""`GroupScoreDisplay`: scores of every machine, group or member of an ensemble."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import column_or_1d

from .._checks import check_number
from .._typing import Clips, Labels
from ..detectors import FleetDetector, ScoreEnsemble
from ..detectors._combine_scores import combine
from ..recordings._unwrap import last_step
from ._drawing import ANOMALOUS, NORMAL, NORMAL_AREA, SCORE_LABEL, THRESHOLD, check_labels, count, get_axes
from ._models import find_model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Quantiles of the normal clips between which the box of a row is drawn: the middle 90 %.
_QUANTILES = (0.05, 0.5, 0.95)
# Label of the axis for a fleet, whose machines have scores on different scales.
_MARGIN_LABEL = "score minus threshold of the machine (higher is more normal)"


class GroupScoreDisplay:
    """Scores in rows: one row a machine, patient or data set, or one row a member of an ensemble.

    The box of a row holds the middle 90 % of its normal clips, and the line in the box is their median. Every clip has
    a mark: circles above the middle of the row are normal clips, and triangles below are anomalous clips. A black line
    is the threshold. The display shows whether one threshold suits all groups, which machine raises the false alarms,
    and which member of an ensemble finds a fault.

    Parameters
    ----------
    scores : array-like of shape (n_clips,)
        Scores, where higher is more normal. Clips with NaN are left out, and the title shows their number.
    groups : array-like of shape (n_clips,)
        Row of every clip.
    y_true : array-like of shape (n_clips,), default=None
        1 for normal clips, -1 for anomalous clips. None counts all clips as normal, and the legend says "clips".
    thresholds : float or dict of group to float, default=None
        Threshold of all rows, or of some rows.
    order : sequence, default=None
        Groups from top to bottom. None sorts the groups.
    score_label : str, default="score (higher is more normal)"
        Label of the axis of scores.

    Attributes
    ----------
    groups_ : list
        Groups from top to bottom.
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the shapes differ, a label is neither 1 nor -1, a score is infinite, or `order` or `thresholds` names a group
        that has no clip.

    See Also
    --------
    ThresholdDisplay : Histograms of one detector, with several thresholds.

    Examples
    --------
    >>> from skaudio_ad.inspection import GroupScoreDisplay
    >>> scores, machines = [-1.0, -1.2, -5.0, -5.5], ["fan", "fan", "pump", "pump"]
    >>> display = GroupScoreDisplay.from_predictions(None, scores, groups=machines, thresholds=-4.0)
    >>> display.groups_
    ['fan', 'pump']
    """

    groups_: list[Any]
    ax_: "Axes"
    figure_: "Figure"

    def __init__(
        self,
        scores: npt.ArrayLike,
        groups: Labels,
        y_true: Labels | None = None,
        *,
        thresholds: float | Mapping[Any, float] | None = None,
        order: Sequence[Any] | None = None,
        score_label: str = SCORE_LABEL,
    ) -> None:
        self.scores = column_or_1d(scores, dtype=np.float64)
        self.groups = column_or_1d(groups)
        self.y_true = check_labels(y_true, len(self.scores))
        if len(self.groups) != len(self.scores):
            raise ValueError(
                f"groups must have one entry a clip: got {len(self.groups)} for {len(self.scores)} clips."
            )
        if np.isinf(self.scores).any():
            clip = np.flatnonzero(np.isinf(self.scores))[0]
            raise ValueError(f"scores must be finite, got infinity for clip {clip}.")
        known = np.unique(self.groups).tolist()
        self.groups_ = known if order is None else list(order)
        if thresholds is not None and not isinstance(thresholds, Mapping):
            check_number(thresholds, "thresholds", low=-np.inf, high=np.inf, closed="neither")
            thresholds = dict.fromkeys(self.groups_, thresholds)
        self.thresholds = dict(thresholds or {})
        for name, given in (("order", self.groups_), ("thresholds", self.thresholds)):
            unknown = [group for group in given if group not in known]
            if unknown:
                raise ValueError(
                    f"{name} names {unknown[0]!r}, a group without clips. Known groups: {known[:10]}."
                )
        self.score_label = score_label

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Clips,
        y: Labels | None = None,
        *,
        groups: Labels | None = None,
        ax: "Axes | None" = None,
    ) -> Self:
        """Score X and draw the scores of every group, or of every member of an ensemble.

        - :class:`FleetDetector`: one row a machine. Machines have scores on different scales, so the rows show the
          score minus the threshold of the machine.
        - :class:`ScoreEnsemble` without `groups`: one row a member, with calibrated scores on one scale, and one row
          for the combined score. Rows of members have the threshold too if the smallest score decides
          (``combine="min"``).
        - Any other detector: one row a group, with the threshold of the detector.

        Parameters
        ----------
        estimator : fitted detector or Pipeline
        X : array-like of clips
        y : array-like of shape (n_clips,), default=None
            1 for normal clips, -1 for anomalous clips.
        groups : array-like of shape (n_clips,), default=None
            Machine, patient or data set of every clip. Only a `ScoreEnsemble` can do without.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        GroupScoreDisplay

        Raises
        ------
        ValueError
            If `groups` are missing, or for the reasons of the class.
        """
        detector = last_step(estimator)
        if groups is None:
            steps, model = find_model(estimator)
            if not isinstance(model, ScoreEnsemble):
                raise ValueError(
                    f"{type(model).__name__} needs groups=, the machine, patient or data set of every clip."
                )
            return cls._from_members(model, X if steps is None else steps.transform(X), y, detector, ax)
        if isinstance(detector, FleetDetector):
            margins = estimator.decision_function(X, machines=groups)
            return cls(margins, groups, y, thresholds=0.0, score_label=_MARGIN_LABEL).plot(ax=ax)
        offset = getattr(detector, "offset_", None)
        thresholds = (
            None if offset is None else float(np.asarray(offset).item())
        )  # OneClassSVM stores an array
        return cls(estimator.score_samples(X), groups, y, thresholds=thresholds).plot(ax=ax)

    @classmethod
    def _from_members(cls, ensemble, features, y, detector, ax):
        scores = ensemble.score_detectors(features)
        combined = combine(ensemble._fitted("calibrate"), ensemble._fitted("combine"), scores.T)
        names, last = list(ensemble.named_detectors_), "ensemble"
        while last in names:
            last += " "
        rows = [*names, last]
        with_threshold = rows if ensemble._fitted("combine") == "min" else [last]
        return cls(
            np.column_stack([scores, combined]).ravel(),
            np.tile(np.array(rows, dtype=object), len(scores)),
            None if y is None else np.repeat(np.asarray(y), len(rows)),
            thresholds=dict.fromkeys(with_threshold, float(detector.offset_)),
            order=rows,
            score_label="calibrated score (higher is more normal)",
        ).plot(ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: Labels | None,
        scores: npt.ArrayLike,
        *,
        groups: Labels,
        thresholds: float | Mapping[Any, float] | None = None,
        order: Sequence[Any] | None = None,
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw given scores.

        Parameters
        ----------
        y_true : array-like of shape (n_clips,) or None
            1 for normal clips, -1 for anomalous clips.
        scores : array-like of shape (n_clips,)
            Scores, where higher is more normal.
        groups : array-like of shape (n_clips,)
            Row of every clip.
        thresholds : float or dict of group to float, default=None
            Threshold of all rows, or of some rows.
        order : sequence, default=None
            Groups from top to bottom. None sorts the groups.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        GroupScoreDisplay

        Raises
        ------
        ValueError
            For the reasons of the class.
        """
        return cls(scores, groups, y_true, thresholds=thresholds, order=order).plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. By default a new figure is made.

        Returns
        -------
        GroupScoreDisplay
        """
        present = ~np.isnan(self.scores)
        if not present.any():
            raise ValueError("there is no score to draw: all scores are NaN.")
        self.figure_, self.ax_ = get_axes(ax, (8, max(2.6, 1.4 + 0.5 * len(self.groups_))))
        rows = {group: row for row, group in enumerate(self.groups_)}
        places = np.array([rows.get(group, -1) for group in self.groups.tolist()])
        drawn = present & (places >= 0)
        is_normal = np.ones(len(drawn), dtype=bool) if self.y_true is None else self.y_true == 1
        self._draw_boxes(places, drawn & is_normal)
        for chosen, label, color, marker, side in (
            (drawn & is_normal, "clips" if self.y_true is None else "normal", NORMAL, "o", -1),
            (drawn & ~is_normal, "anomalous", ANOMALOUS, "^", 1),
        ):
            if chosen.any():
                self.ax_.scatter(
                    self.scores[chosen],
                    places[chosen] + side * (0.08 + 0.24 * _spread(np.count_nonzero(chosen))),
                    s=14,
                    color=color,
                    marker=marker,
                    alpha=0.6,
                    linewidths=0,
                    label=label,
                )
        limits = [(self.thresholds[group], row) for group, row in rows.items() if group in self.thresholds]
        if limits:
            x, y = np.array(limits).T
            self.ax_.vlines(x, y - 0.42, y + 0.42, color=THRESHOLD, linewidth=2, label="threshold")
        counts = np.bincount(places[drawn], minlength=len(rows))
        self.ax_.set_yticks(range(len(rows)), [f"{group} ({n})" for group, n in zip(rows, counts)])
        self.ax_.set(xlabel=self.score_label, ylim=(len(rows) - 0.5, -0.5))
        if not present.all():
            n_missing = np.count_nonzero(~present)
            self.ax_.set_title(f"{count(n_missing, 'clip')} without a score left out", pad=24)
        self.ax_.legend(
            loc="lower right",
            bbox_to_anchor=(1, 1),
            ncols=4,
            frameon=False,
            fontsize="small",
            markerscale=1.5,
        )
        return self

    def _draw_boxes(self, places, chosen):
        """Draw the middle of the scores of every row, behind the marks."""
        label: str | None = "middle 90 %" if self.y_true is None else "middle 90 % of normal"
        for row in np.unique(places[chosen]):
            low, median, high = np.quantile(self.scores[chosen & (places == row)], _QUANTILES)
            self.ax_.barh(row, high - low, left=low, height=0.84, color=NORMAL_AREA, zorder=0, label=label)
            label = None  # one entry of the legend for all rows
            self.ax_.vlines(median, row - 0.42, row + 0.42, color=NORMAL, linewidth=1)


def _spread(n_values):
    """Return positions in [0, 1) that spread any run of marks evenly: multiples of the golden ratio."""
    return np.arange(n_values) * 0.6180339887498949 % 1
