"""`ResidualDetector`: a window detector whose error is the square or a Mahalanobis distance of the residuals."""

import warnings
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.callback import with_callbacks

from .._checks import check_option, users_level
from .._typing import Clips, Labels
from ..training import resolve_device
from ._residual_scorer import ResidualScorer, learn_whitenings
from ._window_detector import WindowDetector


class ResidualDetector(WindowDetector):
    """Window detector with the parameter `error`, and with domains in `fit`.

    Subclasses define what :class:`WindowDetector` asks for.
    """

    # With metadata routing, `domains` go to the detector only where ``set_fit_request(domains=True)`` asks for them.
    __metadata_request__fit = {"domains": False}

    error: Any
    domains_: npt.NDArray[Any]
    _error = "mse"  # value of `error` at the last fit
    _whitenings: npt.NDArray[np.float64]

    @with_callbacks
    def fit(
        self, X: Clips, y: Labels | None = None, groups: Labels | None = None, domains: Labels | None = None
    ) -> Self:
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
        domains : array-like of shape (n_clips,), default=None
            Domain of every clip, such as "source" and "target": the residuals of every domain have a covariance of
            their own. A Mahalanobis error of a new clip needs no domain, because the nearest domain counts.
            ``error="mse"`` makes no use of domains.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, X is empty, not finite or shorter than one window, there are too
            few clips to hold one out, or the training diverges.

        Warns
        -----
        UserWarning
            If a covariance has no inverse, or all clips of a domain are held out. The message says what happens then.
        """
        self._fit(X, y, groups, domains)
        del self._train
        return self

    def _check_parameters(self):
        check_option(self.error, "error", ("mse", "mahalanobis", "mahalanobis-clip"))
        if self.error == "mahalanobis-clip" and self.time_pooling != "mean":
            raise ValueError(
                f'error="mahalanobis-clip" takes the mean residual of a clip, so time_pooling must be "mean", got '
                f'{self.time_pooling!r}. Set error="mahalanobis" to pool the errors of the windows.'
            )
        super()._check_parameters()

    def _prepare(self, X, groups, device, seed):
        self._error, self.domains_ = self.error, np.empty(0)
        data = super()._prepare(X, groups, device, seed)
        self._train = np.setdiff1d(np.arange(len(X)), self.held_out_indices_)
        if self._error != "mse" and self._domains is not None:
            self.domains_ = np.unique(self._domains[self._train])
            lost = np.setdiff1d(self._domains, self.domains_)
            if len(lost):
                warnings.warn(
                    f"all clips of domain {lost[0]!r} are held out of the training, so the domain has no covariance of "
                    "its own, and its clips are measured by the other domains. Pass more clips of the domain, or "
                    "another random_state.",
                    UserWarning,
                    stacklevel=users_level(),
                )
        return data

    def _calibrated(self, X, groups, module):
        if self._error == "mse":
            return super()._calibrated(X, groups, module)
        collector = self._residual_scorer(module)
        domains: Any = self._domains

        def residuals(domain):
            kept = self._train if domain is None else self._train[domains[self._train] == domain]
            return collector.residuals(X, kept)

        self._whitenings = learn_whitenings(residuals, self.domains_.tolist(), type(self).__name__)
        return {"_whitenings": self._whitenings, **super()._calibrated(X, groups, module)}

    def _scorer(self, module):
        if self._error == "mse":
            return super()._scorer(module)
        return self._residual_scorer(module, self._whitenings)

    def _residual_scorer(self, module, whitenings=None):
        device, whole_clips = resolve_device(self.device), self._error == "mahalanobis-clip"
        return ResidualScorer(module, self._compare, self.window_length_, device, whole_clips, whitenings)
