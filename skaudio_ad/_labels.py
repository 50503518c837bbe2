"""Conversion of labels. 1 is a normal clip, -1 is an anomalous clip, and no other label is accepted."""

import numpy as np
from sklearn.utils import column_or_1d

_WAY_OUT = "Convert them with y = np.where(is_fault, -1, 1)"


def is_anomalous(y, *, name="y_true"):
    """Mark the anomalous clips.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips, as integers or floats.
    name : str, default="y_true"
        Name of `y` in an error message.

    Returns
    -------
    ndarray of shape (n_clips,), bool
        True for anomalous clips.

    Raises
    ------
    ValueError
        If a label is neither 1 nor -1. Labels of 0 and 1, False and True or text are never converted, because data
        sets and libraries give them opposite meanings.
    """
    y = column_or_1d(y)
    labels = list(dict.fromkeys(y.tolist()))
    # Exclude bools, because in Python True equals 1.
    known = all(label in (1, -1) and not isinstance(label, (bool, np.bool_)) for label in labels)
    if not known:
        shown = ", ".join(map(repr, sorted(labels, key=str)[:6])) + (", ..." if len(labels) > 6 else "")
        raise ValueError(
            f"{name} must hold 1 for normal and -1 for anomalous clips, got the labels [{shown}]. {_remedy(labels)}"
        )
    return np.asarray(y == -1, dtype=bool)


def as_labels(y, *, name="y_true"):
    """Return labels as integers, 1 and -1, after the checks of :func:`is_anomalous`.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
    name : str, default="y_true"

    Returns
    -------
    ndarray of shape (n_clips,), int64
    """
    return np.where(is_anomalous(y, name=name), -1, 1)


def _remedy(labels):
    """Say how to convert labels of another coding."""
    if all(label in (0, 1) for label in labels):
        return (
            "0 and 1, or False and True, can be read in two ways: 1 is the fault in most data sets, but the normal "
            f"clip in others. {_WAY_OUT}, where is_fault is True for anomalous clips."
        )
    if any(isinstance(label, str) for label in labels):
        return f'{_WAY_OUT}, for example with is_fault = np.asarray(y) != "normal".'
    return f"{_WAY_OUT}, where is_fault is True for anomalous clips."
