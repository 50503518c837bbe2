"""Waveforms of any length in windows that a backbone takes."""

import numpy as np


def averaged_windows(clip, length, hop_length):
    """Windows whose embeddings are averaged, as PaSST's authors do for clips longer than ten seconds.

    A clip of up to `length` samples is its own and only window. A longer one is reflected by half a window at both
    ends and cut every `hop_length` samples, so that its ends are heard about as often as its middle.

    Parameters
    ----------
    clip : ndarray of shape (n_samples,)
    length, hop_length : int
        In samples.

    Returns
    -------
    ndarray of shape (n_windows, n)
        A view of the clip, or of the reflected clip.
    """
    if len(clip) <= length:
        return clip[np.newaxis]
    reflected = np.pad(clip, length // 2, mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(reflected, length)[::hop_length]


def adjacent_windows(clip, length):
    """Windows end to end, for outputs that keep time; the last one is what is left.

    Parameters
    ----------
    clip : ndarray of shape (n_samples,)
    length : int
        In samples.

    Returns
    -------
    list of ndarray of shape (n,)
    """
    return [clip[start : start + length] for start in range(0, len(clip), length)]


def pad_to(clip, length):
    """The clip with silence after it, where it is shorter than `length` samples."""
    return np.pad(clip, (0, length - len(clip))) if len(clip) < length else clip
