"""`AudioClips`, the lazy sequence of recordings."""

import hashlib
import os
import warnings

import joblib
import numpy as np

from .._clip_errors import shown
from .._lazy import ClipError, LazySequence, is_missing
from ._decode import AudioReadError, read_audio


class AudioReadWarning(UserWarning):
    """A file was left out because it could not be read, or a step could not use it (``on_error="skip"``)."""


class AudioClips(LazySequence):
    """Lazy sequence of mono clips: decodes on access, holds no samples.

    Index it with an int for one clip, or with a slice, an array of indices or a boolean mask for a
    smaller sequence. Iterating decodes a few clips ahead in threads. ``numpy.asarray`` stacks clips of
    one length.

    Parameters
    ----------
    sources : list of str or path-like, or sequence of ndarray of shape (n_samples,)
        Files, or samples already in memory.

    sample_rate : int or None
        Samples per second of every clip, in hertz. Files are resampled to it; samples in memory are taken
        to be at it. None, for samples in memory only, means unknown.

    offset, duration, channel, pad
        Which part of a file becomes the clip, as in :func:`read_audio`.

    on_error : {"raise", "skip"}, default="raise"
        What to do about a file that cannot be read, or that a later step cannot use, being too short for it.
        "skip" warns, notes it in ``failures`` and puts a clip of nothing but NaN in its place, so that rows stay
        aligned with the input.

    Attributes
    ----------
    sample_rate : int or None
        In hertz.

    paths : list of str or None
        The files, or None for samples in memory.

    failures : dict of {str: str}
        The files that were left out so far, and why. Shared with every part taken from the sequence.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio_ad.audio import AudioClips
    >>> clips = AudioClips([np.zeros(16000), np.ones(8000)], sample_rate=16000)
    >>> len(clips), clips[1].shape, clips[:1]
    (2, (8000,), <AudioClips of 1 clips at 16000 Hz>)
    """

    def __init__(
        self, sources, sample_rate, *, offset=0.0, duration=None, channel="mix", pad="none", on_error="raise"
    ):
        if isinstance(sources, (str, os.PathLike)):
            raise ValueError(f"AudioClips takes a list of files, got the single path {str(sources)!r}.")
        in_memory = isinstance(sources, np.ndarray) and sources.dtype.kind in "fiub"
        # Iterating a lazy sequence would compute and hold all of it.
        if not in_memory and not isinstance(sources, LazySequence):
            sources = [str(os.fsdecode(s)) if isinstance(s, (str, os.PathLike)) else s for s in sources]
        super().__init__(sources)
        self.sample_rate = sample_rate
        self.failures = {}
        self._unreadable = set()  # those of them that no step needs to ask for again
        self._cut = {"offset": offset, "duration": duration, "channel": channel, "pad": pad}
        self._on_error = on_error
        if self.paths is not None and sample_rate is None:
            raise ValueError("AudioClips of files need a sample_rate, in hertz, to resample them to.")

    @property
    def paths(self):
        """The files, or None for samples in memory."""
        return list(self._items) if self._is_files else None

    @property
    def _is_files(self):
        return isinstance(self._items, list) and bool(self._items) and isinstance(self._items[0], str)

    @property
    def origin(self):
        """The sequence of files that the clips are from, or None for samples in memory."""
        return self if self._is_files else super().origin

    @property
    def skips(self):
        """Whether a file that cannot be read or used is left out."""
        return self._on_error == "skip"

    @property
    def shape(self):
        """``(n_clips, n_samples)`` where that is known without decoding, else ``(n_clips,)``."""
        if not self._functions:
            if isinstance(self._items, np.ndarray):
                return self._items.shape
            if self.paths is not None and self._cut["pad"] != "none":
                return len(self), max(1, round(self._cut["duration"] * self.sample_rate))
        return (len(self),)

    def __repr__(self):
        rate = "an unknown rate" if self.sample_rate is None else f"{self.sample_rate} Hz"
        return f"<AudioClips of {len(self)} clips at {rate}>"

    def name(self, index):
        """What to call clip `index` in a message: its file, where there is one."""
        return self._items[index] if self._is_files else super().name(index)

    def map(self, function):
        """Apply `function` to every clip, lazily; it must keep the sample rate.

        Parameters
        ----------
        function : callable
            Takes and returns an array of shape (n_samples,); must pickle.

        Returns
        -------
        AudioClips
            Of the same length; missing clips (all NaN) stay missing.
        """
        return super().map(function)

    def map_features(self, function):
        """Apply `function` to every clip, lazily, for results that are no waveforms.

        Parameters
        ----------
        function : callable
            Takes an array of shape (n_samples,), returns any array; must pickle.

        Returns
        -------
        LazySequence
            Of the same length; missing clips (all NaN) stay missing.
        """
        return LazySequence(self).map(function)

    def _source(self, index):
        source = self._items[index]
        if not isinstance(source, str):
            return check_waveform(source)
        if source in self._unreadable:
            return self._stand_in()
        try:
            return read_audio(source, self.sample_rate, **self._cut)[0]
        except AudioReadError as error:
            if not self.skips:
                raise
            self.note_failures({source: error.reason})
            return self._stand_in()

    def note_failures(self, failures):
        """Warn of files that could not be read, here or in another process, and leave them out from now on.

        Parameters
        ----------
        failures : dict of {str: str}
            The files, and why. Those that are known already are passed over.
        """
        for path, reason in failures.items():
            self._unreadable.add(path)
            self.note_left_out(path, reason)

    def note_left_out(self, path, reason):
        """Warn, once, of a file that is left out. Other steps may still use it: it is asked for again.

        Parameters
        ----------
        path, reason : str
        """
        if path not in self.failures:
            self.failures[path] = reason
            warnings.warn(f"left out {shown(path)}: {reason}", AudioReadWarning, stacklevel=3)

    def missing(self, index):
        """What stands for clip `index` once it is left out: NaN throughout.

        Parameters
        ----------
        index : int

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._through(self._stand_in()) if self._is_files else super().missing(index)

    def cache_keys(self, by="file"):
        """What tells every clip from all others, for a cache: clips of equal keys have equal samples.

        Clips that are no files, or that functions of other packages have changed, are known by their samples, which
        are computed for it.

        Parameters
        ----------
        by : {"file", "content"}, default="file"
            Whether a file is known by its path, size and time of change, or by its bytes.

        Returns
        -------
        list of tuple or None
            None for a clip that cannot be read.
        """
        steps = None
        if all(_is_ours(function) for function in self._functions):
            steps = joblib.hash((self.sample_rate, self._cut, self._functions))
        return [self._cache_key(index, by, steps) for index in range(len(self))]

    def _cache_key(self, index, by, steps):
        source = self._items[index]
        if steps is None or not isinstance(source, str):
            clip = self[index]
            return (
                None
                if is_missing(clip)
                else ("samples", len(clip), hashlib.sha256(clip.tobytes()).hexdigest())
            )
        if not os.path.isfile(source):  # opening a pipe would wait
            return None
        try:
            if by == "content":
                with open(source, "rb") as file:
                    return "content", hashlib.file_digest(file, "sha256").hexdigest(), steps
            stat = os.stat(source)
        except OSError:
            return None  # whoever decodes it says what is wrong
        return "file", os.path.abspath(source), stat.st_size, stat.st_mtime_ns, steps

    def _compute(self, index):
        clip = super()._compute(index)
        return check_waveform(clip) if self._functions else clip

    def _stand_in(self):
        """What stands for a file that could not be read, before any step."""
        duration = self._cut["duration"]
        return np.full(
            1 if duration is None else max(1, round(duration * self.sample_rate)), np.nan, np.float32
        )


def _is_ours(function):
    """Whether a step's own parameters say all that it does: what other functions do may change unnoticed."""
    function = getattr(function, "function", function)
    return type(function).__module__.startswith(__name__.partition(".")[0] + ".")


def check_waveform(clip):
    """One clip as float32, if it is mono, not empty and made of finite numbers; or missing."""
    clip = np.asarray(clip)
    if clip.ndim != 1:
        raise ClipError(
            f"has shape {clip.shape}, a clip is mono, of shape (n_samples,): take one channel, or let AudioLoader "
            "mix them."
        )
    if clip.size == 0:
        raise ClipError("is empty (0 samples).")
    if clip.dtype.kind not in "fiu":
        raise ClipError(f"holds {clip.dtype}, not numbers.")
    check_kind(clip.dtype)
    clip = clip.astype(np.float32, copy=False)
    if not np.isfinite(clip).all() and not is_missing(clip):
        raise ClipError("contains NaN or infinity.")
    return clip


def check_kind(dtype, what=""):
    """Raise for samples as a file stores them: taken for floats, they are thousands of times too loud."""
    ways = {np.dtype(np.int16): "divide by 32768", np.dtype(np.uint8): "subtract 128 and divide by 128"}
    if way := ways.get(dtype):
        raise ClipError(
            f"{what}holds {dtype} samples, which are integers from a file; samples are floats in [-1, 1]: "
            f"{way}, or let AudioLoader decode the file."
        )
