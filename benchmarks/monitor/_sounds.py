"""Sounds of a machine without an end, made of generated clips, and their detectors."""

import math
import tempfile
import threading
from dataclasses import replace

import numpy as np
import soundfile
from sklearn.pipeline import make_pipeline

from skaudio_ad import AudioLoader, MelTransformer, NearestNeighborsDetector, TemporalPooling
from skaudio_ad.audio import segment
from skaudio_ad.datasets import make_machine_sounds
from skaudio_ad.monitoring import Block, Monitor, Window
from skaudio_ad.monitoring._calibration import calibrate_scores
from skaudio_ad.monitoring._detector_key import detector_key
from skaudio_ad.monitoring.sources import SourceInfo
from skaudio_ad.recordings import AlarmPolicy, Event

# Unix time of the first sample of every simulation.
START = 1_700_000_000.0
# Duration of the clips that the sounds are joined from, and of a window, in seconds.
SECONDS = 10.0
HOP = 5.0
# Sample rate of the sounds for the cheap detector, in hertz. No fault is audible at a lower rate.
LOW_RATE = 8000


class JoinedSource:
    """Endless normal sound of a machine, with faults at known times.

    Clips are drawn at random, one after the other. Clips of a fault replace normal clips.

    Parameters
    ----------
    normal : ndarray of shape (n_clips, n_samples), float32
    sample_rate : int
        In hertz.
    n_clips : int
        Number of clips that are played.
    faults : dict of {int: ndarray of shape (n_samples,)}, default={}
        Clip of a fault for a place in the order.
    random_state : int, default=0
        Seed of the order.
    order : ndarray of int of shape (n_clips,), default=None
        Numbers of the normal clips. None draws them.
    skipped : float, default=0.0
        Duration that is left out at the begin of the first clip, in seconds, so that windows begin anywhere in a clip.
    name : str, default="machine"
    """

    def __init__(
        self,
        normal,
        sample_rate,
        n_clips,
        faults=None,
        *,
        random_state=0,
        order=None,
        skipped=0.0,
        name="machine",
    ):
        self.name = name
        self._normal, self._rate, self._skipped = normal, sample_rate, round(skipped * sample_rate)
        drawn = np.random.default_rng(random_state).integers(len(normal), size=n_clips)
        self._order = drawn if order is None else np.asarray(order)
        self._faults = faults or {}
        self._closed = threading.Event()

    def describe(self):
        """Return the sample rate and the number of channels."""
        return SourceInfo(self._rate, 1, live=False)

    def stream(self, position=None):
        """Yield one block for every clip."""
        n_samples = self._normal.shape[1]
        for place in range(position or 0, len(self._order)):
            if self._closed.is_set():
                return
            clip = self._faults.get(place)
            clip = self._normal[self._order[place]] if clip is None else clip
            first = 0 if place else self._skipped
            time = START + (place * n_samples + first) / self._rate
            yield Block(time, clip[first:, None], self._rate, place + 1, self.name)

    def close(self):
        """End the stream."""
        self._closed.set()


def normal_clips(n_clips, seed, *, machine="fan", sample_rate=LOW_RATE, duration=SECONDS):
    """Return generated normal clips: ndarray of shape (n_clips, n_samples), float32."""
    return make_machine_sounds(
        n_clips, 0, machine=machine, duration=duration, sample_rate=sample_rate, random_state=seed
    ).waveforms


def fault_clips(n_clips, seed, *, machine="fan", fault="mixed", sample_rate=LOW_RATE, duration=SECONDS):
    """Return clips of obvious faults (severity 1), by default all faults of the machine in turn."""
    return make_machine_sounds(
        0,
        n_clips,
        machine=machine,
        fault=fault,
        severity=1.0,
        duration=duration,
        sample_rate=sample_rate,
        random_state=seed,
    ).waveforms


def cheap_detector(clips):
    """Fit nearest neighbours of pooled log-mel spectrograms on clips of `LOW_RATE`."""
    mel = MelTransformer(LOW_RATE, n_fft=1024, hop_length=1024, n_mels=16)
    return make_pipeline(
        AudioLoader(LOW_RATE, duration=SECONDS), mel, TemporalPooling(), NearestNeighborsDetector()
    ).fit(list(clips))


def fit_on_long_sound(detector, clips, sample_rate, window, hop):
    """Fit a detector on the windows of one long recording, which is written to a file for this purpose."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/normal.wav"
        soundfile.write(path, np.concatenate(list(clips)), sample_rate, subtype="FLOAT")
        return detector.fit(segment([path], window, hop))


def calibrate(detector, source, window, hop, **shape):
    """Calibrate alarms for one event per day, or what the duration supports, by the windows of a normal source."""
    anything = AlarmPolicy(-1e30, -1e30)
    with Monitor(detector, source, policy=anything, window=window, hop=hop) as monitor:
        windows = [record for record in monitor if isinstance(record, Window)]
    times, scores = (np.array([getattr(window, name) for window in windows]) for name in ("start", "score"))
    found = calibrate_scores([(times, scores)], window, hop, shape=shape)
    return replace(found, detector_key=detector_key(detector))


def listen(detector, source, calibration):
    """Listen to the end of a source, and return the events when they are raised, and when they are cleared.

    Returns
    -------
    raised, cleared : list of Event
    """
    with Monitor(detector, source, calibration=calibration) as monitor:
        events = [record for record in monitor if isinstance(record, Event)]
    return ([event for event in events if event.state == state] for state in ("raised", "cleared"))


def judge(raised, cleared, faults, window, hop):
    """Compare events with faults at known times.

    Parameters
    ----------
    raised, cleared : list of Event
    faults : list of (float, float)
        Unix times at which the faults begin and end.
    window, hop : float

    Returns
    -------
    delays : list of int or None
        Number of windows that end after the begin of a fault until its event is raised. None if the fault is missed.
    n_false : int
        Number of events that overlap with no fault.
    """
    delays = []
    for begin, end in faults:
        # The last window that holds a part of the fault ends before the end plus a window.
        found = [event.end for event in raised if begin < event.end < end + window]
        delays.append(math.ceil(round((min(found) - begin) / hop, 6)) if found else None)
    n_false = sum(
        not any(event.start < end and event.end > begin for begin, end in faults) for event in cleared
    )
    return delays, n_false


def delay_row(delays):
    """Return the columns about the delays of a table."""
    found = [delay for delay in delays if delay is not None]
    return {
        "faults": len(delays),
        "found": len(found),
        "windows to the alarm, median": f"{np.median(found):.0f}" if found else "",
        "windows to the alarm, largest": max(found) if found else "",
        "found within two windows": f"{sum(delay <= 2 for delay in found) / len(delays):.0%}",
    }
