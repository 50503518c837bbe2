"""Open one recording and read it in blocks. Every error names the file and says how to fix the problem."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import soundfile

from .._clip_errors import shown
from .._media_fragments import split_fragment
from .._typing import Float32Array, PathLike
from ._damage import HEADERLESS, find_damage, why_unreadable

# Number of values of one block, all channels together. A long recording is decoded block by block.
BLOCK = 1 << 18
# Number of frames that libsndfile gives, at least, where the length is unknown: in a FLAC file written to a pipe.
UNKNOWN_FRAMES = 1 << 62


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


class _Forward(soundfile.SoundFile):
    """A file that is read from its start to its end.

    soundfile repositions a seekable file after every read. After that, an mp3 lacks the bits that its frames borrow
    from earlier frames, and thousands of samples are wrong.
    """

    def seekable(self):
        return False


@contextlib.contextmanager
def open_recording(path: PathLike) -> Iterator[Any]:
    """Open a recording to read it from its start to its end.

    Errors of the decoder inside the block become errors that name the file.

    Parameters
    ----------
    path : str or path-like
        A media fragment, such as ``#t=10,20``, is not looked at: :func:`find_frames` finds its frames.

    Yields
    ------
    soundfile.SoundFile

    Raises
    ------
    AudioReadError
        If the file is missing, not a regular file, empty, headerless or not audio, or needs more memory than there is.
    """
    path = os.fsdecode(path)
    name = split_fragment(path).file
    if reason := why_unreadable(name):
        raise AudioReadError(path, reason)
    try:
        with _Forward(name if sys.platform == "win32" else os.fsencode(name)) as file:
            if file.format == "RAW":  # libsndfile decodes any file named .au, .snd, .vox or .gsm as speech
                raise AudioReadError(path, HEADERLESS)
            yield file
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


def check_complete(file: Any, path: str) -> None:
    """Raise where libsndfile would return the rest of a damaged file without an error.

    Parameters
    ----------
    file : soundfile.SoundFile
    path : str

    Raises
    ------
    AudioReadError
    """
    if damage := find_damage(file.extra_info, os.fsdecode(file.name), file.frames):
        raise AudioReadError(path, f'{damage}; restore it or leave it out with on_error="skip".')


def read_blocks(file: Any, path: str, n_frames: int, size: int) -> Iterator[Float32Array]:
    """Yield the next frames of an open file, block by block.

    Parameters
    ----------
    file : soundfile.SoundFile
    path : str
    n_frames : int
        Number of frames to read.
    size : int
        Maximum number of frames of a block.

    Yields
    ------
    ndarray of shape (n_block, n_channels), float32

    Raises
    ------
    AudioReadError
        If the file ends before `n_frames` frames.
    """
    rate, n_read = file.samplerate, 0
    while n_read < n_frames:
        block = file.read(min(size, n_frames - n_read), dtype="float32", always_2d=True)
        if not len(block):
            if file.frames >= UNKNOWN_FRAMES:
                return
            raise AudioReadError(
                path,
                f"is truncated: {n_read / rate:g} s of {n_frames / rate:g} s can be decoded; restore it or leave "
                'it out with on_error="skip".',
            )
        n_read += len(block)
        yield block


def check_finite(block: Any, path: str) -> None:
    """Raise if a block holds NaN or infinity.

    Parameters
    ----------
    block : ndarray
    path : str

    Raises
    ------
    AudioReadError
    """
    if not np.isfinite(block).all():
        raise AudioReadError(
            path, 'contains NaN or infinite samples; repair it or leave it out with on_error="skip".'
        )


def find_frames(file: Any, path: PathLike) -> tuple[int, int]:
    """Find the frames of an open file that a path names: all frames, or those of its media fragment.

    Parameters
    ----------
    file : soundfile.SoundFile
    path : str or path-like

    Returns
    -------
    first, n_frames : int
        First frame and number of frames. The number is not limited where the length of the file is unknown and the
        path names no end.

    Raises
    ------
    AudioReadError
        If the stretch lies beyond the end of the file, or ends before its start.
    """
    stretch = split_fragment(os.fsdecode(path))
    first = round(stretch.start * file.samplerate)
    last = file.frames if stretch.end is None else min(file.frames, round(stretch.end * file.samplerate))
    if stretch.end is not None and stretch.end <= stretch.start:
        raise AudioReadError(
            os.fsdecode(path),
            "names a stretch of time that ends before its start; write #t=START,END in seconds.",
        )
    if first and first >= last:
        raise AudioReadError(
            os.fsdecode(path),
            f"names a stretch beyond the end of the file, which lasts {file.frames / file.samplerate:g} s; cut the "
            "recording again with skaudio_ad.audio.segment.",
        )
    return first, last - first


def skip_frames(file: Any, n_frames: int) -> None:
    """Go to a frame of a file that was just opened.

    Parameters
    ----------
    file : soundfile.SoundFile
    n_frames : int
    """
    if file.format != "MP3" and file.frames < UNKNOWN_FRAMES:
        file.seek(n_frames)
        return
    size = BLOCK // file.channels
    while n_frames and (n_read := len(file.read(min(size, n_frames), dtype="float32"))):
        n_frames -= n_read


class Header(NamedTuple):
    """What the header of a file says.

    Attributes
    ----------
    sample_rate : int
        Samples per second, in hertz.
    n_channels : int
    duration : float or None
        Duration, in seconds. None if the header does not tell the duration.
    """

    sample_rate: int
    n_channels: int
    duration: float | None


def read_header(path: PathLike) -> Header | None:
    """Read the header of a file.

    Parameters
    ----------
    path : str or path-like
        With a media fragment, the duration is that of the fragment.

    Returns
    -------
    Header or None
        None if the header cannot be read. The step that decodes the file raises the error.
    """
    try:
        with open_recording(path) as file:
            _, n_frames = find_frames(file, path)
            duration = None if n_frames >= UNKNOWN_FRAMES // 2 else n_frames / file.samplerate
            return Header(int(file.samplerate), file.channels, duration)
    except AudioReadError:
        return None


def read_sample_rate(path: PathLike) -> int | None:
    """Read the sample rate of a file from its header.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    int or None
        Samples per second, in hertz. None if the header cannot be read. The step that decodes the file raises the
        error.
    """
    header = read_header(path)
    return None if header is None else header.sample_rate


def read_duration(path: PathLike) -> float | None:
    """Read the duration of a file from its header.

    Parameters
    ----------
    path : str or path-like
        With a media fragment, the duration is that of the fragment.

    Returns
    -------
    float or None
        Duration, in seconds. None if the header cannot be read or does not tell the duration, as in a FLAC file that
        was written to a pipe.
    """
    header = read_header(path)
    return None if header is None else header.duration
