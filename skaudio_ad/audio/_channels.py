"""Selection of the channels of a recording: their mean, one channel, or two channels side by side."""

from typing import Any, Literal, TypeAlias

import numpy as np

from .._checks import check_number
from .._clip_errors import ClipError

#: Parameter `channel`: the mean of all channels, one channel, or a pair of channels.
Channel: TypeAlias = int | Literal["mix", "near-far"] | tuple[int, int]

#: Names of the channels of a pair, in the order of the rows of a clip.
CHANNEL_NAMES = ("near", "far")


def pair_of(channel: Any) -> tuple[int, int] | None:
    """Return the indices of a pair of channels, or None where `channel` asks for one waveform a clip.

    Parameters
    ----------
    channel : "mix", int, "near-far" or pair of int
        "near-far" is the pair (0, 1).

    Returns
    -------
    tuple of int or None
    """
    if isinstance(channel, str):
        return (0, 1) if channel == "near-far" else None
    return tuple(int(index) for index in channel) if isinstance(channel, (tuple, list)) else None  # type: ignore[return-value]


def check_channel(channel: Any) -> None:
    """Raise unless `channel` is "mix", an index, "near-far" or two different indices."""
    if isinstance(channel, str) and channel in ("mix", "near-far"):
        return
    indices = channel if isinstance(channel, (tuple, list)) else [channel]
    wrong = ValueError(
        'channel must be "mix", the index of a channel, "near-far", or a pair of different indices such as (0, 1), '
        f"got {channel!r}."
    )
    try:
        for index in indices:
            check_number(index, "channel", low=0, integer=True)
    except TypeError:
        raise wrong from None
    if isinstance(channel, (tuple, list)) and (len(channel) != 2 or channel[0] == channel[1]):
        raise wrong


def take_pair(clip: Any, pair: tuple[int, int]) -> Any:
    """Take two channels of samples in memory.

    Parameters
    ----------
    clip : array-like of shape (n_channels, n_samples)
    pair : tuple of int

    Returns
    -------
    ndarray of shape (2, n_samples)

    Raises
    ------
    ClipError
        If the clip has no axis of channels, or lacks a channel.
    """
    clip = np.asarray(clip)
    if clip.ndim != 2:
        raise ClipError(
            f"has shape {clip.shape}, and channel={pair} takes clips of shape (n_channels, n_samples): pass all "
            'channels, or set channel="mix" for clips of one channel.'
        )
    if max(pair) >= len(clip):
        raise ClipError(f"has {len(clip)} channel(s), so channel={pair} does not exist; take lower channels.")
    return clip[list(pair)]
