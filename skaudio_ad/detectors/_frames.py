"""Clips as rows of frames, and windows of them as views."""

import warnings

import numpy as np

from .._lazy import ClipError, LazySequence, is_missing


def drop_missing(X, name):
    """Leave clips that could not be read (NaN throughout) out of the training set, with a warning.

    Parameters
    ----------
    X : ndarray, list of ndarray or LazySequence
    name : str
        The detector's.

    Returns
    -------
    ndarray or list of ndarray
        The clips that are there.

    Raises
    ------
    ValueError
        If none is.
    """
    clips = list(X) if isinstance(X, (list, LazySequence)) else X
    present = np.array([not is_missing(clip) for clip in clips])
    if present.all():
        return clips
    if not present.any():
        raise ValueError(f"{name} has nothing to train on: none of the {len(clips)} clips could be read.")
    warnings.warn(
        f"{name} is trained without {np.count_nonzero(~present)} of {len(clips)} clips, which could not be read.",
        UserWarning,
        stacklevel=3,
    )
    return [c for c, p in zip(clips, present) if p] if isinstance(clips, list) else clips[present]


class FrameBank:
    """The frames of all clips in one tensor, and windows of `context` frames as overlapping views of it.

    A window of 5 frames of 128 bins is a row of 640 values: frame by frame, bins in order within each. Cutting
    them out would hold every frame `context` times.

    Parameters
    ----------
    X : ndarray of shape (n_clips, n_bins) or (n_clips, n_bins, n_frames), or list of (n_bins, n_frames_i)
        A 2-D X has one frame a clip.
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
        if (lengths < context).any():
            short = int(np.flatnonzero(lengths < context)[0])
            raise ClipError(f"clip {short} {too_short(lengths[short], context)}")
        self._first = np.cumsum(lengths) - lengths
        self._n_windows = lengths - context + 1
        # A copy: torch warns about arrays that are read-only, as memory-mapped ones are.
        self.windows = as_windows(
            torch.from_numpy(np.array(frames, np.float32, order="C")).to(device), context
        )

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
