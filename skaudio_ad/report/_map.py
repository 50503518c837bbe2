"""Find where in time and frequency a recording sounds wrong: the layer over its spectrogram."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from .._typing import FloatArray
from ..recordings import ScoredRecording
from ..recordings._score import compute_features, has_frames
from ._excerpt import Levels
from ._nearest import Space

# Number of neighbouring errors along each axis that are averaged, because single errors scatter.
_SMOOTHING = 3
# Errors of a reconstruction, relative to the threshold of the mean error, that get the first and the last opacity.
# Single errors of a normal clip scatter around their mean by a factor of three and more.
_FIRST_ERROR, _LAST_ERROR = 3.0, 10.0
# Distance from the median of normal recordings that gets the last opacity, relative to the distance of the 1st or 99th
# percentile from the median. A distance of 1 is the first opacity.
_LAST_DEVIATION = 3.0
# Opacity of a whole band, and maximum opacity. The spectrogram stays visible below the layer.
_BAND_OPACITY, _MAX_OPACITY = 0.3, 0.85
# Smallest distance of a percentile from the median, in dB. The hearing does not notice smaller differences.
_SMALLEST_SPREAD = 1.0

BAND_NOTE = (
    "The colour marks the frequency band that sounds least normal to the detector, which compares bands of the whole "
    "recording. A strong colour marks levels in this band that the nearest normal recordings do not have."
)
ERROR_NOTE = (
    "The colour marks the time and the frequency where the detector reconstructs the recording worst, from three times "
    "the threshold on."
)
DEVIATION_NOTE = (
    "The colour marks levels below the 1st or above the 99th percentile of the same frequency band in the nearest "
    "normal recordings. The detector itself does not tell frequencies."
)
NO_MAP = "No colour marks what sounds wrong, because the normal recordings are not known."


class MapMaker:
    """Choose the layer that a detector allows, and compute it.

    Parameters
    ----------
    loader : AudioLoader
    middle : Pipeline or None
        Steps between the loader and the detector.
    clock : transformer or None
        Step that tells the times and the frequencies of the features.
    """

    def __init__(self, loader: Any, middle: Any, clock: Any) -> None:
        self.loader, self.middle, self.clock = loader, middle, clock

    def __call__(
        self, recording: ScoredRecording, detector: Any, levels: Levels, normal: Sequence[FloatArray]
    ) -> tuple[FloatArray | None, str]:
        """Compute the layer over a spectrogram.

        Parameters
        ----------
        recording : ScoredRecording
        detector : fitted detector or None
            Last step of the pipeline, or the detector of the machine. None if the recording could not be scored.
        levels : Levels
            Spectrogram of the recording.
        normal : list of ndarray of shape (4, n_bands)
            Summaries of the nearest normal recordings (:meth:`Levels.summary`).

        Returns
        -------
        opacity : ndarray of shape (n_bands, n_frames) or None
            From 0 to 1. None if there is nothing to compare with.
        note : str
            What the layer shows.
        """
        if recording.low_hz is not None and recording.high_hz is not None:
            inside = (levels.centers >= recording.low_hz) & (levels.centers <= recording.high_hz)
            layer = np.full(levels.levels_db.shape, _BAND_OPACITY)
            if normal:
                layer = np.maximum(layer, _deviations(levels, np.array(normal)))
            return layer * inside[:, np.newaxis], BAND_NOTE
        if detector is not None:
            errors = self._errors(recording, detector, levels)
            if errors is not None:
                return errors, ERROR_NOTE
        if not normal:
            return None, NO_MAP
        return _deviations(levels, np.array(normal)), DEVIATION_NOTE

    def _errors(self, recording, detector, levels):
        """Opacity from the errors of a reconstruction or a prediction, or None if the detector makes none."""
        space = Space(detector)
        method = next(
            (name for name in ("reconstruct", "predict_frames") if hasattr(space.detector, name)), None
        )
        if method is None or not hasattr(self.clock, "band_centers"):
            return None
        features = compute_features(self.loader, self.middle, recording.path)
        if not has_frames(features):
            return None
        for step in space.steps:
            features = step.transform(features)
        original, made = np.asarray(features[0]), np.asarray(getattr(space.detector, method)(features)[0])
        centers = self.clock.band_centers()
        if made.shape != original.shape or len(centers) != len(original):
            return None
        errors = np.nan_to_num(np.square(made - original, dtype=np.float64))
        threshold = recording.margin - recording.score  # minus the threshold of the score
        # The score of some detectors is no mean error. The median error of the clip then replaces the threshold.
        is_mean_error = 0.5 < -recording.score / max(errors.mean(), 1e-12) < 2
        scale = threshold if is_mean_error and threshold > 0 else float(np.median(errors))
        rows = np.interp(levels.centers, centers, np.arange(len(centers)))
        frame_times = self.clock.frames_to_seconds(np.arange(errors.shape[1]))
        columns = np.interp(levels.times, frame_times, np.arange(errors.shape[1]))
        smooth = uniform_filter(errors, _SMOOTHING, mode="nearest")
        relative = smooth[np.ix_(np.rint(rows).astype(int), np.rint(columns).astype(int))] / max(scale, 1e-12)
        return _opacity((relative - _FIRST_ERROR) / (_LAST_ERROR - _FIRST_ERROR))


def _deviations(levels: Levels, normal: npt.NDArray[np.float64]) -> FloatArray:
    """Opacity from levels beyond those of the normal recordings.

    Parameters
    ----------
    levels : Levels
    normal : ndarray of shape (n_normal, 4, n_bands)
    """
    # Levels below the picture are an arbitrary floor, and no difference between floors is audible.
    levels_db, normal = np.maximum(levels.smooth(), levels.low_db), np.maximum(normal, levels.low_db)
    low, median, high = normal[:, 1].min(axis=0), np.median(normal[:, 2], axis=0), normal[:, 3].max(axis=0)
    difference = levels_db - median[:, np.newaxis]
    above, below = np.maximum(high - median, _SMALLEST_SPREAD), np.maximum(median - low, _SMALLEST_SPREAD)
    relative = np.where(difference > 0, difference / above[:, np.newaxis], -difference / below[:, np.newaxis])
    return _opacity((relative - 1) / (_LAST_DEVIATION - 1))


def _opacity(strength):
    return np.clip(strength, 0, 1) * _MAX_OPACITY
