"""Epochs as tasks of scikit-learn's callbacks."""

import copy
from typing import Any


class EpochCallbacks:
    """Reports the epochs of a fit to the callbacks set on an estimator.

    Parameters
    ----------
    estimator : estimator with callback support
    context : sklearn.callback.CallbackContext
        The fit's, from ``estimator._init_callback_context(max_subtasks=max_epochs)``.
    X, y : array-like
        What is trained on, and its labels, for callbacks that score.
    attributes : callable
        ``attributes(module, history)`` returns a dict of what the estimator would have learnt, were the training
        to end now.
    """

    def __init__(self, estimator, context, X, y=None, *, attributes):
        self._estimator, self._context, self._X, self._y = estimator, context, X, y
        self._attributes = attributes
        self._epoch: Any = None

    def begin(self):
        """Tell the callbacks that an epoch begins."""
        self._epoch = self._context.subcontext("epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, X=self._X, y=self._y)

    def end(self, module, history):
        """Tell the callbacks that the epoch is over; return whether one of them wants to stop.

        The losses so far are on the estimator, as scikit-learn's multi-layer perceptron has them while it
        trains: a callback that wants no more reads its ``loss_curve_`` and ``validation_loss_curve_``.
        A callback that asks for the ``fitted_estimator`` gets one that scores with the weights of this epoch, also
        when it keeps it.
        """
        self._estimator.loss_curve_ = history.loss_curve
        self._estimator.validation_loss_curve_ = history.validation_loss_curve
        return self._epoch.call_on_fit_task_end(
            estimator=self._estimator,
            X=self._X,
            y=self._y,
            reconstruction_attributes=lambda: self._attributes(copy.deepcopy(module), history),
        )
