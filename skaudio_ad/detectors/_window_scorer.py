"""`WindowScorer`: scores of clips from the errors of a trained module on windows of frames."""

import copy
from functools import partial
from typing import Any

import numpy as np

from .._clip_errors import leave_out
from .._lazy import ClipError, is_missing, map_collect
from ..training import inference
from ._frames import as_windows, too_short

# Number of windows in a block, because a clip of one hour has a hundred thousand windows. Larger blocks do not fit into
# the cache: recurrent networks then take a quarter longer, and dense networks as long.
_BLOCK = 1024
# Maximum error of a window: the end of the range of float32, in which the windows of clips are compared.
LARGEST_ERROR = float(np.finfo(np.float32).max)


class WindowScorer:
    """Errors of a module on the windows of clips. The score of a clip does not depend on the other clips of X.

    Parameters
    ----------
    module : torch.nn.Module
    compare : callable
        ``compare(module, windows)`` takes windows (n_windows, length, n_bins) and returns the outputs of the module and
        the targets, both (n_windows, n_made, n_bins).
    length : int
        Number of frames in a window. A 2-D X is scored row by row: every row is a window of one frame.
    device : torch.device
    """

    def __init__(self, module, compare, length, device):
        self._module, self._compare, self._length, self._device = module.to(device), compare, length, device

    def score(self, X, time_pooling, time_quantile):
        """Score every clip: minus the mean, the maximum or a quantile of the errors of its windows.

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
                scores[index] = -self._clip_error(clip, pool)
            except ClipError as error:
                leave_out(X, index, error)
                scores[index] = np.nan
        return scores

    def score_windows(self, X):
        """Score every window by minus its error: (n_clips, n_windows), or a list of (n_windows_i,)."""
        if getattr(X, "ndim", 3) == 2:
            return -self._row_errors(X)[:, np.newaxis]
        return map_collect(lambda clip: -self._clip_errors(clip), X)

    def outputs(self, X, first=0):
        """Compute the output of the module for every clip. A frame is the mean over the windows that cover the frame.

        Parameters
        ----------
        X : as for `score`
        first : int, default=0
            Position of the first output frame within a window. Frames that no window covers are NaN.

        Returns
        -------
        ndarray or list of ndarray
            Shaped like X.
        """
        if getattr(X, "ndim", 3) == 2:
            return np.concatenate([output[:, 0].float().cpu().numpy() for output, _ in self._row_blocks(X)])
        return map_collect(partial(self._clip_output, first=first), X)

    def _clip_error(self, clip, pool):
        """Error of a whole clip."""
        return pool(self._clip_errors(clip))

    def _clip_errors(self, clip):
        """Error of every window, float64 (n_windows,)."""
        if is_missing(clip):
            return np.full(max(1, clip.shape[1] - self._length + 1), np.nan)
        return self._errors(self._blocks(clip.T, np.float32, self._module))

    def _errors(self, blocks):
        """Error of every window of some blocks, float64 (n_windows,)."""
        return _mean_squares(blocks)

    def _row_errors(self, X):
        errors = self._errors(self._row_blocks(X))
        errors[np.isnan(X[:, 0])] = np.nan
        return errors

    def _row_blocks(self, X):
        # Rows need float64, because in float32 the last digits of a score would depend on the other rows. For windows,
        # float32 is enough, because all windows of a clip are always scored together.
        return self._blocks(X, np.float64, copy.deepcopy(self._module).double())

    def _blocks(self, frames, dtype, module):
        """Yield the outputs and the targets of windows of consecutive frames, block by block."""
        import torch

        if len(frames) < self._length:
            raise ClipError(too_short(len(frames), self._length))
        with np.errstate(over="ignore"):  # a value beyond float32 gets the maximum error
            frames = np.array(frames, dtype=dtype, order="C")
        frames = torch.from_numpy(frames).to(self._device)
        for windows in as_windows(frames, self._length).split(_BLOCK):
            # Only the module runs in inference mode. Around the loop, the caller would run in inference mode as well.
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
    """Mean squared error of every window, float64 (n_windows,). Errors that overflow become `LARGEST_ERROR`."""
    parts = [(output - target).square().mean(dim=(1, 2)) for output, target in blocks]
    errors = np.concatenate([part.double().cpu().numpy() for part in parts])
    return np.minimum(np.nan_to_num(errors, nan=LARGEST_ERROR, posinf=LARGEST_ERROR), LARGEST_ERROR)
