"""`as_clips`: turn clips in any accepted form into `AudioClips`."""

import os
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from .._clip_errors import ClipError
from .._lazy import is_missing
from ._clips import AudioClips
from ._waveforms import check_kind, check_waveform


def as_clips(
    estimator: Any, X: Any, *, sample_rate: int | None, reset: bool, pairs: bool = False
) -> AudioClips:
    """Turn clips in any accepted form into `AudioClips`. All checks that need no decoding happen here.

    Parameters
    ----------
    estimator : estimator
        Estimator that needs the clips. Messages name the estimator. For 2-D arrays, its ``n_features_in_`` is set
        where `reset` is True.

    X : AudioClips, list of paths, array-like of shape (n_clips, n_samples) or list of 1-D ndarray
        Clips. Arrays must be at `sample_rate`.

    sample_rate : int or None
        Sample rate that the estimator needs, in hertz. None accepts any rate.

    reset : bool
        True in `fit`, False afterwards.

    pairs : bool, default=False
        Whether the estimator takes clips of two channels.

    Returns
    -------
    AudioClips

    Raises
    ------
    ValueError
        If there are no clips, or a clip is empty, not mono, not finite, or at another sample rate; or X holds clips of
        two channels and `pairs` is False.
    """
    name = type(estimator).__name__
    if isinstance(X, (str, os.PathLike)):
        raise ValueError(f"{name} takes a list of clips, got the single path {X!r}: put it in a list.")
    if hasattr(X, "__len__") and getattr(X, "ndim", 1) == 1 and len(X) == 0:
        raise ValueError(f"{name} got no clips: X has 0 samples, at least 1 is required.")
    if isinstance(X, AudioClips):
        if sample_rate is not None and X.sample_rate is not None and X.sample_rate != sample_rate:
            # A pretrained network has a fixed rate and no parameter for the rate.
            other = (
                f" or set {name}(sample_rate={X.sample_rate})"
                if getattr(estimator, "sample_rate", None)
                else ""
            )
            raise ValueError(
                f"{name} works at sample_rate={sample_rate} Hz, but the clips are at {X.sample_rate} Hz: "
                f"load them with AudioLoader(sample_rate={sample_rate}){other}."
            )
        if X.n_channels > 1 and not pairs:
            raise ValueError(
                f"{name} takes clips of one channel, got {X!r}: embed the clips (an embedding takes every channel by "
                'itself), or load them with AudioLoader(channel="mix").'
            )
        return X
    paths = as_paths(X)
    if paths is not None:
        if sample_rate is None:
            raise ValueError(f"{name} takes waveforms, got paths: put AudioLoader in front of it.")
        return AudioClips(paths, sample_rate)
    if _is_list_of_waveforms(X):
        return AudioClips([_check_listed(name, i, x) for i, x in enumerate(X)], sample_rate)
    check_kind(getattr(X, "dtype", None), f"{name}: X ")
    return AudioClips(validate_data(estimator, X, reset=reset, dtype=[np.float32, np.float64]), sample_rate)


def as_pairs(estimator: Any, X: Any, *, sample_rate: int, channel: Any) -> AudioClips:
    """Turn samples in memory into `AudioClips` of two channels.

    Parameters
    ----------
    estimator : estimator
        Estimator that needs the clips. Messages name the estimator.

    X : array-like of shape (n_clips, n_channels, n_samples), list of (n_channels, n_samples_i) or AudioClips
        `AudioClips` must have two channels already.

    sample_rate : int
        Sample rate of the samples, in hertz.

    channel : "near-far" or pair of int

    Returns
    -------
    AudioClips

    Raises
    ------
    ValueError
        If there are no clips, or a clip has no axis of channels, lacks a channel, is empty or is not finite.
    """
    name = type(estimator).__name__
    if isinstance(X, AudioClips):
        X = as_clips(estimator, X, sample_rate=sample_rate, reset=False, pairs=True)
        if X.n_channels == 1:
            raise ValueError(
                f"{name}(channel={channel!r}) takes two channels, got {X!r}, whose clips have one: make them with "
                f'AudioClips(..., channel={channel!r}), or set channel="mix".'
            )
        return X
    if isinstance(X, (str, os.PathLike)):
        raise ValueError(f"{name} takes a list of clips, got the single path {X!r}: put it in a list.")
    if not hasattr(X, "__len__") or len(X) == 0:
        raise ValueError(f"{name} got no clips: X has 0 samples, at least 1 is required.")
    clips = AudioClips(X if isinstance(X, np.ndarray) else list(X), sample_rate, channel=channel)
    for index in range(len(clips)):
        if is_missing(clips[index]):
            raise ValueError(f"{name}: clip {index} is NaN throughout.")
    return clips


def as_paths(X: Any) -> list[str] | None:
    """Return X as a list of paths, or None where X holds no paths. A data frame of paths has one column."""
    if getattr(X, "ndim", 1) == 2 and X.shape[1] == 1 and hasattr(X, "iloc"):
        X = X.iloc[:, 0]
    if getattr(X, "ndim", 1) != 1 or not hasattr(X, "__len__") or len(X) == 0:
        return None
    values = list(X)
    is_path = [isinstance(value, (str, os.PathLike)) for value in values]
    if all(is_path):
        return [str(os.fsdecode(value)) for value in values]
    if any(is_path):
        raise ValueError(
            f"X mixes paths with other things: entry {is_path.index(False)} is no path. Pass paths only."
        )
    return None


def _is_list_of_waveforms(X):
    if not isinstance(X, (list, tuple)) or len(X) == 0:
        return False
    if all(isinstance(x, np.ndarray) for x in X):
        return True
    # Nested lists of one length are a matrix, which scikit-learn validates.
    lengths = {len(x) if hasattr(x, "__len__") else None for x in X}
    return None not in lengths and len(lengths) > 1


def _check_listed(name, index, clip):
    try:
        clip = check_waveform(clip)
        if is_missing(clip):
            raise ClipError("is NaN throughout.")
    except ClipError as error:
        raise ValueError(f"{name}: clip {index} {error}") from None
    return clip
