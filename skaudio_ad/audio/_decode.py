"""One file to samples: decode, mix, resample, cut, pad. Every failure names the file and the way out."""

import os
import sys
from typing import Any

import numpy as np
import soundfile
import soxr

from .._checks import check_number, check_option
from .._clip_errors import shown
from ._damage import HEADERLESS, find_damage, why_unreadable

# Number of values decoded at a time, of all channels together: a long recording is mixed down as it is read.
_BLOCK = 1 << 18
# Number of frames from which on libsndfile means "unknown", as in a FLAC file that was written to a pipe.
_UNKNOWN_FRAMES = 1 << 62
# Number of samples up to which any recording may be lengthened by resampling: 35 minutes at 16 kHz.
_LARGEST_LENGTHENED = 1 << 25
# Maximum factor by which a longer recording may be lengthened. A header that says 1 Hz makes gigabytes of a megabyte.
_LARGEST_FACTOR = 16
_PADS = ("none", "zeros", "repeat", "reflect")


class AudioReadError(ValueError):
    """A file that cannot be used as a clip.

    Attributes
    ----------
    path : str
        The file.
    reason : str
        The rule it breaks and the way out.
    """

    def __init__(self, path, reason):
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self):
        return f"{shown(self.path)}: {self.reason}"


def check_cut(*, offset, duration, channel, pad):
    """Check the parameters that say which part of a file becomes the clip.

    Raises
    ------
    TypeError, ValueError
        That name the parameter, the rule and the value.
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


def read_audio(path, sample_rate=None, *, offset=0.0, duration=None, channel="mix", pad="none"):
    """Decode one recording to mono samples at the wanted rate.

    Parameters
    ----------
    path : str or path-like
        A file that libsndfile decodes: wav, flac, ogg, mp3 and more.

    sample_rate : int or None, default=None
        Samples per second of the result, in hertz. None keeps the file's own.

    offset : float, default=0.0
        Seconds to skip at the start of the file.

    duration : float or None, default=None
        Seconds to keep. None keeps all.

    channel : "mix" or int, default="mix"
        The mean of all channels, or the index of one.

    pad : {"none", "zeros", "repeat", "reflect"}, default="none"
        What becomes of a recording shorter than `duration`: left short, or filled up at its end with
        silence, with itself again, or with its mirror image.

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32
        In [-1, 1] for integer formats.

    sample_rate : int
        Samples per second of `samples`, in hertz.

    Raises
    ------
    AudioReadError
        If the file is missing, no regular file, empty, truncated, damaged, not audio, without the wanted
        channel or stretch, holds NaN, or needs more memory than there is.

    Notes
    -----
    The file is decoded, mixed and resampled block by block: beside the samples that are returned, some megabytes
    are in use, however long the recording. A sample does not depend on the blocks, and resampling gives the very
    samples of ``soxr.resample`` with ``quality="HQ"``.
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
            f"is no audio that can be decoded to its end ({_said(error)}). wav, flac, ogg and mp3 are; restore or "
            'convert the file, or leave it out with on_error="skip".',
        ) from error


def _said(error):
    """What libsndfile said, without the path."""
    return error.error_string if isinstance(error, soundfile.LibsndfileError) else error


def fit_length(samples, sample_rate, *, duration, pad):
    """Cut `samples` to `duration` seconds, or pad them if they are shorter.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
    sample_rate : int
        In hertz.
    duration : float or None
        In seconds; None leaves the samples as they are.
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
    """The wanted stretch of an open file, mixed and resampled, as one array."""
    if file.format == "RAW":  # libsndfile takes anything named .au, .snd, .vox or .gsm for telephone speech
        raise AudioReadError(path, HEADERLESS)
    if channel != "mix" and channel >= file.channels:
        raise AudioReadError(
            path,
            f'has {file.channels} channel(s), so channel={channel} does not exist; take a lower one or "mix".',
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
        # One frame more than asked for: resampling then never falls a sample short.
        n_wanted = min(n_wanted, int(np.ceil(duration * own_rate)) + 1)
    if n_wanted < _UNKNOWN_FRAMES:
        _check_lengthening(path, n_wanted, own_rate, sample_rate)
    _skip(file, start)
    samples = _resample(
        _mono_blocks(file, path, n_wanted, channel, sample_rate), path, own_rate, sample_rate, n_wanted
    )
    _check_complete(file, path)  # some damage is noticed where it is decoded
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
        mono = block.mean(axis=1) if channel == "mix" else np.ascontiguousarray(block[:, channel])
        if not np.isfinite(mono).all():
            raise AudioReadError(
                path, 'contains NaN or infinite samples; repair it or leave it out with on_error="skip".'
            )
        yield mono


def _resample(blocks, path, own_rate, sample_rate, n_frames):
    """Blocks as one array at another rate."""
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
        samples.append(resampler.resample_chunk(block))
    if n_read:
        samples.append(resampler.resample_chunk(np.empty(0, dtype=np.float32), last=True))
    return samples.finish()


def _check_lengthening(path, n_frames, own_rate, sample_rate):
    """Raise where a sample rate that cannot be right would make a clip of any size of a small file."""
    n_samples = n_frames * sample_rate // own_rate
    if n_samples > _LARGEST_LENGTHENED and n_samples > _LARGEST_FACTOR * n_frames:
        raise AudioReadError(
            path,
            f"lasts {n_frames / own_rate / 3600:.3g} hours by its header, which says {own_rate} Hz, and would be "
            f"{n_samples} samples at {sample_rate} Hz; mend the sample rate of the file, or give a duration.",
        )


class _Growing:
    """Samples in one array that grows as they come: a header is not believed before they are there.

    Parameters
    ----------
    expected : int
        Number of samples that the array does not grow beyond before there are more.
    """

    def __init__(self, expected):
        self._expected, self._n_samples = expected, 0
        self._array = np.empty(min(expected, _BLOCK), dtype=np.float32)

    def append(self, block):
        start, self._n_samples = self._n_samples, self._n_samples + len(block)
        if self._n_samples > len(self._array):
            # By a quarter: an array that moves to a new place is then copied a handful of times at most.
            room = min(self._expected, len(self._array) * 5 // 4)
            self._array.resize(max(self._n_samples, room), refcheck=False)
        self._array[start : self._n_samples] = block

    def finish(self):
        self._array.resize(self._n_samples, refcheck=False)
        return self._array


class _Forward(soundfile.SoundFile):
    """A file that is read from its start to its end.

    A seekable file is repositioned by soundfile after every read, and after that an mp3 lacks the bits that
    its frames borrow from earlier ones: thousands of samples come out wrong.
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
    """Raise where libsndfile would quietly return what is left of a damaged file."""
    if damage := find_damage(file.extra_info, path, file.frames):
        raise AudioReadError(path, f'{damage}; restore it or leave it out with on_error="skip".')
