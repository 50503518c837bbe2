"""Clips as rows: one row for a clip of one embedding, one row for every frame of a sequence."""

from functools import partial
from typing import Any

import numpy as np

from .._lazy import ClipError, LazySequence, is_missing, take
from ._frame_rows import GrowingRows
from ._frames import check_present, normal_positions, readable_clips

# Number of rows that are computed at a time. On one core of an EPYC with 2 MB of L2, blocks of 512 to 2048 rows of 384
# values are multiplied at the speed of one large product; fewer than 128 rows cost 15 % more.
BLOCK = 2048
# Largest distance that is reported, because the mean of many such distances is still finite.
FARTHEST = 1e300
_POOLS: dict[str, Any] = {"mean": np.mean, "max": np.max}


def training_rows(X, y, n_features, name, n_spare):
    """Copy the rows of the training clips into one array. Clips that are unreadable or labelled -1 are left out.

    Parameters
    ----------
    X : ndarray, list of ndarray or LazySequence
        Clips from ``check_features``. The clips of a lazy sequence are computed once.
    y : array-like of shape (n_clips,) or None
    n_features : int
    name : str
        Name of the detector, for messages.
    n_spare : int
        Number of columns to leave free behind the features.

    Returns
    -------
    rows : ndarray of shape (n_rows, n_features + n_spare), float32 or float64
        The rows of a clip lie side by side. The values of the spare columns are arbitrary.
    lengths : ndarray of int of shape (n_training_clips,)
        Number of rows of every clip.
    positions : ndarray of int of shape (n_training_clips,)
        Positions of the training clips in X.
    """
    normal = normal_positions(y, len(X), name)
    if normal is not None:
        X = take(X, normal)
    is_table = getattr(X, "ndim", 3) == 2
    rows, lengths, present = (_rows_of_table if is_table else _rows_of_sequences)(X, n_features, n_spare)
    check_present(present, len(X), name)
    return rows, lengths, present if normal is None else normal[present]


def _rows_of_table(X, n_features, n_spare):
    present = np.array([index for index, _ in readable_clips(X)], dtype=int)
    rows = np.empty((len(present), n_features + n_spare), dtype=np.result_type(np.float32, X.dtype))
    rows[:, :n_features] = X if len(present) == len(X) else X[present]
    return rows, np.ones(len(present), dtype=int), present


def _rows_of_sequences(X, n_features, n_spare):
    rows = GrowingRows(n_spare)
    present, lengths = [], []
    is_lazy = isinstance(X, LazySequence)
    # The precision of a lazy clip is known only when the clip is computed.
    given = () if is_lazy else {clip.dtype for clip in X}
    n_expected = None if is_lazy else sum(clip.shape[1] for clip in X)
    for index, clip in readable_clips(X):
        frames = frames_of(X, index, clip, n_features)
        rows.expect(len(X) * len(frames) if n_expected is None else n_expected)
        dtype = np.result_type(np.float32, clip.dtype, *given)
        rows.append(frames.astype(np.float32 if dtype == np.float32 else np.float64, copy=False))
        present.append(index)
        lengths.append(len(frames))
    return rows.finish(), np.array(lengths, dtype=int), np.array(present, dtype=int)


def frames_of(X, index, clip, n_features):
    """Transpose a clip of sequences to rows. Check the clip if it has only just been computed.

    Parameters
    ----------
    X : ndarray of shape (n_clips, n_features, n_frames), list or LazySequence
        Clips from ``check_features``.
    index : int
        Position of the clip in X.
    clip : ndarray of shape (n_features, n_frames)
    n_features : int

    Returns
    -------
    ndarray of shape (n_frames, n_features)

    Raises
    ------
    ClipError
        If a lazy clip has another shape, or holds NaN among numbers or infinity.
    """
    if isinstance(X, LazySequence):
        if clip.ndim != 2 or clip.shape[0] != n_features or not clip.size:
            raise ClipError(f"must have the shape ({n_features}, n_frames), got {clip.shape}.").of(X, index)
        if not np.isfinite(clip).all() and not is_missing(clip):
            raise ClipError("contains NaN or infinity.").of(X, index)
    return clip.T


