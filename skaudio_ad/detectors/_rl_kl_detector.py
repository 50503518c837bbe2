"""`RLKLDetector`: scores of clips from reconstruction loss (RL) and Kullback-Leibler divergence (KL)."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._checks import users_level
from .._typing import Clips, FloatArray
from ..training import resolve_device
from ._module_detector import ModuleDetector
from ._rl_kl import VAEPasses, combine_rl_kl, leave_one_out_scores, normal_region

# Threshold in nats: a latent value with a smaller mean KL divergence carries no information about a clip
# (Lucas et al. 2019).
_INACTIVE = 0.01
# Maximum number of held-out clips that are scored leave-one-out. Among more clips, one clip hardly moves the region.
_MAX_LEAVE_ONE_OUT = 100


class RLKLDetector(TransformerMixin, ModuleDetector):
    """Detector that scores a clip by its RL and KL under a variational autoencoder.

    Subclasses set ``_clip_shape`` before the training: (n_bins, n_frames), or None for 2-D features.
    """

    reconstruction_weight: Any
    kl_weight: Any
    score_by: Any
    rl_kl_location_: FloatArray
    rl_kl_precision_: FloatArray
    n_active_latents_: int
    _clip_shape: tuple[int, int] | None
    _scoring_parameters = ("score_by", "reconstruction_weight", "kl_weight")

    def transform(self, X: Clips) -> FloatArray:
        """Compute the two features of every clip, RL and KL, at the mean of the posterior.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, 2), float64
            RL is the mean squared error of the reconstruction. KL is the divergence of the posterior from N(0, I), in
            nats. Both are NaN for a clip that could not be read.
        """
        X = self._check_input(X)
        return self._passes(self.module_).rl_kl(X)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Return the names of the columns of `transform`.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
            "RL" and "KL".
        """
        check_is_fitted(self)
        return np.array(["RL", "KL"], dtype=object)

    def score_frames(self, X: Clips) -> FloatArray:
        """Score every frame of every clip, to show when a clip sounds wrong. A higher score is more normal.

        The score is minus the mean squared error of the reconstruction for every value of `score_by`, because KL
        belongs to the clip as a whole.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, n_frames)
            (n_clips, 1) for 2-D features.
        """
        X = self._check_input(X)
        if self._clip_shape is None:
            return -self._passes(self.module_).rl_kl(X)[:, :1]
        return self._passes(self.module_).frame_scores(X)

    def window_centers(self, n_windows: int) -> FloatArray:
        """Return the position of every score of `score_frames`, in frames from the start of the clip.

        Parameters
        ----------
        n_windows : int

        Returns
        -------
        ndarray of shape (n_windows,)
            ``MelTransformer.frames_to_seconds`` converts these positions to seconds.
        """
        check_is_fitted(self)
        return np.arange(n_windows, dtype=np.float64)

    def _passes(self, module):
        return VAEPasses(module, self._clip_shape, resolve_device(self.device))

    def _score(self, module, X):
        rl_kl = self._passes(module).rl_kl(X)
        return combine_rl_kl(rl_kl, (self.rl_kl_location_, self.rl_kl_precision_), **self._settings)

    def _calibrated(self, X, groups, module):
        rl, kl = self._passes(module).measure(X)
        rl_kl, n_held_out = np.column_stack([rl, kl.sum(axis=1)]), len(self.held_out_indices_)
        held_out = rl_kl[self.held_out_indices_]
        region = normal_region(held_out if n_held_out >= 3 else rl_kl)
        scores = combine_rl_kl(held_out, region, **self._settings)
        if self._settings["score_by"] == "mahalanobis" and n_held_out <= _MAX_LEAVE_ONE_OUT:
            members = np.arange(n_held_out) if groups is None else groups[self.held_out_indices_]
            scores = leave_one_out_scores(held_out, members, scores, **self._settings)
        offset = self._offset(scores, lambda: combine_rl_kl(rl_kl, region, **self._settings), groups)
        return {
            "rl_kl_location_": region[0],
            "rl_kl_precision_": region[1],
            "n_active_latents_": int(np.sum(kl.mean(axis=0) > _INACTIVE)),
            "held_out_scores_": scores,
            "offset_": offset,
        }

    def _warn_if_useless(self):
        if self.n_active_latents_ == 0:
            warnings.warn(
                f"the posterior collapsed: it is N(0, I) for every clip (mean KL of every latent value < {_INACTIVE} "
                "nats), so the decoder ignores the clip and KL tells nothing. Raise reconstruction_weight (now "
                f"{self.reconstruction_weight:g}) or lower kl_weight (now {self.kl_weight:g}); after a few steps of "
                "training, raise max_epochs.",
                UserWarning,
                stacklevel=users_level(),
            )

    def _check_input(self, X):
        X = super()._check_input(X)
        is_features = getattr(X, "ndim", 3) == 2
        if is_features != (self._clip_shape is None):
            kinds = ("features, (n_clips, n_features)", "spectrograms, (n_clips, n_bins, n_frames)")
            given, fitted = kinds if is_features else kinds[::-1]
            raise ValueError(f"{type(self).__name__} was fitted on {fitted}, but got {given}.")
        return X
