"""Turn one file into samples: decode, mix, resample, cut, pad. Every error names the file and says how to fix it."""

import os
import sys
from typing import Any, Literal

import numpy as np
import soundfile
import soxr

from .._checks import check_number, check_option
from .._clip_errors import shown
from .._typing import Float32Array, PathLike
from ._damage import HEADERLESS, find_damage, why_unreadable

# Number of values of one block, all channels together. A long recording is decoded and mixed block by block.
_BLOCK = 1 << 18
# Number of frames that are resampled at a time: soxr is half as fast on pieces that exceed the cache.
_PIECE = 1 << 13
# Number of frames that libsndfile gives, at least, where the length is unknown: in a FLAC file written to a pipe.
_UNKNOWN_FRAMES = 1 << 62
# Maximum number of samples of a recording that resampling may lengthen by any factor: 35 minutes at 16 kHz.
_LARGEST_LENGTHENED = 1 << 25
# Maximum factor by which resampling may lengthen a longer recording. Otherwise a file of one megabyte whose header says
# 1 Hz would become gigabytes.
_LARGEST_FACTOR = 16
_PADS = ("none", "zeros", "repeat", "reflect")


class AudioReadError(ValueError):
    """A file that cannot be used as a clip.

    Attributes
    ----------
    path : str
        Path of the file.
    reason : str
        What is wrong with the file and how to fix it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{shown(self.path)}: {self.reason}"


def check_cut(*, offset: Any, duration: Any, channel: Any, pad: Any) -> None:
    """Check the parameters that select the part of a file that becomes the clip.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.
    """
    check_number(offset, "offset", low=0)
    check_number(duration, "duration", low=0, closed="neither", none=True)
    if channel != "mix":
        try:
            check_number(channel, "channel", low=0, integer=True)
        except TypeError:
            raise ValueError(f'channel must be "mix" or the index of a channel, got {channel!r}.') from None
    check_option(pad, "pad", _PADS)
    if pad != "none" and duration is None:
        raise ValueError(f"pad={pad!r} needs a duration to pad to; give one, in seconds.")


def read_audio(
    path: PathLike,
    sample_rate: int | None = None,
    *,
    offset: float = 0.0,
    duration: float | None = None,
    channel: int | Literal["mix"] = "mix",
    pad: Literal["none", "zeros", "repeat", "reflect"] = "none",
) -> tuple[Float32Array, int]:
    """Decode one recording to mono samples at one sample rate.

    Parameters
    ----------
    path : str or path-like
        Path of a file that libsndfile decodes: wav, flac, ogg, mp3 and more.

    sample_rate : int or None, default=None
        Samples per second of the result, in hertz. None keeps the rate of the file.

    offset : float, default=0.0
        Seconds to skip at the start of the file.

    duration : float or None, default=None
        Seconds to keep. None keeps the whole recording.

    channel : "mix" or int, default="mix"
        "mix" is the mean of all channels, an int the index of one channel.

    pad : {"none", "zeros", "repeat", "reflect"}, default="none"
        How to pad a recording shorter than `duration` at its end: not at all, with silence, with repetitions of
        the recording, or with its mirror image.

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32
        Samples; in [-1, 1] for integer formats.

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
    if reason := why_unreadable(path):
        raise AudioReadError(path, reason)
    try:
        with _Forward(path if sys.platform == "win32" else os.fsencode(path)) as file:
            rate = file.samplerate if sample_rate is None else sample_rate
            samples = _decode(file, path, rate, offset, duration, channel)
        return fit_length(samples, rate, duration=duration, pad=pad), rate
    except MemoryError as error:
        raise AudioReadError(
            path, "needs more memory than there is; give a (shorter) duration, or a lower sample_rate."
        ) from error
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        raise AudioReadError(
            path,
            f"is no audio that can be decoded to its end ({_said(error)}). Readable formats are wav, flac, ogg and "
            'mp3. Restore or convert the file, or leave it out with on_error="skip".',
        ) from error


def _said(error):
    """Return the message of libsndfile without the path."""
    return error.error_string if isinstance(error, soundfile.LibsndfileError) else error


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
    if len(samples) >= n_samples or pad == "none":
        return samples[:n_samples]
    mode: Any = {"zeros": "constant", "repeat": "wrap", "reflect": "reflect"}[pad]
    return np.pad(samples, (0, n_samples - len(samples)), mode=mode)


