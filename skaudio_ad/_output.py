"""`set_output` for transformers whose output is a table only sometimes."""

from functools import wraps

import numpy as np
from sklearn.base import TransformerMixin


class TableOutputMixin(TransformerMixin, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Transformer whose 2-D output becomes a data frame where the user asks for one, and nothing else does.

    scikit-learn makes a data frame of whatever a transformer with names returns, and fails on spectrograms
    (n_clips, n_bins, n_frames), on lists of clips of different lengths and on lazy clips. Those stay what they are
    here, so that a whole pipeline takes ``set_output(transform="pandas")`` and ``set_config(transform_output=...)``.

    Subclasses define ``get_feature_names_out``: names of the columns, or of the bins where the output has three
    axes. An array carries no names into the next step, so that bins are called x0, x1, ... in any case.
    """

    def __init_subclass__(cls, **kwargs):
        for name in ("transform", "fit_transform"):
            if name in vars(cls):
                setattr(cls, name, _or_made(vars(cls)[name]))
        super().__init_subclass__(**kwargs)  # scikit-learn puts its wrapper around the methods
        for name in ("transform", "fit_transform"):
            if name in vars(cls):
                setattr(cls, name, _tables_only(vars(cls)[name]))

    def fit_transform(self, X, y=None, **fit_params):
        """Fit, and transform the training clips.

        Parameters
        ----------
        X : array-like of clips, as in `fit`
        y : array-like of shape (n_clips,), default=None
            As in `fit`.
        **fit_params : dict
            Further arguments of `fit`.

        Returns
        -------
        ndarray, list, lazy sequence or data frame
            As of `transform`.
        """
        return self.fit(X, y, **fit_params).transform(X)

    def _is_table(self, made):
        """Whether an output is one row of named values a clip."""
        return isinstance(made, np.ndarray) and made.ndim == 2


def bin_names(n_bins):
    """Names x0, x1, ... as scikit-learn calls columns without names, ndarray of str of shape (n_bins,)."""
    return np.array([f"x{index}" for index in range(n_bins)], dtype=object)


def _or_made(method):
    """`method`, but returning `made` where that is given: what is left to do is to make a data frame of it."""

    @wraps(method)
    def wrapped(self, X, *args, made=None, **kwargs):
        return method(self, X, *args, **kwargs) if made is None else made

    return wrapped


def _tables_only(method):
    """`method`, which makes a data frame of what it is given as `made`, for tables alone."""
    make = method.__wrapped__  # what scikit-learn has wrapped

    @wraps(method)
    def wrapped(self, X, *args, **kwargs):
        made = make(self, X, *args, **kwargs)
        return method(self, X, made=made) if self._is_table(made) else made

    return wrapped
