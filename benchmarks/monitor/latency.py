"""Time from the end of a window to its record, at real time with "mini": one source, and 16 sources in a process."""

import threading
import time

import numpy as np

from skaudio_ad.monitoring import Block, Monitor, Window
from skaudio_ad.monitoring.sources import SourceInfo
from skaudio_ad.presets import make_detector
from skaudio_ad.recordings import AlarmPolicy

from .._report import one_thread
from ._sounds import HOP, SECONDS, fit_on_long_sound, normal_clips
from .week import resident_megabytes

RATE = 16000
# Number of clips in training: five models score, because one model for every clip is only for 30 clips or fewer.
N_TRAINING = 100
# Duration of the measurement, in seconds of real time.
DURATION = 120.0
# Duration of a block, in seconds.
BLOCK = 0.5


class RealTimeSource:
    """Clips at real time, joined in order."""

    def __init__(self, clips, duration, name):
        self.name, self._sound, self._n_blocks = name, clips.reshape(-1), round(duration / BLOCK)
        self._closed = threading.Event()

    def describe(self):
        """Return the sample rate and the number of channels."""
        return SourceInfo(RATE, 1, live=True)

    def stream(self, position=None):
        """Yield every block when its last sample has sounded."""
        start, begin, size = time.time(), time.monotonic(), round(BLOCK * RATE)
        for number in range(self._n_blocks):
            self._closed.wait(max(0.0, begin + (number + 1) * BLOCK - time.monotonic()))
            if self._closed.is_set():
                return
            samples = np.take(self._sound, np.arange(number * size, (number + 1) * size), mode="wrap")
            yield Block(start + number * BLOCK, samples[:, None], RATE, None, self.name)

    def close(self):
        """End the stream."""
        self._closed.set()


def row(detector, clips, n_sources, duration, seed=0):
    """Listen to some sources at the same time, one thread each.

    Parameters
    ----------
    detector : fitted pipeline
        Shared by all sources.
    clips : ndarray of shape (n_clips, n_samples)
    n_sources : int
    duration : float
        In seconds.
    seed : int

    Returns
    -------
    dict
    """
    latencies, n_other, errors, lock = [], [0], [], threading.Lock()
    begins = np.random.default_rng(seed).uniform(0, HOP if n_sources > 1 else 0, n_sources)

    def listen(number):
        time.sleep(begins[number])  # windows of different sources end at different times
        source = RealTimeSource(np.roll(clips, number, axis=0), duration, f"source {number}")
        try:
            with Monitor(
                detector, source, policy=AlarmPolicy(-1e30, -1e30), window=SECONDS, hop=HOP
            ) as monitor:
                for record in monitor:
                    late = time.time() - getattr(record, "end", np.nan)
                    with lock:
                        if isinstance(record, Window):
                            latencies.append(late)
                        else:
                            n_other[0] += getattr(record, "kind", "") in ("overrun", "lost", "gap")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=listen, args=(number,)) for number in range(n_sources)]
    used, began = time.process_time(), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used, lasted = time.process_time() - used, time.monotonic() - began
    if errors:
        raise errors[0]
    expected = n_sources * int((duration - SECONDS) / HOP + 1)
    p50, p99 = np.quantile(latencies, [0.5, 0.99])
    return {
        "sources": n_sources,
        "seconds": f"{duration:.0f}",
        "windows": f"{len(latencies)} of {expected}",
        "latency p50, ms": f"{1000 * p50:.0f}",
        "latency p99, ms": f"{1000 * p99:.0f}",
        "latency max, ms": f"{1000 * max(latencies):.0f}",
        "CPU per window, ms": f"{1000 * used / len(latencies):.0f}",
        "share of a core per source": f"{used / lasted / n_sources:.2%}",
        "memory, MB": f"{resident_megabytes():.0f}",
        "gaps": n_other[0],
    }


def tables(*, quick, seed):
    """Return the table of this part."""
    clips = normal_clips(24 if quick else N_TRAINING, seed, sample_rate=RATE)
    detector = make_detector("mini", duration=SECONDS, random_state=seed)
    with one_thread():
        fit_on_long_sound(detector, clips, RATE, SECONDS, SECONDS)
        made = [
            row(detector, clips[:20], n, 15.0 if quick else DURATION, seed) for n in (1, 2 if quick else 16)
        ]
    notes = (
        'Generated sound of a fan at real time, windows of 10 s every 5 s, "mini" with one thread. The sources of a '
        "row share a detector, in threads of one process. The latency runs from the last sample of a window to its "
        "record. A block lasts 0.5 s, and the resampler gives the end of a window with the next block, so the latency "
        "holds one block. Other programs on the machine make the latency longer."
    )
    return [("latency and CPU time at real time", made, notes)]
