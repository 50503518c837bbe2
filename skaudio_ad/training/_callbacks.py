"""Epochs as tasks of scikit-learn's callbacks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from ._loop import FitHistory


class EpochCallbacks:
    """Reports the epochs of a fit to the callbacks set on an estimator.

    Parameters
    ----------
    estimator : estimator with callback support
    context : sklearn.callback.CallbackContext
        Context of the fit, from ``estimator._init_callback_context(max_subtasks=max_epochs)``.
    X, y : array-like
        Clips and labels for callbacks that score.
    attributes : callable
        ``attributes(module, history)`` returns the fitted attributes that the estimator would have if the training
        ended now.
    """

    def __init__(
        self,
        estimator: Any,
        context: Any,
        X: Any,
        y: Any = None,
        *,
        attributes: Callable[[torch.nn.Module, FitHistory], dict[str, Any]],
    ):
        self._estimator, self._context, self._X, self._y = estimator, context, X, y
        self._attributes = attributes
        self._epoch: Any = None

    def begin(self) -> None:
        """Tell the callbacks that an epoch begins."""
        self._epoch = self._context.subcontext("epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, X=self._X, y=self._y)

    def end(self, module: torch.nn.Module, history: FitHistory) -> bool:
        """Tell the callbacks that the epoch has ended, and return whether a callback stops the training.

        The estimator has the losses so far as ``loss_curve_`` and ``validation_loss_curve_``, like scikit-learn's
        multi-layer perceptron during its training. Callbacks can read these attributes without further cost.
        A callback that asks for the ``fitted_estimator`` gets an estimator with a copy of the weights of this epoch,
        which later epochs do not change.
        """
        self._estimator.loss_curve_ = history.loss_curve
        self._estimator.validation_loss_curve_ = history.validation_loss_curve
        return self._epoch.call_on_fit_task_end(
            estimator=self._estimator,
            X=self._X,
            y=self._y,
            reconstruction_attributes=lambda: self._attributes(copy.deepcopy(module), history),
        )
