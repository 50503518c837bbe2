"""Scores from how badly a trained module reconstructs windows of frames."""

import copy
from functools import partial
from typing import Any

import numpy as np

from .._lazy import ClipError, is_missing, map_collect
from ._frames import as_windows, too_short

# Windows scored at a time: an hour-long clip has a hundred thousand.
_BLOCK = 4096


class Reconstruction:
    """What a module makes of clips, clip by clip, so that a clip's score does not depend on its company.

    Parameters
    ----------
    module : torch.nn.Module
        Takes and returns windows, (n_windows, context * n_bins).
    context : int
        Frames a window.
    device : torch.device
    """

    def __init__(self, module, context, device):
        # One row a clip: float64, or a clip's score would depend in its last digits on the clips beside it. The
        # windows of a clip always come together, so float32 gives the same score in any company.
        self._dtype = np.float64 if context == 1 else np.float32
        module = module.to(device)
        self._module = copy.deepcopy(module).double() if context == 1 else module
        self._context, self._device = context, device

    def score(self, X, aggregate, quantile):
        """Minus the mean, largest or a quantile of the errors of every clip's windows.

        Parameters
        ----------
        X : ndarray of shape (n_clips, n_features) or (n_clips, n_bins, n_frames), list or LazySequence
        aggregate : {"mean", "max", "quantile"}
        quantile : float

        Returns
        -------
        ndarray of shape (n_clips,), float64
        """
        if getattr(X, "ndim", 3) == 2:
            return -self._errors(X)
        pools: dict[str, Any] = {"mean": np.mean, "max": np.max, "quantile": partial(np.quantile, q=quantile)}
        pool = pools[aggregate]
        scores = np.empty(len(X))
        for index, clip in enumerate(X):
            try:
                scores[index] = -pool(self._clip_errors(clip))
            except ClipError as error:
                raise error.of(X, index) from error
        return scores

    def score_windows(self, X):
        """Minus the error of every window, (n_clips, n_windows), or a list of (n_windows_i,)."""
        if getattr(X, "ndim", 3) == 2:
            return -self._errors(X)[:, np.newaxis]
        return map_collect(lambda clip: -self._clip_errors(clip), X)

    def reconstruct(self, X):
        """Every clip as the module makes it; a frame is the mean over the windows that cover it."""
        if getattr(X, "ndim", 3) == 2:
            return self._apply(X)
        return map_collect(self._reconstruct_clip, X)

    def _clip_errors(self, clip):
        if is_missing(clip):
            return np.full(max(1, clip.shape[1] - self._context + 1), np.nan)
        return self._errors(clip.T)

    def _errors(self, frames):
        """Mean squared error of every window of consecutive frames, float64 (n_windows,)."""
        errors = [(output - windows).square().mean(dim=1) for windows, output in self._blocks(frames)]
        return np.concatenate([part.double().cpu().numpy() for part in errors])

    def _apply(self, frames):
        """Reconstruction of every window, float32 (n_windows, context * n_bins)."""
        return np.concatenate([output.float().cpu().numpy() for _, output in self._blocks(frames)])

    def _blocks(self, frames):
        """Yield windows and their reconstructions, a block at a time."""
        import torch

        if len(frames) < self._context:
            raise ClipError(too_short(len(frames), self._context))
        frames = torch.from_numpy(np.array(frames, dtype=self._dtype, order="C")).to(self._device)
        with torch.inference_mode():
            for windows in as_windows(frames, self._context).split(_BLOCK):
                yield windows, self._module(windows)

    def _reconstruct_clip(self, clip):
        windows = self._apply(clip.T).reshape(-1, self._context, clip.shape[0])
        total, count = np.zeros(clip.shape, dtype=np.float64), np.zeros(clip.shape[1])
        for position in range(self._context):
            covered = slice(position, position + len(windows))
            total[:, covered] += windows[:, position].T
            count[covered] += 1
        return (total / count).astype(np.float32)
