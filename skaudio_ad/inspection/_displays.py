"""Pictures in scikit-learn's way: ``Display.from_estimator``, ``Display.from_predictions``, ``plot``."""

import os

import numpy as np
from sklearn.pipeline import Pipeline

from ..features import MelTransformer
from ._recordings import score_recordings

# Colour-blind safe (Okabe and Ito): normal, anomalous, threshold.
NORMAL, ANOMALOUS, THRESHOLD = "#0072B2", "#D55E00", "#000000"


class LossCurveDisplay:
    """Loss of every epoch, on the training and the held-out clips: under- or over-fitted?

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
        estimator : detector with ``loss_curve_``, or Pipeline
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        LossCurveDisplay
        """
        detector = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
        if not hasattr(detector, "loss_curve_"):
            raise ValueError(
                f"{type(detector).__name__} has no loss_curve_: fit it first, or it is not trained."
            )
        curves = detector.loss_curve_, detector.validation_loss_curve_, detector.best_epoch_
        return cls(*curves).plot(ax=ax)

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
        self.figure_, self.ax_ = _axes(ax)
        epochs = np.arange(1, len(self.loss_curve) + 1)
        marker = "." if len(epochs) < 30 else None
        self.ax_.plot(epochs, self.loss_curve, color=NORMAL, marker=marker, label="training clips")
        if len(self.validation_loss_curve):
            self.ax_.plot(
                epochs, self.validation_loss_curve, color=ANOMALOUS, marker=marker, label="held-out clips"
            )
        if self.best_epoch is not None:
            self.ax_.axvline(self.best_epoch + 1, color=THRESHOLD, linestyle=":", label="weights kept")
        self.ax_.set(xlabel="epoch", ylabel="loss", yscale="log")
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
        self.y_true = None if y_true is None else np.asarray(y_true)
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
            As ``numpy.histogram_bin_edges``.

        Returns
        -------
        ScoreDistributionDisplay
        """
        detector = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
        offset = getattr(detector, "offset_", None)
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
            As ``numpy.histogram_bin_edges``.

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
            As ``numpy.histogram_bin_edges``.

        Returns
        -------
        ScoreDistributionDisplay
        """
        self.figure_, self.ax_ = _axes(ax)
        finite = np.isfinite(self.scores)
        if not finite.any():
            raise ValueError("there is no score to draw: all are NaN.")
        edges = np.histogram_bin_edges(self.scores[finite], bins=bins)
        groups = [("clips", finite, NORMAL)]
        if self.y_true is not None:
            if not np.isin(self.y_true, (1, -1)).all():
                raise ValueError(
                    f"y_true must hold 1 for normal and -1 for anomalous clips, got {np.unique(self.y_true)}."
                )
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
        if not finite.all():
            self.ax_.set_title(f"{np.count_nonzero(~finite)} clips without a score left out")
        self.ax_.legend()
        return self


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
        The clip's threshold, for orientation.
    title : str, default=""

    Attributes
    ----------
    axes_ : tuple of matplotlib.axes.Axes
        Of the spectrogram and of the score.
    figure_ : matplotlib.figure.Figure
    """

    def __init__(self, spectrogram, frame_times, band_centers, times, local_scores, *, offset=None, title=""):
        self.spectrogram = spectrogram
        self.frame_times = frame_times
        self.band_centers = band_centers
        self.times = times
        self.local_scores = local_scores
        self.offset = offset
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
        path = os.fspath(path)
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
            offset=getattr(pipeline.steps[-1][1], "offset_", None),
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
        if figure is None:
            import matplotlib.pyplot as plt

            figure = plt.figure(figsize=(8, 5), layout="constrained")
        has_scores = len(self.times) > 0
        grid = figure.subplots(
            2 if has_scores else 1, 1, sharex=True, squeeze=False, height_ratios=[2, 1][: 1 + has_scores]
        )
        self.figure_, self.axes_ = figure, tuple(grid[:, 0])
        top = self.axes_[0]
        bands = np.arange(len(self.band_centers))
        # The quietest values of a dB spectrogram are an arbitrary floor: colours start 80 dB below the loudest.
        image = top.pcolormesh(
            self.frame_times,
            bands,
            self.spectrogram,
            vmin=self.spectrogram.max() - 80,
            cmap="magma",
            rasterized=True,
        )
        ticks = bands[:: max(1, len(bands) // 6)]
        top.set_yticks(ticks, [f"{self.band_centers[band]:.0f}" for band in ticks])
        top.set(ylabel="frequency (Hz)", title=self.title)
        figure.colorbar(image, ax=top, label="level (dB)")
        if has_scores:
            bottom = self.axes_[1]
            bottom.plot(self.times, self.local_scores, color=NORMAL, linewidth=1)
            worst = int(np.argmin(self.local_scores))
            bottom.plot(
                self.times[worst],
                self.local_scores[worst],
                "v",
                color=ANOMALOUS,
                label=f"worst, {self.times[worst]:.2f} s",
            )
            if self.offset is not None:
                bottom.axhline(self.offset, color=THRESHOLD, linestyle="--", label="threshold of the clip")
            bottom.set(ylabel="local score")
            # Above the axes: the worst moment is at the bottom, wherever it is.
            bottom.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize="small")
        self.axes_[-1].set(xlabel="time (s)")
        return self


def _axes(ax):
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(layout="constrained")
    return ax.figure, ax
