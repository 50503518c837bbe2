"""`WindowScorer`: score windows of sound with a detector that was trained on clips of the same duration."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from .._checks import check_number
from .._checksums import WeightsError
from .._clip_errors import explain
from .._lazy import LazySequence
from .._typing import Float32Array
from ..audio import AudioClips
from ..audio._channels import pair_of
from ..detectors import FleetDetector
from ._score import p_value_function
from ._unwrap import find_loader, split_pipeline
from ._window_bands import WindowBands

# Maximum ratio of a window to the longest training clip, and of the shortest training clip to a window. Scores of other
# durations have another scale, and the threshold does not hold for them.
_LARGEST_RATIO = 1.05
# Maximum relative difference of training clips that count as clips of one duration, such as files of a lossy codec.
_EQUAL = 0.01


@dataclass(frozen=True)
class WindowScore:
    """What a detector says about one window.

    Attributes
    ----------
    score : float
        Higher is more normal. NaN if the window could not be scored.
    p_value : float
        Conformal p-value. NaN if the detector has no calibration scores.
    low_hz, high_hz : float or None
        Lowest and highest frequency of the band that sounds least normal, in hertz. None if the detector does not
        score bands.
    error : str
        Why the window has no score, or "".
    features : ndarray or None
        Input of the last step of the detector, float32. None if there is no score.
    """

    score: float
    p_value: float = float("nan")
    low_hz: float | None = None
    high_hz: float | None = None
    error: str = ""
    features: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)


class WindowScorer:
    """Score windows of sound, many at a time, as the detector scores clips.

    Parameters
    ----------
    detector : sklearn.pipeline.Pipeline
        Fitted pipeline that begins with an :class:`AudioLoader` and ends in a detector. The pipeline may be inside a
        :class:`ThresholdedDetector`, a :class:`NormalOnly` or a search.
    window : float, default=None
        Duration of a window, in seconds. None is the duration of the training clips, if these clips have one duration.
    hop : float, default=None
        Time from the start of a window to the start of the next one, in seconds. None is half a window: a sound of at
        most half a window then lies whole in one of the windows.

    Attributes
    ----------
    window, hop : float
        In seconds.
    sample_rate : int
        Sample rate of the windows, in hertz.
    channel : "mix", int, "near-far" or pair of int
        Channel of the loader. :class:`WindowCutter` selects the channel.
    threshold : float
        Threshold of the detector. NaN if the detector has none.

    Raises
    ------
    ValueError
        If the detector does not begin with an AudioLoader, has a detector for every machine, or was trained on clips
        of another duration; or if the duration is unknown and `window` is None.
    """

    window: float
    hop: float
    threshold: float

    def __init__(
        self, detector: BaseEstimator, *, window: float | None = None, hop: float | None = None
    ) -> None:
        check_number(window, "window", low=0, closed="neither", none=True)
        check_number(hop, "hop", low=0, closed="neither", none=True)
        _, middle, last = split_pipeline(detector)
        if isinstance(last, FleetDetector):
            raise ValueError(
                "windows are scored by the detector of one machine, got a FleetDetector. Replace the last step by the "
                "detector of the machine, fleet.detector_of(machine)."
            )
        loader: Any = find_loader(detector)
        self.sample_rate, self.channel = int(loader.sample_rate), loader.channel
        self.window = _find_window(loader, window)
        self.hop = self.window / 2 if hop is None else float(hop)
        if self.hop > self.window:
            raise ValueError(
                f"hop must not exceed the window, because sound between two windows would not be scored; got "
                f"hop={self.hop:g} s and window={self.window:g} s."
            )
        self._n_samples = round(self.window * self.sample_rate)
        self._middle = None if middle is None else _without_memory(middle)
        self.update_detector(last)

    def update_detector(self, last_step: Any) -> None:
        """Replace the last step of the detector, such as after the memory of what is normal has grown.

        Parameters
        ----------
        last_step : fitted detector
            Takes the features that :class:`WindowScore` holds.
        """
        self._detector = last_step
        self._p_values = p_value_function(last_step)
        self._bands = WindowBands(self._middle, last_step)
        threshold = getattr(last_step, "offset_", np.nan)
        self.threshold = float(threshold) if np.ndim(threshold) == 0 else float("nan")

    def score(self, waveforms: Sequence[Float32Array]) -> list[WindowScore]:
        """Score windows.

        Parameters
        ----------
        waveforms : list of ndarray of shape (n_samples,), float32
            Windows of the duration `window` at `sample_rate`, such as those of :class:`WindowCutter`. For a pair of
            channels, the shape is (2, n_samples).

        Returns
        -------
        list of WindowScore
            In the order of `waveforms`. A window that cannot be scored has the score NaN and an `error`.

        Raises
        ------
        ValueError
            If a window has another duration.
        WeightsError, ImportError
            If the weights of the network or a package are missing, because then no window can be scored.
        """
        for waveform in waveforms:
            if waveform.shape[-1] != self._n_samples:
                raise ValueError(
                    f"a window must have {self._n_samples} samples ({self.window:g} s at {self.sample_rate} Hz), got "
                    f"{waveform.shape[-1]}."
                )
        found = [WindowScore(np.nan, error="holds samples that are NaN or infinite.")] * len(waveforms)
        finite = [index for index, waveform in enumerate(waveforms) if np.isfinite(waveform).all()]
        for index, scored in zip(finite, self._score([waveforms[index] for index in finite])):
            found[index] = scored
        return found

    def _score(self, waveforms):
        if not waveforms:
            return []
        try:
            return self._score_together(waveforms)
        except (WeightsError, ImportError):  # no window can be scored without the network
            raise
        except Exception as error:  # any error: the other windows are scored all the same
            if len(waveforms) > 1:
                return [scored for waveform in waveforms for scored in self._score([waveform])]
            reason = explain(error).removeprefix("clip 0: ")
            return [WindowScore(np.nan, error=reason or type(error).__name__)]

    def _score_together(self, waveforms):
        # The channels of a window are selected and in order already.
        channel: Any = "mix" if pair_of(self.channel) is None else "near-far"
        features: Any = AudioClips(list(waveforms), self.sample_rate, channel=channel)
        for _, step in () if self._middle is None else self._middle.steps:
            if step not in (None, "passthrough"):
                features = step.transform(features)
        if isinstance(features, LazySequence):
            features = list(features)
        scores = np.asarray(self._detector.score_samples(features), dtype=np.float64)
        bands, p_values = self._bands.find(features), self._p_values(scores)
        rows = zip(features, scores.tolist(), np.asarray(p_values).tolist(), bands)
        return [
            WindowScore(np.nan, error="has no score: all its features are NaN after a step of the pipeline.")
            if np.isnan(score)
            else WindowScore(score, p_value, *band, features=np.asarray(row, dtype=np.float32))
            for row, score, p_value, band in rows
        ]


def _find_window(loader, window):
    """Return the duration of a window. Raise if the durations of the training clips do not allow it."""
    shortest, longest = _training_durations(loader)
    if window is None:
        if longest is None:
            raise ValueError(
                "the duration of the training clips is not known: pass window=, the duration of a training clip in "
                "seconds, or train the detector again with this version."
            )
        if longest > shortest * (1 + _EQUAL):
            raise ValueError(
                f"the training clips last from {shortest:g} s to {longest:g} s, so no duration of a window follows "
                "from them: pass window=, in seconds, within this range, or train on segments of one duration "
                "(skaudio_ad.audio.segment, or `skaudio-ad fit --window`)."
            )
        return shortest
    window = float(window)
    if longest is not None and not shortest / _LARGEST_RATIO <= window <= longest * _LARGEST_RATIO:
        lasted = (
            f"{longest:g} s" if longest <= shortest * (1 + _EQUAL) else f"{shortest:g} s to {longest:g} s"
        )
        raise ValueError(
            f"the window lasts {window:g} s, but the detector was trained on clips of {lasted}, so its threshold does "
            f"not hold for this window. Pass a window of that duration, or train on segments of {window:g} s "
            f"(skaudio_ad.audio.segment, or `skaudio-ad fit --window {window:g}`)."
        )
    return window


def _training_durations(loader):
    """Return the shortest and the longest duration of a training clip, in seconds, or None for both if unknown."""
    known = getattr(loader, "durations_", None)
    if known is not None:
        return float(known[0]), float(known[1])
    # Without the durations of the recordings, the parameter is the duration of the clips.
    return (None, None) if loader.duration is None else (float(loader.duration),) * 2


def _without_memory(steps):
    """Copy steps without their memory and their processes. A memory of windows would grow without end."""
    copied = []
    for name, step in steps.steps:
        if hasattr(step, "stream"):
            step = copy.copy(step)
            for parameter, value in (("memory", None), ("n_jobs", None), ("verbose", False)):
                if hasattr(step, parameter):
                    setattr(step, parameter, value)
        copied.append((name, step))
    return Pipeline(copied)
