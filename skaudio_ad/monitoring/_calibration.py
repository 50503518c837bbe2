"""`calibrate_alarms`: choose the level of an alarm so that normal sound raises few events, and say how few."""

import os
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .._checks import check_number, users_level
from .._typing import FloatArray, PathLike
from ..recordings import AlarmPolicy, score_recording
from ..recordings._alarm_policy import CLEARED_BELOW
from ..recordings._check import measure_recordings
from ..thresholds import ParetoTailThreshold
from ._alarm_calibration import AlarmCalibration
from ._detector_key import detector_key
from ._event_rate import find_dispersion, hours_for, largest_accepted, upper_bound
from ._independence import find_independent_step
from ._replay import Replay

__all__ = ["AlarmCalibration", "calibrate_alarms", "calibrate_scores", "detector_key"]

# Number of levels that are tested from the strictest one to the level that is chosen.
_N_LEVELS = 32
# Number of events that show whether events come in clusters.
_N_FOR_DISPERSION = 20
# Minimum number of stretches below the clear level that can be extrapolated. The deepest tenth is the tail, with 20 to
# 100 stretches.
_FEWEST_PEAKS, _TAIL, _TAIL_SIZE = 40, 0.1, (20, 100)
# Level that no score is below.
_LARGEST = float(np.finfo(np.float64).max)
# Number of files that a message names.
_SHOWN = 3


def calibrate_alarms(
    detector: Any,
    recordings: Iterable[PathLike],
    *,
    events_per_day: float = 1.0,
    confidence: float = 0.95,
    window: float | None = None,
    hop: float | None = None,
    shape: dict[str, Any] | None = None,
    extrapolate: bool = False,
    training_digests: Iterable[str] = (),
    progress: Callable[[str], object] | None = None,
) -> AlarmCalibration:
    """Choose the level of an alarm from normal recordings that the detector was not trained on.

    The recordings are replayed window by window, as a monitor hears them, and the events at every level are counted.
    The level is the highest one that keeps the promise: normal sound raises at most `events_per_day` events per day,
    with the given confidence. The levels are tested from the strictest to the laxest one, until a level fails [1]_. A
    level passes if the exact upper bound of its number of events [2]_ is low enough. If the hours of sound are too few
    for any level, the level is the highest one without an event, and the result says what these hours support.

    Parameters
    ----------
    detector : sklearn.pipeline.Pipeline
        Fitted pipeline that begins with an :class:`AudioLoader`.
    recordings : iterable of str or path-like
        Normal recordings, as long as possible. The detector must not be trained on them.
    events_per_day : float, default=1.0
        Maximum number of false events per day. One a day can be looked at by a person.
    confidence : float, default=0.95
        Probability, in (0, 1), that the promise holds. 0.95 is customary.
    window, hop : float or None, default=None
        Duration of a window and time from one window to the next one, in seconds, as for a :class:`Monitor`.
    shape : dict or None, default=None
        `n_raise`, `min_duration`, `max_duration` and `refractory` of the :class:`AlarmPolicy`.
    extrapolate : bool, default=False
        Whether to extrapolate the level by peaks over a threshold if the hours do not support the promise. The result
        is then an estimate without a promise, and says so.
    training_digests : iterable of str, default=()
        Checksums of the training recordings: ``read_metadata(path)["training"]["digests"]`` of a saved detector. A
        fitted detector does not know its training recordings, so without these checksums nothing is checked.
    progress : callable or None, default=None
        ``progress(path)`` is called after every recording.

    Returns
    -------
    AlarmCalibration
        ``statement`` says what is promised.

    Raises
    ------
    ValueError
        If a recording is one of the training, is a copy of another one, or cannot be read or scored; if no window can
        raise an alarm; or if there are too few events to extrapolate.

    Warns
    -----
    UserWarning
        If some windows have no score. These windows do not count as hours.

    Notes
    -----
    **The level that clears an alarm** is the score that 80 % of the windows of these recordings reach. An alarm then
    ends soon after the sound is normal again. This level is fixed before the other levels are tested.

    **Drift.** The test for drift needs scores that do not depend on their neighbours. Normal sound varies slowly, as
    with the load of a machine, so the test takes one window in each `drift_interval`. This is the shortest distance at
    which the correlation of the ranks of scores is at most 0.1, or not larger than chance explains.

    **Clusters.** Events of normal sound often come in clusters, such as in a windy night. The exact bound is for
    independent events. The number of events is therefore compared between hours and between days of recordings. If this
    number varies more than chance explains, at a level with 20 events or more, the bound is that of independent
    clusters: `dispersion` times wider. Clusters that the recordings do not show cannot be allowed for.

    References
    ----------
    .. [1] A. N. Angelopoulos, S. Bates, E. J. Candes, M. I. Jordan and L. Lei, "Learn then test: calibrating predictive
       algorithms to achieve risk control", 2021.
    .. [2] F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika, 1936.
    """
    check_number(events_per_day, "events_per_day", low=0, closed="neither")
    check_number(confidence, "confidence", low=0, high=1, closed="neither")
    paths = [recordings] if isinstance(recordings, (str, os.PathLike)) else list(recordings)
    paths = [os.fsdecode(path) for path in paths]
    if not paths:
        raise ValueError("calibrate_alarms needs normal recordings, got none.")
    AlarmPolicy(0.0, 0.0, **(shape or {}))  # raises an error before hours of work
    _check_recordings(paths, training_digests)
    # The levels are chosen later, so no event is looked for here.
    anything = AlarmPolicy(-_LARGEST, -_LARGEST)
    timelines = []
    for path in paths:
        timelines.append(score_recording(detector, path, window=window, hop=hop, policy=anything))
        if progress is not None:
            progress(path)
    window, hop = timelines[0].window, timelines[0].hop
    found = calibrate_scores(
        [(timeline.times, timeline.scores) for timeline in timelines],
        window,
        hop,
        events_per_day=events_per_day,
        confidence=confidence,
        shape=shape,
        extrapolate=extrapolate,
    )
    return replace(found, recordings=tuple(paths), detector_key=detector_key(detector))


