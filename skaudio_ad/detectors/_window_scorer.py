"""Scores from how far a trained module is off on windows of frames."""

import copy
from functools import partial
from typing import Any

import numpy as np

from .._clip_errors import leave_out
from .._lazy import ClipError, is_missing, map_collect
from ..training import inference
from ._frames import as_windows, too_short

# Windows scored at a time: an hour-long clip has a hundred thousand. Larger blocks leave the cache: recurrent networks
# take a quarter longer, dense ones as long.
_BLOCK = 1024
# Largest error that counts: beyond the range of float32, in which windows of clips are compared.
LARGEST_ERROR = float(np.finfo(np.float32).max)


class WindowScorer:
    """How far a module is off on the windows of clips, clip by clip: a clip's score does not depend on its company.

    Parameters
    ----------
    module : torch.nn.Module
    compare : callable
        ``compare(module, windows)`` of windows (n_windows, length, n_bins) returns what the module makes of them and
        what it should have made, both (n_windows, n_made, n_bins).
    length : int
        Frames a window. A 2-D X is scored row by row, and its rows are windows of one frame.
    device : torch.device
    """

    def __init__(self, module, compare, length, device):
        self._module, self._compare, self._length, self._device = module.to(device), compare, length, device

    def score(self, X, time_pooling, time_quantile):
        """Minus the mean, largest or a quantile of the errors of every clip's windows.

        Parameters
        ----------
        X : ndarray of shape (n_clips, n_features) or (n_clips, n_bins, n_frames), list or LazySequence
        time_pooling : {"mean", "max", "quantile"}
        time_quantile : float

        Returns
        -------
        ndarray of shape (n_clips,), float64
        """
        if getattr(X, "ndim", 3) == 2:
            return -self._row_errors(X)
        pools: dict[str, Any] = {
            "mean": np.mean,
            "max": np.max,
            "quantile": partial(np.quantile, q=time_quantile),
        }
        pool = pools[time_pooling]
        scores = np.empty(len(X))
        for index, clip in enumerate(X):
            try:
                scores[index] = -pool(self._clip_errors(clip))
            except ClipError as error:
                leave_out(X, index, error)
                scores[index] = np.nan
        return scores

    def score_windows(self, X):
        """Minus the error of every window, (n_clips, n_windows), or a list of (n_windows_i,)."""
        if getattr(X, "ndim", 3) == 2:
            return -self._row_errors(X)[:, np.newaxis]
        return map_collect(lambda clip: -self._clip_errors(clip), X)

    def outputs(self, X, first=0):
        """Every clip as the module makes it; a frame is the mean over the windows that made it.

        Parameters
        ----------
        X : as for `score`
        first : int, default=0
            Position, within a window, of the first frame that is made. Frames that no window made are NaN.

        Returns
        -------
        ndarray or list of ndarray
            Shaped like X.
        """
        if getattr(X, "ndim", 3) == 2:
            return np.concatenate([output[:, 0].float().cpu().numpy() for output, _ in self._row_blocks(X)])
        return map_collect(partial(self._clip_output, first=first), X)

    def _clip_errors(self, clip):
        """Mean squared error of every window, float64 (n_windows,)."""
        if is_missing(clip):
            return np.full(max(1, clip.shape[1] - self._length + 1), np.nan)
        return _mean_squares(self._blocks(clip.T, np.float32, self._module))

    def _row_errors(self, X):
        errors = _mean_squares(self._row_blocks(X))
        errors[np.isnan(X[:, 0])] = np.nan
        return errors

    def _row_blocks(self, X):
        # In float64, or a row's score would depend in its last digits on the rows beside it. The windows of a clip
        # always come together, so float32 gives the same score in any company.
        return self._blocks(X, np.float64, copy.deepcopy(self._module).double())

    def _blocks(self, frames, dtype, module):
        """Yield what the module makes of windows of consecutive frames, and should make, a block at a time."""
        import torch

        if len(frames) < self._length:
            raise ClipError(too_short(len(frames), self._length))
        with np.errstate(over="ignore"):  # what leaves float32 has the largest error
            frames = np.array(frames, dtype=dtype, order="C")
        frames = torch.from_numpy(frames).to(self._device)
        for windows in as_windows(frames, self._length).split(_BLOCK):
            # Not around the loop: who takes the blocks would compute in inference mode between two of them.
            with inference():
                made = self._compare(module, windows)
            yield made

    def _clip_output(self, clip, first):
        total, count = np.zeros(clip.shape, dtype=np.float64), np.zeros(clip.shape[1])
        start = first
        for output, _ in self._blocks(clip.T, np.float32, self._module):
            made = output.float().cpu().numpy()
            for position in range(made.shape[1]):
                covered = slice(start + position, start + position + len(made))
                total[:, covered] += made[:, position].T
                count[covered] += 1
            start += len(made)
        with np.errstate(invalid="ignore"):
            return (total / count).astype(np.float32)


def _mean_squares(blocks):
    """Mean squared error of every window, float64 (n_windows,), finite: huge values make errors without a number."""
    parts = [(output - target).square().mean(dim=(1, 2)) for output, target in blocks]
    errors = np.concatenate([part.double().cpu().numpy() for part in parts])
    return np.minimum(np.nan_to_num(errors, nan=LARGEST_ERROR, posinf=LARGEST_ERROR), LARGEST_ERROR)
