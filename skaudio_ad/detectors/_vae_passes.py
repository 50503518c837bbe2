"""Clips through a variational autoencoder, one by one, and what is measured on the way."""

import copy
import numbers

import numpy as np
from sklearn.covariance import LedoitWolf

from .._checks import check_number
from .._clip_errors import leave_out
from .._lazy import ClipError, is_missing
from ..training import inference
from ._frames import other_size
from ._window_errors import LARGEST_ERROR

# Rows of 2-D features at a time.
_BLOCK = 4096


class VAEPasses:
    """Passes of clips through a module, such that what comes out does not depend on the clips beside it.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode.
    clip_shape : (int, int) or None
        Bins and frames of every clip; None for 2-D features.
    device : torch.device
    """

    def __init__(self, module, clip_shape, device):
        # Rows come in blocks: in float64, or their last digits would depend on the block. Spectrograms come alone.
        self._module = copy.deepcopy(module).double() if clip_shape is None else module
        self._module.to(device)
        self._clip_shape, self._device = clip_shape, device

    def __call__(self, X):
        """Yield clips, their reconstructions, and means and log-variances of their posteriors.

        Parameters
        ----------
        X : ndarray, list of ndarray or LazySequence

        Yields
        ------
        tuple of four ndarray of shape (n_rows, ...)
            Of one or more clips; NaN for a clip that could not be read.
        """
        import torch

        if self._clip_shape is None:
            blocks = (np.array(X[i : i + _BLOCK], dtype=np.float64) for i in range(0, len(X), _BLOCK))
        else:
            blocks = (self._one(X, index, clip) for index, clip in enumerate(X))
        for block in blocks:
            # Not around the loop: who takes the blocks would compute in inference mode between two of them.
            with inference():
                made = self._module(torch.from_numpy(block).to(self._device))
            output, mean, log_variance = (part.cpu().numpy() for part in made)
            yield block, without_missing(output, mean), mean, log_variance

    def measure(self, X):
        """RL of every clip, (n_clips,), and KL of every latent value, (n_clips, latent_size), in float64."""
        rl, kl = [], []
        with np.errstate(over="ignore", invalid="ignore"):
            for clips, output, mean, log_variance in self(X):
                missing = np.isnan(clips.reshape(len(clips), -1)[:, 0])
                error = np.square(output - clips, dtype=np.float64).reshape(len(clips), -1).mean(axis=1)
                rl.append(_finite(error, missing))
                mean, log_variance = mean.astype(np.float64), log_variance.astype(np.float64)
                kl.append(_finite(0.5 * (np.exp(log_variance) - log_variance - 1 + mean**2), missing))
        return np.concatenate(rl), np.concatenate(kl)

    def rl_kl(self, X):
        """RL and KL of every clip, float64 (n_clips, 2)."""
        rl, kl = self.measure(X)
        return np.column_stack([rl, kl.sum(axis=1)])

    def frame_scores(self, X):
        """Minus the mean squared error of every frame of spectrograms, float32 (n_clips, n_frames)."""
        scores = []
        with np.errstate(over="ignore", invalid="ignore"):
            for clips, output, *_ in self(X):
                missing = np.isnan(clips).all(axis=(1, 2))
                scores.append(-_finite(np.square(output - clips).mean(axis=1), missing))
        return np.concatenate(scores)

    def _one(self, X, index, clip):
        """A clip as a block; a missing one in the shape of the others."""
        if not is_missing(clip) and clip.shape != self._clip_shape:
            leave_out(X, index, ClipError(other_size(clip.shape, self._clip_shape)))
            clip = np.full_like(clip, np.nan)
        if is_missing(clip):
            return np.full((1, *self._clip_shape), np.nan, dtype=np.float32)
        if not np.isfinite(clip).all():  # of a lazy sequence, whose clips no one has seen before
            raise ClipError("contains NaN or infinity.").of(X, index)
        with np.errstate(over="ignore"):  # what leaves float32 has the largest loss
            return np.array(clip, dtype=np.float32)[np.newaxis]


def _finite(losses, missing):
    """Losses, at most the largest that counts, and NaN for clips that could not be read alone."""
    losses = np.minimum(np.nan_to_num(losses, nan=LARGEST_ERROR, posinf=LARGEST_ERROR), LARGEST_ERROR)
    losses[missing] = np.nan
    return losses


def without_missing(decoded, latent):
    """Decoded clips, NaN throughout where a latent value is: strides beyond the kernel leave gaps no NaN reaches."""
    decoded[np.isnan(latent).any(axis=1)] = np.nan
    return decoded


def normal_region(rl_kl):
    """Mean of points in the (RL, KL) plane, and the inverse of their covariance, shrunk after Ledoit and Wolf.

    Parameters
    ----------
    rl_kl : ndarray of shape (n_clips, 2)

    Returns
    -------
    location : ndarray of shape (2,)
    precision : ndarray of shape (2, 2)
    """
    scale = rl_kl.std(axis=0)
    if not scale.any():  # of one clip, or of equal ones, nothing tells which way normal clips differ
        return rl_kl.mean(axis=0), np.eye(2)
    # RL lies in hundredths and KL in thousands: shrinking towards a multiple of the identity needs one scale.
    scale[scale == 0] = 1
    precision = LedoitWolf().fit(rl_kl / scale).precision_
    return rl_kl.mean(axis=0), precision / np.outer(scale, scale)


def as_pairs(value, name, n_layers):
    """Kernel sizes or strides as one pair of integers, over bins and over frames, for every layer.

    Parameters
    ----------
    value : int or sequence of int or of pairs of int
    name : str
        The parameter's, for the message.
    n_layers : int

    Returns
    -------
    tuple of (int, int)
    """
    values = [value] * n_layers if isinstance(value, numbers.Integral) else value
    if not isinstance(values, (list, tuple)) or len(values) != n_layers:
        raise ValueError(f"{name} must be one integer or {n_layers}, one for each of filters, got {value!r}.")
    pairs = [(item, item) if isinstance(item, numbers.Integral) else item for item in values]
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(f"{name} must hold integers or pairs, over bins and over frames, got {value!r}.")
        for item in pair:
            check_number(item, name, low=1, integer=True)
    return tuple((int(bins), int(frames)) for bins, frames in pairs)