def calibrate_scores(
    recordings: Sequence[tuple[FloatArray, FloatArray]],
    window: float,
    hop: float,
    *,
    events_per_day: float = 1.0,
    confidence: float = 0.95,
    shape: dict[str, Any] | None = None,
    extrapolate: bool = False,
) -> AlarmCalibration:
    """Choose the level of an alarm from the scores of normal windows.

    Parameters
    ----------
    recordings : sequence of (starts, scores)
        Arrays of shape (n_windows,) for every recording.
    window, hop : float
        In seconds.
    events_per_day, confidence, shape, extrapolate
        See :func:`calibrate_alarms`.

    Returns
    -------
    AlarmCalibration
        Without recordings and key of the detector.
    """
    scores = np.concatenate([np.asarray(values, dtype=np.float64) for _, values in recordings])
    known = scores[np.isfinite(scores)]
    if len(known) < len(scores):
        warnings.warn(
            f"{len(scores) - len(known)} of {len(scores)} windows have no score and do not count as normal sound. "
            "Look at the recordings for silence and gaps (skaudio-ad check).",
            UserWarning,
            stacklevel=users_level(),
        )
    if not len(known):
        raise ValueError("no window of the recordings has a score, so nothing can be calibrated.")
    replay = Replay(recordings, window, hop, float(np.quantile(known, CLEARED_BELOW)), shape or {})
    if not replay.hours:
        raise ValueError(
            "the recordings are too short: no window could raise an alarm. Pass longer recordings, or a smaller "
            "n_raise or min_duration."
        )
    levels = replay.levels
    dispersion = _find_dispersion(replay, levels)
    allowed = events_per_day * replay.hours / 24
    level, extrapolated = _choose_level(replay, levels, allowed, confidence, dispersion), False
    promised = events_per_day
    if level is None:
        level = levels[_last_with(replay, levels, 0)]
        # A monitor cannot raise more events: one takes a window at least, and the refractory time follows.
        possible = 86400 / (replay.policy.refractory + hop)
        promised = min(24 * upper_bound(0, confidence, dispersion) / replay.hours, possible)
        if extrapolate:
            level, extrapolated = min(level, _extrapolate(replay, allowed)), True
            promised = events_per_day
    step = int(np.ceil(round(window / hop, 9)))
    series = [np.asarray(values, dtype=np.float64) for _, values in recordings]
    independent = find_independent_step(series, step)
    apart = np.concatenate([one[:: independent or step] for one in series])
    return AlarmCalibration(
        policy=replace(replay.policy, raise_level=float(level)),
        events_per_day=float(promised),
        wanted_events_per_day=float(events_per_day),
        confidence=float(confidence),
        hours=replay.hours,
        hours_needed=hours_for(events_per_day, confidence, dispersion=dispersion),
        n_events=replay.count(level),
        dispersion=dispersion,
        extrapolated=extrapolated,
        window=float(window),
        hop=float(hop),
        recordings=(),
        detector_key="",
        drift_interval=None if independent is None else float(independent * hop),
        scores=apart[np.isfinite(apart)],
    )


