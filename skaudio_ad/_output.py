"""`set_output` for transformers whose output is not always a table."""

from functools import wraps
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import TransformerMixin

from ._doc_links import DocLinkMixin


class TableOutputMixin(DocLinkMixin, TransformerMixin, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Mixin for transformers: only a 2-D output becomes a data frame, where the user asks for data frames.

    scikit-learn makes a data frame of every output of a transformer with names. That fails for spectrograms
    (n_clips, n_bins, n_frames), for lists of clips of different lengths and for lazy clips. Here those outputs stay
    unchanged, so that a whole pipeline accepts ``set_output(transform="pandas")`` and
    ``set_config(transform_output=...)``.

    Subclasses define ``get_feature_names_out``. It names the columns, or the bins where the output has three axes.
    Bins are always called x0, x1, ..., because an array carries no names into the next step.
    """

    def __init_subclass__(cls, **kwargs):
        for name in ("transform", "fit_transform"):
            if name in vars(cls):
                setattr(cls, name, _or_made(vars(cls)[name]))
        super().__init_subclass__(**kwargs)  # scikit-learn puts its wrapper around the methods
        for name in ("transform", "fit_transform"):
            if name in vars(cls):
                setattr(cls, name, _tables_only(vars(cls)[name]))

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit the transformer, and transform the training clips.

        Parameters
        ----------
        X : array-like of clips
            Training clips, as in `fit`.
        y : array-like of shape (n_clips,), default=None
            Labels, as in `fit`.
        **fit_params : dict
            Further arguments of `fit`.

        Returns
        -------
        ndarray, list, lazy sequence or data frame
            Output of `transform`.
        """
        return self.fit(X, y, **fit_params).transform(X)

    def _is_table(self, made):
        """Tell whether an output has one row of named values per clip."""
        return isinstance(made, np.ndarray) and made.ndim == 2


def bin_names(n_bins: int) -> npt.NDArray[np.object_]:
    """Return the names x0, x1, ..., ndarray of str of shape (n_bins,), as scikit-learn names columns."""
    return np.array([f"x{index}" for index in range(n_bins)], dtype=object)


def _or_made(method):
    """Wrap `method` so that it returns `made` where given. scikit-learn then makes a data frame of `made`."""

    @wraps(method)
    def wrapped(self, X, *args, made=None, **kwargs):
        return method(self, X, *args, **kwargs) if made is None else made

    return wrapped


def _tables_only(method):
    """Wrap `method`, which makes a data frame of `made`, so that only tables become data frames."""
    make = method.__wrapped__  # the method below the wrapper of scikit-learn

    @wraps(method)
    def wrapped(self, X, *args, **kwargs):
        made = make(self, X, *args, **kwargs)
        return method(self, X, made=made) if self._is_table(made) else made

    return wrapped
