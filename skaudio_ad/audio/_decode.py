"""One file to samples: decode, mix, resample, cut, pad. Every failure names the file and the way out."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from .._checks import check_number, check_option

# Frames decoded at a time: a long stereo recording is mixed down as it is read.
_BLOCK = 1 << 20
_PADS = ("none", "zeros", "repeat", "reflect")
# What libsndfile writes to its log when a header promises more than the file holds.
_TRUNCATED = re.compile(r"^\s*(?:data|riff|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
_CUT_SHORT = (
    "File ended unexpectedly",
    "Last page lacks an end-of-stream bit",
    "Junk after the last page",
    "does not match value from 'ds64' chunk",
)
# Programs that write to a pipe cannot know the length: sizes just below 2 and 4 GiB stand for "unknown", not
# "truncated" (SoX writes 0x7FFFF000, arecord 0x7FFFFF00, FFmpeg 0xFFFFFFFF; some round to whole frames).
_UNKNOWN_SIZES = (range(0x7FFFEF00, 0x80000001), range(0xFFFFF000, 0x100000000))


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
        return f"{self.path}: {self.reason}"


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
        If the file is missing, empty, truncated, not audio, without the wanted channel or stretch, or
        holds NaN.
    """
    check_number(sample_rate, "sample_rate", low=1, integer=True, none=True)
    check_cut(offset=offset, duration=duration, channel=channel, pad=pad)
    path = os.fspath(path)
    _check_readable(path)
    try:
        with _Forward(path) as file:
            samples, own_rate = _read_mono(file, path, offset, duration, channel), file.samplerate
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioReadError(
            path,
            f"is no audio that can be decoded to its end ({error}). wav, flac, ogg and mp3 are; restore or "
            'convert the file, or leave it out with on_error="skip".',
        ) from error
    if not np.isfinite(samples).all():
        raise AudioReadError(
            path, 'contains NaN or infinite samples; repair it or leave it out with on_error="skip".'
        )
    if sample_rate is not None and own_rate != sample_rate:
        samples = soxr.resample(samples, own_rate, sample_rate, quality="HQ")
    rate = own_rate if sample_rate is None else sample_rate
    return fit_length(samples, rate, duration=duration, pad=pad), rate


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


def find_audio_files(folder, *, recursive=True):
    """List the recordings in a folder, sorted by path.

    Parameters
    ----------
    folder : str or path-like

    recursive : bool, default=True
        Whether to descend into folders below it.

    Returns
    -------
    list of str
        Files whose ending names a format that libsndfile decodes. Hidden files are left out.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no recording in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder.")
    endings = {"." + name.lower() for name in soundfile.available_formats()} | {
        ".aif",
        ".oga",
        ".opus",
        ".mpga",
    }
    endings -= {".raw"}  # headerless: its rate cannot be known
    found = sorted(
        str(path)
        for path in (folder.rglob("*") if recursive else folder.glob("*"))
        if path.suffix.lower() in endings and not path.name.startswith(".") and path.is_file()
    )
    if not found:
        raise FileNotFoundError(
            f"{folder}: holds no recording; wav, flac, ogg, mp3 and similar endings are looked for."
        )
    return found


def _check_readable(path):
    if not os.path.exists(path):
        raise AudioReadError(path, "no such file; check the path and the folder it is relative to.")
    if os.path.isdir(path):
        raise AudioReadError(path, "is a folder; list its recordings with skaudio_ad.audio.find_audio_files.")
    if os.path.getsize(path) == 0:
        raise AudioReadError(path, 'is empty (0 bytes); restore it or leave it out with on_error="skip".')
    if path.lower().endswith(".raw"):
        raise AudioReadError(
            path, "is headerless: its sample rate cannot be known; convert it to wav or flac."
        )


def _read_mono(file, path, offset, duration, channel):
    rate = file.samplerate
    if channel != "mix" and channel >= file.channels:
        raise AudioReadError(
            path,
            f'has {file.channels} channel(s), so channel={channel} does not exist; take a lower one or "mix".',
        )
    _check_complete(file, path)
    start = round(offset * rate)
    if start and start >= file.frames:
        raise AudioReadError(
            path, f"lasts {file.frames / rate:g} s, so nothing is left after offset={offset:g} s."
        )
    n_frames = file.frames - start
    if duration is not None:
        # One frame more than asked for: resampling then never falls a sample short.
        n_frames = min(n_frames, int(np.ceil(duration * rate)) + 1)
    _skip(file, start)
    samples = np.empty(n_frames, dtype=np.float32)
    n_read = 0
    while n_read < n_frames:
        block = file.read(min(_BLOCK, n_frames - n_read), dtype="float32", always_2d=True)
        if not len(block):
            raise AudioReadError(
                path,
                f"is truncated: {n_read / rate:g} s of {n_frames / rate:g} s can be decoded; restore it or leave "
                'it out with on_error="skip".',
            )
        samples[n_read : n_read + len(block)] = block.mean(axis=1) if channel == "mix" else block[:, channel]
        n_read += len(block)
    if not n_read:
        raise AudioReadError(path, 'holds no samples; restore it or leave it out with on_error="skip".')
    return samples


class _Forward(soundfile.SoundFile):
    """A file that is read from its start to its end.

    A seekable file is repositioned by soundfile after every read, and after that an mp3 lacks the bits that
    its frames borrow from earlier ones: thousands of samples come out wrong.
    """

    def seekable(self):
        return False


def _skip(file, n_frames):
    if file.format != "MP3":
        file.seek(n_frames)
        return
    while n_frames and (n_read := len(file.read(min(_BLOCK, n_frames), dtype="float32"))):
        n_frames -= n_read


def _check_complete(file, path):
    """Raise where libsndfile would quietly return what is left of a truncated file."""
    log = file.extra_info
    match = _TRUNCATED.search(log)
    promised, held = map(int, match.groups()) if match else (0, 0)
    if promised > held and not any(promised in sizes for sizes in _UNKNOWN_SIZES):
        detail = f"its header promises {promised} bytes of samples, it holds {held}"
    elif any(message in log for message in _CUT_SHORT):
        detail = "it ends in the middle of its stream"
    else:
        return
    raise AudioReadError(path, f'is truncated: {detail}; restore it or leave it out with on_error="skip".')
