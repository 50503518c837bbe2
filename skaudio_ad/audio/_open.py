"""Open one recording and read it in blocks. Every error names the file and says how to fix the problem."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile

from .._clip_errors import shown
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

    Yields
    ------
    soundfile.SoundFile

    Raises
    ------
    AudioReadError
        If the file is missing, not a regular file, empty, headerless or not audio, or needs more memory than there is.
    """
    path = os.fsdecode(path)
    if reason := why_unreadable(path):
        raise AudioReadError(path, reason)
    try:
        with _Forward(path if sys.platform == "win32" else os.fsencode(path)) as file:
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
    if damage := find_damage(file.extra_info, path, file.frames):
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
    try:
        with open_recording(path) as file:
            return int(file.samplerate)
    except AudioReadError:
        return None


def read_duration(path: PathLike) -> float | None:
    """Read the duration of a file from its header.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    float or None
        Duration, in seconds. None if the header cannot be read or does not tell the duration, as in a FLAC file that
        was written to a pipe.
    """
    try:
        with open_recording(path) as file:
            return None if file.frames >= UNKNOWN_FRAMES else file.frames / file.samplerate
    except AudioReadError:
        return None
