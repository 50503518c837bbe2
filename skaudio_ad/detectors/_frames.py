"""Clips as rows of frames, and windows of them as views."""

import warnings
from collections import Counter

import numpy as np

from .._checks import users_level
from .._clip_errors import leave_out
from .._lazy import ClipError, LazySequence, is_missing, take
from ._frame_rows import FrameRows, gather_clips, gather_frames


def training_clips(X, length, name, *, one_size=False):
    """Leave clips that could not be read (NaN throughout) out of the training set, with a warning.

    Parameters
    ----------
    X : ndarray, list of ndarray or LazySequence
    length : int
        Frames a window.
    name : str
        The detector's.
    one_size : bool, default=False
        Whether all clips have to be of one size: that of most of them.

    Returns
    -------
    clips : ndarray or list of ndarray
        The clips that are there. Those of a lazy sequence are computed once and held once, in float32: as
        :class:`FrameRows`, or, where they have one size, as an array (n_clips, n_bins, n_frames).
    present : ndarray of int
        Their positions in X.

    Raises
    ------
    ValueError
        If none is, or one of them is shorter than a window or of another size.
    """
    readable = readable_clips(X, length, one_size=one_size)
    if isinstance(X, LazySequence):
        clips, present = (gather_clips if one_size else gather_frames)(readable, len(X))
    else:
        present = np.array([index for index, _ in readable], dtype=int)
        clips = X if len(present) == len(X) else take(X, present)
    check_present(present, len(X), name)
    return clips, present


def readable_clips(X, length=1, *, one_size=False):
    """Yield position and clip of those training clips that could be read, each computed once and checked.

    Parameters
    ----------
    X, length, one_size
        As of :func:`training_clips`.

    Yields
    ------
    index : int
    clip : ndarray
    """
    expected = None
    clips = X
    if one_size and (not isinstance(X, LazySequence) or (X.origin is not None and X.origin.skips)):
        # The size of most clips counts, because a short first clip would leave out all the others.
        clips = X if not isinstance(X, LazySequence) else list(X)
        sizes = Counter(clip.shape for clip in clips if not is_missing(clip))
        expected = max(sizes, key=sizes.__getitem__, default=None)
    for index, clip in enumerate(clips):
        if is_missing(clip):
            continue
        expected = clip.shape if expected is None else expected
        n_frames = 1 if clip.ndim == 1 else clip.shape[1]
        broken = ""
        if n_frames < length:
            broken = too_short(n_frames, length)
        # What is not computed yet could not be checked before.
        elif isinstance(X, LazySequence) and not np.isfinite(clip).all():
            broken = "contains NaN or infinity."
        elif one_size and clip.shape != expected:
            broken = other_size(clip.shape, expected)
        if broken:
            leave_out(X, index, ClipError(broken))
        else:
            yield index, clip


def check_present(present, n_clips, name):
    """Raise where no clip could be read, and warn where some could not."""
    if not len(present):
        raise ValueError(f"{name} has nothing to train on: none of the {n_clips} clips could be read.")
    if len(present) < n_clips:
        warnings.warn(
            f"{name} is trained without {n_clips - len(present)} of {n_clips} clips, which could not be read or "
            "used.",
            UserWarning,
            stacklevel=users_level(),
        )


def normal_positions(y, n_clips, name, *, warn=True):
    """Positions of the clips that are not labelled anomalous, or None where all are to be trained on.

    Only labels of this package count, 1 and -1 throughout: other values of `y` are the classes of somebody else.

    Parameters
    ----------
    y : array-like of shape (n_clips,) or None
    n_clips : int
    name : str
        The detector's.
    warn : bool, default=True
        Whether to warn of clips labelled -1: who gives them to a detector at the end of a pipeline should hear that
        they are left out, and that the steps before it have seen them.

    Returns
    -------
    ndarray of int or None

    Raises
    ------
    ValueError
        If every clip is labelled -1, or there is not one label a clip.
    """
    if y is None:
        return None
    y = np.asarray(y).reshape(-1)
    if len(y) != n_clips:
        raise ValueError(f"y must have one label a clip, got {len(y)} labels for {n_clips} clips.")
    if not np.isin(y, (1, -1)).all() or (y == 1).all():
        return None
    normal = np.flatnonzero(y == 1)
    if not len(normal):
        raise ValueError(f"{name} has nothing to train on: every clip is labelled -1, anomalous.")
    if warn:
        warnings.warn(
            f"{name} is trained without {n_clips - len(normal)} of {n_clips} clips, which y labels -1, anomalous. "
            "Steps in front of it were fitted on them all the same: NormalOnly around the whole pipeline leaves them "
            "out of every step.",
            UserWarning,
            stacklevel=users_level(),
        )
    return normal


