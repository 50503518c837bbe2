"""Measure one recording block by block: level, clipping, silence, bandwidth, checksum and fingerprint."""

import hashlib
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft

from .._clip_errors import explain
from .._typing import PathLike
from ..audio._open import (
    BLOCK,
    check_complete,
    check_finite,
    find_frames,
    open_recording,
    read_blocks,
    skip_frames,
)

# Number of spectra per second. A spectrum of 1/8 s has a resolution of 8 Hz at every sample rate.
_SPECTRA_PER_SECOND = 8
# Maximum number of spectra in a fingerprint: the first 10 s.
_MAX_FINGERPRINT = 80
# Minimum number of spectra with sound, and of bands, that make a fingerprint.
_MIN_FINGERPRINT, _MIN_BANDS = 8, 4
# Power of a silent spectrum relative to the mean of the recording: -40 dB.
_SILENT_SHARE = 1e-4
# Edges of the bands of a fingerprint in hertz: 16 bands of equal ratio, where most sounds have energy.
_BAND_EDGES = np.geomspace(60, 8000, 17)
# Minimum amplitude of a clipped sample. The largest amplitude of a file with 8 bits is 0.992.
_FULL_SCALE = 0.985
# Minimum duration in seconds of equal samples that count as a gap. A recording without dither repeats a sample for
# much less time.
_SHORTEST_GAP = 0.1
# Maximum level of silence, in dB relative to full scale. A 16-bit file has its quantisation noise at -98 dB.
SILENCE = -80.0
# Minimum drop in dB that counts as the edge of a band, and width of the edge relative to its frequency. 20 dB within
# 15 % of a frequency are 100 dB per octave. Filters of recording chains are as steep, and sounds are not.
_CLIFF, _EDGE = 20.0, 0.15
# Power that is added to every spectrum, far below the quantisation noise of 24 bits.
_TINY = 1e-18


@dataclass
class CheckedRecording:
    """What was measured in one recording.

    Attributes
    ----------
    path : str
    sample_rate : int
        Samples per second of the file, in hertz.
    n_channels : int
    duration : float
        Length in seconds.
    level : float
        Root mean square of the mean of all channels, in dB relative to full scale. -inf for digital silence.
    peak : float
        Largest amplitude of a channel, in dB relative to full scale.
    bandwidth : float
        Frequency in hertz above which the spectrum falls by 20 dB or more within 15 % of the frequency, and stays
        there. Half the sample rate if there is no such edge. NaN for silence.
    clipped : float
        Share of the samples in flat tops: the third and further equal samples in a row at full scale.
    gap : float
        Duration in seconds of the longest stretch of equal samples, such as zeros.
    offset : float
        Share of the power that is a constant (direct current).
    dead_channels : int
        Number of silent channels beside a channel with sound.
    digest : str
        SHA-256 of the decoded samples. "" if the recording could not be read.
    error : str
        Reason why the recording could not be read, or "".

    Notes
    -----
    The bandwidth depends on the recording chain and not on the sound: converters, resamplers and lossy codecs cut the
    spectrum off steeply, as in [1]_.

    References
    ----------
    .. [1] B. D'Alessandro and Y. Q. Shi, "MP3 bit rate quality detection through frequency spectrum analysis", ACM
       Workshop on Multimedia and Security, 2009.
    """

    path: str
    sample_rate: int = 0
    n_channels: int = 0
    duration: float = float("nan")
    level: float = float("nan")
    peak: float = float("nan")
    bandwidth: float = float("nan")
    clipped: float = float("nan")
    gap: float = float("nan")
    offset: float = float("nan")
    dead_channels: int = 0
    digest: str = ""
    error: str = ""
    fingerprint: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    @property
    def is_silent(self) -> bool:
        """Whether the recording could be read and holds no sound."""
        return not self.error and self.level <= SILENCE


