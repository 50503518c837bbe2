"""`AudioClips`, the lazy sequence of recordings."""

import functools
import hashlib
import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Literal, Self

import joblib
import numpy as np

from .._clip_errors import shown, without_advice
from .._lazy import LazySequence, is_missing
from .._media_fragments import split_fragment
from ._channels import Channel, pair_of, take_pair
from ._decode import read_audio
from ._open import AudioReadError, read_duration
from ._player import show_clips
from ._waveforms import check_waveform


class AudioReadWarning(UserWarning):
    """A file was left out, because it could not be read or a step could not use it (``on_error="skip"``)."""


class AudioClips(LazySequence):
    """Lazy sequence of clips. A clip is decoded on access, and its samples are not kept.

    A clip is one waveform, or two waveforms where `channel` is a pair of channels.

    Index the sequence with an int to get one clip. A slice, an array of indices or a boolean mask gives a shorter
    sequence. A loop over the sequence decodes a few clips ahead in threads. ``numpy.asarray`` stacks clips of one
    length.

    A notebook shows the number of clips and the sample rate, and the name, a player and a spectrogram of the first
    clips. To see and hear clip 3, evaluate ``clips[3:4]``. A saved notebook keeps these sounds.

    With ``on_error="skip"``, a file that cannot be read becomes a clip that is NaN throughout. The same happens to a
    file that a later step cannot use. ``failures`` lists these files and the reasons. Every step that computes its
    output from the sequence knows the sequence as its ``origin``, and so follows the same rule and names the file.

    Parameters
    ----------
    sources : list of str or path-like, or sequence of ndarray of shape (n_samples,)
        Paths of files, also with a media fragment (:func:`segment`), or samples in memory. For a pair of channels,
        samples in memory have the shape (n_channels, n_samples).

    sample_rate : int or None
        Samples per second of every clip, in hertz. Files are resampled to this rate. Samples in memory must be at
        this rate already. None means an unknown rate, and is allowed for samples in memory only.

    offset, duration, channel, pad
        Part of a file that becomes the clip, as in :func:`read_audio`.

    on_error : {"raise", "skip"}, default="raise"
        What to do about a file that cannot be read, or that is too short for a later step. "raise" raises an error
        that names the file. "skip" warns, adds the file to ``failures`` and puts a clip of NaN in the place of the
        file, so that rows stay aligned with the input.

    Attributes
    ----------
    sample_rate : int or None
        Samples per second of every clip, in hertz.

    paths : list of str or None
        Paths of the files. None for samples in memory.

    failures : dict of {str: str}
        Path of every file that has been left out so far, with the reason. Entries appear while clips are computed,
        because no file is decoded before. A slice, a subset and the output of ``map`` share this dict.

    origin : AudioClips or None
        Sequence of files that the clips come from. None for samples in memory.

    skips : bool
        Whether files that cannot be read or used are left out (``on_error="skip"``).

    n_channels : int
        Number of waveforms of a clip. 1 stands for clips of shape (n_samples,), and 2 for clips of shape
        (2, n_samples).

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.audio import AudioClips
    >>> clips = AudioClips([np.zeros(16000), np.ones(8000)], sample_rate=16000)
    >>> len(clips), clips[1].shape, clips[:1]
    (2, (8000,), <AudioClips of 1 clips at 16000 Hz>)
    """

    def __init__(
        self,
        sources: Iterable[Any],
        sample_rate: int | None,
        *,
        offset: float = 0.0,
        duration: float | None = None,
        channel: Channel = "mix",
        pad: Literal["none", "zeros", "repeat", "reflect"] = "none",
        on_error: Literal["raise", "skip"] = "raise",
    ) -> None:
        if isinstance(sources, (str, os.PathLike)):
            raise ValueError(f"AudioClips takes a list of files, got the single path {str(sources)!r}.")
        in_memory = isinstance(sources, np.ndarray) and sources.dtype.kind in "fiub"
        # A loop over a lazy sequence would compute all its items and keep them in memory.
        if not in_memory and not isinstance(sources, LazySequence):
            sources = [str(os.fsdecode(s)) if isinstance(s, (str, os.PathLike)) else s for s in sources]
        super().__init__(sources)
        self.sample_rate = sample_rate
        self.failures: dict[str, str] = {}
        self._unreadable: set[str] = set()  # files that could not be read: they are not decoded again
        self._pair = pair_of(channel)
        channel = self._pair or channel  # equal pairs have equal keys in a cache
        self._cut: dict[str, Any] = {"offset": offset, "duration": duration, "channel": channel, "pad": pad}
        self._on_error = on_error
        if self.paths is not None and sample_rate is None:
            raise ValueError(
                "AudioClips of files need a sample_rate, in hertz: files are resampled to this rate."
            )

    @property
    def paths(self) -> list[str] | None:
        """Paths of the files, or None for samples in memory."""
        return list(self._items) if self._is_files else None

    @property
    def _is_files(self):
        return isinstance(self._items, list) and bool(self._items) and isinstance(self._items[0], str)

    @property
    def origin(self) -> Any:
        """Sequence of files that the clips come from, or None for samples in memory."""
        return self if self._is_files else super().origin

    @property
    def skips(self) -> bool:
        """Whether files that cannot be read or used are left out."""
        return self._on_error == "skip"

    @property
    def n_channels(self) -> int:
        """Number of waveforms of a clip: 1, or 2 for a pair of channels."""
        return 1 if self._pair is None else 2

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_clips, [2,] n_samples)`` where the length is known without decoding, else ``(n_clips,)``."""
        if not self._functions:
            channels = () if self._pair is None else (2,)
            if isinstance(self._items, np.ndarray):
                return len(self), *channels, self._items.shape[-1]
            if self.paths is not None and self._cut["pad"] != "none":
                return len(self), *channels, max(1, round(self._cut["duration"] * self.sample_rate))
        return (len(self),)

    def __repr__(self) -> str:
        rate = "an unknown rate" if self.sample_rate is None else f"{self.sample_rate} Hz"
        channels = "" if self._pair is None else f" of channels {self._pair[0]} and {self._pair[1]}"
        return f"<AudioClips of {len(self)} clips{channels} at {rate}>"

    def _repr_html_(self) -> str:
        return show_clips(self)

    def name(self, index: int) -> str:
        """Return the name of clip `index` for messages: the path of its file, where the clip has one."""
        return self._items[index] if self._is_files else super().name(index)

    def map(self, function: Callable[[Any], Any]) -> Self:
        """Apply `function` to every clip, on access. The function must keep the sample rate.

        Parameters
        ----------
        function : callable
            Takes and returns an array of shape (n_samples,), or (2, n_samples) for a pair of channels; must pickle.

        Returns
        -------
        AudioClips
            Sequence of the same length. Missing clips (NaN throughout) stay missing.
        """
        return super().map(function)

    def map_features(self, function: Callable[[Any], Any]) -> LazySequence:
        """Apply `function` to every clip, on access. The results need not be waveforms.

        Parameters
        ----------
        function : callable
            Takes an array of shape (n_samples,), or (2, n_samples) for a pair of channels, and returns any array;
            must pickle.

        Returns
        -------
        LazySequence
            Sequence of the same length. Missing clips (NaN throughout) stay missing.
        """
        return LazySequence(self).map(function)

    def _source(self, index):
        source = self._items[index]
        if not isinstance(source, str):
            return (
                check_waveform(source) if self._pair is None else self._checked(take_pair(source, self._pair))
            )
        if source in self._unreadable:
            return self._stand_in()
        try:
            return read_audio(source, self.sample_rate, **self._cut)[0]
        except AudioReadError as error:
            if not self.skips:
                raise
            self.note_failures({source: error.reason})
            return self._stand_in()

    def note_failures(self, failures: dict[str, str]) -> None:
        """Warn about files that this or another process could not read, and do not decode them again.

        Parameters
        ----------
        failures : dict of {str: str}
            Paths of the files, with the reasons. There is no second warning about a file.
        """
        for path, reason in failures.items():
            self._unreadable.add(path)
            self.note_left_out(path, reason)

    def note_left_out(self, path: str, reason: str) -> None:
        """Warn, once, about a file that is left out. The file is decoded again for steps that can use the file.

        Parameters
        ----------
        path : str
        reason : str
            What is wrong with the file.
        """
        if path not in self.failures:
            self.failures[path] = reason
            warnings.warn(f"left out {shown(path)}: {without_advice(reason)}", AudioReadWarning, stacklevel=3)

    def missing(self, index: int) -> Any:
        """Return the clip of NaN that replaces clip `index` where the clip is left out.

        Parameters
        ----------
        index : int

        Returns
        -------
        ndarray of shape (n_samples,) or (2, n_samples)
        """
        return self._through(self._stand_in()) if self._is_files else super().missing(index)

    def cache_keys(self, by: str = "file") -> list[Any]:
        """Return a key of every waveform, for a cache. Waveforms with equal keys have equal samples.

        The key of a clip in memory is a checksum of its samples, and so is the key of a clip that a function of
        another package has changed. Such a clip is computed for its key. A channel of a pair has the key that the
        channel has alone, unless a step changes the channel by means of the other one.

        Parameters
        ----------
        by : {"file", "content"}, default="file"
            Whether the key of a file holds its path, size and time of change, or a checksum of its bytes.

        Returns
        -------
        list of tuple or None
            One key per clip. None for a clip that cannot be read. Clips of a pair of channels have two keys, one after
            the other.
        """
        steps = [None] * self.n_channels
        if all(_is_ours(function) for function in self._functions):
            channels = [self._cut["channel"]] if self._pair is None else self._channels_alone()
            steps = [
                joblib.hash((self.sample_rate, self._cut | {"channel": channel}, self._functions))
                for channel in channels
            ]
        return [key for index in range(len(self)) for key in self._cache_keys_of(index, by, steps)]

    def _start(self, index, duration):
        """Return the first seconds of a file, without decoding the rest, and the duration of the whole clip or None.

        Return None if the clip comes from no file, or if a function changes the clip and so may need all of it.
        """
        source, cut = self._items[index], self._cut
        if self._functions or not isinstance(source, str):
            return None
        wanted = duration if cut["duration"] is None else min(duration, cut["duration"])
        clip = read_audio(source, self.sample_rate, **(cut | {"duration": wanted}))[0]
        length = read_duration(source)
        if cut["duration"] is not None and (cut["pad"] != "none" or length is None):
            return clip, cut["duration"]
        if length is not None:
            length = max(0.0, length - cut["offset"])
            length = length if cut["duration"] is None else min(length, cut["duration"])
        return clip, length

    def _channels_alone(self):
        """What decides about the samples of each channel of a pair: its index, or both indices and its place."""
        pair: Any = self._pair
        first, second = pair
        # The levels of both channels change by the level of the first one.
        return first, (*pair, 1) if self._functions else second

    def _cache_keys_of(self, index, by, steps):
        source = self._items[index]
        if steps[0] is None or not isinstance(source, str):
            clip = self[index]
            if is_missing(clip):
                return [None] * self.n_channels
            waveforms = [clip] if self._pair is None else clip
            return [("samples", len(wave), hashlib.sha256(wave.tobytes()).hexdigest()) for wave in waveforms]
        file = _identify(source, by)
        return [None if file is None else (*file, step) for step in steps]

    def _compute(self, index):
        clip = super()._compute(index)
        return self._checked(clip) if self._functions else clip

    def _checked(self, clip):
        return check_waveform(clip, self.n_channels)

    def _stand_in(self):
        """Return the clip of NaN that replaces a file, before any step."""
        duration = self._cut["duration"]
        n_samples = 1 if duration is None else max(1, round(duration * self.sample_rate))
        return np.full(n_samples if self._pair is None else (2, n_samples), np.nan, np.float32)


def _identify(path, by):
    """Return what identifies a file in a cache, a tuple. None where the file cannot be read."""
    path, *stretch = split_fragment(path)
    if not os.path.isfile(path):  # to open a pipe would wait
        return None
    part = () if stretch == [0.0, None] else tuple(stretch)
    try:
        stat = os.stat(path)
        if by == "content":
            return "content", _digest(os.path.abspath(path), stat.st_size, stat.st_mtime_ns), *part
    except OSError:
        return None  # the error is raised where the file is decoded
    return "file", os.path.abspath(path), stat.st_size, stat.st_mtime_ns, *part


@functools.lru_cache(maxsize=256)
def _digest(path, size, time_of_change):
    """Return the checksum of a file. The many segments of a long recording need the checksum once."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_ours(function):
    """Tell whether a step is part of this package. Functions of other packages may change without a new key."""
    function = getattr(function, "function", function)
    return type(function).__module__.startswith(__name__.partition(".")[0] + ".")