class FrameBank:
    """Windows of `length` frames of all clips, as overlapping views of their frames.

    Cutting the windows out would hold every frame `length` times.

    Parameters
    ----------
    X : ndarray of shape (n_clips, n_bins) or (n_clips, n_bins, n_frames), or list of (n_bins, n_frames_i)
        A 2-D X has one frame a clip. No clip is shorter than `length`. `FrameRows` are not copied.
    length : int
        Frames a window.
    device : torch.device
    copy : bool, default=True
        Whether to lay the bins of a frame side by side, which takes a copy of X and makes every window one run
        of memory: worth it where a step computes little. False reads the windows from X itself where X is one
        float32 array; from a list, whose clips differ in length, there is a copy in any case.

    Attributes
    ----------
    windows : torch.Tensor of shape (n_positions, length, n_bins)
        A view. Some rows run from one frequency or clip into the next: only those in `rows_of` are windows.
    """

    def __init__(self, X, length, device, *, copy=True):
        if isinstance(X, np.ndarray) and X.ndim == 2:
            self._first, self._n_windows = np.arange(len(X)), np.ones(len(X), dtype=int)
            self.windows = as_windows(_tensor(np.ascontiguousarray(X, dtype=np.float32), device), length)
            return
        if isinstance(X, FrameRows):
            self._first, self._n_windows = X.first, X.lengths - length + 1
            self.windows = as_windows(_tensor(X.frames, device), length)
            return
        n_bins, lengths = X[0].shape[0], np.array([clip.shape[1] for clip in X])
        self._n_windows = lengths - length + 1
        if copy or not isinstance(X, np.ndarray):
            frames = np.empty((lengths.sum(), n_bins), dtype=np.float32)
            stops = np.cumsum(lengths)
            for stop, n_frames, clip in zip(stops, lengths, X):
                frames[stop - n_frames : stop] = clip.T
            self._first = stops - lengths
            self.windows = as_windows(_tensor(frames, device), length)
            return
        # In X itself the values of a window lie 1 apart in time and n_frames apart in frequency.
        n_frames = X.shape[2]
        self._first = np.arange(len(X)) * n_bins * n_frames
        values = _tensor(np.ascontiguousarray(X, dtype=np.float32).reshape(-1), device)
        n_positions = len(values) - (n_bins - 1) * n_frames - length + 1
        self.windows = values.as_strided((n_positions, length, n_bins), (1, 1, n_frames))

    def rows_of(self, clips):
        """Rows of `windows` that belong to the clips at these positions.

        Parameters
        ----------
        clips : ndarray of int

        Returns
        -------
        ndarray of int
        """
        parts = [np.arange(self._first[i], self._first[i] + self._n_windows[i]) for i in clips]
        return np.concatenate(parts) if parts else np.arange(0)


class ClipBank:
    """Whole clips of one shape as rows.

    Parameters
    ----------
    X : ndarray of shape (n_clips, ...) or list of ndarray
        An array of float32 is not copied.
    device : torch.device

    Attributes
    ----------
    windows : torch.Tensor of shape (n_clips, ...)
    """

    def __init__(self, X, device):
        self.windows = _tensor(np.ascontiguousarray(X, dtype=np.float32), device)

    def rows_of(self, clips):
        """Rows of `windows` that belong to the clips at these positions: the same."""
        return clips


def _tensor(values, device):
    """A tensor on a device that shares the memory of an array on the CPU."""
    import torch

    with warnings.catch_warnings():
        # torch warns of arrays that are read-only, as memory-mapped ones are; training data is never written to.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(values).to(device)


def as_windows(frames, length):
    """Overlapping runs of consecutive frames, as a view.

    Parameters
    ----------
    frames : torch.Tensor of shape (n_frames, n_bins)
        Contiguous.
    length : int

    Returns
    -------
    torch.Tensor of shape (n_frames - length + 1, length, n_bins)
    """
    n_frames, n_bins = frames.shape
    return frames.as_strided((n_frames - length + 1, length, n_bins), (n_bins, n_bins, 1))


def too_short(n_frames, length):
    """The second half of the message about a clip shorter than one window."""
    return (
        f"has {n_frames} frames, fewer than the {length} of one window; load longer clips (AudioLoader with a "
        "duration and a pad), or use shorter windows or a smaller hop_length."
    )


def other_size(shape, expected):
    """The second half of the message about a clip that is not as large as those of the fit."""
    return (
        f"has {shape[0]} bins and {shape[1]} frames, but a variational autoencoder takes clips of one size, and a clip "
        f"of the fit has {expected[0]} and {expected[1]}: give AudioLoader a duration and a pad."
    )
