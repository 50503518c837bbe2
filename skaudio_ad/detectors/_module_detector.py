"""`ModuleDetector`: what detectors that train one torch module on normal clips have in common."""

from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from .._base import DetectorMixin, check_contamination, choose_offset
from .._checks import check_number, check_option
from .._input_checks import check_features, check_groups
from .._lazy import take
from ..training import (
    EpochCallbacks,
    ModuleStateMixin,
    algorithms,
    draw_seed,
    drawing_from,
    fit_module,
    make_stopping,
    resolve_device,
    split_normal,
)
from ._frames import FrameRows, normal_positions, training_clips

# Number of batches an epoch, and least and greatest number of rows in a batch, for batch_size="auto".
_BATCHES, _SMALLEST_BATCH, _LARGEST_BATCH = 4, 16, 256


class ModuleDetector(CallbackSupportMixin, ModuleStateMixin, DetectorMixin, BaseEstimator):
    """Fit and scores of a detector around one module; its parameters are those of the subclass.

    Subclasses define ``fit`` and the methods below that raise NotImplementedError, and extend ``_check_parameters``.
    """

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

    # Whether all clips have to be of one size.
    _one_size = False
    # Whether clips that y labels anomalous are left out of training with a warning.
    _warns_of_anomalies = True
    # Parameters that make scores of what the module makes: those of the last fit hold until the next.
    _scoring_parameters: tuple[str, ...] = ()

    def _fit(self, X, y, groups=None):
        """What the ``fit`` of a subclass, decorated with ``with_callbacks``, consists of."""
        import torch

        self._check_parameters()
        stopping = make_stopping(self.early_stopping, n_iter_no_change=self.n_iter_no_change, tol=self.tol)
        device = resolve_device(self.device)
        X = check_features(self, X, reset=True)
        n_clips = len(X)
        if y is not None:
            check_consistent_length(X, y)
        groups = check_groups(groups, n_clips)
        X, present = training_clips(X, self._look_at(X), type(self).__name__, one_size=self._one_size)
        if y is not None and len(present) < n_clips:
            y = np.asarray(y)[present]
        # Callbacks that score get the clips that are not trained on as well.
        watched = X, y
        X, groups = self._normal_only(X, y, None if groups is None else groups[present])
        callbacks = self._init_callback_context(max_subtasks=self.max_epochs)
        callbacks.call_on_fit_task_begin(estimator=self, X=watched[0], y=y)
        self._forget_module()
        self._settings = {name: getattr(self, name) for name in self._scoring_parameters}
        self.n_samples_fit_ = len(X)
        self._architecture = self._describe(X)
        seed = draw_seed(self.random_state)
        # One generator for the initial weights and for what the loss draws.
        generator = torch.Generator().manual_seed(seed)
        with algorithms(self.deterministic):
            train, self.held_out_indices_ = split_normal(len(X), self.validation_fraction, seed, groups)
            bank = self._make_bank(X, device)
            rows = bank.rows_of(train)
            batch_size = self.batch_size
            if batch_size == "auto":
                batch_size = min(_LARGEST_BATCH, max(_SMALLEST_BATCH, len(rows) // _BATCHES))
            if getattr(self, "batch_norm", False) and (len(rows) < 2 or batch_size == 1):
                raise ValueError(
                    f"batch_norm=True needs at least 2 rows a step, got batch_size={self.batch_size} and "
                    f"{len(rows)} rows to train on, from n_samples={len(X)}. Pass more clips, use a larger "
                    "batch_size, or set batch_norm=False."
                )
            with drawing_from(generator):
                module = self._make_module().to(device)
            history = fit_module(
                module,
                bank.windows,
                partial(self._loss, generator=generator),
                seed=seed,
                rows=rows,
                validation_rows=bank.rows_of(self.held_out_indices_),
                max_epochs=self.max_epochs,
                batch_size=batch_size,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                stopping=stopping,
                epochs=EpochCallbacks(self, callbacks, *watched, attributes=partial(self._learnt, X, groups)),
            )
        self.__dict__.update(self._learnt(X, groups, module, history), stopped_by_=history.stopped_by)
        self._judge()
        callbacks.call_on_fit_task_end(estimator=self, X=watched[0], y=y, reconstruction_attributes=dict)
        return self

    def score_samples(self, X):
        """Score every clip. Higher is more normal.

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
        """Raise where a parameter is out of range: again where it is used; here before a lazy corpus is computed."""
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

    def _look_at(self, X):
        """Note what kind of input X is, and return how many frames a clip needs at least."""
        raise NotImplementedError

    def _normal_only(self, X, y, groups):
        """The clips to train on, among those that could be read, and their groups."""
        normal = normal_positions(y, len(X), type(self).__name__, warn=self._warns_of_anomalies)
        if normal is None:
            return X, groups
        kept = X.part(normal) if isinstance(X, FrameRows) else take(X, normal)
        return kept, None if groups is None else groups[normal]

    def _judge(self):
        """Warn of a training that came to nothing."""

    def _describe(self, X):
        """What `_make_module` builds the network from, a dict of plain values."""
        raise NotImplementedError

    def _make_bank(self, X, device):
        """What is trained on: an object with a tensor ``windows`` and ``rows_of(clips)``, rows of it."""
        raise NotImplementedError

    def _loss(self, module, batch, generator=None):
        """Mean loss of some rows of ``windows``, a scalar tensor; what it draws comes from `generator`, on the CPU."""
        raise NotImplementedError

    def _score(self, module, X):
        """Score every clip of a checked X by a module, float64 (n_clips,)."""
        raise NotImplementedError

    def _learnt(self, X, groups, module, history):
        """Fitted attributes, of the end of the training or of one of its epochs."""
        return {
            "module_": module,
            "loss_curve_": list(history.loss_curve),
            "validation_loss_curve_": list(history.validation_loss_curve),
            "n_iter_": len(history.loss_curve),
            "best_epoch_": history.best_epoch,
            **self._calibrated(X, groups, module),
        }

    def _calibrated(self, X, groups, module):
        """Held-out scores and the threshold, as attributes."""
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

    def _check_input(self, X):
        check_is_fitted(self)
        return check_features(self, X, reset=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
