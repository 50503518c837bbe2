"""`EmbeddingMapDisplay`: clips as points of a plane, whose recordings play in a notebook."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, column_or_1d

from .._checks import check_number
from .._typing import Clips, Labels, PathLike
from ._drawing import ANOMALOUS, CURVES, MARKERS, NORMAL, UNKNOWN, count, get_axes
from ._embedding_map_html import make_map
from ._models import find_model, one_vector_a_clip, paths_of
from ._projection import describe_axes, project
from ._thresholds import WIDE, place_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Name, label, colour and marker of every kind of clip, from background to foreground.
_KINDS = (
    ("unlabelled", 0, UNKNOWN, "s"),
    ("normal", 1, NORMAL, "o"),
    ("anomalous", -1, ANOMALOUS, "^"),
)
# Default limits of the map in a notebook.
_MEGABYTES, _SECONDS = 10.0, 5.0


class EmbeddingMapDisplay:
    """Map of embeddings: clips that sound alike to the network are near each other.

    The map is a projection to two dimensions, by default the two principal components. The axis labels then give the
    share of the variance that each component explains. Two clips that are near each other on the map can be far apart
    in the other dimensions, so the map explains no decision by itself.

    In a notebook the display shows a map whose points play their recording on a click, or on Enter. The arrow keys
    move between points.

    Parameters
    ----------
    positions : array-like of shape (n_clips, 2)
        Position of every clip on the map. Rows of NaN are left out, and the title shows their number.
    y_true : array-like of shape (n_clips,), default=None
        1 for normal clips, -1 for anomalous clips, 0 for unknown. None if no label is known.
    paths : sequence of str or path-like, default=None
        File of every clip. None makes a map without sounds.
    groups : array-like of shape (n_clips,), default=None
        Machine, patient or data set of every clip. Every group gets a colour. With labels, anomalous clips are
        triangles.
    axis_labels : tuple of str, default=("", "")
        Labels of the two axes.
    keeps_distances : bool, default=False
        Whether both axes have one scale, as distances on a map of principal components need.

    Attributes
    ----------
    transformer_ : transformer or None
        The fitted transformer of :meth:`from_embeddings` and :meth:`from_estimator`.
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the shapes differ, a label is none of 1, -1 and 0, or `groups` are too many to tell apart.

    See Also
    --------
    sklearn.manifold.TSNE : A transformer that keeps neighbours together, and not distances.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.inspection import EmbeddingMapDisplay
    >>> X = np.random.default_rng(0).normal(size=(30, 8)) * [9, 3, 1, 1, 1, 1, 1, 1]
    >>> EmbeddingMapDisplay.from_embeddings(X).ax_.get_xlabel()
    'PC 1 (81 % of variance)'
    """

    transformer_: Any
    ax_: "Axes"
    figure_: "Figure"

    def __init__(
        self,
        positions: npt.ArrayLike,
        y_true: Labels | None = None,
        paths: Sequence[PathLike] | None = None,
        *,
        groups: Labels | None = None,
        axis_labels: tuple[str, str] = ("", ""),
        keeps_distances: bool = False,
    ) -> None:
        self.positions = check_array(
            positions, dtype=np.float64, ensure_all_finite="allow-nan", input_name="positions"
        )
        n_clips = len(self.positions)
        if self.positions.shape[1] != 2:
            raise ValueError(f"positions must have two columns, got shape {self.positions.shape}.")
        self.y_true = None if y_true is None else column_or_1d(y_true)
        self.groups = None if groups is None else column_or_1d(groups)
        self.paths = None if paths is None else [os.fsdecode(path) for path in paths]
        for name, values in (("y_true", self.y_true), ("paths", self.paths), ("groups", self.groups)):
            if values is not None and len(values) != n_clips:
                raise ValueError(f"{name} must have one entry a clip: got {len(values)} for {n_clips} clips.")
        if self.y_true is not None and not np.isin(self.y_true, (1, -1, 0)).all():
            raise ValueError(
                "y_true must hold 1 for normal, -1 for anomalous and 0 for unlabelled clips, got the labels "
                f"{sorted(set(self.y_true.tolist()), key=str)[:6]}."
            )
        n_groups = 0 if self.groups is None else len(np.unique(self.groups))
        n_looks = len(CURVES) * (len(MARKERS) if y_true is None else 1)
        if n_groups > n_looks:
            raise ValueError(
                f"at most {n_looks} groups can be told apart here, got {n_groups}: join some of them."
            )
        self.axis_labels = axis_labels
        self.keeps_distances = keeps_distances
        self.transformer_ = None
        self._is_own_figure = False

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Clips,
        y: Labels | None = None,
        *,
        paths: Sequence[PathLike] | None = None,
        groups: Labels | None = None,
        transformer: BaseEstimator | None = None,
        ax: "Axes | None" = None,
    ) -> Self:
        """Compute the input of a detector for clips, and draw its map.

        Parameters
        ----------
        estimator : fitted detector or Pipeline
            The steps before the detector make the embeddings. Embeddings with a time axis are averaged over time.
        X : array-like of clips
        y : array-like of shape (n_clips,), default=None
            1 for normal clips, -1 for anomalous clips, 0 for unknown.
        paths : sequence of str or path-like, default=None
            File of every clip. By default X, if X holds paths.
        groups : array-like of shape (n_clips,), default=None
            Machine, patient or data set of every clip.
        transformer : transformer, default=None
            As in :meth:`from_embeddings`.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        EmbeddingMapDisplay

        Raises
        ------
        ValueError
            For the reasons of :meth:`from_embeddings`.
        """
        steps, _ = find_model(estimator)
        features = X if steps is None else steps.transform(X)
        paths = paths_of(X) if paths is None else paths
        return cls.from_embeddings(features, y, paths, groups=groups, transformer=transformer, ax=ax)

    @classmethod
    def from_embeddings(
        cls,
        X: Clips,
        y: Labels | None = None,
        paths: Sequence[PathLike] | None = None,
        *,
        groups: Labels | None = None,
        transformer: BaseEstimator | None = None,
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw the map of given embeddings.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_features, n_frames)
            Embeddings, which are averaged over time if they have a time axis. Clips of NaN are left out, and the title
            shows their number.
        y : array-like of shape (n_clips,), default=None
            1 for normal clips, -1 for anomalous clips, 0 for unknown.
        paths : sequence of str or path-like, default=None
            File of every clip, which plays in a notebook.
        groups : array-like of shape (n_clips,), default=None
            Machine, patient or data set of every clip.
        transformer : transformer, default=None
            Transformer with ``fit_transform`` that returns two columns, such as
            ``sklearn.manifold.TSNE(random_state=0)`` or ``umap.UMAP(random_state=0)``. A Pipeline may scale the
            features before. None is ``PCA(n_components=2)``.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        EmbeddingMapDisplay

        Raises
        ------
        ValueError
            If fewer than two clips are left, X is infinite, the transformer does not return two columns, or for the
            reasons of the class.
        """
        vectors = one_vector_a_clip(X if hasattr(X, "__len__") else np.asarray(X))
        positions, fitted = project(vectors, transformer)
        labels, keeps_distances = describe_axes(fitted)
        display = cls(positions, y, paths, groups=groups, axis_labels=labels, keeps_distances=keeps_distances)
        display.transformer_ = fitted
        return display.plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. By default a new figure is made.

        Returns
        -------
        EmbeddingMapDisplay
        """
        present = ~np.isnan(self.positions).any(axis=1)
        if not present.any():
            raise ValueError("there is no clip to draw: all positions are NaN.")
        self._is_own_figure = ax is None
        looks = self._looks(present)
        self.figure_, self.ax_ = get_axes(ax, WIDE if len(looks) > 4 else None)
        for label, chosen, color, marker in looks:
            self.ax_.scatter(
                self.positions[chosen, 0],
                self.positions[chosen, 1],
                s=24,
                color=color,
                marker=marker,
                alpha=0.75,
                linewidths=0,
                label=f"{label} ({np.count_nonzero(chosen)})",
            )
        self.ax_.set(xlabel=self.axis_labels[0], ylabel=self.axis_labels[1])
        if self.keeps_distances:
            self.ax_.set_aspect("equal", adjustable="datalim")
        if not present.all():
            self.ax_.set_title(f"{count(np.count_nonzero(~present), 'clip')} that could not be read left out")
        if self.y_true is not None or self.groups is not None:
            place_legend(self.ax_)
        return self

    def to_html(self, *, max_megabytes: float = _MEGABYTES, max_duration: float = _SECONDS) -> str:
        """Make a map whose points play their recording, for a notebook or a web page.

        The map needs no network and no file beside it. Anomalous clips get their sounds first. The line below the map
        says which sounds are left out.

        Parameters
        ----------
        max_megabytes : float, default=10.0
            Maximum size of all sounds together, in megabytes. The default holds about 300 sounds of 5 s, and keeps a
            notebook easy to open.
        max_duration : float, default=5.0
            Maximum duration of a sound, in seconds. Longer recordings play from their start.

        Returns
        -------
        str
            HTML element.
        """
        check_number(max_megabytes, "max_megabytes", low=0)
        check_number(max_duration, "max_duration", low=0, closed="neither")
        present = ~np.isnan(self.positions).any(axis=1)
        order = np.flatnonzero(present)
        if self.y_true is not None:
            order = order[np.argsort(self.y_true[order] != -1, kind="stable")]
        looks = [
            (label, np.flatnonzero(chosen), color, marker)
            for label, chosen, color, marker in self._looks(present)
        ]
        return make_map(
            self.positions,
            looks,
            self.axis_labels,
            order=order,
            paths=self.paths,
            keeps_distances=self.keeps_distances,
            n_left_out=np.count_nonzero(~present),
            max_bytes=1e6 * max_megabytes,
            max_duration=max_duration,
        )

    def _repr_html_(self):
        made = self.to_html()
        if self._is_own_figure:
            # A notebook would show the picture of pyplot below the map.
            import matplotlib.pyplot as plt

            plt.close(self.figure_)
        return made

    def _looks(self, present):
        """Return the label, mask, colour and marker of every kind of point, from background to foreground."""
        kinds: list[Any] = [("clips", present, NORMAL, "o")]
        if self.y_true is not None:
            kinds = [(name, present & (self.y_true == label), *look) for name, label, *look in _KINDS]
        if self.groups is not None:
            names = np.unique(self.groups)
            kinds = [
                (
                    f"{name}, {kind}" if self.y_true is not None else str(name),
                    mask & (self.groups == name),
                    CURVES[index % len(CURVES)],
                    marker if self.y_true is not None else MARKERS[index // len(CURVES)],
                )
                for kind, mask, _, marker in kinds
                for index, name in enumerate(names)
            ]
        return [kind for kind in kinds if kind[1].any()]
