"""Clips as rows of frames, and windows of them as views."""

import warnings
from collections import Counter

import numpy as np

from .._checks import users_level
from .._clip_errors import leave_out
from .._lazy import ClipError, LazySequence, is_missing, take


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
        The clips that are there.
    present : ndarray of int
        Their positions in X.

    Raises
    ------
    ValueError
        If none is, or one of them is shorter than a window or of another size.
    """
    clips = list(X) if isinstance(X, (list, LazySequence)) else X
    present: list[int] = []
    # Not the size of the first clip: where clips are left out, one short clip would leave out all the others.
    sizes = Counter(clip.shape for clip in clips if one_size and not is_missing(clip))
    for index, clip in enumerate(clips):
        if is_missing(clip):
            continue
        n_frames = 1 if clip.ndim == 1 else clip.shape[1]
        broken = ""
        if n_frames < length:
            broken = too_short(n_frames, length)
        # What is not computed yet could not be checked before.
        elif isinstance(X, LazySequence) and not np.isfinite(clip).all():
            broken = "contains NaN or infinity."
        elif one_size and clip.shape != (expected := sizes.most_common(1)[0][0]):
            broken = other_size(clip.shape, expected)
        if broken:
            leave_out(X, index, ClipError(broken))
        else:
            present.append(index)
    if len(present) == len(clips):
        return clips, np.arange(len(clips))
    if not present:
        raise ValueError(f"{name} has nothing to train on: none of the {len(clips)} clips could be read.")
    warnings.warn(
        f"{name} is trained without {len(clips) - len(present)} of {len(clips)} clips, which could not be read or "
        "used.",
        UserWarning,
        stacklevel=users_level(),
    )
    return take(clips, np.array(present)), np.array(present)


class FrameBank:
    """Windows of `length` frames of all clips, as overlapping views of their frames.

    Cutting the windows out would hold every frame `length` times.

    Parameters
    ----------
    X : ndarray of shape (n_clips, n_bins) or (n_clips, n_bins, n_frames), or list of (n_bins, n_frames_i)
        A 2-D X has one frame a clip. No clip is shorter than `length`.
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
