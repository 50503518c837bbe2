"""Seeds, devices and the split of normal clips: what a fit needs before its first epoch."""

import os
import threading
from contextlib import contextmanager

import numpy as np
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import check_random_state

from .._checks import check_number


@contextmanager
def seeded(random_state, deterministic=False):
    """Run a block under its own torch seed and put the global generators back after it.

    Parameters
    ----------
    random_state : int, RandomState instance or None
    deterministic : bool, default=False
        Whether torch shall use nothing but deterministic algorithms in the block, so that a run repeats bit for
        bit on the same machine with the same number of threads, on a GPU too.

    Yields
    ------
    int
        The seed, for generators of one's own.
    """
    import torch

    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    # Named one by one: torch warns where it has to guess which of several GPUs are meant.
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())), _algorithms(deterministic):
        torch.manual_seed(seed)
        yield seed


@contextmanager
def _algorithms(deterministic):
    """Run a block in full precision, deterministic if asked for, and put torch's own choices back after it."""
    import torch

    if not deterministic:
        with _full_precision():
            yield
        return
    # cuBLAS reads it when it is first used; without it torch refuses matrix products on a GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        with _full_precision():
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = benchmark


class _FullPrecision:
    """Block in which convolutions and recurrent networks on a GPU keep seven digits, not TF32's three.

    torch has one switch for all threads: the first to enter turns it off, the last to leave puts it back.
    """

    def __init__(self):
        self._lock, self._n_inside, self._before = threading.Lock(), 0, False

    @contextmanager
    def __call__(self):
        import torch

        with self._lock:
            if not self._n_inside:
                self._before, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
            self._n_inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_inside -= 1
                if not self._n_inside:
                    torch.backends.cudnn.allow_tf32 = self._before


_full_precision = _FullPrecision()


@contextmanager
def inference():
    """Run a block without gradients, in full precision on a GPU too, so that it scores as a CPU does."""
    import torch

    with torch.inference_mode(), _full_precision():
        yield


def resolve_device(device):
    """The torch device that a `device` parameter names.

    Parameters
    ----------
    device : str
        "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1", ...

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If torch knows no such device or the machine has none.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f'device must be "auto", "cpu", "cuda" or "cuda:<index>", got {device!r}.'
        ) from error
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={device!r}, but torch sees {torch.cuda.device_count()} GPUs here; "
            'use device="auto" or set_params(device="cpu").'
        )
    return resolved


def split_normal(n_clips, validation_fraction, seed, groups=None):
    """Hold out some of the training clips, all of them normal.

    Parameters
    ----------
    n_clips : int
    validation_fraction : float
        Fraction to hold out, in [0, 1). At least one clip unless it is 0.
    seed : int
    groups : ndarray of shape (n_clips,), default=None
        Clips of one group stay together: the fraction is one of the groups.

    Returns
    -------
    train, held_out : ndarray of int
        Positions, sorted. `held_out` is empty where the fraction is 0.

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
