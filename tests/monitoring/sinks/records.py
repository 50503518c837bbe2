"""Records and facts that the tests of the sinks send."""

import numpy as np

from skaudio_ad.monitoring import Notice, Window
from skaudio_ad.monitoring.sinks import MonitorInfo
from skaudio_ad.recordings import Event

#: Unix time of 15 January 2027, 08:00:00 UTC (date -d @1800000000 -u).
START = 1_800_000_000.0


def info(state=None, source="fan"):
    return MonitorInfo(source, "1-NN", state, 10.0, 5.0, -3.0, -2.0, "at most one event a day", 16000)


def window(number=0, **changes):
    start = START + 5 * number
    values = {"score": -1.0, "p_value": 0.5, "level_db": -30.0} | changes
    return Window(start, start + 10, **values)


def event(number=0, state="raised", **changes):
    start = START + 100 * number
    values = {
        "id": f"fan-{number}",
        "source": "fan",
        "start": start,
        "end": start + 20,
        "worst_time": start + 10,
        "score": -7.5,
        "p_value": 0.01,
        "n_windows": 3,
        "state": state,
    }
    return Event(**(values | changes))


def notice(number=0, **changes):
    values = {
        "id": f"gap-{number}",
        "time": START + number,
        "kind": "gap",
        "text": "Two seconds are missing.",
    }
    return Notice(**(values | {"duration": 2.0} | changes))


def sound(start, end):
    """Give noise of two channels for any stretch."""
    rate = 8000
    samples = np.random.default_rng(0).normal(0, 0.1, (round((end - start) * rate), 2))
    return samples.astype(np.float32), rate, start
