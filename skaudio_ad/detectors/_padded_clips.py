"""Sequences of different lengths as padded batches, for training and for predictions."""

from dataclasses import dataclass
from typing import Any

import numpy as np


class Sequences:
    """Clips whose frames lie one after the other, from which batches of padded clips are cut.

    Parameters
    ----------
    rows : ndarray of shape (n_frames, n_features)
    lengths : ndarray of int of shape (n_clips,)
        Number of frames of every clip.
    mean, scale : ndarray of shape (n_features,)
        Standardisation of the frames.
    device : torch.device
    """

    def __init__(self, rows, lengths, mean, scale, device):
        import torch

        # torch warns of arrays that are read-only.
        self._rows = torch.from_numpy(rows if rows.flags.writeable else rows.copy()).to(device)
        self._lengths = torch.from_numpy(np.asarray(lengths, dtype=np.int64)).to(device)
        self._first = torch.cumsum(self._lengths, 0) - self._lengths
        self._mean, self._scale = (torch.from_numpy(values).to(device) for values in (mean, scale))
        self.device = device

    def __len__(self):
        return len(self._lengths)

    def padded(self, clips):
        """Clips at some positions, (n_clips, n_features, n_frames) in float64, and their lengths."""
        import torch

        lengths = self._lengths[clips]
        steps = torch.arange(int(lengths.max()), device=self.device)
        rows = self._rows[(self._first[clips, None] + steps).clamp(max=len(self._rows) - 1)]
        return ((rows.double() - self._mean) / self._scale).transpose(1, 2), lengths


class LabelledSequences(Sequences):
    """`Sequences` with a target and a weight for every clip, in the form that the training loop takes.

    Parameters
    ----------
    rows, lengths, mean, scale, device
        As of `Sequences`.
    targets, weights : ndarray of shape (n_clips,) or (n_clips, n_classes)
    """

    def __init__(self, rows, lengths, mean, scale, device, *, targets, weights):
        import torch

        super().__init__(rows, lengths, mean, scale, device)
        self._targets, self._weights = (torch.from_numpy(values).to(device) for values in (targets, weights))

    def __getitem__(self, clips):
        if isinstance(clips, int):
            clips = [clips]
        padded, lengths = self.padded(clips)
        return LabelledBatch(padded, lengths, self._targets[clips], self._weights[clips])


@dataclass
class LabelledBatch:
    """Batch of padded clips, with the number of frames, the target and the weight of every clip."""

    clips: Any
    lengths: Any
    targets: Any
    weights: Any

    def __len__(self):
        return len(self.clips)

    def numel(self):
        """Number of values of the padded clips."""
        return self.clips.numel()


def batches_of_like_lengths(lengths, n_frames):
    """Yield positions of clips of similar length. At most half of a padded batch is padding.

    Parameters
    ----------
    lengths : ndarray of int of shape (n_clips,)
    n_frames : int
        Maximum number of frames of a padded batch of more than one clip.

    Yields
    ------
    ndarray of int
    """
    order = np.argsort(lengths, kind="stable")
    start, total = 0, 0
    for stop, length in enumerate(lengths[order]):
        n_padded = (stop - start + 1) * length
        if stop > start and (n_padded > n_frames or n_padded > 2 * (total + length)):
            yield order[start:stop]
            start, total = stop, 0
        total += length
    yield order[start:]
