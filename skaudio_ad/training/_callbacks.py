"""Epochs as tasks of scikit-learn's callbacks."""


class EpochCallbacks:
    """Reports the epochs of a fit to the callbacks set on an estimator.

    Parameters
    ----------
    estimator : estimator with callback support
    context : sklearn.callback.CallbackContext
        The fit's, from ``estimator._init_callback_context(max_subtasks=max_epochs)``.
    X, y : array-like
        What `fit` was given, for callbacks that score.
    """

    def __init__(self, estimator, context, X, y=None):
        self._estimator, self._context, self._X, self._y = estimator, context, X, y
        self._epoch = None

    def begin(self):
        """Tell the callbacks that an epoch begins."""
        self._epoch = self._context.subcontext("epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, X=self._X, y=self._y)

    def end(self, module, history):
        """Tell the callbacks that the epoch is over; return whether one of them wants to stop.

        A callback that asks for the ``fitted_estimator`` gets one with ``module_``, ``loss_curve_`` and
        ``validation_loss_curve_`` as they are at this epoch.
        """
        return self._epoch.call_on_fit_task_end(
            estimator=self._estimator,
            X=self._X,
            y=self._y,
            reconstruction_attributes=lambda: {
                "module_": module,
                "loss_curve_": list(history.loss_curve),
                "validation_loss_curve_": list(history.validation_loss_curve),
            },
        )
