"""Turn results into values that JSON can hold."""

import math
from typing import Any


def without_nan(value: Any) -> Any:
    """Replace NaN and infinity by None, at any depth, because JSON has no such numbers. Texts become valid UTF-8.

    Parameters
    ----------
    value : object
        Numbers (also of NumPy), texts, lists, tuples and dicts.

    Returns
    -------
    object
    """
    if isinstance(value, dict):
        return {without_nan(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if hasattr(value, "item"):  # a number of NumPy
        value = value.item()
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
