"""The part of a recording that the page plays, and the spectrogram of that part."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

from .._typing import Float32Array, PathLike
from ..audio import AudioLoader, LevelNormalizer, read_audio
from ..audio._channels import pair_of
from ..features import MelTransformer
from ..inspection._drawing import round_frequencies

# Maximum number of columns and rows of a spectrogram, in pixels.
_MAX_COLUMNS, _MAX_ROWS = 900, 96
# Length of the Fourier transform, in seconds: that of the DCASE Task 2 baselines.
_FRAME = 0.064
# Range of levels below the loudest one that a spectrogram shows, in dB (librosa's default of power_to_db).
RANGE_DB = 80.0
# Percentiles of the levels of a band over time that describe the band of a normal recording.
_PERCENTILES = (1, 50, 99)
# Number of frames of the moving average of levels.
_SMOOTHING = 3


@dataclass
class Excerpt:
    """Samples of a part of a recording.

    Attributes
    ----------
    samples : ndarray of shape (n_samples,), float32
        One waveform, as it was recorded.
    heard : ndarray of shape (n_samples,), float32
        The waveform at the level at which the detector hears the recording.
    sample_rate : int
        Samples per second, in hertz.
    start, duration : float
        Part of the recording, in seconds from the start of the part of the file that is scored.
    note : str
        What the excerpt leaves out, or "".
    """

    samples: Float32Array
    heard: Float32Array
    sample_rate: int
    start: float
    duration: float
    note: str


class ExcerptReader:
    """Read excerpts of recordings as the loader of a detector reads recordings.

    Parameters
    ----------
    loader : AudioLoader
    middle : Pipeline or None
        Steps between the loader and the detector.
    max_duration : float
        Maximum duration of an excerpt, in seconds.
    """

    def __init__(self, loader: AudioLoader, middle: Any, max_duration: float) -> None:
        self.loader, self.max_duration = loader, max_duration
        steps = [] if middle is None else [step for _, step in middle.steps]
        self.level = next((step for step in steps if isinstance(step, LevelNormalizer)), None)
        pair = pair_of(loader.channel)
        self.channel = loader.channel if pair is None else pair[0]

    def place(self, duration: float, worst_time: float | None) -> tuple[float, float | None]:
        """Choose the part of a recording that the page plays.

        Parameters
        ----------
        duration : float
            Duration of the recording, in seconds. NaN if unknown.
        worst_time : float or None
            Worst moment, in seconds. None if unknown.

        Returns
        -------
        start : float
            In seconds.
        length : float or None
            Duration of the part, in seconds. None takes the whole recording.
        """
        if duration <= self.max_duration:
            return 0.0, self.loader.duration
        length = min(self.loader.duration or self.max_duration, self.max_duration)
        start = 0.0
        if worst_time is not None and not math.isnan(duration):
            start = min(max(0.0, worst_time - length / 2), duration - length)
        return start, length

    def read(self, path: PathLike, duration: float, worst_time: float | None = None) -> Excerpt:
        """Read the part of a recording that the page plays.

        Parameters
        ----------
        path : str or path-like
        duration, worst_time
            As in :meth:`place`.

        Returns
        -------
        Excerpt

        Raises
        ------
        AudioReadError
            If the file cannot be read.
        """
        start, length = self.place(duration, worst_time)
        samples, rate = read_audio(
            path,
            self.loader.sample_rate,
            offset=self.loader.offset + start,
            duration=length,
            channel=self.channel,
        )
        heard = samples if self.level is None else self.level.transform([samples])[0]
        end = start + len(samples) / rate
        note = self._note(start, end, duration, worst_time)
        return Excerpt(samples, heard, rate, start, end - start, note)

    def _note(self, start, end, duration, worst_time):
        """Return what an excerpt leaves out."""
        notes = []
        if self.loader.offset:
            notes.append(f"The detector scores the file from {self.loader.offset:g} s on.")
        if pair_of(self.loader.channel) is not None:
            notes.append(f"The sound is that of channel {self.channel}; the detector hears two channels.")
        is_cut = (
            end - start > 0.999 * self.max_duration
            if math.isnan(duration)
            else end - start < 0.999 * duration
        )
        if is_cut:
            part = "the first part" if worst_time is None else "the part around the worst moment"
            whole = "" if math.isnan(duration) else f" of {_clock(duration)}"
            notes.append(f"The sound and the picture show {part}, {_clock(start)} to {_clock(end)}{whole}.")
        return " ".join(notes)


def _clock(seconds):
    """Write a time as seconds, minutes:seconds or hours:minutes:seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if minutes else f"{seconds:.3g} s"


