"""Coreset of a bank: the rows that a greedy algorithm picks so that no row is far from all picked ones."""

import math
import warnings

import numpy as np

from .._checks import check_number, users_level
from .._progress import with_progress
from ._clip_rows import BLOCK, slices, squared_lengths
from ._neighbor_search import NeighborSearch

# Maximum number of rows that a round compares in memory: 1024 rows of 384 values in float64 take 3 MB.
_POOL = 1024


def check_coreset_size(coreset_size):
    """Raise unless `coreset_size` is None, a positive integer or a fraction in (0, 1)."""
    if isinstance(coreset_size, (float, np.floating)):
        check_number(coreset_size, "coreset_size", low=0, high=1, closed="neither")
    elif coreset_size is not None:
        check_number(coreset_size, "coreset_size", low=1, integer=True)


def count_coreset(coreset_size, n_rows, n_neighbors):
    """Number of rows of a coreset.

    Parameters
    ----------
    coreset_size : int or float
    n_rows : int
        Number of rows of the bank.
    n_neighbors : int
        Number of rows that every row is compared with.

    Returns
    -------
    int
        A fraction is rounded up.

    Raises
    ------
    ValueError
        If the bank has fewer rows than the coreset, or the coreset has fewer rows than neighbours are needed.
    """
    is_fraction = isinstance(coreset_size, (float, np.floating))
    n_chosen = math.ceil(coreset_size * n_rows - 1e-9) if is_fraction else int(coreset_size)
    if n_chosen > n_rows:
        raise ValueError(
            f"coreset_size={n_chosen} is larger than the bank of {n_rows} training rows: pass a smaller number, a "
            "fraction in (0, 1), or None to keep all rows."
        )
    if n_chosen < n_neighbors:
        raise ValueError(
            f"coreset_size={coreset_size} keeps {n_chosen} of {n_rows} training rows, and n_neighbors={n_neighbors} "
            "needs as many or more: pass a larger coreset_size, or a smaller n_neighbors."
        )
    return n_chosen


def choose_coreset(bank, n_chosen, center, *, n_compared, smallest, verbose=False):
    """Choose rows of a bank by the greedy k-centre algorithm.

    Parameters
    ----------
    bank : ndarray of shape (n_rows, n_features + 1)
        Rows from ``prepare_bank``.
    n_chosen : int
        At most the rows of the bank.
    center : ndarray of shape (n_features + 1,) or None
        From ``prepare_bank``.
    n_compared : int
        Number of leading columns that distances are computed from.
    smallest : float
        Distance in these columns at which two rows are copies of one another.
    verbose : bool, default=False
        Whether the progress is shown on stderr.

    Returns
    -------
    rows : ndarray of int
        Chosen rows in the order of the choice. There are fewer than `n_chosen` if all other rows are copies of these.
    radius : float
        Largest distance of a row from the nearest chosen one, in the columns that are compared.

    Warns
    -----
    UserWarning
        If the other rows are copies of fewer than `n_chosen` rows.
    """
    if n_chosen == len(bank):
        return np.arange(n_chosen), 0.0
    search = _FarthestFirst(bank[:, :n_compared], None if center is None else center[:n_compared], smallest)
    picks = search.pick(n_chosen)
    if verbose:
        picks = with_progress(picks, n_chosen, title="coreset", done="chose", unit="rows of the coreset")
    rows = np.fromiter(picks, dtype=int)
    if len(rows) < n_chosen:
        warnings.warn(
            f"the coreset has {len(rows)} rows and not {n_chosen}, because all {len(bank)} training rows are copies of "
            f"these. Pass a coreset_size of at most {len(rows)}, or remove the copies.",
            UserWarning,
            stacklevel=users_level(),
        )
    return rows, search.radius()


def reduce_bank(detector, members):
    """Replace the bank of a `NearestNeighborsDetector` by its coreset, if there is one, and set its attributes.

    Parameters
    ----------
    detector : NearestNeighborsDetector
        During `fit`, with a bank of all training rows.
    members : ndarray of int of shape (n_rows,)
        Number of the clip or group that each row belongs to.

    Returns
    -------
    ndarray of int of shape (n_kept,) or slice
        Kept rows in the order of the bank.

    Raises
    ------
    ValueError
        If the coreset is larger than the bank, or has too few rows beside those of a clip or group.
    """
    detector.coreset_indices_ = detector.coreset_radius_ = None
    if detector.coreset_size is None:
        return slice(None)
    bank, is_cosine = detector._bank, detector.metric == "cosine"
    n_chosen = count_coreset(detector.coreset_size, len(bank), detector.n_neighbors)
    # Rows of length 1 have the distance (1 - cos) / 2 = squared difference / 4.
    smallest = NeighborSearch(bank, detector.metric, detector._center).rounding()
    chosen, radius = choose_coreset(
        bank,
        n_chosen,
        detector._center,
        n_compared=bank.shape[1] - (not is_cosine),
        smallest=2 * np.sqrt(smallest) if is_cosine else smallest,
        verbose=detector.verbose,
    )
    kept = np.sort(chosen)
    n_largest = np.bincount(members[kept]).max()
    if len(kept) - n_largest < detector.n_neighbors and detector.n_samples_fit_ > 1:
        raise ValueError(
            f"coreset_size={detector.coreset_size} keeps {len(kept)} of {len(bank)} training rows, and {n_largest} of "
            f"them belong to one clip or group. n_neighbors={detector.n_neighbors} needs as many rows beside them, "
            "because each clip is compared with the others to set the threshold. Pass a larger coreset_size, or None."
        )
    detector._bank = bank[kept]
    detector.coreset_indices_ = chosen if detector._takes_frames else detector._positions[chosen]
    detector.coreset_radius_ = radius**2 / 4 if is_cosine else radius
    return kept