class Measure:
    """Measure recordings. An instance is a function of a path.

    Parameters
    ----------
    spectra : bool, default=True
        Whether to compute the spectra for the bandwidth and the fingerprint.
    """

    def __init__(self, spectra: bool = True) -> None:
        self.spectra = spectra

    def __call__(self, path: PathLike) -> CheckedRecording:
        """Measure one recording. An error becomes the `error` of the result.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        CheckedRecording
        """
        path = os.fsdecode(path)
        try:
            with open_recording(path) as file:
                check_complete(file, path)
                sums = _Sums(file.samplerate, file.channels, self.spectra)
                first, n_frames = find_frames(file, path)
                if first:
                    skip_frames(file, first)
                for block in read_blocks(file, path, n_frames, max(1, BLOCK // file.channels)):
                    check_finite(block, path)
                    sums.add(block)
                check_complete(file, path)
        except Exception as error:  # any error: the other recordings are checked all the same
            reason = explain(error).removeprefix(f"{path}: ")
            return CheckedRecording(path, error=reason or type(error).__name__)
        if not sums.n_samples:
            return CheckedRecording(path, error="holds no samples; restore it.")
        return sums.finish(path)


class _Sums:
    """Running sums over the blocks of one recording."""

    def __init__(self, rate, n_channels, spectra):
        self.rate, self.n_channels, self.n_samples = rate, n_channels, 0
        self.digest = hashlib.sha256()
        self.power, self.total, self.mix_power = np.zeros(n_channels), 0.0, 0.0
        self.peak, self.n_clipped = 0.0, 0
        self.last, self.run, self.longest = None, 0, 0
        self.spectrum = _Spectrum(rate) if spectra else None

    def add(self, block):
        mono = block.mean(axis=1) if self.n_channels > 1 else block[:, 0]
        self.n_samples += len(mono)
        self.digest.update(block.tobytes())
        self.total += float(mono.sum(dtype=np.float64))
        self.mix_power += _sum_of_squares(mono)
        self.power += [_sum_of_squares(channel) for channel in block.T] if self.n_channels > 1 else 0
        peak = max(float(block.max()), -float(block.min()))
        self.peak = max(self.peak, peak)
        if peak >= _FULL_SCALE:
            repeated = (block[1:] == block[:-1]) & (np.abs(block[1:]) >= _FULL_SCALE)
            self.n_clipped += int(np.count_nonzero(repeated[1:] & repeated[:-1]))
        self._add_runs(mono)
        if self.spectrum is not None:
            self.spectrum.add(mono)

    def _add_runs(self, mono):
        """Find the longest stretch of equal samples, also across blocks."""
        if self.last is None:
            self.last = mono[0]
        changes = np.flatnonzero(np.diff(mono, prepend=self.last))
        self.last = mono[-1]
        if not len(changes):
            self.run += len(mono)
        else:
            runs = np.diff(changes)
            self.longest = max(self.longest, self.run + int(changes[0]), int(runs.max(initial=0)))
            self.run = len(mono) - int(changes[-1])
        self.longest = max(self.longest, self.run)

    def finish(self, path):
        mean, power = self.total / self.n_samples, self.mix_power / self.n_samples
        level = _decibels(power)
        is_silent = level <= SILENCE
        channels = _as_decibels(self.power / self.n_samples)
        gap = self.longest / self.rate
        found = CheckedRecording(
            path,
            self.rate,
            self.n_channels,
            self.n_samples / self.rate,
            level,
            _decibels(self.peak**2),
            clipped=self.n_clipped / (self.n_samples * self.n_channels),
            gap=gap if gap >= _SHORTEST_GAP else 0.0,
            offset=min(1.0, mean**2 / power) if power else 0.0,
            digest=self.digest.hexdigest(),
        )
        if self.n_channels > 1 and channels.max() > SILENCE:
            found.dead_channels = int(np.count_nonzero(channels <= SILENCE))
        if self.spectrum is not None and not is_silent:
            found.bandwidth, found.fingerprint = self.spectrum.finish()
        return found


def _sum_of_squares(samples):
    # float64, because the squares of quiet samples underflow in float32
    samples = samples.astype(np.float64)
    return float(samples @ samples)


def _decibels(power):
    return float(10 * np.log10(power)) if power > 0 else -np.inf


def _as_decibels(powers):
    with np.errstate(divide="ignore"):
        return 10 * np.log10(powers)


class _Spectrum:
    """Mean power spectrum of a recording, and the energies of the bands of its first spectra."""

    def __init__(self, rate):
        self.rate = rate
        self.size = max(16, round(rate / _SPECTRA_PER_SECOND))
        self.window = np.hanning(self.size + 2)[1:-1].astype(np.float32)
        self.scale = 1 / (self.size * float(np.square(self.window).sum()))
        self.rest, self.n_frames = np.empty(0, dtype=np.float32), 0
        self.total = np.zeros(self.size // 2 + 1)
        self.edges = np.searchsorted(np.arange(self.size // 2 + 1) * rate / self.size, _BAND_EDGES)
        self.bands: list[Any] = []

    def add(self, mono):
        samples = np.concatenate([self.rest, mono]) if len(self.rest) else mono
        n_frames = len(samples) // self.size
        frames, self.rest = samples[: n_frames * self.size], samples[n_frames * self.size :].copy()
        if n_frames:
            self._add_frames(frames.reshape(n_frames, self.size))

    def _add_frames(self, frames):
        powers = np.square(np.abs(rfft(frames * self.window, axis=1))) * self.scale
        self.total += powers.sum(axis=0, dtype=np.float64)
        first = powers[: max(0, _MAX_FINGERPRINT - self.n_frames)]
        if len(first):
            parts = zip(self.edges[:-1], self.edges[1:])
            self.bands.append(
                np.stack([first[:, low:high].sum(axis=1, dtype=np.float64) for low, high in parts], axis=1)
            )
        self.n_frames += len(frames)

    def finish(self):
        """Return the bandwidth in hertz and the fingerprint."""
        if not self.n_frames:
            self._add_frames(np.pad(self.rest, (0, self.size - len(self.rest)))[None])
        mean = self.total / self.n_frames
        return find_bandwidth(mean, self.rate / self.size), _fingerprint(
            np.concatenate(self.bands), self.rate
        )


def find_bandwidth(spectrum: npt.NDArray[np.float64], resolution: float) -> float:
    """Find the edge at which a power spectrum falls steeply and stays low.

    Parameters
    ----------
    spectrum : ndarray of shape (n_bins,)
        Mean power of every bin from 0 Hz to half the sample rate.
    resolution : float
        Distance of two bins, in hertz.

    Returns
    -------
    float
        Frequency of the edge in hertz, or of the last bin if there is no edge.
    """
    spectrum = spectrum + _TINY
    last = len(spectrum) - 1
    smooth = np.convolve(np.pad(spectrum, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    highest_above = np.maximum.accumulate(smooth[::-1])[::-1]
    # The first bins are left out, because a band below them has too few bins.
    candidates = np.unique(np.geomspace(8, max(8, last), 160).astype(int))
    drops = []
    for top in candidates[candidates * (1 + _EDGE) + 1 < last].tolist():
        band = spectrum[int((1 - _EDGE) * top) : top + 1]
        below = np.partition(band, len(band) // 2)[len(band) // 2]  # ten times faster than np.median
        drops.append((10 * np.log10(below / highest_above[int((1 + _EDGE) * top) + 1]), below, top))
    drop, below, top = max(drops, default=(0.0, 0.0, last))
    if drop < _CLIFF:
        return float(last * resolution)
    floor = highest_above[int((1 + _EDGE) * top) + 1]
    around = smooth[top // 2 : int((1 + _EDGE) * top) + 2]
    return float((top // 2 + np.flatnonzero(around > np.sqrt(below * floor))[-1]) * resolution)


def _fingerprint(bands, rate):
    """Return log energies without the mean of every band and of every spectrum.

    Gain and an equaliser change the means of bands, and a common envelope is no sign of a copy.

    Returns
    -------
    ndarray of shape (_MAX_FINGERPRINT, n_bands), float32, or None
        Bands below half the sample rate. Silent spectra, and those beyond the end of the recording, are 0. None if the
        recording has too little sound.
    """
    bands = bands[:, : np.count_nonzero(_BAND_EDGES[1:] <= rate / 2)]
    sounding = bands.sum(axis=1) > _SILENT_SHARE * bands.sum() / max(1, len(bands))
    if np.count_nonzero(sounding) < _MIN_FINGERPRINT or bands.shape[1] < _MIN_BANDS:
        return None
    # The floor hides the noise that a codec adds to silence.
    logs = np.log(bands[sounding] + _SILENT_SHARE * bands.mean(axis=0) + _TINY)
    logs -= logs.mean(axis=0)
    made = np.zeros((_MAX_FINGERPRINT, bands.shape[1]), dtype=np.float32)
    made[: len(sounding)][sounding] = logs - logs.mean(axis=1, keepdims=True)
    return made
