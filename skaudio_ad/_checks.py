"""Checks of numbers, options and sizes, shared by every estimator."""

import numbers
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

# A call may pass through these packages between the user's line and the function that warns.
_BETWEEN = {__name__.partition(".")[0], "sklearn", "joblib"}


def check_number(
    value: Any,
    name: str,
    *,
    low: float | None = None,
    high: float | None = None,
    closed: str = "both",
    integer: bool = False,
    none: bool = False,
) -> None:
    """Raise unless `value` is a number in the interval from `low` to `high`.

    Parameters
    ----------
    value : object
    name : str
        Name of the parameter, for the message.
    low, high : number or None, default=None
        Ends of the interval. None leaves that end open to infinity.
    closed : {"both", "left", "right", "neither"}, default="both"
        Ends that belong to the interval.
    integer : bool, default=False
        Whether `value` must be an integer.
    none : bool, default=False
        Whether None is accepted too.

    Raises
    ------
    TypeError
        If `value` is not a number, or not an integer where `integer` is True.
    ValueError
        If `value` lies outside the interval.
    """
    if none and value is None:
        return
    kind = numbers.Integral if integer else numbers.Real
    if not isinstance(value, kind) or isinstance(value, (bool, np.bool_)):
        wanted = ("an integer" if integer else "a number") + (" or None" if none else "")
        raise TypeError(f"{name} must be {wanted}, got {value!r}.")
    number: Any = value
    above = low is None or number > low or (number == low and closed in ("both", "left"))
    below = high is None or number < high or (number == high and closed in ("both", "right"))
    if not (above and below):
        left = f"{'[' if closed in ('both', 'left') else '('}{'-inf' if low is None else low}"
        right = f"{'inf' if high is None else high}{']' if closed in ('both', 'right') else ')'}"
        raise ValueError(f"{name} must lie in {left}, {right}, got {value!r}.")


def check_option(value: Any, name: str, options: Iterable[Any]) -> None:
    """Raise a ValueError that lists `options` unless `value` is one of them."""
    if not any(value is option or value == option for option in options):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}.")


def check_sizes(value: Any, name: str, *, at_least: int = 0) -> None:
    """Raise unless `value` is a sequence of at least `at_least` positive integers."""
    if not isinstance(value, (list, tuple, np.ndarray)):
        raise TypeError(f"{name} must be a sequence of integers, got {value!r}.")
    if len(value) < at_least:
        raise ValueError(f"{name} must hold at least {at_least}, got {value!r}.")
    for size in value:
        check_number(size, name, low=1, integer=True)


def users_level() -> int:
    """Find the stacklevel of a warning that points at the user's line, through any number of pipelines.

    Returns
    -------
    int
        Stacklevel for ``warnings.warn`` in the function that calls this one.
    """
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    return level
