"""Variations of clips, each drawn from its own seed."""

import numpy as np

from .._lazy import LazySequence, is_missing
from .._librosa import import_librosa


class VariedClips(LazySequence):
    """Lazy sequence of variations of items. Every variation has its own seed; seed -1 leaves the item unchanged."""

    def __init__(self, items, sources, seeds, methods, settings):
        super().__init__(items)
        self.sources, self.seeds, self.methods, self.settings = sources, seeds, methods, settings

    def __len__(self):
        return len(self.sources)

    def _place(self, index):
        return int(self.sources[index])

    def _source(self, index):
        item = np.asarray(self._items[self._place(index)])
        if self.seeds[index] < 0 or is_missing(item):
            return item
        rng = np.random.default_rng(self.seeds[index])
        for method in self.methods:
            item = _VARY[method](item, rng, self)
        return np.asarray(item, dtype=np.float32)

    def _subset(self, indices):
        part = self._replace(self._items, self._functions)
        part.sources, part.seeds = self.sources[indices], self.seeds[indices]
        return part


def _silence(x):
    """Return the quietest value: 0 in a waveform, the minimum in a spectrogram."""
    return 0.0 if x.ndim == 1 else x.min()


def _draw_shift(x, rng, settings):
    largest = int(settings["max_shift"] * x.shape[-1])
    return int(rng.integers(-largest, largest + 1))


def _time_roll(x, rng, varied):
    return np.roll(x, _draw_shift(x, rng, varied.settings), axis=-1)


def _time_shift(x, rng, varied):
    shift = _draw_shift(x, rng, varied.settings)
    moved = np.full_like(x, _silence(x))
    if shift >= 0:
        moved[..., shift:] = x[..., : x.shape[-1] - shift]
    else:
        moved[..., :shift] = x[..., -shift:]
    return moved


def _mixup(x, rng, varied):
    other = np.asarray(varied._items[int(rng.integers(len(varied._items)))])
    if is_missing(other):
        return x
    weight = rng.beta(varied.settings["mixup_alpha"], varied.settings["mixup_alpha"])
    weight = min(weight, 1 - weight)
    # The other clip is cut or repeated to the length of x.
    other = np.take(other, np.arange(x.shape[-1]), axis=-1, mode="wrap")
    return (1 - weight) * x + weight * other


def _noise(x, rng, varied):
    snr = rng.uniform(*varied.settings["snr"])
    noise = rng.standard_normal(len(x))
    power = np.mean(np.square(x, dtype=np.float64))
    return x + noise * np.sqrt(power / 10 ** (snr / 10) / np.mean(noise**2))


def _pitch_shift(x, rng, varied):
    librosa = import_librosa()

    semitones = rng.uniform(-1, 1) * varied.settings["max_semitones"]
    rate = getattr(varied._items, "sample_rate", None) or varied.settings["sample_rate"]
    # A short clip needs a short window.
    n_fft = min(2048, 2 ** int(np.log2(max(len(x), 2))))
    return librosa.effects.pitch_shift(x, sr=rate, n_steps=semitones, n_fft=n_fft)


def _mask(x, rng, varied, axis):
    width = int(rng.integers(0, int(varied.settings["max_mask"] * x.shape[axis]) + 1))
    start = int(rng.integers(0, x.shape[axis] - width + 1))
    stripe = [slice(None)] * x.ndim
    stripe[axis] = slice(start, start + width)
    masked = x.copy()
    masked[tuple(stripe)] = x.mean()
    return masked


_VARY = {
    "time_shift": _time_shift,
    "time_roll": _time_roll,
    "mixup": _mixup,
    "noise": _noise,
    "pitch_shift": _pitch_shift,
    "time_mask": lambda x, rng, varied: _mask(x, rng, varied, axis=-1),
    "frequency_mask": lambda x, rng, varied: _mask(x, rng, varied, axis=-2),
}
