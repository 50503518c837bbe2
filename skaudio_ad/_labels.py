"""The one place that reads labels: 1 for normal, -1 for anomalous clips, and nothing else."""

import numpy as np
from sklearn.utils import column_or_1d

_WAY_OUT = "Convert them with y = np.where(is_fault, -1, 1)"


def is_anomalous(y, *, name="y_true"):
    """Which clips are anomalous.

    Parameters
    ----------
    y : array-like of shape (n_clips,)
        1 for normal, -1 for anomalous clips, as integers or floats.
    name : str, default="y_true"
        What to call `y` in a message.

    Returns
    -------
    ndarray of shape (n_clips,), bool

    Raises
    ------
    ValueError
        If a label is neither 1 nor -1. Labels of 0 and 1, False and True or text are never guessed at: data sets
        and libraries read them in opposite ways.
    """
    y = column_or_1d(y)
    labels = list(dict.fromkeys(y.tolist()))
    # A bool is a number to Python: True would pass for 1.
    known = all(label in (1, -1) and not isinstance(label, (bool, np.bool_)) for label in labels)
    if not known:
        shown = ", ".join(map(repr, sorted(labels, key=str)[:6])) + (", ..." if len(labels) > 6 else "")
        raise ValueError(
            f"{name} must hold 1 for normal and -1 for anomalous clips, got the labels [{shown}]. {_remedy(labels)}"
        )
    return np.asarray(y == -1, dtype=bool)


def as_labels(y, *, name="y_true"):
    """Labels as integers, 1 and -1, after the checks of :func:`is_anomalous`.

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
    """What to do about labels of another coding."""
    if all(label in (0, 1) for label in labels):
        return (
            "0 and 1, or False and True, can be read in two ways: 1 is the fault in most data sets, and the normal "
            f"clip where it means that all is well. {_WAY_OUT}, is_fault being True for anomalous clips."
        )
    if any(isinstance(label, str) for label in labels):
        return f'{_WAY_OUT}, for example with is_fault = np.asarray(y) != "normal".'
    return f"{_WAY_OUT}, is_fault being True for anomalous clips."
