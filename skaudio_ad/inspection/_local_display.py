"""`LocalScoreDisplay`: spectrogram and local scores of a clip."""

import os
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from .._typing import PathLike
from ..features import MelTransformer
from ..recordings import ScoredRecording, score_recordings
from ..recordings._score import local_threshold
from ..recordings._unwrap import inner_pipeline
from ._drawing import draw_frames, draw_local_scores, file_name, get_figure, lowest_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class LocalScoreDisplay:
    """Log-mel spectrogram of a clip above the local scores, on one time axis.

    Parameters
    ----------
    spectrogram : ndarray of shape (n_mels, n_frames)
        Levels in dB.
    frame_times : ndarray of shape (n_frames,)
        Middles of the frames, in seconds.
    band_centers : ndarray of shape (n_mels,)
        Centre frequencies of the bands, in hertz.
    times : ndarray of shape (n_windows,)
        Middles of the scored windows, in seconds.
    local_scores : ndarray of shape (n_windows,)
        Values of ``score_frames``: higher is more normal.
    offset : float, default=None
        Threshold of the clip, drawn as a line. Omit `offset` if the local scores have another scale.
    worst_window : int, default=None
        Position of the window to mark. By default the window with the lowest score is marked.
    title : str, default=""

    Attributes
    ----------
    axes_ : tuple of matplotlib.axes.Axes
        Axes of the spectrogram and of the local scores.
    figure_ : matplotlib.figure.Figure
    """

    axes_: "tuple[Axes, ...]"
    figure_: "Figure"

    def __init__(
        self,
        spectrogram: npt.NDArray[np.floating[Any]],
        frame_times: npt.NDArray[np.floating[Any]],
        band_centers: npt.NDArray[np.floating[Any]],
        times: npt.NDArray[np.floating[Any]],
        local_scores: npt.NDArray[np.floating[Any]],
        *,
        offset: float | None = None,
        worst_window: int | None = None,
        title: str = "",
    ) -> None:
        self.spectrogram = spectrogram
        self.frame_times = frame_times
        self.band_centers = band_centers
        self.times = times
        self.local_scores = local_scores
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
        """Score one recording with a fitted pipeline and draw it.

        Parameters
        ----------
        pipeline : sklearn.pipeline.Pipeline
            Pipeline that begins with an :class:`AudioLoader`. The local scores are drawn if its detector has
            ``score_frames``.
        path : str or path-like
        recording : ScoredRecording, default=None
            Result of :func:`score_recordings` for this recording, so that the recording is not scored twice.
        figure : matplotlib.figure.Figure, default=None

        Returns
        -------
        LocalScoreDisplay

        Raises
        ------
        ValueError
            If the recording cannot be scored.
        """
        path, pipeline = os.fspath(path), inner_pipeline(pipeline)
        recording = recording or next(score_recordings(pipeline, [path]))
        if recording.error:
            raise ValueError(f"{path}: {recording.error}")
        loader = pipeline.steps[0][1]
        own = [step for _, step in pipeline.steps if isinstance(step, MelTransformer)]
        mel = own[-1] if own else MelTransformer(loader.sample_rate)
        clip = loader.transform([path])[0]
        # The spectrogram is drawn in dB, also if the detector gets another logarithm.
        spectrogram = mel.__class__(**{**mel.get_params(), "log": "db", "lazy": False}).transform([clip])[0]
        return cls(
            spectrogram,
            mel.frames_to_seconds(np.arange(spectrogram.shape[1])),
            mel.band_centers(),
            recording.times,
            recording.local_scores,
            offset=local_threshold(pipeline.steps[-1][1], recording),
            worst_window=recording.worst_window,
            title=f"{file_name(path)}: {recording.decision}, score {recording.score:.4g}",
        ).plot(figure=figure)

    @classmethod
    def from_predictions(
        cls,
        spectrogram: npt.ArrayLike,
        local_scores: npt.ArrayLike,
        *,
        frame_times: npt.ArrayLike,
        band_centers: npt.ArrayLike,
        times: npt.ArrayLike,
        figure: "Figure | None" = None,
        **settings: Any,
    ) -> Self:
        """Draw given local scores.

        Parameters
        ----------
        spectrogram : array-like of shape (n_mels, n_frames)
            Levels in dB.
        local_scores : array-like of shape (n_windows,)
            Values of ``score_frames``: higher is more normal.
        frame_times : array-like of shape (n_frames,)
            Middles of the frames, in seconds.
        band_centers : array-like of shape (n_mels,)
            Centre frequencies of the bands, in hertz.
        times : array-like of shape (n_windows,)
            Middles of the scored windows, in seconds.
        figure : matplotlib.figure.Figure, default=None
        **settings : dict
            The other parameters of the class.

        Returns
        -------
        LocalScoreDisplay
        """
        arrays = map(np.asarray, (spectrogram, frame_times, band_centers, times, local_scores))
        return cls(*arrays, **settings).plot(figure=figure)

    def plot(self, *, figure: "Figure | None" = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        figure : matplotlib.figure.Figure, default=None
            Figure to draw on. By default a new figure is made.

        Returns
        -------
        LocalScoreDisplay
        """
        figure = get_figure(figure, (8, 5))
        has_scores = len(self.times) > 0
        grid = figure.subplots(
            2 if has_scores else 1, 1, sharex=True, squeeze=False, height_ratios=[2, 1][: 1 + has_scores]
        )
        self.figure_, self.axes_ = figure, tuple(grid[:, 0])
        image = draw_frames(
            self.axes_[0],
            self.spectrogram,
            self.frame_times,
            self.band_centers,
            vmin=lowest_level(self.spectrogram),
            cmap="magma",
        )
        figure.colorbar(image, ax=self.axes_[0], label="level (dB)")
        self.axes_[0].set(title=self.title)
        if has_scores:
            draw_local_scores(
                self.axes_[1],
                self.times,
                self.local_scores,
                offset=self.offset,
                worst_window=self.worst_window,
            )
        self.axes_[-1].set(xlabel="time (s)")
        return self
