"""Checks of numbers, options and sizes, shared by every estimator."""

import numbers
import sys

import numpy as np

# Packages whose functions lie between the user's line and what it sets going.
_BETWEEN = {__name__.partition(".")[0], "sklearn", "joblib"}


def check_number(value, name, *, low=None, high=None, closed="both", integer=False, none=False):
    """Raise unless `value` is a number in the interval from `low` to `high`.

    Parameters
    ----------
    value : object
    name : str
        The parameter's name, for the message.
    low, high : number or None, default=None
        Ends of the interval; None is open to infinity.
    closed : {"both", "left", "right", "neither"}, default="both"
        Which ends belong to the interval.
    integer : bool, default=False
        Whether only integers will do.
    none : bool, default=False
        Whether None will do as well.

    Raises
    ------
    TypeError
        If `value` is no number of the kind asked for.
    ValueError
        If `value` lies outside the interval.
    """
    if none and value is None:
        return
    kind = numbers.Integral if integer else numbers.Real
    if not isinstance(value, kind) or isinstance(value, (bool, np.bool_)):
        wanted = ("an integer" if integer else "a number") + (" or None" if none else "")
        raise TypeError(f"{name} must be {wanted}, got {value!r}.")
    above = low is None or value > low or (value == low and closed in ("both", "left"))
    below = high is None or value < high or (value == high and closed in ("both", "right"))
    if not (above and below):
        left = f"{'[' if closed in ('both', 'left') else '('}{'-inf' if low is None else low}"
        right = f"{'inf' if high is None else high}{']' if closed in ('both', 'right') else ')'}"
        raise ValueError(f"{name} must lie in {left}, {right}, got {value!r}.")


def check_option(value, name, options):
    """Raise a ValueError that lists `options` unless `value` is one of them."""
    if not any(value is option or value == option for option in options):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}.")


def check_sizes(value, name, *, at_least=0):
    """Raise unless `value` is a sequence of `at_least` or more positive integers."""
    if not isinstance(value, (list, tuple, np.ndarray)):
        raise TypeError(f"{name} must be a sequence of integers, got {value!r}.")
    if len(value) < at_least:
        raise ValueError(f"{name} must hold at least {at_least}, got {value!r}.")
    for size in value:
        check_number(size, name, low=1, integer=True)


def users_level():
    """The stacklevel of a warning that shall point at the user's line, however many pipelines lie between.

    Returns
    -------
    int
        For ``warnings.warn`` in the function that calls this one.
    """
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    return level
