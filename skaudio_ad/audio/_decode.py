"""Turn one file into samples: decode, mix, resample, cut, pad. Every error names the file and says how to fix it."""

import os
from typing import Any, Literal

import numpy as np
import soxr

from .._checks import check_number, check_option
from .._media_fragments import split_fragment
from .._typing import Float32Array, PathLike
from ._channels import Channel, check_channel, pair_of
from ._open import (
    BLOCK,
    UNKNOWN_FRAMES,
    AudioReadError,
    check_complete,
    check_finite,
    find_frames,
    open_recording,
    read_blocks,
    skip_frames,
)

# Number of frames that are resampled at a time: soxr is half as fast on pieces that exceed the cache.
_PIECE = 1 << 13
# Maximum number of samples of a recording that resampling may lengthen by any factor: 35 minutes at 16 kHz.
_LARGEST_LENGTHENED = 1 << 25
# Maximum factor by which resampling may lengthen a longer recording. Otherwise a file of one megabyte whose header says
# 1 Hz would become gigabytes.
_LARGEST_FACTOR = 16
_PADS = ("none", "zeros", "repeat", "reflect")


def check_cut(*, offset: Any, duration: Any, channel: Any, pad: Any) -> None:
    """Check the parameters that select the part of a file that becomes the clip.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.
    """
    check_number(offset, "offset", low=0)
    check_number(duration, "duration", low=0, closed="neither", none=True)
    check_channel(channel)
    check_option(pad, "pad", _PADS)
    if pad != "none" and duration is None:
        raise ValueError(f"pad={pad!r} needs a duration to pad to; give one, in seconds.")


def read_audio(
    path: PathLike,
    sample_rate: int | None = None,
    *,
    offset: float = 0.0,
    duration: float | None = None,
    channel: Channel = "mix",
    pad: Literal["none", "zeros", "repeat", "reflect"] = "none",
) -> tuple[Float32Array, int]:
    """Decode one recording to samples at one sample rate: one waveform, or two of a pair of channels.

    Parameters
    ----------
    path : str or path-like
        Path of a file that libsndfile decodes: wav, flac, ogg, mp3 and more. A media fragment names a stretch of the
        file, as :func:`segment` writes it: ``long.wav#t=10,20`` lasts from second 10 to second 20. `offset` and
        `duration` then count within this stretch.

    sample_rate : int or None, default=None
        Samples per second of the result, in hertz. None keeps the rate of the file.

    offset : float, default=0.0
        Seconds to skip at the start of the file.

    duration : float or None, default=None
        Seconds to keep. None keeps the whole recording.

    channel : "mix", int, "near-far" or pair of int, default="mix"
        "mix" is the mean of all channels, an int the index of one channel. A pair of indices takes both channels, and
        "near-far" is the pair (0, 1).

    pad : {"none", "zeros", "repeat", "reflect"}, default="none"
        How to pad a recording shorter than `duration` at its end: not at all, with silence, with repetitions of
        the recording, or with its mirror image.

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32
        Samples; in [-1, 1] for integer formats. For a pair of channels, the shape is (2, n_samples).

    sample_rate : int
        Samples per second of `samples`, in hertz.

    Raises
    ------
    AudioReadError
        If the file is missing, not a regular file, empty, truncated, damaged or not audio, lacks the channel or
        the part that is asked for, holds NaN, or needs more memory than there is.

    Notes
    -----
    The file is decoded, mixed and resampled block by block. Besides the samples that are returned, some megabytes of
    memory are in use, whatever the length of the recording. The samples do not depend on the size of the blocks.
    Resampling gives exactly the samples of ``soxr.resample`` with ``quality="HQ"``.
    """
    check_number(sample_rate, "sample_rate", low=1, integer=True, none=True)
    check_cut(offset=offset, duration=duration, channel=channel, pad=pad)
    path = os.fsdecode(path)
    start, end = split_fragment(path)[1:]
    with open_recording(path) as file:
        rate = file.samplerate if sample_rate is None else sample_rate
        if start or end is not None:
            find_frames(file, path)  # raises where the stretch does not exist
        if end is not None and offset >= end - start:
            raise AudioReadError(
                path, f"lasts {end - start:g} s, so nothing is left after offset={offset:g} s."
            )
        length = _shorter(duration, None if end is None else end - start - offset)
        samples = _decode(file, path, rate, start + offset, length, channel)
        samples = fit_length(samples, rate, duration=length, pad="none")
        return fit_length(samples, rate, duration=duration, pad=pad), rate


def _shorter(duration, other):
    known = [value for value in (duration, other) if value is not None]
    return min(known, default=None)


def fit_length(samples: Any, sample_rate: int, *, duration: float | None, pad: str) -> Any:
    """Cut `samples` to `duration` seconds, or pad them where they are shorter.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
    sample_rate : int
        Samples per second, in hertz.
    duration : float or None
        Length in seconds. None leaves the samples unchanged.
    pad : {"none", "zeros", "repeat", "reflect"}

    Returns
    -------
    ndarray of shape (n_kept,)
    """
    if duration is None:
        return samples
    n_samples = max(1, round(duration * sample_rate))
    n_given = samples.shape[-1]
    if n_given >= n_samples or pad == "none":
        return samples[..., :n_samples]
    mode: Any = {"zeros": "constant", "repeat": "wrap", "reflect": "reflect"}[pad]
    widths = [(0, 0)] * (samples.ndim - 1) + [(0, n_samples - n_given)]
    return np.pad(samples, widths, mode=mode)