def _choose_level(replay, levels, allowed, confidence, dispersion):
    """Return the laxest level that keeps the promise, or None if the hours are too few for any level."""
    if upper_bound(0, confidence, dispersion) > allowed * (1 + 1e-12):
        return None
    counts = range(int(allowed) + 1)  # the bound of a count is above the count
    above = bisect_right(counts, allowed * (1 + 1e-12), key=lambda n: upper_bound(n, confidence, dispersion))
    n_allowed = above - 1
    last = _last_with(replay, levels, n_allowed)
    tested = levels[np.unique(np.linspace(0, last, _N_LEVELS).astype(int))]
    accepted = largest_accepted([replay.count(level) for level in tested], allowed, confidence, dispersion)
    return tested[accepted]


def _last_with(replay, levels, n_events):
    """Return the position of the last level with at most so many events. There is no event at the first level."""
    # Strict levels are replayed quickly, because few windows are below them.
    high = 1
    while high < len(levels) and replay.count(levels[high]) <= n_events:
        high *= 2
    low, high = high // 2, min(high, len(levels)) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if replay.count(levels[middle]) <= n_events:
            low = middle
        else:
            high = middle - 1
    return low


def _find_dispersion(replay, levels):
    """Compare hours and days at the strictest level with enough events to see clusters."""
    position = min(_last_with(replay, levels, _N_FOR_DISPERSION - 1) + 1, len(levels) - 1)
    return max(find_dispersion(*blocks) for blocks in replay.count_in_blocks(levels[position]))


def _extrapolate(replay, allowed):
    """Return the level with an expected number of events, by peaks over a threshold."""
    peaks = replay.peaks()
    if len(peaks) < _FEWEST_PEAKS:
        raise ValueError(
            f"the recordings have {len(peaks)} stretches that could become an event, and {_FEWEST_PEAKS} are needed to "
            "extrapolate. Pass more recordings, or extrapolate=False."
        )
    fraction = float(np.clip(_TAIL * len(peaks), *_TAIL_SIZE)) / len(peaks)
    tail = ParetoTailThreshold(min(allowed / len(peaks), 0.9 * fraction), tail_fraction=fraction)
    return tail.fit(peaks).threshold_


def _check_recordings(paths, training_digests):
    """Raise if a recording cannot be read, was in the training, or is a copy of another one."""
    known = {str(digest) for digest in training_digests}
    lengths = {len(digest) for digest in known}
    first: dict[str, str] = {}
    trained = []
    for row in measure_recordings(paths, spectra=False):
        if row.error:
            raise ValueError(f"{row.path}: {row.error} Leave the recording out.")
        if row.digest in first:
            raise ValueError(
                f"{row.path}: has the same samples as {first[row.digest]}. A copy adds no hours of normal sound, so "
                "leave it out."
            )
        first[row.digest] = row.path
        trained += [row.path] if any(row.digest[:length] in known for length in lengths) else []
    if trained:
        more = f" and {len(trained) - _SHOWN} more" if len(trained) > _SHOWN else ""
        raise ValueError(
            f"{len(trained)} of {len(paths)} recordings are in the training set of the detector: "
            f"{', '.join(trained[:_SHOWN])}{more}. The detector knows these recordings, so the alarm would be raised "
            "far more often than promised. Calibrate on other recordings."
        )
