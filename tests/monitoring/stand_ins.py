"""Stand-ins for tests of monitors: a detector of loud windows, a source from a list, and a sink that keeps all."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, TransformerMixin
from sklearn.pipeline import make_pipeline

from skaudio_ad import AudioLoader
from skaudio_ad.monitoring import Block, Notice
from skaudio_ad.monitoring.sources import SourceInfo

RATE = 1000
START = 1_700_000_000.0


class Peak(TransformerMixin, BaseEstimator):
    """Largest absolute sample of every clip, in one column."""

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        return np.array([[np.abs(clip).max()] for clip in X], dtype=np.float32)


class LoudDetector(OutlierMixin, BaseEstimator):
    """The score is minus the largest sample, and a sample above 0.5 is anomalous."""

    def fit(self, X, y=None):
        self.offset_ = -0.5
        return self

    def score_samples(self, X):
        return -np.asarray(X, dtype=np.float64)[:, 0]


def loud_detector(rate=RATE, duration=1.0, **loading):
    detector = make_pipeline(AudioLoader(rate, duration=duration, **loading), Peak(), LoudDetector())
    return detector.fit([np.zeros(round(rate * duration), np.float32)])


def sound(seconds, faults=(), *, rate=RATE, seed=0, n_channels=1):
    """Return quiet noise of shape (n_samples, n_channels) with loud stretches (start, end), in seconds."""
    samples = np.random.default_rng(seed).uniform(-0.2, 0.2, (round(seconds * rate), n_channels))
    for start, end in faults:
        samples[round(start * rate) : round(end * rate)] *= 4.5
    return samples.astype(np.float32)


def blocks(samples, *, start=START, rate=RATE, seconds=0.5, first=0, stream="a", has_position=True):
    """Cut samples into blocks whose position is their number."""
    size = round(seconds * rate)
    return [
        Block(
            start + place / rate,
            samples[place : place + size],
            rate,
            position=first + number + 1 if has_position else None,
            stream=stream,
        )
        for number, place in enumerate(range(0, len(samples), size))
    ]


@dataclass
class ListSource:
    """Source that yields the items of a list. A position is the number of items that were used."""

    items: list[Any]
    name: str = "list"
    info: SourceInfo = field(default_factory=lambda: SourceInfo(None, None, live=False))
    n_closed: int = 0

    @classmethod
    def of(cls, items, **settings):
        """Number the positions of all blocks and notices."""
        numbered = [
            item if item is None else replace(item, position=number + 1) for number, item in enumerate(items)
        ]
        return cls(numbered, **settings)

    def describe(self):
        return self.info

    def stream(self, position=None):
        yield from self.items[position or 0 :]

    def close(self):
        self.n_closed += 1


class KeepingSink:
    """Sink that keeps the records, and the sound of events."""

    def __init__(self, name="keeping"):
        self.name = name
        self.info, self.records, self.sounds, self.n_closed = None, [], [], 0

    def open(self, info):
        self.info = info

    def send(self, record, sound=None):
        self.records.append(record)
        if hasattr(record, "worst_time"):
            self.sounds.append(sound(record.start - 1.0, record.end))

    def close(self, timeout=10.0):
        self.n_closed += 1


def of_kind(records, *kinds):
    return [record for record in records if isinstance(record, Notice) and record.kind in kinds]
