"""`WindowDetector`: base class of the detectors that score a clip window by window."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.callback import with_callbacks
from sklearn.utils.validation import check_is_fitted

from .._checks import check_number, check_option
from .._typing import Clips, FloatArray, Labels
from ..training import resolve_device
from ._frames import FrameBank
from ._module_detector import ModuleDetector
from ._window_scorer import WindowScorer


class WindowDetector(ModuleDetector):
    """Detector whose score is minus the pooled mean squared error of a clip's windows of `window_length_` frames.

    Subclasses define ``_compare``, besides what :class:`ModuleDetector` asks for.
    """

    time_pooling: Any
    time_quantile: Any
    window_length_: int
    _scoring_parameters = ("time_pooling", "time_quantile")

    @with_callbacks
    def fit(self, X: Clips, y: Labels | None = None, groups: npt.ArrayLike | None = None) -> Self:
        """Train on the clips of X, which count as normal.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            Or a list of (n_bins, n_frames_i), or a lazy sequence of them. Clips of NaN could not be
            read. They are left out with a warning.
        y : array-like of shape (n_clips,), default=None
            If all labels are 1 and -1, clips labelled -1 (anomalous) are left out of the training, with a warning. With
            other labels, or without labels, all clips of X count as normal. Callbacks that score get all clips.
        groups : array-like of shape (n_clips,), default=None
            Patient, machine or recording of every clip, because clips of one group are alike. Whole groups are held
            out, at least one. The threshold then holds for clips of new groups. Every group counts once, whatever its
            number of clips.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, X is empty, not finite or shorter than one window, there are too
            few clips to hold one out, or the training diverges.
        """
        return self._fit(X, y, groups)

    def score_frames(self, X: Clips) -> FloatArray | list[FloatArray]:
        """Score every window of every clip, to show when a clip sounds wrong. A higher score is more normal.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            Or a list of (n_bins, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of shape (n_clips, n_windows)
            A list of (n_windows_i,) if the clips differ in length. :meth:`window_centers` returns the middles of the
            windows, in frames.
        """
        X = self._check_input(X)
        return self._scorer(self.module_).score_windows(X)

    def window_centers(self, n_windows: int) -> FloatArray:
        """Return the middle of every window, in frames from the start of the clip.

        Parameters
        ----------
        n_windows : int

        Returns
        -------
        ndarray of shape (n_windows,)
            ``MelTransformer.frames_to_seconds`` converts these positions to seconds.
        """
        check_is_fitted(self)
        return np.arange(n_windows, dtype=np.float64) + (self.window_length_ - 1) / 2

    def _compare(self, module, windows):
        """Outputs of the module for windows (n_windows, length, n_bins), and the targets of these outputs."""
        raise NotImplementedError

    def _check_parameters(self):
        super()._check_parameters()
        check_option(self.time_pooling, "time_pooling", ("mean", "max", "quantile"))
        check_number(self.time_quantile, "time_quantile", low=0, high=1)

    def _training_windows(self, X, device):
        return FrameBank(X, self.window_length_, device)

    def _loss(self, module, batch, generator=None):
        import torch

        return torch.nn.functional.mse_loss(*self._compare(module, batch))

    def _score(self, module, X):
        return self._scorer(module).score(X, **self._settings)

    def _scorer(self, module):
        return WindowScorer(module, self._compare, self.window_length_, resolve_device(self.device))

    def _check_input(self, X):
        X = super()._check_input(X)
        if getattr(X, "ndim", 3) == 2 and self.window_length_ > 1:
            raise ValueError(
                f"fitted on spectrograms, windows of {self.window_length_} frames, but X has shape {X.shape}: "
                "score spectrograms, (n_clips, n_bins, n_frames)."
            )
        return X
