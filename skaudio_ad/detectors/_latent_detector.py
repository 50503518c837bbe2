"""`LatentDetector`: latent vectors and decoded clips of a variational autoencoder."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted

from .._checks import check_number
from .._typing import Clips, Float32Array, RandomState
from ..training import inference, resolve_device
from ._rl_kl import without_missing
from ._rl_kl_detector import RLKLDetector


class LatentDetector(RLKLDetector):
    """Detector that encodes clips to latent vectors and decodes latent vectors to clips."""

    _architecture: dict[str, Any]

    def encode(self, X: Clips) -> Float32Array:
        """Return the mean of the posterior of every clip.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, latent_size)
            NaN for a clip that could not be read.
        """
        X = self._check_input(X)
        return np.concatenate([mean for *_, mean, _ in self._passes(self.module_)(X)]).astype(np.float32)

    def decode(self, Z: npt.ArrayLike) -> Float32Array:
        """Decode latent vectors to clips.

        Parameters
        ----------
        Z : array-like of shape (n_clips, latent_size)

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            Every clip has the shape of a clip of `fit`. The clip is NaN if its vector holds NaN.
        """
        check_is_fitted(self)
        latent_size = self._architecture["latent_size"]
        rows = check_array(Z, dtype=np.float32, ensure_all_finite="allow-nan", input_name="Z")
        if rows.shape[1] != latent_size:
            raise ValueError(
                f"Z must have the {latent_size} columns of the latent vectors, got {rows.shape[1]}."
            )
        import torch

        device = resolve_device(self.device)
        module = self.module_.to(device)
        with inference():
            parts = [module.decode(row.to(device)).cpu().numpy() for row in torch.from_numpy(rows).split(1)]
        return without_missing(np.concatenate(parts), rows)

    def reconstruct(self, X: Clips) -> Float32Array:
        """Reconstruct every clip: ``decode(encode(X))``, up to rounding.

        Parameters
        ----------
        X : array-like of clips, as in `fit`

        Returns
        -------
        ndarray of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            NaN for a clip that could not be read.
        """
        X = self._check_input(X)
        return np.concatenate([output for _, output, *_ in self._passes(self.module_)(X)]).astype(np.float32)

    def sample(self, n_samples: int = 1, random_state: RandomState = None) -> Float32Array:
        """Generate clips from latent vectors that are drawn from N(0, I).

        Parameters
        ----------
        n_samples : int, default=1
        random_state : int, RandomState instance or None, default=None
            None uses the parameter `random_state` of the detector.

        Returns
        -------
        ndarray of shape (n_samples, n_features) or (n_samples, n_bins, n_frames)
        """
        check_is_fitted(self)
        check_number(n_samples, "n_samples", low=1, integer=True)
        generator = check_random_state(self.random_state if random_state is None else random_state)
        return self.decode(generator.normal(size=(n_samples, self._architecture["latent_size"])))