@dataclass
class Levels:
    """Levels of an excerpt in mel bands over time.

    Attributes
    ----------
    levels_db : ndarray of shape (n_bands, n_frames), float32
        Levels in dB, lowest band first.
    times : ndarray of shape (n_frames,)
        Middles of the frames, in seconds from the start of the recording.
    centers : ndarray of shape (n_bands,)
        Centre frequencies, in hertz.
    """

    levels_db: Float32Array
    times: npt.NDArray[np.float64]
    centers: npt.NDArray[np.float64]

    @property
    def high_db(self) -> float:
        """Level of the brightest colour: the level of the loudest value, rounded up to ten decibels.

        Similar recordings get the same colours, because their limits are mostly rounded to the same number.
        """
        return 10.0 * math.ceil(float(self.levels_db.max()) / 10)

    @property
    def low_db(self) -> float:
        """Lowest level that the picture shows. The quietest values of a spectrogram are an arbitrary floor."""
        return self.high_db - RANGE_DB

    def ticks(self) -> list[tuple[float, str]]:
        """Return round frequencies as (fraction of the height from the bottom, text)."""
        rows = np.arange(len(self.centers))
        return [
            ((float(np.interp(frequency, self.centers, rows)) + 0.5) / len(rows), _in_hertz(frequency))
            for frequency in round_frequencies(self.centers)
        ]

    def summary(self) -> npt.NDArray[np.float64]:
        """Summarise every band over time.

        Returns
        -------
        ndarray of shape (4, n_bands)
            Level of the mean power, and the percentiles 1, 50 and 99 of the smoothed levels, in dB.
        """
        mean = 10 * np.log10(np.mean(10 ** (self.levels_db.astype(np.float64) / 10), axis=1))
        return np.vstack([mean, np.percentile(self.smooth(), _PERCENTILES, axis=1)])

    def smooth(self) -> npt.NDArray[np.float64]:
        """Average the levels over three frames, because the levels of single frames scatter.

        Returns
        -------
        ndarray of shape (n_bands, n_frames)
        """
        return uniform_filter1d(self.levels_db.astype(np.float64), _SMOOTHING, axis=1, mode="nearest")


def _in_hertz(frequency):
    return f"{frequency / 1000:g} kHz" if frequency >= 1000 else f"{frequency:g} Hz"


def compute_levels(excerpt: Excerpt) -> Levels:
    """Compute the log-mel spectrogram of an excerpt, as the detector hears the excerpt.

    A tone of amplitude 1 has 0 dB in its band.

    All excerpts at one sample rate have the same bands. The step between frames grows with the duration, so that the
    picture has at most 900 columns.

    Parameters
    ----------
    excerpt : Excerpt

    Returns
    -------
    Levels
    """
    mel = make_mel(excerpt.sample_rate, len(excerpt.heard))
    # A tone of amplitude 1 has the power 1.5 (n_fft / 4)^2 in the three bins of the periodic Hann window.
    full_scale = 10 * math.log10(1.5 * (mel.n_fft / 4) ** 2)
    levels = mel.transform([excerpt.heard])[0] - np.float32(full_scale)
    times = excerpt.start + mel.frames_to_seconds(np.arange(levels.shape[1]))
    return Levels(levels, times, mel.band_centers())


def make_mel(sample_rate: int, n_samples: int) -> MelTransformer:
    """Make the transformer for the picture of a clip.

    Parameters
    ----------
    sample_rate : int
        In hertz.
    n_samples : int

    Returns
    -------
    MelTransformer
    """
    import librosa

    n_fft = max(16, 2 ** round(math.log2(_FRAME * sample_rate)))
    # The lowest bands of the mel scale are the narrowest. A band is never narrower than the resolution of the
    # transform, because the band would hold no value.
    highest = float(librosa.hz_to_mel(sample_rate / 2))
    narrowest = 0.6 * sample_rate / n_fft
    n_mels = min(_MAX_ROWS, max(1, int(highest * float(librosa.mel_to_hz(1.0)) / narrowest) - 1))
    hop_length = max(n_fft // 4, -(-n_samples // (_MAX_COLUMNS - 1)))
    return MelTransformer(sample_rate, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels, norm=None)
