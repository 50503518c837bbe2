"""Read a file of sound block by block, from any frame."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import soundfile

from ..._typing import Float32Array
from ...audio._damage import find_damage
from ...audio._open import BLOCK, UNKNOWN_FRAMES, AudioReadError, open_recording

# Number of seconds of a block.
BLOCK_SECONDS = 1.0
# The readers of clips propose to leave a clip out. A source has no such option.
_CLIP_OPTION = re.compile(r",? or leave (?:it|the file) out with on_error=\"skip\"")


@dataclass(frozen=True)
class SoundFile:
    """A file that is open.

    Attributes
    ----------
    path : str
    sample_rate : int
        Samples per second, in hertz.
    n_channels : int
    n_frames : int or None
        Number of samples of each channel. None if the header does not tell the number.
    handle : soundfile.SoundFile
    """

    path: str
    sample_rate: int
    n_channels: int
    n_frames: int | None
    handle: Any

    @property
    def duration(self) -> float | None:
        """Duration by the header, in seconds. None if unknown."""
        return None if self.n_frames is None else self.n_frames / self.sample_rate

    def blocks(self, first: int = 0) -> Iterator[tuple[Float32Array, int, bool]]:
        """Yield the blocks from a frame on.

        Parameters
        ----------
        first : int, default=0
            First frame.

        Yields
        ------
        ndarray of shape (n, n_channels), int, bool
            Samples, number of the next frame, and whether the block is the last one.

        Raises
        ------
        AudioReadError
            If the file ends too early.
        """
        # A wrong rate in a header must not ask for much memory.
        size = max(1, min(round(BLOCK_SECONDS * self.sample_rate), BLOCK // self.n_channels))
        position = self._go_to(first, size)
        block = self.handle.read(size, dtype="float32", always_2d=True)
        while len(block):
            position += len(block)
            # The next block is read first, because the last block carries the position behind the file.
            try:
                next_block = self.handle.read(size, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, RuntimeError, OSError):
                yield block, position, False
                raise
            yield block, position, not len(next_block)
            block = next_block
        if self.n_frames is not None and position < self.n_frames:
            raise AudioReadError(
                self.path,
                f"is truncated: {position / self.sample_rate:g} s of {self.duration:g} s can be decoded; restore it.",
            )

    def _go_to(self, first, size):
        if first and self.handle.format != "MP3" and self.n_frames is not None:
            return self.handle.seek(min(first, self.n_frames))
        position = (
            0  # libsndfile does not find the exact sample of an mp3, so the samples before it are decoded
        )
        while position < first:
            n_read = len(self.handle.read(min(size, first - position), dtype="float32", always_2d=True))
            if not n_read:
                break
            position += n_read
        return position


@contextlib.contextmanager
def open_sound(path: str) -> Iterator[SoundFile]:
    """Open a file of sound whose header agrees with its size.

    Parameters
    ----------
    path : str

    Yields
    ------
    SoundFile

    Raises
    ------
    AudioReadError
        If the file is missing, empty, damaged, half written or not audio. The reason proposes nothing that a source
        cannot do.
    """
    try:
        with open_recording(path) as handle:
            if damage := find_damage(handle.extra_info, path, handle.frames):
                raise AudioReadError(path, f"{damage}; restore it.")
            n_frames = None if handle.frames >= UNKNOWN_FRAMES else handle.frames
            yield SoundFile(os.fsdecode(path), handle.samplerate, handle.channels, n_frames, handle)
    except AudioReadError as error:
        raise AudioReadError(error.path, _CLIP_OPTION.sub("", error.reason)) from error
