"""Kernel sizes and strides as pairs over bins and over frames."""

import numbers
from typing import Any

from .._checks import check_number


def as_pairs(value: Any, name: str, n_layers: int) -> tuple[tuple[int, int], ...]:
    """Convert kernel sizes or strides to one pair of integers, over bins and over frames, for every layer.

    Parameters
    ----------
    value : int or sequence of int or of pairs of int
    name : str
        Name of the parameter, for the error message.
    n_layers : int

    Returns
    -------
    tuple of (int, int)
    """
    values = [value] * n_layers if isinstance(value, numbers.Integral) else value
    if not isinstance(values, (list, tuple)) or len(values) != n_layers:
        raise ValueError(f"{name} must be one integer or {n_layers}, one for each of filters, got {value!r}.")
    pairs = [(item, item) if isinstance(item, numbers.Integral) else item for item in values]
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(f"{name} must hold integers or pairs, over bins and over frames, got {value!r}.")
        for item in pair:
            check_number(item, name, low=1, integer=True)
    return tuple((int(bins), int(frames)) for bins, frames in pairs)
