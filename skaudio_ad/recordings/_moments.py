"""The moments of a recording that sound wrong, from its local scores."""

from dataclasses import dataclass

import numpy as np

from ._scored import ScoredRecording

# Maximum number of normal windows between two anomalous windows of one moment. A sound that lasts longer than a window
# often has a single window in its middle that reaches the threshold by chance.
_LARGEST_GAP = 1


@dataclass(frozen=True)
class Moment:
    """Part of a recording that sounds wrong.

    Attributes
    ----------
    start, end : float
        First and last instant of the moment, in seconds from the start of the part that was scored. `end` is NaN if the
        whole recording is the moment and its duration is unknown.
    score : float
        Lowest local score of the moment, or the score of the recording if the detector has no local scores. Higher is
        more normal.
    low_hz, high_hz : float or None
        Lowest and highest frequency that sounds wrong, in hertz. None if the detector does not tell frequencies.
    """

    start: float
    end: float
    score: float
    low_hz: float | None = None
    high_hz: float | None = None


def find_moments(recording: ScoredRecording, threshold: float | None = None) -> list[Moment]:
    """Find the moments of an anomalous recording that sound wrong.

    A moment consists of neighbouring windows with scores below the threshold. Moments that overlap, or that are one
    window apart, are joined. If no window lies below the threshold, the least normal window is the only moment. If the
    detector has no local scores, the whole recording is one moment. Windows that reach beyond the clip are left out, as
    in ``worst_window``.

    Parameters
    ----------
    recording : ScoredRecording
        Recording from :func:`score_recordings`.
    threshold : float, default=None
        Threshold of local scores. None is the threshold of the detector if local scores have the scale of this
        threshold. If they have another scale, the least normal window is the only moment.

    Returns
    -------
    list of Moment
        Moments in the order of time. A normal recording has none, and neither has a recording that could not be scored.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.recordings import ScoredRecording, find_moments
    >>> recording = ScoredRecording(
    ...     "fan.wav",
    ...     score=-4.0,
    ...     decision="anomalous",
    ...     margin=-2.0,
    ...     times=np.array([0.5, 1.5, 2.5, 3.5, 4.5]),
    ...     local_scores=np.array([-1.0, -1.0, -9.0, -8.0, -1.0]),
    ...     window_duration=1.0,
    ... )
    >>> find_moments(recording)
    [Moment(start=2.0, end=4.0, score=-9.0, low_hz=None, high_hz=None)]
    """
    if recording.decision != "anomalous":
        return []
    frequencies = recording.low_hz, recording.high_hz
    if not len(recording.times):
        return [Moment(0.0, recording.duration, recording.score, *frequencies)]
    threshold = recording.local_threshold if threshold is None else threshold
    times, scores = recording.times[recording.inner_windows], recording.local_scores[recording.inner_windows]
    is_low = np.zeros(len(scores), dtype=bool) if threshold is None else scores < threshold
    if not is_low.any():
        is_low[np.argmin(scores)] = True
    half = _window_duration(recording) / 2
    moments = []
    for windows in _runs(np.flatnonzero(is_low), times, 2 * half):
        start = max(0.0, float(times[windows[0]] - half))
        end = float(
            np.fmin(times[windows[-1]] + half, recording.duration)
        )  # fmin ignores an unknown duration
        moments.append(Moment(start, end, float(scores[windows].min()), *frequencies))
    return moments


def _runs(positions, times, duration):
    """Split the positions of anomalous windows where a new moment begins."""
    is_far = np.diff(positions) > 1 + _LARGEST_GAP
    is_apart = np.diff(times[positions]) > duration * (1 + 1e-9)
    return np.split(positions, np.flatnonzero(is_far & is_apart) + 1)


def _window_duration(recording):
    """Duration of a window. If the duration is unknown, windows end where the next ones begin."""
    if np.isfinite(recording.window_duration):
        return recording.window_duration
    return float(np.diff(recording.times).mean()) if len(recording.times) > 1 else 0.0