def _decode(file, path, sample_rate, offset, duration, channel):
    """Return the wanted part of an open file, mixed and resampled, as one array."""
    pair = pair_of(channel)
    if channel != "mix" and max(pair or [channel]) >= file.channels:
        if pair is None:
            lacks = f'channel={channel} does not exist; take a lower channel or "mix".'
        else:
            lacks = (
                f'channel={channel!r} takes two channels that do not both exist; take channel="mix", or leave the file '
                'out with on_error="skip".'
            )
        raise AudioReadError(path, f"has {file.channels} channel(s), so {lacks}")
    check_complete(file, path)
    own_rate = file.samplerate
    start = round(offset * own_rate)
    if start and start >= file.frames:
        raise AudioReadError(
            path, f"lasts {file.frames / own_rate:g} s, so nothing is left after offset={offset:g} s."
        )
    n_wanted = file.frames - start
    if duration is not None:
        # Read one extra frame, so that resampling never gives one sample too few.
        n_wanted = min(n_wanted, int(np.ceil(duration * own_rate)) + 1)
    if n_wanted < UNKNOWN_FRAMES:
        _check_lengthening(path, n_wanted, own_rate, sample_rate)
    skip_frames(file, start)
    # A channel of a pair has the samples that the channel has alone, because every waveform has its own resampler.
    waveforms = [_Waveform(path, own_rate, sample_rate, n_wanted) for _ in range(2 if pair else 1)]
    for block in _wanted_blocks(file, path, n_wanted, channel, sample_rate):
        for waveform, samples in zip(waveforms, block):
            waveform.append(samples)
    finished = [waveform.finish() for waveform in waveforms]
    samples = np.stack(finished) if pair else finished[0]
    check_complete(file, path)  # libsndfile notices some damage only while it decodes
    if not samples.size:
        raise AudioReadError(
            path,
            f"holds no samples (at {sample_rate} Hz, after offset={offset:g} s); restore it or leave it out with "
            'on_error="skip".',
        )
    return samples


def _wanted_blocks(file, path, n_wanted, channel, sample_rate):
    """Yield the next `n_wanted` frames of a file block by block: a list of one waveform, or of two of a pair."""
    size = max(1, BLOCK // max(file.channels, sample_rate // file.samplerate))
    mixes = isinstance(channel, str) and channel == "mix" and file.channels > 1
    only = (0,) if isinstance(channel, str) and channel == "mix" else pair_of(channel) or (channel,)
    for block in read_blocks(file, path, n_wanted, size):
        wanted = [block.mean(axis=1)] if mixes else [np.ascontiguousarray(block[:, index]) for index in only]
        for samples in wanted:
            check_finite(samples, path)
        yield wanted


class _Waveform:
    """One waveform that is resampled block by block.

    Parameters
    ----------
    path : str
    own_rate, sample_rate : int
        Rates of the blocks and of the result, in hertz.
    n_frames : int
        Expected number of frames of all blocks together.
    """

    def __init__(self, path, own_rate, sample_rate, n_frames):
        self._path, self._own_rate, self._sample_rate, self._n_read = path, own_rate, sample_rate, 0
        self._samples = _Growing(-(-n_frames * sample_rate // own_rate))
        self._resampler: Any = None
        if own_rate != sample_rate:
            self._resampler = soxr.ResampleStream(own_rate, sample_rate, 1, dtype="float32", quality="HQ")

    def append(self, block):
        if self._resampler is None:
            self._samples.append(block)
            return
        self._n_read += len(block)
        _check_lengthening(self._path, self._n_read, self._own_rate, self._sample_rate)
        for start in range(0, len(block), _PIECE):
            self._samples.append(self._resampler.resample_chunk(block[start : start + _PIECE]))

    def finish(self):
        if self._n_read:
            self._samples.append(self._resampler.resample_chunk(np.empty(0, dtype=np.float32), last=True))
        return self._samples.finish()


def _check_lengthening(path, n_frames, own_rate, sample_rate):
    """Raise where a wrong sample rate in the header would make a huge clip of a small file."""
    n_samples = n_frames * sample_rate // own_rate
    if n_samples > _LARGEST_LENGTHENED and n_samples > _LARGEST_FACTOR * n_frames:
        raise AudioReadError(
            path,
            f"lasts {n_frames / own_rate / 3600:.3g} hours by its header, which says {own_rate} Hz, and would become "
            f"{n_samples} samples at {sample_rate} Hz; correct the sample rate of the file, or give a duration.",
        )


class _Growing:
    """Samples in one array that grows with every block, because the length in a header may be wrong.

    Parameters
    ----------
    expected : int
        Expected number of samples. The array stays within this size until more samples arrive.
    """

    def __init__(self, expected):
        self._expected, self._n_samples = expected, 0
        self._array = np.empty(min(expected, BLOCK), dtype=np.float32)

    def append(self, block):
        start, self._n_samples = self._n_samples, self._n_samples + len(block)
        if self._n_samples > len(self._array):
            # The array grows by a quarter, so that few of the resizes copy it to a new place.
            room = min(self._expected, len(self._array) * 5 // 4)
            self._array.resize(max(self._n_samples, room), refcheck=False)
        self._array[start : self._n_samples] = block

    def finish(self):
        self._array.resize(self._n_samples, refcheck=False)
        return self._array
