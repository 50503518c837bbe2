"""Score the windows of one recording, in memory that does not grow with the recording."""

import os
from collections.abc import Iterator
from typing import Any

from .._clip_errors import without_advice
from .._media_fragments import split_fragment
from .._stream import ahead
from .._typing import PathLike
from ..audio import AudioReadError
from ..audio._open import (
    BLOCK,
    check_complete,
    find_frames,
    open_recording,
    read_blocks,
    skip_frames,
)
from ..audio._window_cutter import WindowCutter
from ._window_scorer import WindowScore, WindowScorer

# Maximum number of samples of the windows that are scored together: 6 windows of 10 s at 32 kHz. Larger batches are not
# faster, and need more memory.
_BATCH = 1 << 21
# Duration of the blocks that are decoded, in seconds.
_BLOCK_DURATION = 0.5


class WindowStream:
    """Score the windows of one recording. An instance is an iterable of batches of windows, and can be used once.

    A thread decodes the next batch while a batch is scored. The samples of a batch are dropped after it was scored.

    Parameters
    ----------
    scorer : WindowScorer
    path : path-like
        With a media fragment, only this stretch is scored.

    Attributes
    ----------
    seconds : float
        Time up to which the recording has been scored so far, in seconds from the start of the file.
    error : str
        Why the recording could not be decoded to its end, or "". Known after the last batch.
    """

    def __init__(self, scorer: WindowScorer, path: PathLike) -> None:
        self.scorer, self.path = scorer, os.fsdecode(path)
        self._start = split_fragment(self.path).start
        self.seconds, self.error = self._start, ""

    def __iter__(self) -> Iterator[list[tuple[float, WindowScore]]]:
        """Yield batches of windows.

        Yields
        ------
        list of (float, WindowScore)
            Start of every window, in seconds from the start of the file, and its score. The windows have no features.

        Raises
        ------
        AudioReadError
            If the recording cannot be opened, lacks the channel, or is shorter than one window. If the recording cannot
            be decoded to its end, the windows before the fault are yielded, and `error` holds the fault.
        """
        duration = 0.0
        n_windows = 0
        for windows, duration in ahead(self._decode()):
            scores = self.scorer.score([samples for _, samples in windows])
            n_windows += len(windows)
            self.seconds = self._start + duration
            batch = [
                (round(self._start + start, 9), without_features(score))
                for (start, _), score in zip(windows, scores)
            ]
            if batch:  # the last batch may be empty
                yield batch
        if n_windows:
            return
        if self.error:
            raise AudioReadError(self.path, self.error)
        raise AudioReadError(
            self.path,
            f"lasts {duration:g} s, which is less than one window of {self.scorer.window:g} s; leave it out, or score "
            "it with a detector of shorter windows.",
        )

    def _decode(self):
        """Yield batches of windows with their samples, and the duration that has been decoded."""
        scorer, batch = self.scorer, []
        size = max(1, _BATCH // max(1, round(scorer.window * scorer.sample_rate)))
        cutter: Any = None
        try:
            with open_recording(self.path) as file:
                first, n_frames = find_frames(file, self.path)
                cutter = self._make_cutter(file)
                self._note_damage(file)
                if first:
                    skip_frames(file, first)
                # A decoder that fails loses the block, so blocks are short.
                largest = BLOCK // max(file.channels, scorer.sample_rate // file.samplerate)
                n_block = max(1, min(largest, round(_BLOCK_DURATION * file.samplerate)))
                for block in read_blocks(file, self.path, n_frames, n_block):
                    batch += cutter.push(block)
                    while len(batch) >= size:
                        yield batch[:size], cutter.seconds
                        batch = batch[size:]
                self._note_damage(file)  # libsndfile notices some damage only while it decodes
        except AudioReadError as error:
            if cutter is None:
                raise
            self.error = self.error or without_advice(error.reason)
        yield batch + cutter.finish(rest=True), cutter.seconds

    def _make_cutter(self, file):
        scorer = self.scorer
        try:
            return WindowCutter(
                file.samplerate, file.channels, scorer.sample_rate, scorer.window, scorer.hop, scorer.channel
            )
        except ValueError as error:
            raise AudioReadError(self.path, str(error)) from error

    def _note_damage(self, file):
        try:
            check_complete(file, self.path)
        except AudioReadError as error:
            self.error = self.error or without_advice(error.reason)


def without_features(score: WindowScore) -> WindowScore:
    """Return the score of a window without the input of the detector, which may be large."""
    return WindowScore(score.score, score.p_value, score.low_hz, score.high_hz, score.error)
