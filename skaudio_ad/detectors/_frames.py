"""Clips as rows of frames, and windows of them as views."""

import warnings

import numpy as np

from .._lazy import ClipError, LazySequence, is_missing


def training_clips(X, context, name):
    """Leave clips that could not be read (NaN throughout) out of the training set, with a warning.

    Parameters
    ----------
    X : ndarray, list of ndarray or LazySequence
    context : int
        Frames a window.
    name : str
        The detector's.

    Returns
    -------
    clips : ndarray or list of ndarray
        The clips that are there.
    present : ndarray of int
        Their positions in X.

    Raises
    ------
    ValueError
        If none is, or one of them is shorter than a window.
    """
    clips = list(X) if isinstance(X, (list, LazySequence)) else X
    present = np.array([index for index, clip in enumerate(clips) if not is_missing(clip)], dtype=int)
    for index in present:
        n_frames = 1 if clips[index].ndim == 1 else clips[index].shape[1]
        if n_frames < context:
            raise ClipError(too_short(n_frames, context)).of(X, index)
    if len(present) == len(clips):
        return clips, present
    if not len(present):
        raise ValueError(f"{name} has nothing to train on: none of the {len(clips)} clips could be read.")
    # Level 4 is who called the detector's fit, past the wrapper that serves its callbacks.
    warnings.warn(
        f"{name} is trained without {len(clips) - len(present)} of {len(clips)} clips, which could not be read.",
        UserWarning,
        stacklevel=4,
    )
    return take(clips, present), present


def take(clips, indices):
    """The clips at some positions, of an array or of a list."""
    return [clips[index] for index in indices] if isinstance(clips, list) else clips[indices]


class FrameBank:
    """The frames of all clips in one tensor, and windows of `context` frames as overlapping views of it.

    A window of 5 frames of 128 bins is a row of 640 values: frame by frame, bins in order within each. Cutting
    them out would hold every frame `context` times.

    Parameters
    ----------
    X : ndarray of shape (n_clips, n_bins) or (n_clips, n_bins, n_frames), or list of (n_bins, n_frames_i)
        A 2-D X has one frame a clip. No clip is shorter than `context`.
    context : int
        Frames a window.
    device : torch.device

    Attributes
    ----------
    windows : torch.Tensor of shape (n_positions, context * n_bins)
        A view. Some rows run from one clip into the next: only those in `rows_of` are windows.
    """

    def __init__(self, X, context, device):
        import torch

        if isinstance(X, np.ndarray) and X.ndim == 2:
            # A copy: torch warns about arrays that are read-only, as memory-mapped ones are.
            frames, lengths = np.array(X, dtype=np.float32, order="C"), np.ones(len(X), dtype=int)
        else:
            lengths = np.array([clip.shape[1] for clip in X])
            frames = np.empty((lengths.sum(), X[0].shape[0]), dtype=np.float32)
            for stop, n_frames, clip in zip(np.cumsum(lengths), lengths, X):
                frames[stop - n_frames : stop] = clip.T
        self._first = np.cumsum(lengths) - lengths
        self._n_windows = lengths - context + 1
        self.windows = as_windows(torch.from_numpy(frames).to(device), context)

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


def as_windows(frames, context):
    """Overlapping rows of `context` consecutive frames, as a view.

    Parameters
    ----------
    frames : torch.Tensor of shape (n_frames, n_bins)
        Contiguous.
    context : int

    Returns
    -------
    torch.Tensor of shape (n_frames - context + 1, context * n_bins)
    """
    n_frames, n_bins = frames.shape
    return frames.as_strided((n_frames - context + 1, context * n_bins), (n_bins, 1))


def too_short(n_frames, context):
    """The second half of the message about a clip shorter than one window."""
    return (
        f"has {n_frames} frames, fewer than the {context} of one window (context={context}); load longer clips "
        "(AudioLoader with a duration and a pad), or use a smaller context or hop_length."
    )
