"""Devices, precision and deterministic algorithms: the settings of torch that a training or a score needs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextmanager
def algorithms(deterministic: bool) -> Iterator[None]:
    """Run a block in full precision on a GPU and, on request, with deterministic algorithms only.

    Parameters
    ----------
    deterministic : bool
        Whether torch uses only deterministic algorithms in the block. A run then repeats bit for bit, also on a GPU,
        on the same machine with the same number of threads.
    """
    # cuBLAS reads this variable at its first use. Without the variable, torch refuses matrix products on a GPU.
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with _full_precision(), _deterministic() if deterministic else nullcontext():
        yield


class _Setting:
    """Block in which a setting of torch has another value.

    torch has one setting for all threads. The first thread that enters the block changes the setting, and the last
    thread that leaves the block restores it.

    Parameters
    ----------
    change : callable
        Changes the setting and returns a function that restores it.
    """

    def __init__(self, change: Callable[[], Callable[[], None]]):
        self._change, self._lock, self._n_inside = change, threading.Lock(), 0
        self._restore: Any = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if not self._n_inside:
                self._restore = self._change()
            self._n_inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_inside -= 1
                if not self._n_inside:
                    self._restore()


def _allow_no_tf32():
    """Make convolutions and recurrent networks on a GPU compute with seven digits: TF32 has three."""
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

    def restore():
        torch.use_deterministic_algorithms(before, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark

    return restore


_full_precision, _deterministic = _Setting(_allow_no_tf32), _Setting(_allow_only_deterministic)


@contextmanager
def inference() -> Iterator[None]:
    """Run a block without gradients and in full precision, so that a GPU gives the scores of a CPU."""
    import torch

    with torch.inference_mode(), _full_precision():
        yield


def resolve_device(device: str) -> torch.device:
    """Return the torch device that a `device` parameter names.

    Parameters
    ----------
    device : str
        "auto" (a GPU if the machine has one), "cpu", "cuda", "cuda:1", ...

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        If torch does not know the device or the machine does not have the device.
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
