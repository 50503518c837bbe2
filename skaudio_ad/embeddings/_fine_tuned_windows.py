"""Windows of the training clips, and the losses on them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from .._typing import IntArray
from ._windows import pad_to

if TYPE_CHECKING:
    import torch

_ON_SPECTROGRAMS = ("time_mask", "frequency_mask")


class WindowBank:
    """Waveforms of clips in memory, and the windows of these clips.

    A window is a row of a table, (n_rows, 3): the clip, the number of the window, and the number of windows of this
    clip.

    Parameters
    ----------
    clips : list of ndarray of shape (n_samples,), float32
    labels : ndarray of int of shape (n_clips,)
        Number of the class of every clip.
    length, min_samples : int
        Length of a window, and of the shortest waveform that the network takes, in samples. If all clips are shorter
        than `length`, a window is as long as the longest clip.
    """

    def __init__(self, clips: list[np.ndarray], labels: IntArray, length: int, min_samples: int):
        self.length = max(min_samples, min(length, max(map(len, clips))))
        self.clips = [pad_to(clip, self.length) for clip in clips]
        self.labels = labels

    def table(self, clips: IntArray, n_windows: int | None = None) -> IntArray:
        """Make the table of the windows of some clips.

        Parameters
        ----------
        clips : ndarray of int
        n_windows : int or None, default=None
            Number of windows of every clip. None is as many as cover the clip.

        Returns
        -------
        ndarray of int of shape (n_rows, 3)
        """
        rows = []
        for clip in clips:
            n = -(-len(self.clips[clip]) // self.length) if n_windows is None else n_windows
            rows += [(clip, number, n) for number in range(n)]
        return np.array(rows, dtype=int).reshape(-1, 3)

    def cut(self, table: IntArray, rng: np.random.Generator | None) -> np.ndarray:
        """Windows of rows of the table.

        Parameters
        ----------
        table : ndarray of int of shape (n_rows, 3)
        rng : numpy.random.Generator or None
            Generator of random starts. None spreads the windows of a clip evenly over it.

        Returns
        -------
        ndarray of shape (n_rows, length), float32
        """
        windows = np.empty((len(table), self.length), dtype=np.float32)
        for window, (clip, number, n_windows) in zip(windows, table):
            last = len(self.clips[clip]) - self.length
            start = number * last // max(1, n_windows - 1) if rng is None else rng.integers(last + 1)
            window[:] = self.clips[clip][start : start + self.length]
        return windows


class TuningLoss:
    """Loss of a batch of windows; in training mode the windows are drawn and augmented.

    Parameters
    ----------
    objective : {"softmax", "arcface", "adacos", "self"}
    front_end : torch.nn.Module
    device : torch.device
    augmenter : estimator or None
        With ``fit_transform``. See :func:`split_augmenter`.
    sample_rate : int
    mixup_alpha, temperature : float
    """

    bank: WindowBank

    def __init__(
        self,
        objective: str,
        front_end: Any,
        device: Any,
        *,
        augmenter: Any,
        sample_rate: int,
        mixup_alpha: float,
        temperature: float,
    ):
        self.objective, self.front_end, self.device = objective, front_end, device
        self.mixup_alpha, self.temperature = mixup_alpha, temperature
        self._before, self._behind = split_augmenter(augmenter, sample_rate)

    def __call__(
        self, module: Any, batch: "torch.Tensor", generator: "torch.Generator | None" = None
    ) -> "torch.Tensor":
        """Mean loss of windows, rows of a table of the bank, (n_rows, 3)."""
        import torch

        table = batch.cpu().numpy()
        rng = None
        if module.training:
            rng = np.random.default_rng(int(torch.randint(2**31 - 1, (1,), generator=generator)))
        if self.objective == "self":
            from ..networks import nt_xent

            # Without random starts the second view is the next window of the clip.
            other = table.copy()
            other[:, 1] = (table[:, 1] + 1) % table[:, 2]
            views = [self._spectrograms(rows, rng) for rows in (table, other)]
            first, second = module(torch.cat(views), generator).tensor_split(2)
            return nt_xent(first, second, batch[:, 0], self.temperature)
        spectrograms = self._spectrograms(table, rng)
        labels = torch.from_numpy(self.bank.labels[table[:, 0]]).to(self.device)
        if rng is None or self.mixup_alpha == 0:
            return _cross_entropy(module, module(spectrograms, generator), labels)
        weight = rng.beta(self.mixup_alpha, self.mixup_alpha)
        others = torch.from_numpy(rng.permutation(len(table))).to(self.device)
        mixed = module(weight * spectrograms + (1 - weight) * spectrograms[others], generator)
        return weight * _cross_entropy(module, mixed, labels) + (1 - weight) * _cross_entropy(
            module, mixed, labels[others]
        )

    def _spectrograms(self, table, rng):
        import torch

        waveforms = self.bank.cut(table, rng)
        if rng is not None:
            waveforms = _varied(self._before, waveforms, rng)
        with torch.no_grad():
            spectrograms = self.front_end(torch.from_numpy(waveforms).to(self.device))
        if rng is not None and self._behind is not None:
            varied = _varied(self._behind, spectrograms.cpu().numpy(), rng)
            spectrograms = torch.from_numpy(varied).to(self.device)
        return spectrograms


def _cross_entropy(module, embeddings, labels):
    from torch.nn import functional

    return functional.cross_entropy(module.head(embeddings, labels), labels)


def _varied(augmenter, X, rng):
    if augmenter is None:
        return X
    if "random_state" in augmenter.get_params(deep=False):
        augmenter = clone(augmenter).set_params(random_state=int(rng.integers(2**31 - 1)))
    return np.asarray(augmenter.fit_transform(X), dtype=np.float32)


def split_augmenter(augmenter: Any, sample_rate: int) -> tuple[Any, Any]:
    """Split an augmenter into one for waveforms and one for spectrograms, each an estimator or None.

    The methods of an :class:`~skaudio_ad.features.Augmenter` that mask spectrograms go behind the front end, and all
    others before it. Any other estimator with ``fit_transform`` gets waveforms, (n_windows, n_samples).

    Parameters
    ----------
    augmenter : estimator or None
    sample_rate : int
        Sample rate of the waveforms, in hertz.

    Returns
    -------
    before, behind : estimator or None

    Raises
    ------
    TypeError, ValueError
        If the augmenter is no transformer, or appends copies.
    """
    if augmenter is None:
        return None, None
    if not hasattr(augmenter, "fit_transform") or not hasattr(augmenter, "get_params"):
        raise TypeError(
            f"augmenter must be an Augmenter, another transformer of waveforms or None, got {augmenter!r}."
        )
    settings: Mapping[str, Any] = augmenter.get_params(deep=False)
    if settings.get("n_copies"):
        raise ValueError(
            f"augmenter must have n_copies=0, got {settings['n_copies']}: every epoch draws new variations, so that "
            "copies are of no use."
        )
    if "methods" not in settings:
        return augmenter, None
    methods = (settings["methods"],) if isinstance(settings["methods"], str) else tuple(settings["methods"])
    parts = []
    for masks in (False, True):
        chosen = tuple(method for method in methods if (method in _ON_SPECTROGRAMS) == masks)
        parts.append(clone(augmenter).set_params(methods=chosen) if chosen else None)
    if parts[0] is not None and "sample_rate" in settings:
        parts[0].set_params(sample_rate=sample_rate)
    return parts[0], parts[1]
