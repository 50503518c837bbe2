"""`ModuleDetector`: base class of the detectors that train one torch module on normal clips."""

from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from .._base import DetectorMixin, check_contamination, choose_offset
from .._checks import check_number, check_option
from .._input_checks import check_features, check_groups, number_groups
from .._lazy import take
from .._typing import Clips, FloatArray, IntArray
from ..training import (
    ModuleStateMixin,
    TrainingRows,
    make_stopping,
    resolve_device,
    split_normal,
    train_estimator,
)
from ._frames import FrameRows, normal_positions, training_clips

# Number of batches an epoch, and minimum and maximum number of rows in a batch, for batch_size="auto".
_N_BATCHES, _MIN_BATCH, _MAX_BATCH = 4, 16, 256


class ModuleDetector(CallbackSupportMixin, ModuleStateMixin, DetectorMixin, BaseEstimator):
    """Fit and scores of a detector around one module. The subclass defines the parameters.

    Subclasses define ``fit`` and the methods below that raise NotImplementedError, and extend ``_check_parameters``.
    """

    module_: Any
    offset_: float
    loss_curve_: list[float]
    validation_loss_curve_: list[float]
    n_iter_: int
    best_epoch_: int
    stopped_by_: str
    held_out_indices_: IntArray
    held_out_scores_: FloatArray
    n_features_in_: int
    n_samples_fit_: int

    max_epochs: Any
    batch_size: Any
    learning_rate: Any
    weight_decay: Any
    early_stopping: Any
    n_iter_no_change: Any
    tol: Any
    validation_fraction: Any
    contamination: Any
    device: Any
    deterministic: Any
    random_state: Any

    # Whether all clips must have one size.
    _one_size = False
    # Whether clips that y labels anomalous are left out of training with a warning.
    _warns_of_anomalies = True
    # Parameters that turn the outputs of the module into scores. Their values at the last fit hold until the next fit.
    _scoring_parameters: tuple[str, ...] = ()

    def _fit(self, X, y, groups=None, domains=None):
        """Fit the detector. The ``fit`` of a subclass, decorated with ``with_callbacks``, calls this method."""
        self._check_parameters()
        stopping = make_stopping(self.early_stopping, n_iter_no_change=self.n_iter_no_change, tol=self.tol)
        device = resolve_device(self.device)
        X = check_features(self, X, reset=True)
        n_clips = len(X)
        if y is not None:
            check_consistent_length(X, y)
        groups = number_groups(groups, n_clips)
        domains = check_groups(domains, n_clips, "domain")
        min_frames = self._note_input_kind(X)
        X, present = training_clips(X, min_frames, type(self).__name__, one_size=self._one_size)
        if y is not None and len(present) < n_clips:
            y = np.asarray(y)[present]
        normal, kept = self._normal_only(X, y)
        groups, self._domains = (
            None if labels is None else labels[present][kept] for labels in (groups, domains)
        )
        train_estimator(
            self,
            # Callbacks that score also get the clips that are left out of the training.
            X,
            y,
            device=device,
            prepare=partial(self._prepare, normal, groups, device),
            loss=self._loss,
            attributes=partial(self._fitted_attributes, normal, groups),
            stopping=stopping,
        )
        self._warn_if_useless()
        del self._domains
        return self

    def _prepare(self, X, groups, device, seed):
        """Split the clips into training and held-out clips, and return the rows to train on."""
        self._settings = {name: getattr(self, name) for name in self._scoring_parameters}
        self.n_samples_fit_ = len(X)
        self._architecture = self._network_settings(X)
        train, self.held_out_indices_ = split_normal(len(X), self.validation_fraction, seed, groups)
        bank = self._training_windows(X, device)
        rows = bank.rows_of(train)
        batch_size = self.batch_size
        if batch_size == "auto":
            batch_size = min(_MAX_BATCH, max(_MIN_BATCH, len(rows) // _N_BATCHES))
        if getattr(self, "batch_norm", False) and (len(rows) < 2 or batch_size == 1):
            raise ValueError(
                f"batch_norm=True needs at least 2 rows a step, got batch_size={self.batch_size} and "
                f"{len(rows)} rows to train on, from n_samples={len(X)}. Pass more clips, use a larger "
                "batch_size, or set batch_norm=False."
            )
        return TrainingRows(bank.windows, batch_size, rows, bank.rows_of(self.held_out_indices_))

    def score_samples(self, X: Clips) -> FloatArray:
        """Score every clip. A higher score is more normal.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features) or (n_clips, n_bins, n_frames)
            Or a list of (n_bins, n_frames_i), or a lazy sequence of them.

        Returns
        -------
        ndarray of shape (n_clips,), float64
            NaN for a clip that could not be read.
        """
        X = self._check_input(X)
        return self._score(self.module_, X)

    def _check_parameters(self):
        """Raise if a parameter is out of range.

        The training checks some parameters again. The checks here come before a lazy sequence computes its clips.
        """
        check_number(self.max_epochs, "max_epochs", low=1, integer=True)
        if isinstance(self.batch_size, str):
            check_option(self.batch_size, "batch_size", ("auto",))
        else:
            check_number(self.batch_size, "batch_size", low=1, integer=True)
        check_number(self.learning_rate, "learning_rate", low=0, closed="neither")
        check_number(self.weight_decay, "weight_decay", low=0)
        check_number(self.validation_fraction, "validation_fraction", low=0, high=1, closed="left")
        check_contamination(self.contamination)
        check_option(self.deterministic, "deterministic", (True, False))

    def _note_input_kind(self, X):
        """Note the kind of input that X is, and return the minimum number of frames of a clip."""
        raise NotImplementedError

    def _normal_only(self, X, y):
        """Select the clips that are not labelled anomalous. Return the clips and their positions."""
        normal = normal_positions(y, len(X), type(self).__name__, warn=self._warns_of_anomalies)
        if normal is None:
            return X, np.arange(len(X))
        return X.part(normal) if isinstance(X, FrameRows) else take(X, normal), normal

    def _warn_if_useless(self):
        """Warn if the training has failed, so that the scores tell nothing."""

    def _network_settings(self, X):
        """Settings from which `_make_module` builds the network, a dict of plain values."""
        raise NotImplementedError

    def _training_windows(self, X, device):
        """Training data: an object with a tensor ``windows`` and a method ``rows_of(clips)`` for row numbers."""
        raise NotImplementedError

    def _loss(self, module, batch, generator=None):
        """Mean loss of a batch of ``windows``, a scalar tensor. Random numbers come from `generator`, on the CPU."""
        raise NotImplementedError

    def _score(self, module, X):
        """Score every clip of a checked X with a module: float64 (n_clips,)."""
        raise NotImplementedError

    def _fitted_attributes(self, X, groups, module, history):
        """Fitted attributes after the training or after one of the epochs."""
        return {
            "module_": module,
            "loss_curve_": list(history.loss_curve),
            "validation_loss_curve_": list(history.validation_loss_curve),
            "n_iter_": len(history.loss_curve),
            "best_epoch_": history.best_epoch,
            **self._calibrated(X, groups, module),
        }

    def _calibrated(self, X, groups, module):
        """Fitted attributes that depend on scores: the held-out scores and the threshold."""
        held_out = take(X, self.held_out_indices_)
        scores = self._score(module, held_out) if len(held_out) else np.empty(0)
        offset = self._offset(scores, lambda: self._score(module, X), groups)
        return {"held_out_scores_": scores, "offset_": offset}

    def _offset(self, held_out_scores, training_scores, groups):
        return choose_offset(
            self.contamination,
            held_out_scores=held_out_scores,
            training_scores=training_scores,
            groups=None if groups is None else groups[self.held_out_indices_],
            training_groups=groups,
        )

    def _check_input(self, X) -> Any:
        check_is_fitted(self)
        return check_features(self, X, reset=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
