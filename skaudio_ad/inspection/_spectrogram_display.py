"""`SpectrogramDisplay`: spectrogram, cepstrum or embeddings of one clip over time."""

import os
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from .._lazy import is_missing
from .._typing import PathLike
from ..features import MelTransformer
from ._drawing import draw_frames, file_name, get_axes, lowest_level

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class SpectrogramDisplay:
    """Features of one clip over time: a spectrogram, cepstral coefficients or a sequence of embeddings.

    Parameters
    ----------
    features : array-like of shape (n_bins, n_frames)
        Time is the last axis.
    frame_times : array-like of shape (n_frames,), default=None
        Middles of the frames, in seconds. None numbers the frames.
    band_centers : array-like of shape (n_bins,), default=None
        Centre frequencies of the bins, in hertz. None if the bins are not frequencies, as in embeddings and MFCCs.
    decibels : bool, default=False
        Whether the features are levels in dB. Colours then span 80 dB at most.
    title : str, default=""

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
    figure_ : matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the shapes do not match, or the features are not finite.

    See Also
    --------
    LocalScoreDisplay : Spectrogram of a clip above its local scores.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad import MelTransformer
    >>> from skaudio_ad.inspection import SpectrogramDisplay
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    >>> display = SpectrogramDisplay.from_estimator(MelTransformer(), tone)
    >>> display.ax_.get_ylabel(), display.features.shape
    ('frequency (Hz)', (128, 32))
    """

    ax_: "Axes"
    figure_: "Figure"

    def __init__(
        self,
        features: npt.ArrayLike,
        frame_times: npt.ArrayLike | None = None,
        band_centers: npt.ArrayLike | None = None,
        *,
        decibels: bool = False,
        title: str = "",
    ) -> None:
        self.features = np.asarray(features)
        if self.features.ndim != 2 or not self.features.size:
            raise ValueError(
                f"features must have shape (n_bins, n_frames) of one clip, got {self.features.shape}. Features "
                "without a time axis cannot be drawn over time: remove the step that pools over time."
            )
        if not np.isfinite(self.features).all():
            raise ValueError(
                "features contain NaN or infinity: a clip that could not be read cannot be drawn."
            )
        self.frame_times = None if frame_times is None else np.asarray(frame_times)
        self.band_centers = None if band_centers is None else np.asarray(band_centers)
        for name, values, n_values in zip(
            ("band_centers", "frame_times"), (self.band_centers, self.frame_times), self.features.shape
        ):
            if values is not None and values.shape != (n_values,):
                raise ValueError(f"{name} must have shape ({n_values},), got {values.shape}.")
        self.decibels = decibels
        self.title = title

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        clip: npt.ArrayLike | PathLike,
        *,
        ax: "Axes | None" = None,
    ) -> Self:
        """Transform one clip and draw the result.

        Parameters
        ----------
        estimator : transformer, or Pipeline of transformers
            For example a :class:`MelTransformer`, an :class:`MFCCTransformer` or an embedding with
            ``output="frames"``. A Pipeline may begin with an :class:`AudioLoader` and scale the features at its end. A
            transformer that learns from data must be fitted.
        clip : array-like of shape (n_samples,), or path
            A file is resampled to the rate of the transformer. To draw an augmented clip, pass an item of
            ``Augmenter(...).fit_transform(clips)``.
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        SpectrogramDisplay

        Raises
        ------
        AudioReadError
            If the file cannot be read.
        ValueError
            If the features have no time axis, or for the reasons of the class.
        """
        steps = [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else [estimator]
        title = ""
        if isinstance(clip, (str, os.PathLike)):
            title = file_name(clip)
        else:
            clip = np.asarray(clip)
            if clip.ndim != 1:
                raise ValueError(
                    f"clip must have shape (n_samples,), one clip of one channel, got {clip.shape}."
                )
        (features,) = estimator.transform([clip])
        if np.ndim(features) == 2 and is_missing(features):
            raise ValueError(f"{title or 'the clip'} could not be read: all its features are NaN.")
        return cls._from_steps(steps, features, title).plot(ax=ax)

    @classmethod
    def _from_steps(cls, steps, features, title):
        """Find the times of the frames, the frequencies of the bins and the unit of the features."""
        clock: Any = next((step for step in reversed(steps) if hasattr(step, "frames_to_seconds")), None)
        times = centers = None
        if np.ndim(features) == 2:
            times = None if clock is None else clock.frames_to_seconds(np.arange(features.shape[1]))
            centers = clock.band_centers() if hasattr(clock, "band_centers") else None
            centers = centers if centers is not None and len(centers) == len(features) else None
        is_decibels = isinstance(steps[-1], MelTransformer) and steps[-1].log == "db"
        return cls(features, times, centers, decibels=is_decibels, title=title)

    def plot(self, *, ax: "Axes | None" = None, **kwargs: Any) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on. By default a new figure is made.
        **kwargs : dict
            Parameters of ``pcolormesh``, such as ``vmin``, ``vmax`` and ``cmap``. Pass the same ``vmin`` and ``vmax``
            to compare clips.

        Returns
        -------
        SpectrogramDisplay
        """
        self.figure_, self.ax_ = get_axes(ax, (8, 3.6))
        settings: dict[str, Any] = {"cmap": "magma"}
        if self.decibels:
            settings["vmin"] = lowest_level(self.features)
        n_frames = self.features.shape[1]
        times = np.arange(n_frames) if self.frame_times is None else self.frame_times
        image = draw_frames(self.ax_, self.features, times, self.band_centers, **(settings | kwargs))
        self.figure_.colorbar(image, ax=self.ax_, label="level (dB)" if self.decibels else "feature value")
        self.ax_.set(xlabel="frame" if self.frame_times is None else "time (s)", title=self.title)
        return self
