"""`LocalScoreDisplay`: when a clip sounds wrong, under the picture of its sound."""

import os

import numpy as np

from ..features import MelTransformer
from ..recordings import score_recordings
from ..recordings._score import local_threshold
from ..recordings._unwrap import inner_pipeline
from ._drawing import draw_frames, draw_local_scores, get_figure


class LocalScoreDisplay:
    """Log-mel spectrogram of a clip, and below it the local score on the same time axis.

    Parameters
    ----------
    spectrogram : ndarray of shape (n_mels, n_frames)
        In dB.
    frame_times : ndarray of shape (n_frames,)
        Middles of the frames, in seconds.
    band_centers : ndarray of shape (n_mels,)
        Centre frequencies of the bands, in hertz.
    times : ndarray of shape (n_windows,)
        Middles of the scored windows, in seconds.
    local_scores : ndarray of shape (n_windows,)
        As ``score_frames``: higher is more normal.
    offset : float, default=None
        The clip's threshold, for orientation; leave it out where the local scores are on another scale.
    worst_window : int, default=None
        The window to mark, by default that of the lowest score.
    title : str, default=""

    Attributes
    ----------
    axes_ : tuple of matplotlib.axes.Axes
        Of the spectrogram and of the score.
    figure_ : matplotlib.figure.Figure
    """

    def __init__(
        self,
        spectrogram,
        frame_times,
        band_centers,
        times,
        local_scores,
        *,
        offset=None,
        worst_window=None,
        title="",
    ):
        self.spectrogram = spectrogram
        self.frame_times = frame_times
        self.band_centers = band_centers
        self.times = times
        self.local_scores = local_scores
        self.offset = offset
        self.worst_window = worst_window
        self.title = title

    @classmethod
    def from_estimator(cls, pipeline, path, *, recording=None, figure=None):
        """Score one recording with a fitted pipeline and draw it.

        Parameters
        ----------
        pipeline : sklearn.pipeline.Pipeline
            Begins with an :class:`AudioLoader`; its detector has ``score_frames``.
        path : str or path-like
        recording : ScoredRecording, default=None
            What :func:`score_recordings` said about it, to score it but once.
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
        # Drawn in dB, whatever logarithm the detector works on.
        spectrogram = mel.__class__(**{**mel.get_params(), "log": "db", "lazy": False}).transform([clip])[0]
        return cls(
            spectrogram,
            mel.frames_to_seconds(np.arange(spectrogram.shape[1])),
            mel.band_centers(),
            recording.times,
            recording.local_scores,
            offset=local_threshold(pipeline.steps[-1][1], recording),
            worst_window=recording.worst_window,
            title=f"{os.path.basename(path)}: {recording.decision}, score {recording.score:.4g}",
        ).plot(figure=figure)

    def plot(self, *, figure=None):
        """Draw.

        Parameters
        ----------
        figure : matplotlib.figure.Figure, default=None
            A new one by default.

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
        # The quietest values of a dB spectrogram are an arbitrary floor: colours start 80 dB below the
        # loudest.
        image = draw_frames(
            self.axes_[0],
            self.spectrogram,
            self.frame_times,
            self.band_centers,
            vmin=self.spectrogram.max() - 80,
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
