"""`BandScoreDisplay`: scores of frequency bands beside those of normal clips."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from .._typing import Clips, PathLike
from ..recordings._unwrap import find_band_edges
from ._drawing import CURVES, MARKERS, NORMAL, NORMAL_AREA, count, file_name, format_band, get_axes
from ._models import find_model, paths_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Maximum number of clips in one picture. The markers of more clips would hide each other.
_MAX_CLIPS = 6
# Quantiles of the normal clips between which the box of a band is drawn: the middle 90 %.
_QUANTILES = (0.05, 0.5, 0.95)


class BandScoreDisplay:
    """Score of every frequency band of a clip, beside the range of the band among normal clips.

    Every band is a row, and the highest band is on top as in a spectrogram. The box holds the middle 90 % of the normal
    clips, the line in the box is their median, and the thin line reaches from the smallest to the largest score. Bands
    of a clip below the box sound unusual.

    Parameters
    ----------
    band_scores : array-like of shape (n_clips, n_bands)
        Scores of one to six clips, lowest band first. Higher is more normal.
    normal_scores : array-like of shape (n_normal, n_bands)
        Scores of normal clips that the detector was not trained on. Rows of NaN are left out.
    band_edges : array-like of shape (n_bands, 2), default=None
        Lowest and highest frequency of every band, in hertz. None numbers the bands.
    names : sequence of str, default=None
        Name of every clip in the legend.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the numbers of bands or of names differ, there are more than six clips, or a score is missing.

    See Also
    --------
    BandMemoryDetector : The detector that scores bands.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.inspection import BandScoreDisplay
    >>> normal = np.random.default_rng(0).normal(-1, 0.1, size=(50, 3))
    >>> display = BandScoreDisplay([-1, -3, -1], normal, [[0, 500], [500, 2000], [2000, 8000]]).plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['0 to 500 Hz', '0.5 to 2 kHz', '2 to 8 kHz']
    """

    ax_: "Axes"
    figure_: "Figure"

    def __init__(
        self,
        band_scores: npt.ArrayLike,
        normal_scores: npt.ArrayLike,
        band_edges: npt.ArrayLike | None = None,
        *,
        names: Sequence[str] | None = None,
    ) -> None:
        self.band_scores = np.atleast_2d(np.asarray(band_scores, dtype=np.float64))
        normal_scores = np.asarray(normal_scores, dtype=np.float64)
        n_clips, n_bands = self.band_scores.shape
        if normal_scores.ndim != 2 or normal_scores.shape[1] != n_bands:
            raise ValueError(
                f"normal_scores must have shape (n_normal, {n_bands}), one column a band, got {normal_scores.shape}."
            )
        if not 1 <= n_clips <= _MAX_CLIPS:
            raise ValueError(f"one to {_MAX_CLIPS} clips can be drawn, got {n_clips}: choose some of them.")
        broken = np.flatnonzero(~np.isfinite(self.band_scores).all(axis=1))
        if len(broken):
            raise ValueError(f"band_scores of clip {broken[0]} are not finite: the clip could not be read.")
        self.normal_scores = normal_scores[np.isfinite(normal_scores).all(axis=1)]
        if not len(self.normal_scores):
            raise ValueError(
                "normal_scores hold no clip with finite scores: pass normal clips that can be read."
            )
        self.n_left_out = len(normal_scores) - len(self.normal_scores)
        self.band_edges = None if band_edges is None else np.asarray(band_edges, dtype=np.float64)
        if self.band_edges is not None and self.band_edges.shape != (n_bands, 2):
            raise ValueError(
                f"band_edges must have shape ({n_bands}, 2), the lowest and the highest frequency of every band, got "
                f"{self.band_edges.shape}."
            )
        if names is not None and len(names) != n_clips:
            raise ValueError(f"names must have one entry a clip: got {len(names)} for {n_clips} clips.")
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Clips | PathLike,
        normal: Clips,
        *,
        band_edges: npt.ArrayLike | None = None,
        names: Sequence[str] | None = None,
        ax: "Axes | None" = None,
    ) -> Self:
        """Score the bands of clips and of normal clips, and draw them.

        Parameters
        ----------
        estimator : fitted BandMemoryDetector, or Pipeline that ends in one
            The detector may be inside a :class:`ThresholdedDetector`, a :class:`NormalOnly` or a search.
        X : array-like of clips, or path
            One to six clips.
        normal : array-like of clips
            Normal clips that `fit` did not get. The bands of a training clip are perfectly normal, so training clips
            would give no range.
        band_edges : array-like of shape (n_bands, 2), default=None
            Lowest and highest frequency of every band, in hertz. None asks the embedding of the pipeline. Bands are
            numbered if the embedding does not know their frequencies.
        names : sequence of str, default=None
            Name of every clip. By default the names of the files.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        BandScoreDisplay

        Raises
        ------
        ValueError
            If the detector does not score bands, or for the reasons of the class.
        """
        clips: Any = [X] if isinstance(X, (str, os.PathLike)) else X
        steps, detector = find_model(estimator)
        if not hasattr(detector, "score_bands"):
            raise ValueError(
                f"{type(detector).__name__} does not score frequency bands: use a BandMemoryDetector after an "
                'embedding with output="grid".'
            )
        if steps is None:
            scores, normal_scores = detector.score_bands(clips), detector.score_bands(normal)
        else:
            scores, normal_scores = (
                detector.score_bands(steps.transform(given)) for given in (clips, normal)
            )
        if band_edges is None:
            band_edges = find_band_edges(steps, scores.shape[1])
        if names is None and (paths := paths_of(clips)) is not None:
            names = [file_name(path) for path in paths]
        return cls(scores, normal_scores, band_edges, names=names).plot(ax=ax)

    @classmethod
    def from_predictions(
        cls,
        band_scores: npt.ArrayLike,
        normal_scores: npt.ArrayLike,
        *,
        band_edges: npt.ArrayLike | None = None,
        names: Sequence[str] | None = None,
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw given scores of bands.

        Parameters
        ----------
        band_scores : array-like of shape (n_bands,) or (n_clips, n_bands)
            Result of :meth:`BandMemoryDetector.score_bands`.
        normal_scores : array-like of shape (n_normal, n_bands)
            Scores of normal clips that the detector was not trained on.
        band_edges : array-like of shape (n_bands, 2), default=None
            Lowest and highest frequency of every band, in hertz.
        names : sequence of str, default=None
            Name of every clip.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        BandScoreDisplay

        Raises
        ------
        ValueError
            For the reasons of the class.
        """
        return cls(band_scores, normal_scores, band_edges, names=names).plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. By default a new figure is made.

        Returns
        -------
        BandScoreDisplay
        """
        n_bands = self.band_scores.shape[1]
        self.figure_, self.ax_ = get_axes(ax, (9, max(2.6, 1.4 + 0.4 * n_bands)))
        rows = np.arange(n_bands)
        low, median, high = np.quantile(self.normal_scores, _QUANTILES, axis=0)
        self.ax_.hlines(
            rows, self.normal_scores.min(axis=0), self.normal_scores.max(axis=0), color=NORMAL, linewidth=1
        )
        label = f"middle 90 % of {count(len(self.normal_scores), 'normal clip')}"
        self.ax_.barh(
            rows, high - low, left=low, height=0.6, color=NORMAL_AREA, edgecolor=NORMAL, label=label
        )
        self.ax_.vlines(median, rows - 0.3, rows + 0.3, color=NORMAL, linewidth=2)
        for index, scores in enumerate(self.band_scores):
            name = f"clip {index}" if self.names is None else self.names[index]
            self.ax_.plot(
                scores,
                rows,
                color=CURVES[(index + 1) % len(CURVES)],
                marker=MARKERS[index],
                linestyle=":",
                linewidth=1,
                label=name,
            )
        labels = [f"band {row}" for row in rows]
        if self.band_edges is not None:
            labels = [format_band(*edges) for edges in self.band_edges]
        self.ax_.set_yticks(rows, labels)
        self.ax_.set(
            xlabel="band score (higher is more normal)",
            ylabel="frequency band",
            ylim=(-0.6, n_bands - 0.4),
        )
        if self.n_left_out:
            self.ax_.set_title(f"{count(self.n_left_out, 'normal clip')} that could not be read left out")
        # The legend is beside the axes, because names of files are long.
        self.ax_.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize="small")
        return self