class _FarthestFirst:
    """Farthest-first traversal of rows: the next row is the one farthest from all rows before.

    A naive traversal reads all rows for every pick. This traversal makes the same picks with fewer passes. The distance
    of a row to the first picks is an upper bound on the distance to all picks. A round holds the rows with the largest
    bounds, its pool, and picks from the pool as long as the farthest row of the pool is farther than the bounds of all
    other rows allow. One product of matrices then brings the bounds of all rows up to date with all picks of the round.

    Products are computed in float64 from blocks of rows. Beside the rows and the blocks, the traversal holds a few
    numbers for each row. Of rows at the same distance, up to rounding, any may be picked.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features), float32 or float64
    center : ndarray of shape (n_features,) or None
        Point that rows are measured from, so that products do not round off the differences of rows.
    smallest : float
        Distance at which two rows are copies of one another.
    """

    def __init__(self, rows, center, smallest):
        self._rows, self._center = rows, center
        self._lengths = np.empty(len(rows))
        total = np.zeros(rows.shape[1])
        for part in slices(len(rows), BLOCK):
            block = self._block(part)
            self._lengths[part] = squared_lengths(block)
            total += block.sum(axis=0)
        self._mean = total / len(rows)
        # The squared distance of two copies is not 0, because a sum of products is rounded.
        rounding = 4 * (rows.shape[1] + 20) * np.finfo(np.float64).eps * self._lengths.max()
        self._smallest = max(smallest**2, rounding)
        self._squared = np.full(len(rows), np.inf)

    def pick(self, n_picks):
        """Yield `n_picks` rows, or fewer if all other rows are copies of the rows before."""
        made, n_done = [self._first()], 1
        yield made[0]
        while n_done < n_picks:
            self._update(made)
            made = []
            for row in self._round(n_picks - n_done):
                made.append(row)
                n_done += 1
                yield row
            if not made:
                return
        self._update(made)

    def radius(self):
        """Largest distance of a row from the nearest pick. The distance of a copy is 0."""
        largest = self._squared.max()
        return float(np.sqrt(largest)) if largest > self._smallest else 0.0

    def _first(self):
        """The row that is farthest from the mean row. The choice therefore needs no random numbers."""
        squared = np.empty(len(self._rows))
        for part in slices(len(self._rows), BLOCK):
            squared[part] = squared_lengths(self._block(part) - self._mean)
        return int(squared.argmax())

    def _round(self, n_picks):
        """Yield the next picks, as far as the pool of this round decides. The pool always decides about the first."""
        n_pool = min(_POOL, len(self._rows))
        pool = np.argpartition(self._squared, len(self._rows) - n_pool)[-n_pool:]
        pool.sort()
        is_outside = np.ones(len(self._rows), dtype=bool)
        is_outside[pool] = False
        bound = max(self._squared[is_outside].max(initial=0.0), self._smallest)
        rows, lengths, squared = self._block(pool), self._lengths[pool], self._squared[pool]
        for n_done in range(n_picks):
            at = int(squared.argmax())
            if squared[at] <= (bound if n_done else self._smallest):
                return
            yield int(pool[at])
            np.minimum(squared, lengths + lengths[at] - 2 * (rows @ rows[at]), out=squared)
            squared[at] = 0

    def _update(self, picks):
        """Lower the bounds of all rows to their distances from these picks."""
        centers, lengths = self._block(picks), self._lengths[picks]
        for part in slices(len(self._rows), BLOCK):
            keys = lengths - 2 * (self._block(part) @ centers.T)
            np.minimum(self._squared[part], self._lengths[part] + keys.min(axis=1), out=self._squared[part])
        self._squared[picks] = 0

    def _block(self, which):
        rows = self._rows[which].astype(np.float64)
        return rows if self._center is None else rows - self._center
