"""Seeds, devices and the split of normal clips: what a fit needs before its first epoch."""

import os
import threading
from contextlib import contextmanager, nullcontext

import numpy as np
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import check_random_state

from .._checks import check_number


def draw_seed(random_state):
    """The seed of a fit, from a `random_state` parameter.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        None draws from NumPy's global generator, as in scikit-learn.

    Returns
    -------
    int
    """
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def drawing_from(generator):
    """Block in which what this thread draws from torch, on the CPU, comes from a generator of one's own.

    For building modules: every step inside costs a few microseconds more. Neither torch's global generator nor other
    threads notice. Dropout takes no generator, and draws from the global one all the same.

    Parameters
    ----------
    generator : torch.Generator or int
        An int is the seed of a new one.

    Returns
    -------
    context manager
    """
    import torch

    from ._draws import DrawingFrom

    if not isinstance(generator, torch.Generator):
        generator = torch.Generator().manual_seed(generator)
    return DrawingFrom(generator)


@contextmanager
def algorithms(deterministic):
    """Block in full precision on a GPU, with deterministic algorithms only where asked for.

    Parameters
    ----------
    deterministic : bool
        Whether torch shall use nothing but deterministic algorithms in the block, so that a run repeats bit for
        bit on the same machine with the same number of threads, on a GPU too.
    """
    # cuBLAS reads it when it is first used; without it torch refuses matrix products on a GPU.
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with _full_precision(), _deterministic() if deterministic else nullcontext():
        yield


class _Setting:
    """Block in which a setting of torch has another value.

    torch has one setting for all threads: the first thread to enter changes it, the last one to leave puts it back.

    Parameters
    ----------
    change : callable
        Changes the setting and returns a function that puts it back.
    """

    def __init__(self, change):
        self._change, self._lock, self._n_inside, self._put_back = change, threading.Lock(), 0, None

    @contextmanager
    def __call__(self):
        with self._lock:
            if not self._n_inside:
                self._put_back = self._change()
            self._n_inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_inside -= 1
                if not self._n_inside:
                    self._put_back()


def _allow_no_tf32():
    """Convolutions and recurrent networks on a GPU keep seven digits, not TF32's three."""
    import torch

    before, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    return lambda: setattr(torch.backends.cudnn, "allow_tf32", before)


def _allow_only_deterministic():
    import torch

    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False

    def put_back():
        torch.use_deterministic_algorithms(before, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark

    return put_back


_full_precision, _deterministic = _Setting(_allow_no_tf32), _Setting(_allow_only_deterministic)


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
