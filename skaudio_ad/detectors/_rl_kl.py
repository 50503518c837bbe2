"""Reconstruction loss (RL) and Kullback-Leibler divergence (KL) of clips, and the region of normal clips."""

import copy

import numpy as np
from sklearn.covariance import LedoitWolf

from .._clip_errors import leave_out
from .._lazy import ClipError, is_missing
from ..training import inference
from ._frames import other_size
from ._window_scorer import LARGEST_ERROR

# Number of rows of 2-D features in a block.
_BLOCK = 4096


class VAEPasses:
    """Passes of clips through a module. The output of a clip does not depend on the other clips of X.

    Parameters
    ----------
    module : torch.nn.Module
        A variational autoencoder in evaluation mode.
    clip_shape : (int, int) or None
        Numbers of bins and frames of every clip. None for 2-D features.
    device : torch.device
    """

    def __init__(self, module, clip_shape, device):
        # Rows pass in blocks, in float64, because in float32 their last digits would depend on the block. Spectrograms
        # pass one at a time.
        self._module = copy.deepcopy(module).double() if clip_shape is None else module
        self._module.to(device)
        self._clip_shape, self._device = clip_shape, device

    def __call__(self, X):
        """Yield blocks of clips, their reconstructions, and the means and log-variances of their posteriors.

        Parameters
        ----------
        X : ndarray, list of ndarray or LazySequence

        Yields
        ------
        tuple of four ndarray of shape (n_rows, ...)
            One or more clips. The values of a clip that could not be read are NaN.
        """
        import torch

        if self._clip_shape is None:
            blocks = (np.array(X[i : i + _BLOCK], dtype=np.float64) for i in range(0, len(X), _BLOCK))
        else:
            blocks = (self._one(X, index, clip) for index, clip in enumerate(X))
        for block in blocks:
            # Only the module runs in inference mode. Around the loop, the caller would run in inference mode as well.
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
        """Make a block of one clip. A clip that could not be read becomes NaN in the shape of the other clips."""
        if not is_missing(clip) and clip.shape != self._clip_shape:
            leave_out(X, index, ClipError(other_size(clip.shape, self._clip_shape)))
            clip = np.full_like(clip, np.nan)
        if is_missing(clip):
            return np.full((1, *self._clip_shape), np.nan, dtype=np.float32)
        if not np.isfinite(clip).all():  # the clips of a lazy sequence were not checked before
            raise ClipError("contains NaN or infinity.").of(X, index)
        with np.errstate(over="ignore"):  # a value beyond float32 gets the maximum loss
            return np.array(clip, dtype=np.float32)[np.newaxis]


def _finite(losses, missing):
    """Limit losses to `LARGEST_ERROR`. Only clips that could not be read keep NaN."""
    losses = np.minimum(np.nan_to_num(losses, nan=LARGEST_ERROR, posinf=LARGEST_ERROR), LARGEST_ERROR)
    losses[missing] = np.nan
    return losses


def without_missing(decoded, latent):
    """Fill every decoded clip with NaN if its latent vector holds NaN.

    The decoder does not do so, because strides larger than the kernel leave gaps that no NaN reaches.
    """
    decoded[np.isnan(latent).any(axis=1)] = np.nan
    return decoded


def normal_region(rl_kl):
    """Estimate the region of normal clips in the (RL, KL) plane: mean and inverse of the Ledoit-Wolf covariance.

    Parameters
    ----------
    rl_kl : ndarray of shape (n_clips, 2)

    Returns
    -------
    location : ndarray of shape (2,)
    precision : ndarray of shape (2, 2)
    """
    scale = rl_kl.std(axis=0)
    if not scale.any():  # one clip, or equal clips, show no direction in which normal clips differ
        return rl_kl.mean(axis=0), np.eye(2)
    # Shrinking towards a multiple of the identity needs one scale, but RL is about 0.01 and KL about 1000.
    scale[scale == 0] = 1
    precision = LedoitWolf().fit(rl_kl / scale).precision_
    return rl_kl.mean(axis=0), precision / np.outer(scale, scale)


def combine_rl_kl(rl_kl, region, *, score_by, reconstruction_weight, kl_weight):
    """Score clips by their RL and KL. A higher score is more normal.

    Parameters
    ----------
    rl_kl : ndarray of shape (n_clips, 2)
    region : (ndarray of shape (2,), ndarray of shape (2, 2))
        Location and precision, as :func:`normal_region` returns them.
    score_by : {"elbo", "reconstruction", "kl", "mahalanobis"}
    reconstruction_weight, kl_weight : float
        Weights of RL and KL in the "elbo".

    Returns
    -------
    ndarray of shape (n_clips,), float64
    """
    location, precision = region
    if score_by == "mahalanobis":
        # Value by value, because the order of the sums in a matrix product depends on the number of clips.
        rl, kl = (rl_kl - location).T
        squared = precision[0, 0] * rl**2 + 2 * precision[0, 1] * rl * kl + precision[1, 1] * kl**2
        return -np.sqrt(np.maximum(squared, 0))
    rl, kl = rl_kl.T
    elbo = reconstruction_weight * rl + kl_weight * kl
    return -{"elbo": elbo, "reconstruction": rl, "kl": kl}[score_by]


def leave_one_out_scores(rl_kl, groups, scores, **settings):
    """Score every clip by the region of the clips of other groups.

    A clip that helped to estimate the region would get too small a distance. So would another clip of its group.

    Parameters
    ----------
    rl_kl : ndarray of shape (n_clips, 2)
    groups : ndarray of shape (n_clips,)
    scores : ndarray of shape (n_clips,)
        Returned if fewer than 3 clips are left for some region.
    **settings : dict
        Keyword arguments of :func:`combine_rl_kl`.

    Returns
    -------
    ndarray of shape (n_clips,), float64
    """
    others = [rl_kl[groups != group] for group in groups]
    if min(map(len, others), default=0) < 3:
        return scores
    regions = [normal_region(rows) for rows in others]
    return np.concatenate(
        [combine_rl_kl(row[np.newaxis], region, **settings) for row, region in zip(rl_kl, regions)]
    )