def row_batches(X, n_features):
    """Yield batches of clips as rows. Short clips share a batch, because large products are faster.

    Parameters
    ----------
    X : ndarray of shape (n_clips, n_features) or (n_clips, n_features, n_frames), list or LazySequence
    n_features : int

    Yields
    ------
    rows : ndarray of shape (n_rows, n_features)
    lengths : list of int
        Number of rows of every clip in the batch.
    """
    if getattr(X, "ndim", 3) == 2:
        yield X, [1] * len(X)
        return
    clips, n_frames = [], 0
    for index, clip in enumerate(X):
        clips.append(frames_of(X, index, clip, n_features))
        n_frames += len(clips[-1])
        if n_frames >= BLOCK or index + 1 == len(X):
            yield np.concatenate(clips), [len(clip) for clip in clips]
            clips, n_frames = [], 0


def of_readable(function, rows):
    """Apply `function` to the rows that are no NaN, and give NaN for the others, float64 (n_rows,).

    Distances of rows so far away that a distance has no number become the largest distance.
    """
    present = ~np.isnan(rows[:, 0])
    values = np.full(len(rows), np.nan)
    if present.any():
        with np.errstate(over="ignore", invalid="ignore"):
            distances = function(rows if present.all() else rows[present])
        values[present] = np.fmin(np.asarray(distances, dtype=np.float64), FARTHEST)
    return values


def pool_over_time(distances, how, quantile):
    """Pool the distances of every clip's rows, float64 (n_clips,).

    Parameters
    ----------
    distances : iterable of ndarray of shape (n_rows_i,)
    how : {"mean", "max", "quantile"}
    quantile : float
        Quantile for ``how="quantile"``.
    """
    pool = partial(np.quantile, q=quantile) if how == "quantile" else _POOLS[how]
    return np.array([part[0] if len(part) == 1 else pool(part) for part in distances])


def check_kind(name, X, takes_frames):
    """Raise unless X holds what the detector was fitted on: sequences, or one embedding per clip."""
    if (getattr(X, "ndim", 3) == 3) == takes_frames:
        return
    kinds = ["one embedding a clip, (n_clips, n_features)", "sequences, (n_clips, n_features, n_frames)"]
    given = f"has shape {X.shape}" if hasattr(X, "shape") else "holds sequences"
    raise ValueError(
        f"{name} was fitted on {kinds[takes_frames]}, but X {given}: pass the same kind, or fit again."
    )


def check_others(members, n_clips, n_needed, *, needs, hint):
    """Raise unless the rows beside every clip (group) are enough to compare the clip (group) with.

    Parameters
    ----------
    members : ndarray of int of shape (n_rows,)
        Number of the clip or group that each row belongs to.
    n_clips : int
    n_needed : int
    needs : str
        Start of the message, such as "n_neighbors=1 needs as many".
    hint : str or None
        End of the message: what else helps.
    """
    together = np.bincount(members)
    n_others = len(members) - together.max()
    if n_others < n_needed:
        rows = "clips" if len(members) == n_clips else "frames"
        member = "clip" if np.count_nonzero(together) == n_clips else "group"
        raise ValueError(
            f"{needs} training {rows} beside those of any one {member}, because each clip is compared with the others "
            f"to set the threshold; got {n_others} from n_samples={n_clips}. "
            f"Pass more {member}s{f', or {hint}' if n_others and hint else ''}."
        )


def check_squares(rows, dtype):
    """Raise if the squares of rows cannot be added up in `dtype`.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
    dtype : dtype
    """
    for part in slices(len(rows), BLOCK):
        block = rows[part].astype(np.float64)
        with np.errstate(over="ignore"):
            is_large = squared_lengths(block).max() / 2 > largest_half_square(dtype)
        if is_large:
            raise ValueError(
                f"X holds values up to {np.abs(block).max():.3g}, too large for their squares to be added up in "
                f"{np.dtype(dtype).name}: put a StandardScaler in front."
            )


def largest_half_square(dtype):
    """Largest half of a squared length that products can take: sums and differences of two rows are 8 times larger."""
    return np.finfo(dtype).max / 16


def slices(n_rows, size):
    """Yield slices of at most `size` rows."""
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def squared_lengths(rows):
    """Squared length of every row. The last bit of a result does not depend on the number of rows."""
    return np.einsum("ij,ij->i", rows, rows)
