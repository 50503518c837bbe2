"""`ReconstructionDisplay`: features of a clip, their reconstruction and the error."""

import os
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from .._typing import PathLike
from ..features import MelTransformer
from ..recordings import ScoredRecording, find_clock, score_recordings
from ..recordings._score import compute_features, has_frames, local_threshold
from ..recordings._unwrap import inner_pipeline, split_pipeline
from ._drawing import draw_frames, draw_local_scores, file_name, get_figure, lowest_level
from ._models import inner_model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Quantile of the errors that gets the last colour. Larger errors have the same colour.
_BRIGHTEST = 0.995


class ReconstructionDisplay:
    """Features of a clip, their reconstruction, the squared error and the local scores, on one time axis.

    The features and the reconstruction have the same colours. A prediction is drawn in the same way as a
    reconstruction. The first frames of a prediction are blank, because no earlier frames exist to predict them from.

    Parameters
    ----------
    original : array-like of shape (n_bins, n_frames)
        Input of the detector.
    reconstruction : array-like of shape (n_bins, n_frames)
        Output of the detector. Frames of NaN are left blank.
    local_scores : array-like of shape (n_windows,), default=None
        Values of ``score_frames``: higher is more normal.
    times : array-like of shape (n_windows,), default=None
        Middles of the scored windows, in seconds, or in frames without `frame_times`. Not needed if every frame has a
        score.
    frame_times : array-like of shape (n_frames,), default=None
        Middles of the frames, in seconds.
    band_centers : array-like of shape (n_bins,), default=None
        Centre frequencies of the bins, in hertz. None if the bins are not frequencies, as in embeddings and MFCCs.
    decibels : bool, default=False
        Whether the features are levels in dB. Set to False for scaled features and for features of another kind.
    kind : str, default="reconstruction"
        Kind of output of the detector: "reconstruction" or "prediction".
    offset : float, default=None
        Threshold of the clip, drawn as a line. Omit `offset` if the local scores have another scale.
    worst_window : int, default=None
        Position of the window to mark. By default the window with the lowest score is marked.
    title : str, default=""

    Attributes
    ----------
    axes_ : tuple of matplotlib.axes.Axes
        Axes of the original, of the reconstruction, of the error and, if there are local scores, of the local scores.
    figure_ : matplotlib.figure.Figure
    """

    axes_: "tuple[Axes, ...]"
    figure_: "Figure"

    def __init__(
        self,
        original: npt.ArrayLike,
        reconstruction: npt.ArrayLike,
        *,
        local_scores: npt.ArrayLike | None = None,
        times: npt.ArrayLike | None = None,
        frame_times: npt.ArrayLike | None = None,
        band_centers: npt.ArrayLike | None = None,
        decibels: bool = False,
        kind: str = "reconstruction",
        offset: float | None = None,
        worst_window: int | None = None,
        title: str = "",
    ) -> None:
        original, reconstruction = np.asarray(original), np.asarray(reconstruction)
        if original.ndim != 2 or original.shape != reconstruction.shape:
            raise ValueError(
                f"original and {kind} must have one shape, (n_bins, n_frames) of one clip, got "
                f"{original.shape} and {reconstruction.shape}."
            )
        if not np.isfinite(original).all():
            raise ValueError(
                "original contains NaN or infinity: a clip that could not be read cannot be drawn. Draw another clip."
            )
        if not np.isfinite(reconstruction).any():
            raise ValueError(f"there is nothing to draw: no frame of the {kind} holds a number.")
        n_bins, n_frames = original.shape
        self.original, self.reconstruction = original, reconstruction
        self.in_seconds = frame_times is not None
        self.frame_times = _check(
            frame_times if self.in_seconds else range(n_frames), n_frames, "frame_times"
        )
        self.band_centers = None if band_centers is None else _check(band_centers, n_bins, "band_centers")
        if local_scores is not None:
            local_scores = np.asarray(local_scores)
            every_frame = times is None and len(local_scores) == n_frames
            times = _check(self.frame_times if every_frame else times, len(local_scores), "times")
        self.local_scores = local_scores
        self.times = times
        self.decibels = decibels
        self.kind = kind
        self.offset = offset
        self.worst_window = worst_window
        self.title = title

    @classmethod
    def from_estimator(
        cls,
        pipeline: BaseEstimator,
        path: PathLike,
        *,
        recording: ScoredRecording | None = None,
        figure: "Figure | None" = None,
    ) -> Self:
        """Reconstruct one recording with a fitted pipeline and draw it.

        Parameters
        ----------
        pipeline : sklearn.pipeline.Pipeline
            Pipeline that begins with an :class:`AudioLoader`. The detector must have ``reconstruct`` or
            ``predict_frames``, and the features must have a time axis.
        path : str or path-like
        recording : ScoredRecording, default=None
            Result of :func:`score_recordings` for this recording, so that the recording is not scored twice.
        figure : matplotlib.figure.Figure, default=None

        Returns
        -------
        ReconstructionDisplay

        Raises
        ------
        ValueError
            If the recording cannot be scored, the features have no time axis, or the detector neither
            reconstructs nor predicts.
        """
        path, pipeline = os.fspath(path), inner_pipeline(pipeline)
        loader, middle, detector = split_pipeline(pipeline)
        # A model may have own steps before its detector.
        model = inner_model(detector)
        own_steps, model = (model[:-1], model[-1]) if isinstance(model, Pipeline) else (None, model)
        kinds = {"reconstruct": "reconstruction", "predict_frames": "prediction"}
        method = next((method for method in kinds if hasattr(model, method)), None)
        if method is None:
            raise ValueError(
                f"{type(model).__name__} neither reconstructs nor predicts its input: it has no "
                f"{' or '.join(kinds)}. Use LocalScoreDisplay, which draws local scores only."
            )
        recording = recording or next(score_recordings(pipeline, [path]))
        if recording.error:
            raise ValueError(f"{path}: {recording.error}")
        features = compute_features(loader, middle, path)
        features = features if own_steps is None else own_steps.transform(features)
        if not has_frames(features):
            raise ValueError(
                f"{type(detector).__name__} gets features of shape {np.shape(features)}, without a time "
                "axis: there is nothing to draw over time. Remove the step that pools the features over time."
            )
        (original,), (made,) = features, getattr(model, method)(features)
        clock = find_clock(pipeline)
        band_centers = clock.band_centers() if hasattr(clock, "band_centers") else None
        if band_centers is not None and len(band_centers) != len(original):
            band_centers = None
        before = pipeline.steps[-2][1] if own_steps is None else own_steps[-1]
        return cls(
            original,
            made,
            local_scores=recording.local_scores if len(recording.times) else None,
            times=recording.times,
            frame_times=None if clock is None else clock.frames_to_seconds(np.arange(original.shape[1])),
            band_centers=band_centers,
            decibels=isinstance(before, MelTransformer) and before.log == "db",
            kind=kinds[method],
            offset=local_threshold(detector, recording),
            worst_window=recording.worst_window,
            title=f"{file_name(path)}: {recording.decision}, score {recording.score:.4g}",
        ).plot(figure=figure)

    @classmethod
    def from_predictions(
        cls,
        original: npt.ArrayLike,
        reconstruction: npt.ArrayLike,
        *,
        figure: "Figure | None" = None,
        **settings: Any,
    ) -> Self:
        """Draw a given reconstruction.

        Parameters
        ----------
        original, reconstruction : array-like of shape (n_bins, n_frames)
        figure : matplotlib.figure.Figure, default=None
        **settings : dict
            The other parameters of the class.

        Returns
        -------
        ReconstructionDisplay

        Raises
        ------
        ValueError
            If the shapes do not match.
        """
        return cls(original, reconstruction, **settings).plot(figure=figure)

    def plot(self, *, figure: "Figure | None" = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        figure : matplotlib.figure.Figure, default=None
            Figure to draw on. By default a new figure is made.

        Returns
        -------
        ReconstructionDisplay
        """
        figure = get_figure(figure, (8, 8))
        ratios = [2, 2, 2, 1][: 3 + (self.local_scores is not None)]
        axes = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
        self.figure_, self.axes_ = figure, tuple(axes)
        place = self.frame_times, self.band_centers
        high = self.original.max()
        low = lowest_level(self.original) if self.decibels else self.original.min()
        for ax, values in zip(axes, (self.original, self.reconstruction)):
            image = draw_frames(ax, values, *place, vmin=low, vmax=high, cmap="magma")
        figure.colorbar(image, ax=list(axes[:2]), label="level (dB)" if self.decibels else "feature value")
        error = np.square(self.reconstruction - self.original)
        # The last colour is a quantile, because a few large errors would make all other errors dark. The arrow of the
        # colour bar says that larger errors exist.
        brightest = np.nanquantile(error, _BRIGHTEST)
        image = draw_frames(axes[2], error, *place, vmin=0, vmax=brightest, cmap="viridis")
        figure.colorbar(
            image, ax=axes[2], extend="max", label=f"squared error{' (dB²)' if self.decibels else ''}"
        )
        for ax, name in zip(axes, ("original", self.kind, f"error of the {self.kind}")):
            ax.set_title(name, loc="left", fontsize="medium")
        if self.local_scores is not None:
            draw_local_scores(
                axes[3],
                self.times,
                self.local_scores,
                offset=self.offset,
                worst_window=self.worst_window,
                in_seconds=self.in_seconds,
            )
        axes[-1].set(xlabel="time (s)" if self.in_seconds else "frame")
        figure.suptitle(self.title)
        return self


def _check(values, n_values, name):
    values = np.asarray(values)
    if values.shape != (n_values,):
        raise ValueError(f"{name} must have shape ({n_values},), got {values.shape}.")
    return values
