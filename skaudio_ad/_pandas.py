"""The optional package pandas."""

from typing import Any


def import_pandas(otherwise: str = "") -> Any:
    """Import pandas for a method `to_frame`.

    Parameters
    ----------
    otherwise : str, default=""
        What a user may call without pandas, such as "rows()".

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If pandas is not installed. The message says how to install pandas.
    """
    try:
        import pandas as pd
    except ImportError as error:
        instead = f"; or use {otherwise}" if otherwise else ""
        raise ImportError(f"to_frame needs pandas: pip install pandas{instead}.") from error
    return pd
