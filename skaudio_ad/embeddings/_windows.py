"""Waveforms of any length in windows that a backbone takes."""

import numpy as np


def averaged_windows(clip: np.ndarray, length: int, hop_length: int) -> np.ndarray:
    """Windows whose embeddings are averaged, as PaSST's authors do for clips longer than ten seconds.

    A clip of up to `length` samples is one window. A longer clip is reflected by half a window at both ends and cut
    every `hop_length` samples, so that its ends count about as often as its middle.

    Parameters
    ----------
    clip : ndarray of shape (n_samples,)
    length, hop_length : int
        Length of a window, and step between two windows, in samples.

    Returns
    -------
    ndarray of shape (n_windows, n)
        A view of the clip, or of the reflected clip.
    """
    if len(clip) <= length:
        return clip[np.newaxis]
    reflected = np.pad(clip, length // 2, mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(reflected, length)[::hop_length]


def windows_to_the_end(clip: np.ndarray, length: int, hop_length: int) -> list[np.ndarray]:
    """Windows whose embeddings are averaged; the last window ends where the clip ends, and nothing is reflected.

    Parameters
    ----------
    clip : ndarray of shape (n_samples,)
    length, hop_length : int
        Length of a window, and step between two windows, in samples.

    Returns
    -------
    list of ndarray of shape (n,)
    """
    last = max(0, len(clip) - length)
    starts = [*range(0, last, hop_length), last]
    return [clip[start : start + length] for start in starts]


def adjacent_windows(clip: np.ndarray, length: int, step: int | None = None) -> list[np.ndarray]:
    """Windows that lie end to end, for outputs that keep time; the last window is what is left of the clip.

    Parameters
    ----------
    clip : ndarray of shape (n_samples,)
    length : int
        Length of a window, in samples.
    step : int or None, default=None
        Step between two windows, in samples. None is `length`. A smaller step is for a spectrogram, whose frames
        overlap: a window holds the samples of the last frames that begin in it.

    Returns
    -------
    list of ndarray of shape (n,)
    """
    step = length if step is None else step
    # A window behind the first one begins only where samples are left that the window before does not have.
    return [clip[start : start + length] for start in range(0, max(1, len(clip) - (length - step)), step)]


def pad_to(clip: np.ndarray, length: int) -> np.ndarray:
    """The clip, with silence after it if it is shorter than `length` samples."""
    return np.pad(clip, (0, length - len(clip))) if len(clip) < length else clip
