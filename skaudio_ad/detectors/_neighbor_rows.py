"""Rows as a search for neighbours compares them."""

import numpy as np

from ._clip_rows import BLOCK, slices, squared_lengths

# Largest ratio of the squared length of the mean row to the variance of the rows at which lengths are measured from
# the origin. Rounding errors of the products grow with that length: at 16 they are 17 times those of centred rows,
# which still leaves a handful of candidates, and subtracting the mean makes a single query take twice as long.
_OFF_CENTRE = 16


def prepare(rows, metric, dtype, center=None):
    """Rows as the search compares them, with one more column.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Finite.
    metric : {"cosine", "euclidean"}
        "cosine" brings every row to a length of 1; a row of zeros stays one and gets a 1 in the new column, a
        direction of its own. For "euclidean" the new column is half the squared length.
    dtype : dtype
    center : ndarray of shape (n_features + 1,), default=None
        From :func:`find_center`: where lengths are measured from.

    Returns
    -------
    ndarray of shape (n_rows, n_features + 1)
        Every row is the same, bit for bit, whatever the others are.
    """
    prepared = np.empty((len(rows), rows.shape[1] + 1), dtype=dtype)
    for part in slices(len(rows), BLOCK):
        block = np.array(rows[part], dtype=np.float64, order="C")
        if metric == "cosine":
            # Relative to the largest value first: the square of a tiny one would be zero.
            peak = np.abs(block).max(axis=1)
            block /= np.where(peak > 0, peak, 1)[:, np.newaxis]
            block /= np.where(peak > 0, np.sqrt(squared_lengths(block)), 1)[:, np.newaxis]
            column = peak == 0
        else:
            column = half_squares(block, center)
        prepared[part, :-1], prepared[part, -1] = block, column
    return prepared


def prepare_bank(bank, metric):
    """Prepare the rows of a bank where they are, and find their centre.

    Parameters
    ----------
    bank : ndarray of shape (n_rows, n_features + 1)
        Rows with one free column behind them. The array is written to.
    metric : {"cosine", "euclidean"}

    Returns
    -------
    ndarray of shape (n_features + 1,) or None
        Centre of the rows, from :func:`find_center`.
    """
    for part in slices(len(bank), BLOCK):
        bank[part] = prepare(bank[part, :-1], metric, bank.dtype)
    return find_center(bank, metric)


def find_center(bank, metric):
    """The mean row of a bank, if the rows lie far from the origin and close together; changes the lengths with it.

    Products of rows that are long and nearly equal, as with one column of Unix time, round off what tells the rows
    apart. Measured from their mean they are short.

    Parameters
    ----------
    bank : ndarray of shape (n_rows, n_features + 1)
        Of rows from :func:`prepare`. The last column is written to.
    metric : {"cosine", "euclidean"}

    Returns
    -------
    ndarray of shape (n_features + 1,) or None
        In the precision of the bank, the last value 0; None where lengths stay those from the origin, as the
        cosine's do.
    """
    if metric == "cosine":
        return None
    origin = bank[0].astype(np.float64)  # near the mean: squares of differences from it do not cancel
    total, squares = np.zeros(len(origin)), 0.0
    for part in slices(len(bank), BLOCK):
        block = bank[part] - origin
        total += block.sum(axis=0)
        squares += np.square(block[:, :-1]).sum()
    total[-1] = origin[-1] = 0
    mean = total / len(bank)
    center = origin + mean
    if np.square(center).sum() <= _OFF_CENTRE * (squares / len(bank) - np.square(mean).sum()):
        return None
    # What the bank's precision can hold, so that a difference from it is rounded but once.
    center = center.astype(bank.dtype)
    for part in slices(len(bank), BLOCK):
        bank[part, -1] = half_squares(bank[part, :-1].astype(np.float64), center)
    return center


def half_squares(block, center):
    """Half the squared lengths of rows in float64, (n_rows,)."""
    with np.errstate(over="ignore"):
        return squared_lengths(block if center is None else block - center[:-1]) / 2