def _decode(file, path, sample_rate, offset, duration, channel):
    """Return the wanted part of an open file, mixed and resampled, as one array."""
    if file.format == "RAW":  # libsndfile decodes any file named .au, .snd, .vox or .gsm as speech
        raise AudioReadError(path, HEADERLESS)
    if channel != "mix" and channel >= file.channels:
        raise AudioReadError(
            path,
            f'has {file.channels} channel(s), so channel={channel} does not exist; take a lower channel or "mix".',
        )
    _check_complete(file, path)
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
    if n_wanted < _UNKNOWN_FRAMES:
        _check_lengthening(path, n_wanted, own_rate, sample_rate)
    _skip(file, start)
    samples = _resample(
        _mono_blocks(file, path, n_wanted, channel, sample_rate), path, own_rate, sample_rate, n_wanted
    )
    _check_complete(file, path)  # libsndfile notices some damage only while it decodes
    if not len(samples):
        raise AudioReadError(
            path,
            f"holds no samples (at {sample_rate} Hz, after offset={offset:g} s); restore it or leave it out with "
            'on_error="skip".',
        )
    return samples


def _mono_blocks(file, path, n_wanted, channel, sample_rate):
    """Yield the next `n_wanted` frames of a file, one channel or the mean of all, block by block."""
    rate, n_read = file.samplerate, 0
    size = max(1, _BLOCK // max(file.channels, sample_rate // rate))
    while n_read < n_wanted:
        block = file.read(min(size, n_wanted - n_read), dtype="float32", always_2d=True)
        if not len(block):
            if file.frames >= _UNKNOWN_FRAMES:
                return
            raise AudioReadError(
                path,
                f"is truncated: {n_read / rate:g} s of {n_wanted / rate:g} s can be decoded; restore it or leave "
                'it out with on_error="skip".',
            )
        n_read += len(block)
        mixes = channel == "mix" and file.channels > 1
        mono = (
            block.mean(axis=1)
            if mixes
            else np.ascontiguousarray(block[:, 0 if channel == "mix" else channel])
        )
        if not np.isfinite(mono).all():
            raise AudioReadError(
                path, 'contains NaN or infinite samples; repair it or leave it out with on_error="skip".'
            )
        yield mono


def _resample(blocks, path, own_rate, sample_rate, n_frames):
    """Resample blocks to another rate, and return one array."""
    samples = _Growing(-(-n_frames * sample_rate // own_rate))
    if own_rate == sample_rate:
        for block in blocks:
            samples.append(block)
        return samples.finish()
    resampler = soxr.ResampleStream(own_rate, sample_rate, 1, dtype="float32", quality="HQ")
    n_read = 0
    for block in blocks:
        n_read += len(block)
        _check_lengthening(path, n_read, own_rate, sample_rate)
        for start in range(0, len(block), _PIECE):
            samples.append(resampler.resample_chunk(block[start : start + _PIECE]))
    if n_read:
        samples.append(resampler.resample_chunk(np.empty(0, dtype=np.float32), last=True))
    return samples.finish()


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
        self._array = np.empty(min(expected, _BLOCK), dtype=np.float32)

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


class _Forward(soundfile.SoundFile):
    """A file that is read from its start to its end.

    soundfile repositions a seekable file after every read. After that, an mp3 lacks the bits that its frames borrow
    from earlier frames, and thousands of samples are wrong.
    """

    def seekable(self):
        return False


def _skip(file, n_frames):
    if file.format != "MP3" and file.frames < _UNKNOWN_FRAMES:
        file.seek(n_frames)
        return
    size = _BLOCK // file.channels
    while n_frames and (n_read := len(file.read(min(size, n_frames), dtype="float32"))):
        n_frames -= n_read


def _check_complete(file, path):
    """Raise where libsndfile would return the rest of a damaged file without an error."""
    if damage := find_damage(file.extra_info, path, file.frames):
        raise AudioReadError(path, f'{damage}; restore it or leave it out with on_error="skip".')
