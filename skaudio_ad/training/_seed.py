"""Seeds and the held-out split of normal clips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import check_random_state

from .._checks import check_number

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch
    from torch.overrides import TorchFunctionMode

    from .._typing import IntArray, RandomState


def draw_seed(random_state: RandomState) -> int:
    """Draw the seed of a fit from a `random_state` parameter.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        None draws from NumPy's global generator, as in scikit-learn.

    Returns
    -------
    int
    """
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def drawing_from(generator: torch.Generator | int) -> TorchFunctionMode:
    """Make a block in which the random numbers that this thread draws from torch on the CPU come from one generator.

    The block is for building modules, because every call of torch inside the block costs a few microseconds more.
    The global generator of torch and other threads are not affected. Dropout takes no generator, so dropout still
    draws from the global generator.

    Parameters
    ----------
    generator : torch.Generator or int
        An int is the seed of a new generator.

    Returns
    -------
    context manager
    """
    import torch

    from ._draws import DrawingFrom

    if not isinstance(generator, torch.Generator):
        generator = torch.Generator().manual_seed(generator)
    return DrawingFrom(generator)


def split_normal(
    n_clips: int, validation_fraction: float, seed: int, groups: npt.NDArray | None = None
) -> tuple[IntArray, IntArray]:
    """Hold out some of the training clips, which are all normal.

    Parameters
    ----------
    n_clips : int
    validation_fraction : float
        Fraction to hold out, in [0, 1). At least one clip is held out unless the fraction is 0.
    seed : int
        Seed of the split.
    groups : ndarray of shape (n_clips,), default=None
        Clips of one group stay together. The fraction is then the fraction of groups.

    Returns
    -------
    train, held_out : ndarray of int
        Sorted positions. `held_out` is empty if the fraction is 0.

    Raises
    ------
    ValueError
        If there are too few clips, or groups, to train on some and hold out others.
    """
    check_number(validation_fraction, "validation_fraction", low=0, high=1, closed="left")
    if validation_fraction == 0:
        return np.arange(n_clips), np.arange(0)
    if n_clips < 2:
        raise ValueError(
            f"at least 2 clips are needed, one to train on and one to hold out, got n_samples={n_clips}. Pass more, "
            "cut a long recording into several clips, or set validation_fraction=0 to hold out none."
        )
    if groups is not None:
        return _split_groups(groups, validation_fraction, seed)
    n_held_out = min(n_clips - 1, max(1, round(validation_fraction * n_clips)))
    order = np.random.default_rng(seed).permutation(n_clips)
    return np.sort(order[n_held_out:]), np.sort(order[:n_held_out])


def _split_groups(groups, validation_fraction, seed):
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ValueError(
            f"at least 2 groups are needed, one to train on and one to hold out, but all {len(groups)} clips belong to "
            "one group. Pass clips of more groups, fit without groups, or set validation_fraction=0 to hold out none."
        )
    n_held_out = min(n_groups - 1, max(1, round(validation_fraction * n_groups)))
    splitter = GroupShuffleSplit(1, test_size=n_held_out, random_state=seed)
    return next(splitter.split(groups, groups=groups))
